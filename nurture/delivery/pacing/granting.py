"""What a worker was granted of the limits for one claim; afterwards everything is arithmetic in its own memory.

The sender asks `leaves_at` for each mail right before it asks for its permission, and says `use` once it has begun. What
was granted and not used is given back. A mail that is not to leave now is not in the claim any more: `grant` has held it
or put it back into the queue, in the transaction that claimed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from nurture.delivery.claimed import Row
from nurture.delivery.pacing.rules import LATE, Span, Wait


class Place(NamedTuple):
    """Where one mail was counted: in a bucket of a lane, or in the wave of a campaign that began then."""

    lane: str
    span: Span | None  # None: a wave
    begins_at: datetime


@dataclass
class PaceGrant:
    """Of the mails of one claim: which may leave, and when.

    `kept` are those that are not the worker's any more, with why; None: they went back into the queue. `good_until` is
    an `elapsed()` second: what has not begun by then is given back and claimed again.
    """

    good_until: float = float("inf")
    kept: Mapping[int, Wait | None] = field(default_factory=dict)
    leaves: Mapping[int, float] = field(default_factory=dict)
    unused: dict[int, tuple[Place, ...]] = field(default_factory=dict)

    def leaves_at(self, claimed: Row) -> float:
        """The `elapsed()` second at which it may leave; 0: at once."""
        return self.leaves.get(claimed.id, 0.0)

    def use(self, claimed: Row) -> None:
        """It has begun to leave: its places are used up."""
        self.unused.pop(claimed.id, None)


def good_until(elapsed: float) -> float:
    """Until which `elapsed()` second a grant of that second is good."""
    return elapsed + LATE.total_seconds()
