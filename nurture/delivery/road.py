"""What the connections of one sender share, and which relays they can reach.

A place is one that a connection may take (`lane`). One that gets no connection rests, a little longer each time, while
the others work: of those that rest for one relay one tries for all, and when it got one, two try, then four: a relay
that has no more to give is not asked by all of them whenever it takes one. A relay is *down*
when one of its places got no connection and no other has one or is about to; then they all rest, and what waits for it
goes another way, where somebody else may carry it. One that has nothing to do is *idle* and looks now and then what has
fallen due since: a relay may take ten minutes over a mail, or one over its greeting, and nobody else's waits for that.
When all who are left rest or are idle nobody begins a try any more, and with the last that was begun the run is over.
Asked by the lanes and the sender, on its event loop.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
_LOOK_UP_SECONDS = 0.25


class Place(Protocol):
    """One place for a connection to a relay."""

    relay: str

    @property
    def has_hope(self) -> bool:
        """Whether it has a connection, or a mail at hand for which it is about to open one."""


@dataclass
class Rest:
    """How long the places of one relay that got no connection wait, and how many of them may try at the same time."""

    until: float
    seconds: float = _FIRST_REST_SECONDS
    may_try: int = 1
    try_now: int = 0


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
    idle: set[Place] = field(default_factory=set)  # those that have nothing to do
    rests: dict[str, Rest] = field(default_factory=dict)  # by relay
    told: set[str] = field(default_factory=set)  # the relays of which the log says that they are down
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False

    @property
    def is_at_work(self) -> bool:
        """Whether anybody has something better to do than to wait for others."""
        if self.is_stopping or self.over.is_set():
            return False
        return any(place not in self.down and place not in self.idle for place in self.working)

    @property
    def is_under_way(self) -> bool:
        """Whether somebody is at work or, of those who rest, tries to be: the run lasts until the relay has answered."""
        if self.is_at_work:
            return True
        return not (self.is_stopping or self.over.is_set()) and any(rest.try_now for rest in self.rests.values())

    def begin(self) -> None:
        """All places are at work."""
        self.working.update(self.places)
        self.over = asyncio.Event()

    def end(self, place: Place) -> None:
        """It has no more to do in this run."""
        self.working.discard(place)
        self._look_round()

    async def wait_for_others(self) -> None:
        """For a moment, or until the run is over."""
        self._look_round()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                await self.over.wait()

    async def is_worth_waiting(self, place: Place) -> bool:
        """Nothing is due: whether the run went on a moment later, so that it is time to look once more."""
        self.idle.add(place)
        try:
            await self.wait_for_others()
        finally:
            self.idle.discard(place)
        if self.is_under_way:
            self.supply.look_again()
        return self.is_under_way

    def _look_round(self) -> None:
        """Tell those who wait that the run is over; those of them that wake up first are not at work, either."""
        if not self.is_under_way:
            self.over.set()

    def may_try(self, relay: str) -> bool:
        """Whether it is time to try once more to reach a relay, and not enough others are about to."""
        rest = self.rests.get(relay)
        return rest is None or (rest.try_now < rest.may_try and self.clock.elapsed() >= rest.until)

    @contextmanager
    def trying(self, relay: str) -> Iterator[None]:
        """While somebody tries, of those who rest so many fewer do."""
        rest = self.rests.get(relay)
        if rest is not None:
            rest.try_now += 1
        try:
            yield
        finally:
            if rest is not None:
                rest.try_now -= 1

    def reached(self, place: Place) -> None:
        """A new connection was opened."""
        self.told.discard(place.relay)
        has_rested = self.down.pop(place, None) is not None
        rest = self.rests.get(place.relay)
        if rest is not None and has_rested:
            rest.may_try *= 2
            rest.until, rest.seconds = self.clock.elapsed(), _FIRST_REST_SECONDS
        elif rest is not None:
            # It is no news that it takes as many as it did, but those who rest need not rest for long.
            rest.until = min(rest.until, self.clock.elapsed() + _FIRST_REST_SECONDS)
            rest.seconds = _FIRST_REST_SECONDS
        if not any(other.relay == place.relay for other in self.down):
            self.rests.pop(place.relay, None)
        self.supply.reached(place.relay)

    def missed(self, place: Place, because: str) -> None:
        """No connection could be opened."""
        self.down[place] = because
        now = self.clock.elapsed()
        rest = self.rests.setdefault(place.relay, Rest(now + _FIRST_REST_SECONDS))
        rest.may_try = 1
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
        if self.is_at_work and relay not in self.told:
            self.told.add(relay)
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
        if relay != one.relay and self.transactions.limits_relay(relay):
            # It was granted no place of that one: whoever takes it has it claimed again.
            one.pace = one.pace.ended()
        return relay
