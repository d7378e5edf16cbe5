"""What the connections of one sender share, and which relays they can reach.

A place is one that a connection may take (`lane`). One that gets no connection rests, a little longer each time, while
the others work: of those that rest for one relay one tries for all, and when it is back they all are. A relay is *down*
when one of its places got no connection and no other has one or is about to; then they all rest, and what waits for it
goes another way, where somebody else may carry it. When all who are left rest, the run is over. Asked by the lanes and the sender, on its event loop.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from nurture.clock import Clock
from nurture.consent.rules import Purpose
from nurture.delivery.boundary import Boundary
from nurture.delivery.commits import SharedCommits
from nurture.delivery.database_thread import DatabaseThread
from nurture.delivery.house import House
from nurture.delivery.mailer import Mailer
from nurture.delivery.preparing import Ready
from nurture.delivery.supplying import Supply
from nurture.delivery.transactions import Transactions

log = logging.getLogger(__name__)

_FIRST_REST_SECONDS = 1.0
_LONGEST_REST_SECONDS = 30.0


class Place(Protocol):
    """One place for a connection to a relay."""

    relay: str

    @property
    def has_hope(self) -> bool:
        """Whether it has a connection, or a mail at hand for which it is about to open one."""


@dataclass
class Rest:
    """How long the places of one relay that got no connection wait; `is_tried`: one of them tries right now."""

    until: float
    seconds: float = _FIRST_REST_SECONDS
    is_tried: bool = False


@dataclass
class Road:
    """What the lanes of one sender share."""

    mailer: Mailer
    clock: Clock
    house: House
    boundary: Boundary
    thread: DatabaseThread
    transactions: Transactions
    commits: SharedCommits
    supply: Supply
    counts: Counter[str] = field(default_factory=Counter)
    places: list[Place] = field(default_factory=list)
    working: set[Place] = field(default_factory=set)  # whose work in this run has not ended
    down: dict[Place, str] = field(default_factory=dict)  # those that can get no connection in this run, and why
    rests: dict[str, Rest] = field(default_factory=dict)  # by relay
    is_stopping: bool = False

    @property
    def is_at_work(self) -> bool:
        """Whether anybody has something better to do than to wait for a relay."""
        return not self.is_stopping and any(place not in self.down for place in self.working)

    def may_try(self, relay: str) -> bool:
        """Whether it is time to try once more to reach a relay, and nobody else is about to."""
        rest = self.rests.get(relay)
        return rest is None or not (rest.is_tried or self.clock.elapsed() < rest.until)

    @contextmanager
    def trying(self, relay: str) -> Iterator[None]:
        """While somebody tries, nobody who rests does."""
        rest = self.rests.get(relay)
        if rest is not None:
            rest.is_tried = True
        try:
            yield
        finally:
            if rest is not None:
                rest.is_tried = False

    def reached(self, place: Place) -> None:
        """A new connection was opened."""
        self.down.pop(place, None)
        self.rests.pop(place.relay, None)
        self.supply.reached(place.relay)

    def missed(self, place: Place, because: str) -> None:
        """No connection could be opened."""
        self.down[place] = because
        now = self.clock.elapsed()
        rest = self.rests.setdefault(place.relay, Rest(now + _FIRST_REST_SECONDS))
        if rest.until <= now:  # else several fail at the same time, and that is one failure
            rest.seconds = min(2 * rest.seconds, _LONGEST_REST_SECONDS)
            rest.until = now + rest.seconds

    def pass_by(self, relay: str) -> None:
        """Send another way what waits for a relay, if that is down."""
        theirs = [place for place in self.places if place.relay == relay]
        if any(place.has_hope for place in theirs if place not in self.down):
            return
        because = next(why for place, why in self.down.items() if place.relay == relay)
        for place in theirs:
            self.down.setdefault(place, because)  # whoever had nothing to do need not find out by themselves
        if self.is_at_work and not self.supply.is_down(relay):
            log.warning("a relay cannot be reached, and the others go on: %s", because)
        self.supply.pass_by(relay, self._way_of)

    def send_another_way(self) -> bool:
        """Do that for all relays that are down; False if nothing waits for any other."""
        for relay in {place.relay for place in self.down}:
            self.pass_by(relay)
        return self.supply.has_way

    def _way_of(self, one: Ready) -> str:
        """Who carries it now; still the same if nobody else may."""
        sender = (one.delivery.facts or {})["sender"]["email"]
        relay = self.mailer.choose(sender, one.domain, one.delivery.id) or one.relay
        if one.delivery.purpose == Purpose.CAMPAIGN and self.boundary.find_terms(relay, one.basis) is not None:
            return one.relay
        return relay
