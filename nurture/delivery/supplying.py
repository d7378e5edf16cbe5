"""The mails that wait for a connection, by relay, and the claim that is on its way to join them.

A new claim begins while there is still enough for the connections to do, so that they never run dry, and none while
there is plenty, so that little is in a worker's hands if it dies. Called on the sender's event loop.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from nurture.delivery.preparing import Ready

#: So many rows a claim takes: below, what it costs by itself shows; above, exchanges wait for it.
CLAIM = 200
#: A new claim begins when fewer mails than this wait.
_FEW = 100
#: With several relays, one of them may be slow: no more are claimed for the others once so many wait.
_MOST = 2_000


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
        self._count = 0
        self._claiming: asyncio.Future[Claim] | None = None
        self._is_over = False
        self._is_last = False
        self._is_paced = False
        self._failure: BaseException | None = None
        self._settled: Counter[str] = Counter()

    def begin(self, counts: Counter[str]) -> None:
        """A new run; what becomes of mails that cannot be sent is added to its counts."""
        self._ready.clear()
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
        return self._is_over or (self._is_last and not self._count)

    @property
    def has_left(self) -> bool:
        """Whether mails wait that nobody carried."""
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

    async def next(self, relay: str) -> Ready | None:
        """The next mail for this relay; None when there will be none in this run."""
        while (one := self.take(relay)) is None:
            if self._is_last or self._is_over or self._count >= _MOST:
                return None
            await asyncio.wait([self._claim_ahead()])
        return one

    def put_back(self, one: Ready) -> None:
        """It could not be carried, and comes before all others again."""
        self._ready[one.relay].appendleft(one)
        self._count += 1

    def choose_again(self, down: set[str], choose: Callable[[Ready], str]) -> bool:
        """Move what waits for a relay that is down to another one; whether there is anything to do for one that is up."""
        for relay in down:
            waiting, self._ready[relay] = self._ready[relay], deque()
            for one in waiting:
                one.relay = choose(one)
                self._ready[one.relay].append(one)
        return any(waiting for relay, waiting in self._ready.items() if relay not in down)

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
            self._ready[one.relay].append(one)
        self._count += len(claim.ready)
