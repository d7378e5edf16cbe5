"""What became of the mails of a campaign, as one line of numbers that always adds up. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from nurture.delivery.rules import Status


@dataclass(frozen=True)
class Counts:
    """Each mail is in exactly one of them."""

    sent: int = 0  # the relay took it, whatever came back later
    refused: int = 0
    cancelled: int = 0
    failed: int = 0
    expired: int = 0
    uncertain: int = 0
    waiting: int = 0  # queued, held, or in a sender's hands

    @property
    def audience(self) -> int:
        """All of them."""
        return sum(asdict(self).values())

    def __str__(self) -> str:
        parts = [f"{count:,} {word}" for word, count in asdict(self).items() if count]
        return f"{self.audience:,} mails: {', '.join(parts)}" if parts else "no mails yet"


_COUNTED: Mapping[Status, str] = {
    Status.QUEUED: "waiting",
    Status.HELD: "waiting",
    Status.CLAIMED: "waiting",
    Status.SENDING: "waiting",
    Status.SENT: "sent",
    Status.BOUNCED: "sent",
    Status.COMPLAINED: "sent",
    Status.UNCERTAIN: "uncertain",
    Status.REFUSED: "refused",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.EXPIRED: "expired",
}


def count_of(by_status: Mapping[str, int]) -> Counts:
    """The numbers of a campaign, from how many of its mails are in which state."""
    found: dict[str, int] = {}
    for status, count in by_status.items():
        word = _COUNTED[Status(status)]
        found[word] = found.get(word, 0) + count
    return Counts(**found)
