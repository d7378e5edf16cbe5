"""A lane: one place for a connection, and the messages that travel over it one after the other.

A lane holds at most one message whose fate is open. Its permission is asked together with the result of the message
before; while that commit is on its way the message behind is written, and its envelope travels with the body of the one
at hand. That envelope belongs to a row that is only claimed: if the row may not leave after all, the connection is
given up, for nothing may be said to a relay that waits for a body but the body. A relay far away leaves time to write
the message after that as well: when its answer comes at last, twenty connections have only to ask.

As long as nothing is in the way, message follows message by calls alone: `_ask`, `answered` by the shared commit,
`_write_body`, `_heard` from the connection, `_ask` again. That costs a third of what waiting in coroutines does. All
else is a detour: a coroutine that sees to one thing and says what comes next. A lane that gets no connection gives back
what it has written and rests, as long as others are at work (`road`). Called by the sender, on its event loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from nurture.delivery.actions import Ended
from nurture.delivery.mailer import Connection, RelayDown
from nurture.delivery.preparing import Ready
from nurture.delivery.road import Road
from nurture.delivery.rules import Heard, Outcome, Status, Stop
from nurture.delivery.written import Written

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

#: Sees to what is in the way and says what comes next; None: nothing more in this run.
Detour: TypeAlias = "Callable[[], Awaitable[Detour]] | None"


class Lane:
    """One place for a connection to this relay; the connection stays open from run to run."""

    def __init__(self, relay: str, road: Road) -> None:
        self.relay = relay
        self._road = road
        road.places.append(self)
        self._connection: Connection | None = None
        self._ended: Ended | None = None  # a result that is not stored yet
        self._at_hand: Written | None = None
        self._behind: Written | None = None
        self._after: Written | None = None  # the message after the one behind
        self._permitted: Ready | None = None  # the one at hand, while nothing of its body is written
        self._odd: Callable[[], None] | None = None  # what is to be stored about a mail that was not written
        self._turned: asyncio.Future[Detour]  # why the calls have stopped

    async def carry(self) -> None:
        """Carry messages until there is none for this relay."""
        self._at_hand = self._behind = self._after = self._odd = self._permitted = None
        detour: Detour = self._rest if self in self._road.down else self._take_another
        try:
            while detour is not None:
                detour = await detour()
            await self._store()
            if self._connection is not None:
                await self._connection.abandon()
        except BaseException:
            self._road.supply.give_up()  # the others finish what they have at hand
            self._owe()
            if self._permitted is not None:
                self._road.commits.unsay(self._permitted)
            if self._connection is not None:
                # An envelope may be with the relay; the next run begins with another one.
                await self._connection.abandon()
            raise
        finally:
            self._road.end(self)

    @property
    def has_hope(self) -> bool:
        return self._at_hand is not None or (self._connection is not None and self._connection.is_usable)

    async def close(self) -> None:
        """Say good-bye to the relay."""
        if self._connection is not None:
            await self._connection.close()

    # Message after message, by calls alone.

    def _go_on(self, begin: Callable[[], None]) -> "asyncio.Future[Detour]":
        self._turned = asyncio.get_running_loop().create_future()
        begin()
        return self._turned

    def _turn_aside(self, detour: Detour) -> None:
        self._turned.set_result(detour)

    def _ask(self) -> None:
        """Store the last result, ask for the permission of the message at hand, and write the one behind meanwhile."""
        assert self._at_hand is not None
        ended, self._ended = self._ended, None
        self._behind, self._after = self._after, None
        self._road.commits.ask(ended, self._at_hand.ready, self)

    def asked(self) -> None:
        """The database has begun to think about it: time to write the message behind."""
        if self._behind is None and not self._turned.done():
            try:
                self._behind = self._take()
            except BaseException as error:  # noqa: BLE001 — as above
                self.broken(error)

    def still_waits(self) -> None:
        """The relay is slow to answer: time to write the message after the one behind."""
        if self._behind is not None and self._after is None:
            try:
                self._after = self._take()
            except BaseException as error:  # noqa: BLE001 — as above
                self.broken(error)

    def answered(self, stop: Stop | None) -> None:
        """The commit counts, whatever happens: the body may be written now, or why not."""
        if self._turned.done():  # the run has been given up
            if stop is None and self._at_hand is not None:
                self._road.commits.unsay(self._at_hand.ready)
            return
        try:
            connection, one = self._connection, self._at_hand
            assert connection is not None
            assert one is not None
            self._permitted = one.ready if stop is None else None
            if stop is not None:
                self._road.counts[_word_for(stop)] += 1
                self._turn_aside(self._take_back)
            elif connection.is_begun(one.envelope):
                self._write_body()
            else:
                self._turn_aside(self._offer)
        except BaseException as error:  # noqa: BLE001 — whoever called has nothing to do with it; the run ends by it
            self.broken(error)

    def broken(self, error: BaseException) -> None:
        """The commit failed, or something here did: the run ends."""
        if not self._turned.done():
            self._turned.set_exception(error)

    def _write_body(self) -> None:
        connection, one, behind = self._connection, self._at_hand, self._behind
        assert connection is not None
        assert one is not None
        ahead = None
        if behind is not None and connection.can_pipeline and self._may_leave_now(behind.ready):
            ahead = behind.envelope
        self._permitted = None
        connection.hand_over(one.parts, self._heard, ahead, is_clean=True)

    def _heard(self, outcome: Outcome) -> None:
        if self._turned.done():  # as above; that the body was handed over is known all the same
            self._note(outcome)
            self._owe()
            return
        try:
            self._note(outcome)
            connection, behind = self._connection, self._behind
            assert connection is not None
            if behind is not None and connection.is_usable and self._may_leave_now(behind.ready):
                self._at_hand = behind
                self._ask()
            else:
                self._turn_aside(self._take_next)
        except BaseException as error:  # noqa: BLE001 — as above
            self.broken(error)

    def _note(self, outcome: Outcome) -> None:
        assert self._at_hand is not None
        self._permitted = None
        self._road.counts[_COUNTED[outcome.heard]] += 1
        self._ended = Ended(self._at_hand.ready.delivery, outcome)

    def _owe(self) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            self._road.commits.owe(ended)

    def _may_leave_now(self, one: Ready) -> bool:
        return not self._road.is_stopping and (not one.pace.leaves or self._pause_before(one) <= 0)

    def _pause_before(self, one: Ready) -> float:
        """Real seconds until the limits let it leave."""
        leaves_at = one.pace.leaves_at(one.delivery)
        return leaves_at - self._road.clock.elapsed() if leaves_at else 0.0

    def _take(self) -> Written | None:
        """The next message that waits already, written; none before what is odd about another has been seen to."""
        one = self._road.supply.take(self.relay) if self._odd is None else None
        return self._write(one) if one is not None else None

    def _write(self, one: Ready) -> Written | None:
        """Written; None if it cannot be, or not now, which is left in `_odd`, and fails alone."""
        road = self._road
        if one.pace.unused and road.clock.elapsed() > one.pace.good_until:
            # It has waited for so long that its place is given to others; it is claimed again.
            self._odd = lambda: road.transactions.let_go(one)
            return None
        try:
            return Written.of(one, road.house)
        except Exception as error:  # noqa: BLE001 — a template may raise anything; it fails alone and says why
            log.warning("the mail cannot be rendered: %s", error, extra={"delivery": one.delivery.id})
            road.counts["failed"] += 1
            because = f"it could not be rendered: {error}"
            self._odd = lambda: road.transactions.fail(one, because)
            return None

    # Detours.

    async def _take_next(self) -> Detour:
        """On to the message behind, or to one that is still to come."""
        self._at_hand, self._behind = self._behind, None
        return self._take_another if self._at_hand is None else self._get_ready

    async def _take_another(self) -> Detour:
        """Nobody waits for an answer meanwhile: a message may be long in coming."""
        road = self._road
        await self._store()
        self._at_hand = None
        while self._at_hand is None:
            if (odd := self._odd) is not None:
                self._odd = None
                await road.thread.run(odd)
            if road.is_stopping:
                return None
            if self in road.down:
                return self._rest
            one = road.supply.take(self.relay)
            if one is not None:
                self._at_hand = self._write(one)
            elif not await road.supply.more() and not await road.is_worth_waiting(self):
                return None
        return self._get_ready

    async def _get_ready(self) -> Detour:
        """Have a connection, and the leave of the limits."""
        road = self._road
        assert self._at_hand is not None
        one = self._at_hand.ready
        if road.is_stopping:
            return None
        connection = await self._connect()
        if connection is not None and (pause := self._pause_before(one)) > 0:
            # Whoever waits keeps no result to themselves: it would be in doubt if the process died meanwhile.
            await self._store()
            await connection.abandon()
            await self._wait(pause)
            connection = await self._connect()
        if connection is None or road.is_stopping:
            return self._give_way
        return self._set_out

    async def _set_out(self) -> Detour:
        return await self._go_on(self._ask)

    async def _offer(self) -> Detour:
        """Its permission is given, and the relay has not said yes to its envelope yet."""
        connection, one = self._connection, self._at_hand
        assert connection is not None
        assert one is not None
        refused = await connection.begin(one.envelope)
        if refused is not None and not connection.is_usable and _was_not_heard(refused):
            another = await self._connect()
            if another is None:
                self._note(refused)
                self._at_hand = None
                return self._give_way
            refused = await another.begin(one.envelope)
        if refused is None:
            return await self._go_on(self._write_body)
        self._note(refused)
        return self._take_next

    async def _take_back(self) -> Detour:
        """It may not leave after all."""
        if self._connection is not None:
            await self._connection.abandon()
        return self._take_next

    async def _give_way(self) -> Detour:
        """It carries nothing for now: whoever else can does what was written here."""
        written = (self._after, self._behind, self._at_hand)
        self._after = self._behind = self._at_hand = None
        for one in written:
            if one is not None:
                self._road.supply.put_back(one.ready)
        return self._rest if self in self._road.down else None

    async def _rest(self) -> Detour:
        """Its relay could not be reached: try again in a while, as long as others have something to do."""
        road = self._road
        road.pass_by(self.relay)
        await self._store()  # as above
        while road.is_under_way:
            if not road.is_at_work or not road.may_try(self.relay):
                await road.wait_for_others()
            elif await self._connect() is not None:
                return self._take_another
            else:
                road.pass_by(self.relay)
        return None

    async def _store(self) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            await self._road.commits.store(ended)

    async def _connect(self) -> Connection | None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.is_usable:
                self._connection = connection
                return connection
            await connection.close()
        road = self._road
        with road.trying(self.relay):
            try:
                self._connection = await road.mailer.connect(self.relay)
            except RelayDown as error:
                road.missed(self, str(error))
            else:
                road.reached(self)
        return self._connection

    async def _wait(self, seconds: float) -> None:
        """Sleep, but not through a request to stop."""
        road = self._road
        until = road.clock.elapsed() + seconds
        while not road.is_stopping and (left := until - road.clock.elapsed()) > 0:  # noqa: ASYNC110 — `stop` comes from other threads, where no asyncio.Event may be set
            await asyncio.sleep(min(left, _LOOK_UP_SECONDS))


def _was_not_heard(outcome: Outcome) -> bool:
    """Whether nothing was said about the message itself, so that it may be offered again at once."""
    return outcome.heard is Heard.LOST or outcome.code == _RELAY_CLOSES


def _word_for(stop: Stop) -> str:
    return "held" if stop.status is Status.HELD else "refused" if stop.status is Status.REFUSED else "cancelled"
