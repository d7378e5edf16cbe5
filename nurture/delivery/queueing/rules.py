"""What is known of somebody one of many mails is for, before it is queued."""

from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    """What was found out about somebody when the mails were queued."""

    NOT_MEANT = 0
    MEANT = 1  # and may not be mailed now: the rule says why
    MAY_BE_MAILED = 2


class Judged(NamedTuple):
    """One contact, and where they live as far as their mail's hour goes by it."""

    contact_id: int
    verdict: int
    timezone: str | None
    country: str | None
