"""The mails that wait for a connection, by relay, and the claim that is on its way to join them.

A new claim begins while there is still enough for the connections to do, so that they never run dry, and none while
there is plenty, so that little is in a worker's hands if it dies.

One relay's mails do not keep the others waiting. Of what is due for a relay only so much is taken in; what a claim finds
beyond that lets all others pass: it goes behind whatever is due, or, while its relay is down, comes again later. A relay
that works off its plenty has only now and then somebody look behind it, for that costs as much as sending. What waits
for a relay that is down is kept for when it is back, and counts for nobody else. Called on the sender's event loop.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from nurture.delivery.preparing import Ready

#: So many rows a claim takes: below, what it costs by itself shows; above, exchanges wait for it.
CLAIM = 200
#: A new claim begins when fewer mails than this wait.
_FEW = 100
#: So many wait for one relay, and what one more claim brings.
_MOST = 2_000
#: What is due beyond that for a relay that is down comes again after this, as after a connection that was lost.
_COMES_AGAIN_AFTER = timedelta(minutes=5)
#: So often somebody who has nothing to do looks behind the plenty of another relay.
_LOOKS_EVERY_SECONDS = 1.0
_WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim brought."""

    ready: list[Ready]
    settled: Counter[str] = field(default_factory=Counter)  # what became of those that cannot be sent now
    is_last: bool = False  # nothing more is due
    has_put_back: bool = False  # the limits let some of what is due leave only later


class Supply:
    """What one run of the sender has at hand."""

    def __init__(self, claim: "Callable[[], asyncio.Future[Claim]]") -> None:
        self._claim = claim
        self._ready: defaultdict[str, deque[Ready]] = defaultdict(deque)
        self._count = 0  # those for a relay that is down left out: nobody has them to do
        self._down: set[str] = set()
        self._looks_at = 0.0
        self._claiming: asyncio.Future[Claim] | None = None
        self._is_over = False
        self._is_last = False
        self._is_paced = False
        self._failure: BaseException | None = None
        self._settled: Counter[str] = Counter()

    def begin(self, counts: Counter[str]) -> None:
        """A new run; what becomes of mails that cannot be sent is added to its counts."""
        self._ready.clear()
        self._down.clear()
        self._count = 0
        self._is_over = self._is_last = self._is_paced = False
        self._failure = None
        self._settled = counts

    async def end(self) -> BaseException | None:
        """Wait for a claim that is on its way, for what it took is given back with the rest; why one failed, if it did."""
        if self._claiming is not None:
            await asyncio.wait([self._claiming])
        return self._failure

    def give_up(self) -> None:
        """Hand out no more in this run."""
        self._is_over = True

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is due any more and nothing waits."""
        return self._is_over or (self._is_last and not self.has_left)

    @property
    def has_left(self) -> bool:
        """Whether mails wait that nobody carried."""
        return any(self._ready.values())

    @property
    def has_way(self) -> bool:
        """Whether mails wait for a relay that is not down."""
        return bool(self._count)

    def take(self, relay: str) -> Ready | None:
        """The next mail for this relay that waits already."""
        waiting = self._ready[relay]
        if not waiting or self._is_over:
            return None
        self._count -= 1
        if self._count < _FEW and not self._is_paced and not self._is_last:
            self._claim_ahead()
        return waiting.popleft()

    async def more(self) -> bool:
        """Wait for a claim, or for a moment: there may be another mail now; False when none is due any more."""
        if self._is_last or self._is_over:
            return False
        now = asyncio.get_running_loop().time()
        if self._claiming is None and now < self._looks_at and self._is_crowded():
            await asyncio.sleep(_WAIT_SECONDS)
        else:
            self._looks_at = now + _LOOKS_EVERY_SECONDS
            await asyncio.wait([self._claim_ahead()])
        return True

    def look_again(self) -> None:
        """More may have fallen due since a claim found nothing; not more often than now and then."""
        if asyncio.get_running_loop().time() >= self._looks_at:
            self._is_last = False

    def put_back(self, one: Ready) -> None:
        """It could not be carried, and comes before all others again."""
        self._ready[one.relay].appendleft(one)
        self._count += one.relay not in self._down

    def pass_by(self, relay: str, choose: Callable[[Ready], str]) -> None:
        """A relay is down: what waits for it goes another way, or waits on without keeping anybody from anything."""
        waiting = self._ready.pop(relay, deque())
        if relay not in self._down:
            self._down.add(relay)
            self._count -= len(waiting)
        for one in waiting:
            one.relay = choose(one)
            self._add(one)

    def reached(self, relay: str) -> None:
        """A relay is not down, or not any more."""
        if relay in self._down:
            self._down.remove(relay)
            self._count += len(self._ready[relay])

    def list_full(self) -> dict[str, timedelta]:
        """The relays that have plenty, and how much later more for them is to come; asked by the thread of the claims."""
        return {
            relay: _COMES_AGAIN_AFTER if relay in self._down else timedelta(0)
            for relay, waiting in list(self._ready.items())
            if len(waiting) >= _MOST
        }

    def _is_crowded(self) -> bool:
        """Whether a relay that is not down has plenty."""
        return any(len(waiting) >= _MOST for relay, waiting in self._ready.items() if relay not in self._down)

    def _add(self, one: Ready) -> None:
        self._ready[one.relay].append(one)
        self._count += one.relay not in self._down

    def _claim_ahead(self) -> "asyncio.Future[Claim]":
        if self._claiming is None:
            self._claiming = self._claim()
            self._claiming.add_done_callback(self._take_in)
        return self._claiming

    def _take_in(self, claiming: "asyncio.Future[Claim]") -> None:
        self._claiming = None
        if (error := claiming.exception()) is not None:
            self._failure = error
            self.give_up()
            return
        claim = claiming.result()
        self._settled.update(claim.settled)
        self._is_last = self._is_last or claim.is_last
        self._is_paced = claim.has_put_back
        for one in claim.ready:
            self._add(one)
