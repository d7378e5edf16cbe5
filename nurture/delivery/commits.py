"""One commit for every connection that waits for one.

A commit costs the same whether it carries one result or ten, so what comes in while one is on its way goes into the
next together, and as long as each turn of the event loop brings another asker, a commit waits for the next turn. With
few connections, or a relay far away, that is a turn in which nothing happens. Where a commit still has to be brought to
the disk, the next one begins meanwhile; nobody is told before theirs is there, or need not be (`hurry`). Called by the
sender, on its event loop.

A result that the database did not take is owed: it goes with the next commit, in this run or a later one, for a result
that is lost is a mail in doubt. So is word of the mails whose permission was asked for when a commit broke: it may have
been given, and nobody made use of it.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from sqlalchemy.exc import DBAPIError

from nurture.delivery.actions import Ended
from nurture.delivery.preparing import Ready
from nurture.delivery.rules import Stop

log = logging.getLogger(__name__)

_COMMIT_TRIES = 5
#: A relay nearby has answered by then.
_AT_ONCE_SECONDS = 0.001

#: What comes back for each mail that was asked for, in their order: None, its body may be written, or why not.
Answers = list[Stop | None]
#: Brings to the disk what was committed, in another thread; None: nobody has to wait for that.
Settle = Callable[[], "asyncio.Future[None] | None"]
#: One transaction: over when it returns, or on its way in another thread.
Exchange = Callable[[list[Ended], list[Ready], list[int]], "asyncio.Future[Answers]"]


class Asker(Protocol):
    """Who waits for a commit: told on the event loop that it is on its way, and then how it ended; nothing raises."""

    def asked(self) -> None:
        """The database or the disk has begun: there is time for something else."""

    def answered(self, stop: Stop | None) -> None:
        """The commit counts, whatever happens; None: the body of the mail that was asked for may be written now."""

    def still_waits(self) -> None:
        """Some time has passed since: whoever waits for a relay may do something else."""

    def broken(self, error: BaseException) -> None:
        """The commit failed: nothing may be written."""


_Batch: TypeAlias = "list[tuple[Ended | None, Ready | None, Asker]]"


def _tell(askers: list[Asker]) -> None:
    """There is something to wait for; each is told once."""
    while askers:
        askers.pop().asked()


def _answer(batch: _Batch, answers: Answers) -> None:
    answer = iter(answers)
    for _, one, asker in batch:
        asker.answered(next(answer) if one is not None else None)
    asyncio.get_running_loop().call_later(_AT_ONCE_SECONDS, _look_again, batch)


def _look_again(batch: _Batch) -> None:
    for _, _, asker in batch:
        asker.still_waits()


class _Waiter:
    """Waits in a coroutine."""

    def __init__(self) -> None:
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def asked(self) -> None:
        pass

    def still_waits(self) -> None:
        pass

    def answered(self, stop: Stop | None) -> None:
        if not self.told.done():
            self.told.set_result(None)

    def broken(self, error: BaseException) -> None:
        if not self.told.done():
            self.told.set_exception(error)


class SharedCommits:
    """Gathers what connections want stored and asked, and hands it to `exchange` one transaction at a time.

    `settle` brings a transaction to the disk, if that is not done when `exchange` is.
    """

    def __init__(self, exchange: Exchange, settle: Settle = lambda: None) -> None:
        self._exchange = exchange
        self._settle = settle
        self._waiting: _Batch = []
        self._committing: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Future[None]] = set()
        self._owed: list[Ended] = []
        self._unsaid: list[int] = []

    @property
    def owes(self) -> bool:
        """Whether there is something that the database has not been told yet."""
        return bool(self._owed or self._unsaid)

    def ask(self, ended: Ended | None, wanted: Ready | None, asker: Asker) -> None:
        """Store a result, ask for the next row; the asker is told when both count, whatever happens."""
        self._waiting.append((ended, wanted, asker))
        if self._committing is None or self._committing.done():
            # A task of its own: a connection that committed for the others would keep its own message waiting.
            self._committing = asyncio.create_task(self._commit_all())

    def owe(self, ended: Ended) -> None:
        """A result whose connection waits for nothing any more: it goes with the next commit."""
        self._owed.append(ended)

    def unsay(self, one: Ready) -> None:
        """Its permission came when nobody made use of it any more: the database hears of that with the next commit."""
        self._unsaid.append(one.delivery.id)

    async def rest(self) -> None:
        """Wait until nothing is on its way any more; nobody asks meanwhile."""
        while on_its_way := {*self._settling, *([self._committing] if self._committing is not None else [])}:
            await asyncio.wait(on_its_way)
            self._committing = None

    async def store(self, ended: Ended | None = None) -> None:
        """Store a result and whatever is owed."""
        waiter = _Waiter()
        self.ask(ended, None, waiter)
        await waiter.told

    async def _commit_all(self) -> None:
        while self._waiting:
            await self._gather()
            batch, self._waiting = self._waiting, []
            ended = [*self._owed, *(one for one, _, _ in batch if one is not None)]
            wanted = [one for _, one, _ in batch if one is not None]
            self._owed = []
            askers = [asker for _, _, asker in batch]
            try:
                answers = await self._commit(ended, wanted, askers)
            except Exception as error:  # noqa: BLE001 — every connection learns of it and stops
                self._owed = [*ended, *self._owed]
                for _, _, asker in batch:
                    asker.broken(error)
                continue
            settling = self._settle()
            if settling is None:
                _tell(askers)
                _answer(batch, answers)
            else:
                self._settling.add(settling)
                settling.add_done_callback(partial(self._settled, batch, answers))
                _tell(askers)

    def _settled(self, batch: "_Batch", answers: Answers, settling: "asyncio.Future[None]") -> None:
        """It is on the disk, or nothing may be written: a power cut could make the database forget what left."""
        self._settling.discard(settling)
        error = settling.exception()
        if error is None:
            _answer(batch, answers)
            return
        log.error("what was committed cannot be brought to the disk, so nothing leaves: %s", error)
        self._unsaid += [one.delivery.id for _, one, _ in batch if one is not None]
        for _, _, asker in batch:
            asker.broken(error)

    async def _gather(self) -> None:
        count = 0
        while count < len(self._waiting):
            count = len(self._waiting)
            await asyncio.sleep(0)  # a turn in which relays take what was written
            await asyncio.sleep(0)  # and one in which their answers are heard

    async def _commit(self, ended: list[Ended], wanted: list[Ready], askers: list[Asker]) -> Answers:
        """Tried again a few times: a database that is busy or starts anew takes it then."""
        unsaid = list(self._unsaid)
        for left in reversed(range(_COMMIT_TRIES)):
            try:
                answering = self._exchange(ended, wanted, unsaid)
                if not answering.done():
                    _tell(askers)
                answers = await answering
            except DBAPIError:
                self._unsaid += [one.delivery.id for one in wanted]
                unsaid = list(self._unsaid)
                if not left:
                    log.warning("the database did not take %s results; they are kept until it does", len(ended))
                    raise
                log.warning("the database did not take %s results; trying again", len(ended))
                await asyncio.sleep(2 ** (_COMMIT_TRIES - left) / 10)
            except OSError as error:
                # The database has it and the journal does not, which is written last: no body may follow.
                self._unsaid += [one.delivery.id for one in wanted]
                log.error("the journal cannot be written, so nothing leaves: %s", error)  # noqa: TRY400 — whoever runs us logs the rest
                raise
            else:
                del self._unsaid[: len(unsaid)]
                return answers
        raise AssertionError("the last try returns or raises")
