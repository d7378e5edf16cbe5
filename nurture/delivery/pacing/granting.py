"""What a worker was granted of the limits: for the mails of one claim, and in stock for the claims that follow.

The sender asks `leaves_at` for each mail right before it asks for its permission, and says `use` once it has begun. What
was granted and not used is given back. A mail that is not to leave now is not in the claim any more: `grant` has held it
or put it back into the queue, in the transaction that claimed it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from nurture.delivery.claimed import Row
from nurture.delivery.pacing.lanes import Lanes, Span
from nurture.delivery.pacing.rules import LATE, Wait
from nurture.delivery.resting.rules import Rest


class Place(NamedTuple):
    """Where mails were counted: in a bucket of a lane, or in the wave of a campaign that began then."""

    lane: str
    span: Span | None  # None: a wave
    begins_at: datetime


@dataclass(slots=True)
class Lease:
    """Places of one lane that were counted together; `left` of them nobody has yet."""

    places: tuple[Place, ...]
    left: int
    taken_at: datetime
    good_until: float  # an `elapsed()` second


@dataclass
class Memory:
    """What one sender remembers from claim to claim, so that most of them ask the database for little."""

    leases: dict[str, Lease] = field(default_factory=dict)
    looked_at: dict[str, datetime] = field(default_factory=dict)  # campaigns
    young: Counter[str] = field(default_factory=Counter)  # of these, how many mails were claimed since
    claimed: set[str] = field(default_factory=set)  # campaigns whose mails were claimed in this run
    resting: dict[str, Rest] = field(default_factory=dict)  # that were heard of while mails for them were in hand
    knows_no_rest_until: tuple[datetime, float] | None = None  # when it asked, and an `elapsed()` second

    def note_look(self, campaign: str, now: datetime, *, is_young: bool | None) -> None:
        """A campaign was looked at; `is_young` None: by another sender, who alone knows."""
        if is_young or (is_young is None and campaign not in self.looked_at):
            self.young[campaign] = 0
        elif is_young is False:
            self.young.pop(campaign, None)
        self.looked_at[campaign] = now

    def let_go(self) -> None:
        """What was in stock was given back: nobody claims for now."""
        self.leases.clear()
        self.claimed.clear()
        self.knows_no_rest_until = None


@dataclass(eq=False)
class PaceGrant:
    """Of the mails of one claim: which may leave, and when.

    `kept` are those that are not the worker's any more, with why; None: they went back into the queue. `good_until` is
    an `elapsed()` second: what has not begun by then is given back and claimed again. `unused` are those that have not
    begun yet, with their lanes; `leases` say where each lane counts, `waves` where a first mail counts besides.
    """

    good_until: float = float("inf")
    kept: Mapping[int, Wait | None] = field(default_factory=dict)
    leaves: Mapping[int, float] = field(default_factory=dict)
    unused: dict[int, Lanes] = field(default_factory=dict)
    leases: Mapping[str, Lease] = field(default_factory=dict)
    waves: Mapping[int, Place] = field(default_factory=dict)
    fresh: Mapping[str, Lease] = field(default_factory=dict)

    def leaves_at(self, claimed: Row) -> float:
        """The `elapsed()` second at which it may leave; 0: at once."""
        return self.leaves.get(claimed.id, 0.0)

    def use(self, claimed: Row) -> None:
        """It has begun to leave: its places are used up."""
        self.unused.pop(claimed.id, None)

    def spare(self, claimed: Row) -> list[Place]:
        """It does not leave after all: the places to give back for it."""
        lanes = self.unused.pop(claimed.id, None)
        return self.places_of(claimed.id, lanes) if lanes is not None else []

    def places_of(self, delivery: int, lanes: Lanes) -> list[Place]:
        """Where a mail of these lanes was counted."""
        leases = [self.leases[key] for key in lanes.keys if key in self.leases]
        places = [place for lease in leases for place in lease.places]
        return [*places, self.waves[delivery]] if delivery in self.waves else places

    def ended(self) -> "PaceGrant":
        """The same for a mail that may not begin by it any more."""
        return replace(self, good_until=float("-inf"))

    def take_effect(self, memory: Memory) -> None:
        """The transaction of the claim was committed: what was counted in it may be given out."""
        memory.leases.update(self.fresh)


def good_until(elapsed: float) -> float:
    """Until which `elapsed()` second a grant of that second is good."""
    return elapsed + LATE.total_seconds()
