"""Sends what is due: claims, renders, asks permission, hands over, records.

One asyncio loop speaks SMTP over a few warm connections; how one message follows the other on each is told in `lane`.
What connections want stored and asked shares a commit: on SQLite between two turns of the loop if nobody else is writing,
else in a thread. In another thread the next claim is made ready before the last one is used up; a third waits for the
disk, unless the sender is in a `hurry`. A connection holds at most one message whose fate is open, so that a killed sender
leaves no more doubt than it had connections. Stopping finishes the message at hand.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from nurture.campaigns.declared import Declared, get_declared
from nurture.clock import Clock
from nurture.database.desk import Taken
from nurture.database.engine import Database, Session
from nurture.database.memory import settle_memory
from nurture.delivery import facts
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.boundary import Boundary
from nurture.delivery.commits import Answers, SharedCommits
from nurture.delivery.database_thread import DatabaseThread
from nurture.delivery.house import House
from nurture.delivery.lane import Lane
from nurture.delivery.mailer import Mailer
from nurture.delivery.pacing.lanes import FREE, Pacing
from nurture.delivery.preparing import Preparing, Ready
from nurture.delivery.relayed.rules import OwnIds
from nurture.delivery.road import Road
from nurture.delivery.supplying import Claim, Supply
from nurture.delivery.transactions import Transactions

log = logging.getLogger(__name__)


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
        self._supply = Supply(self._claim)
        self._transactions = Transactions(
            database,
            worker,
            clock,
            Preparing(house, boundary, mailer.choose, answered, self._supply.list_full),
            limits=limits,
            pacing=limits_of_pace,
            declared=declared,
            coming=coming,
            own_ids=own_ids or OwnIds(),
        )
        self._thread = DatabaseThread("nurture-sender-database")
        self._claim_thread = DatabaseThread("nurture-sender-claims")
        self._disk_thread = DatabaseThread("nurture-sender-disk")
        self._commits = SharedCommits(self._exchange, self._settle)
        self._road = Road(mailer, clock, house, boundary, self._thread, self._transactions, self._commits, self._supply)
        self._lanes = [Lane(relay, self._road) for relay in mailer.places]
        self._due_at: datetime | None = None
        self._only: Sequence[int] | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._road.is_stopping

    @property
    def owes(self) -> bool:
        """Whether a run broke off before the database heard of its results and had back what it had claimed.

        Such mails are not due, so nobody else would wake us for them: they leave in the next run, or stay as they are.
        """
        return self._commits.owes or self._transactions.has_claimed

    def stop(self) -> None:
        """Finish the messages at hand and take no more; safe to call from any thread."""
        self._road.is_stopping = True

    async def drain(
        self, now: datetime | None = None, *, only: Sequence[int] | None = None
    ) -> tuple[Counter[str], str]:
        """Send all that is due at `now` (default: as time goes by), or of that `only` some deliveries.

        Whether each may leave is asked at the moment it does: a window may close while the mails before it go out.

        Returns counts, and why the relay could not be reached if it could not.
        """
        settle_memory()
        road = self._road
        road.counts, road.down = Counter(), {}
        self._due_at, self._only = now, only
        self._supply.begin(road.counts)
        try:
            if self._commits.owes:
                await self._commits.store()
            if self._transactions.has_claimed:
                await self._thread.run(self._transactions.give_back)
            while not road.is_stopping:
                await self._work_on_all()
                if self._supply.is_used_up or not road.send_another_way():
                    break
        finally:
            await self._commits.rest()  # of a run that was given up something may be on its way
            failure = await self._supply.end()
            if self._transactions.has_claimed:
                await self._thread.run(self._transactions.give_back)
        if failure is not None:
            raise failure
        return road.counts, "; ".join(dict.fromkeys(road.down.values())) if self._supply.has_left else ""

    async def close(self) -> None:
        """Close the connections and end the threads."""
        for lane in self._lanes:
            await lane.close()
        if self._commits.owes:
            try:
                await self._commits.store()
            except Exception as error:  # noqa: BLE001 — it ends anyway, with whatever else it has to close
                # Whoever takes over finds these mails in doubt; the log says so beforehand.
                log.warning("the database never took some results: %s", error)
        self._claim_thread.close()
        self._disk_thread.close()
        self._thread.run(self._transactions.close)
        self._thread.close()

    def _claim(self) -> "asyncio.Future[Claim]":
        """What is claimed is there before its thread tidies up, for which nobody waits."""
        claiming = self._claim_thread.run(lambda: self._transactions.claim(self._due_at, self._only))
        if self._transactions.must_settle:
            self._claim_thread.run(self._transactions.bring_over)
        return claiming

    def _exchange(self, ended: list[Ended], wanted: list[Ready], unsaid: list[int]) -> "asyncio.Future[Answers]":
        """Here, where that takes half a millisecond: handing it over costs as much again. Else in the thread."""
        transactions = self._transactions
        if transactions.must_settle:
            # SQLite, and the disk is waited for elsewhere. What somebody else is writing now keeps us a moment at most.
            answering: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
            try:
                answering.set_result(transactions.exchange(ended, wanted, unsaid, at_once=True))
            except Taken:
                pass
            except Exception as error:  # noqa: BLE001 — whoever waits for the answer sees to it
                answering.set_exception(error)
            if answering.done():
                return answering
        return self._thread.run(lambda: transactions.exchange(ended, wanted, unsaid))

    def _settle(self) -> "asyncio.Future[None] | None":
        transactions = self._transactions
        return self._disk_thread.run(transactions.settle) if transactions.waits_for_disk else None

    async def _work_on_all(self) -> None:
        """Let every connection carry messages until there are none; an error of one stops all."""
        self._road.begin()
        works = [lane.carry() for lane in self._lanes]
        for ended in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
