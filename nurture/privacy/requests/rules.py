"""What may be asked for, whose yes each needs, and when it is too late. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

VALID_FOR = timedelta(hours=1)
#: Whoever holds a forwarded newsletter shall not fill somebody's inbox with our mails.
MOST_A_DAY = 4


class Kind(StrEnum):
    """What is asked for."""

    DOWNLOAD = "download"
    ERASE = "erase"
    ADDRESS = "address"
    TRACKING = "tracking"  # that opens and clicks may be seen; that they may not acts at once


class Side(IntEnum):
    """Which address a confirmation came to."""

    ON_FILE = 1
    NEW = 2


class Standing(StrEnum):
    """Where a request stands for one side."""

    OPEN = "open"
    LATE = "late"
    USED = "used"


@dataclass(frozen=True)
class Asked:
    """One request: what, until when, and who has said yes."""

    kind: Kind
    expires_at: datetime
    confirmed_at: datetime | None = None
    confirmed_new_at: datetime | None = None

    def standing(self, side: Side, now: datetime) -> Standing:
        """Whether the link of this side may still be used: once, and within the hour."""
        if (self.confirmed_at if side is Side.ON_FILE else self.confirmed_new_at) is not None:
            return Standing.USED
        return Standing.LATE if now >= self.expires_at else Standing.OPEN

    @property
    def is_confirmed(self) -> bool:
        """Whether everybody said yes whose yes it needs."""
        return self.confirmed_at is not None and (self.kind is not Kind.ADDRESS or self.confirmed_new_at is not None)
