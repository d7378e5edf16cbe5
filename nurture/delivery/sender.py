"""Sends what is due: claims, renders, asks permission, hands over, records.

One asyncio loop speaks SMTP over a few warm connections, one coroutine each. Every transaction runs in one database
thread: what connections want stored and asked meanwhile shares a commit, and the next claim is made ready before the
last one is used up. A connection holds at most one message whose fate is open, so that a killed sender leaves no more
doubt than it had connections. Stopping finishes the message at hand.

How a message goes: its permission is asked while the message behind it is written; its body and the envelope of the one
behind it travel together. That envelope belongs to a row that is only claimed: if the row may not leave after all, the
connection is given up, for nothing may be said to a relay that waits for a body but the body.
"""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache

from nurture.campaigns.declared import Declared, get_declared
from nurture.clock import Clock
from nurture.database.engine import Database, Session
from nurture.delivery import composing, facts
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.boundary import Boundary
from nurture.delivery.commits import SharedCommits
from nurture.delivery.composing import Composed
from nurture.delivery.database_thread import DatabaseThread
from nurture.delivery.house import House
from nurture.delivery.mailer import Connection, Envelope, Mailer, RelayDown
from nurture.delivery.pacing.rules import FREE, Pacing
from nurture.delivery.preparing import Preparing, Ready
from nurture.delivery.relayed.rules import OwnIds
from nurture.delivery.rules import Heard, Outcome, Status, Stop
from nurture.delivery.supplying import Supply
from nurture.delivery.transactions import Transactions

log = logging.getLogger(__name__)

_RELAY_CLOSES = 421
_LOOK_UP_SECONDS = 0.25

#: How a try is counted in what a run reports.
_COUNTED = {
    Heard.ACCEPTED: "sent",
    Heard.REJECTED: "failed",
    Heard.DEFERRED: "deferred",
    Heard.LOST: "deferred",
    Heard.UNANSWERED: "uncertain",
}


class Sender:
    """The sending half of one worker incarnation."""

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        *,
        worker: int,
        clock: Clock,
        house: House,
        boundary: Boundary,
        limits: Callable[[Declared], Limits],
        limits_of_pace: Pacing = FREE,
        declared: Callable[[Session], Declared] = get_declared,
        coming: Callable[[Session, Sequence[int], datetime], Mapping[int, datetime]] = lambda *_: {},
        answered: facts.Answered = lambda *_: {},
        own_ids: OwnIds | None = None,
    ) -> None:
        self._mailer = mailer
        self._clock = clock
        self._house = house
        self._transactions = Transactions(
            database,
            worker,
            clock,
            Preparing(house, boundary, mailer.choose, answered),
            limits=limits,
            pacing=limits_of_pace,
            declared=declared,
            coming=coming,
            own_ids=own_ids or OwnIds(),
        )
        self._thread = DatabaseThread("nurture-sender-database")
        self._commits = SharedCommits(
            lambda ended, wanted, unsaid: self._thread.run(lambda: self._transactions.exchange(ended, wanted, unsaid))
        )
        self._supply = Supply(lambda: self._thread.run(lambda: self._transactions.claim(self._due_at, self._only)))
        self._places = list(mailer.places)
        self._pool: list[Connection | None] = [None] * len(self._places)
        self._counts: Counter[str] = Counter()
        self._down: dict[str, str] = {}  # relays that could not be reached in this run, and why
        self.is_stopping = False
        self._due_at: datetime | None = None
        self._only: Sequence[int] | None = None

    def stop(self) -> None:
        """Finish the messages at hand and take no more; safe to call from any thread."""
        self.is_stopping = True

    async def drain(
        self, now: datetime | None = None, *, only: Sequence[int] | None = None
    ) -> tuple[Counter[str], str]:
        """Send all that is due at `now` (default: as time goes by), or of that `only` some deliveries.

        Whether each may leave is asked at the moment it does: a window may close while the mails before it go out.

        Returns counts, and why the relay could not be reached if it could not.
        """
        _settle_memory()
        self._counts = Counter()
        self._down = {}
        self._due_at, self._only = now, only
        self._supply.begin(self._counts)
        try:
            if self._commits.owes:
                await self._commits.exchange(None, None)
            while not self.is_stopping:
                await self._work_on_all()
                if self._supply.is_used_up or not self._send_another_way():
                    break
        finally:
            failure = await self._supply.end()
            if self._transactions.has_claimed:
                await self._thread.run(self._transactions.give_back)
        if failure is not None:
            raise failure
        return self._counts, "; ".join(dict.fromkeys(self._down.values())) if self._supply.has_left else ""

    async def close(self) -> None:
        """Close the connections and the thread."""
        for connection in self._pool:
            if connection is not None:
                await connection.close()
        if self._commits.owes:
            # Whoever takes over finds these mails in doubt; the log says so beforehand.
            log.warning("the database never took some results")
        self._thread.run(self._transactions.close)
        self._thread.close()

    async def _work_on_all(self) -> None:
        """Let every connection carry messages until there are none; an error of one stops all."""
        works = [self._work(number) for number, relay in enumerate(self._places) if relay not in self._down]
        for ended in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    def _send_another_way(self) -> bool:
        """Give what a relay that is down was to carry to another one; False if nobody takes it."""
        return self._supply.choose_again(set(self._down), self._choose)

    def _choose(self, one: Ready) -> str:
        sender = (one.delivery.facts or {})["sender"]["email"]
        return self._mailer.choose(sender, one.domain, one.delivery.id) or one.relay

    async def _work(self, number: int) -> None:
        """Carry messages over connection `number` until there is none for its relay."""
        try:
            await self._carry(number)
        except BaseException:
            self._supply.give_up()  # the others finish what they have at hand
            if (connection := self._pool[number]) is not None:
                # An envelope may be with the relay; the next run begins with another one.
                await connection.abandon()
            raise

    async def _carry(self, number: int) -> None:
        relay = self._places[number]
        ended: Ended | None = None
        at_hand = await self._next(relay)
        while at_hand is not None and not self.is_stopping:
            one, composed = at_hand
            connection = await self._connection(number)
            if connection is None:
                self._supply.put_back(one)
                break
            if (pause := self._pause_before(one)) > 0:
                # Whoever waits keeps no result to themselves: it would be in doubt if the process died meanwhile.
                await self._store(ended)
                ended = None
                await connection.abandon()
                await self._wait(pause)
                connection = await self._connection(number)
                if connection is None or self.is_stopping:
                    self._supply.put_back(one)
                    break
            permission = self._commits.exchange(ended, one)
            ended = None
            behind = await self._next(relay, at_once=True)
            stop = await permission
            if stop is not None:
                self._counts[_word_for(stop)] += 1
                await connection.abandon()
            else:
                outcome = await self._hand_over(number, connection, composed, behind)
                self._counts[_COUNTED[outcome.heard]] += 1
                ended = Ended(one.delivery, outcome)
            if behind is None:
                await self._store(ended)
                ended = None
                behind = await self._next(relay)
            at_hand = behind
        await self._store(ended)
        if (connection := self._pool[number]) is not None:
            await connection.abandon()

    async def _store(self, ended: Ended | None) -> None:
        if ended is not None:
            await self._commits.exchange(ended, None)

    async def _hand_over(
        self, number: int, connection: Connection, composed: Composed, behind: tuple[Ready, Composed] | None
    ) -> Outcome:
        """Offer the envelope and write the body; with it the envelope of the message behind, if that may leave now."""
        envelope = _envelope(composed)
        refused = await connection.begin(envelope)
        if refused is not None and not connection.is_usable and _was_not_heard(refused):
            another = await self._connection(number)
            if another is None:
                return refused
            connection, refused = another, await another.begin(envelope)
        if refused is not None:
            return refused
        ahead = None
        if behind is not None and connection.can_pipeline and not self.is_stopping:
            ready, following = behind
            ahead = _envelope(following) if self._pause_before(ready) <= 0 else None
        return await connection.finish(composed.parts, ahead, is_clean=True)

    async def _next(self, relay: str, *, at_once: bool = False) -> tuple[Ready, Composed] | None:
        """The next message for a relay, written; one that cannot be written fails alone."""
        while True:
            one = self._supply.take(relay) if at_once else await self._supply.next(relay)
            if one is None or self.is_stopping:
                return None
            if one.pace.unused and self._clock.elapsed() > one.pace.good_until:
                # It has waited for so long that its place is given to others; it is claimed again.
                await self._thread.run(lambda late=one: self._transactions.let_go(late))  # type: ignore[misc]  # typed by `run`
                continue
            try:
                return one, composing.compose(one.mail, one.delivery, self._house, one.recipient, one.email, one.relay)
            except Exception as error:  # noqa: BLE001 — a template may raise anything; it fails alone and says why
                log.warning("the mail cannot be rendered: %s", error, extra={"delivery": one.delivery.id})
                await self._fail(one, f"it could not be rendered: {error}")

    async def _fail(self, one: Ready, because: str) -> None:
        self._counts["failed"] += 1
        await self._thread.run(lambda: self._transactions.fail(one, because))

    async def _connection(self, number: int) -> Connection | None:
        connection = self._pool[number]
        if connection is not None and connection.is_usable:
            return connection
        if connection is not None:
            await connection.close()
        relay = self._places[number]
        try:
            self._pool[number] = await self._mailer.connect(relay)
        except RelayDown as error:
            self._down[relay] = str(error)
            self._pool[number] = None
        return self._pool[number]

    async def _wait(self, seconds: float) -> None:
        """Sleep, but not through a request to stop."""
        until = self._clock.elapsed() + seconds
        while not self.is_stopping and (left := until - self._clock.elapsed()) > 0:  # noqa: ASYNC110 — `stop` comes from other threads, where no asyncio.Event may be set
            await asyncio.sleep(min(left, _LOOK_UP_SECONDS))

    def _pause_before(self, one: Ready) -> float:
        """Real seconds until the limits let it leave."""
        leaves_at = one.pace.leaves_at(one.delivery) if one.pace.leaves else 0.0
        return leaves_at - self._clock.elapsed() if leaves_at else 0.0


@cache
def _settle_memory() -> None:
    """Keep what was loaded until now, once per process, out of the garbage collector's sight.

    Each claim makes so many small objects that it would look through all modules again: a quarter of a claim's time.
    """
    gc.collect()
    gc.freeze()


def _envelope(composed: Composed) -> Envelope:
    return Envelope(composed.mail_from, composed.rcpt_to, composed.size, composed.report_as)


def _was_not_heard(outcome: Outcome) -> bool:
    """Whether nothing was said about the message itself, so that it may be offered again at once."""
    return outcome.heard is Heard.LOST or outcome.code == _RELAY_CLOSES


def _word_for(stop: Stop) -> str:
    return "held" if stop.status is Status.HELD else "refused" if stop.status is Status.REFUSED else "cancelled"
