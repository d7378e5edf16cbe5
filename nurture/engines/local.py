"""Everything in one process: APScheduler ticks the jobs, one thread sends, another calls, and all stop cleanly.

With sender processes beside it (`senders`) this one decides and calls and leaves the sending to them.

`run_once` does all that is due at the instant it began with and returns; a cron job or a test can drive the house with
it. `LocalEngine` keeps it running. Schedules live in our tables; APScheduler is only a timer, because two processes on
one of its own stores run jobs twice.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime

from apscheduler.schedulers.background import BackgroundScheduler

from nurture.clock import Clock
from nurture.consent.domains.asking import Asker
from nurture.database.engine import Database
from nurture.delivery.sender import Sender
from nurture.engines.catching_up import CaughtUp, catch_up
from nurture.engines.jobs import Bench
from nurture.engines.rounds import run_due, take_back
from nurture.engines.sending import REST_SECONDS, Heart, SendingEngine, in_pairs
from nurture.engines.stopping import Stopping
from nurture.outgoing.calling import Caller

log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_CALL_POLL_SECONDS = 1.0
_TAKE_BACK_SECONDS = 5.0
_COMPARE_JOURNAL_SECONDS = 3600.0


@dataclass(frozen=True)
class Workshop:
    """How an engine gets what it runs: each worker incarnation needs a bench, a sender and a caller of its own."""

    database: Database
    clock: Clock
    bench: Callable[[int], Bench]
    sender: Callable[[int], Sender]
    caller: Callable[[int], Caller]
    asker: Callable[[], Asker]


@dataclass(frozen=True)
class Done:
    """What one run did, why the relay could not be reached if it could not, and what came back from the journal."""

    counts: Counter[str]
    relay_down: str = ""
    caught_up: CaughtUp = field(default_factory=CaughtUp)


def run_once(workshop: Workshop, now: datetime) -> Done:
    """Enroll, score, advance and send until nothing is due at `now`, or a signal asks to stop."""
    with Heart(workshop.database) as heart:
        return asyncio.run(_run_once(workshop, heart.worker, now))


async def _run_once(workshop: Workshop, worker: int, now: datetime) -> Done:
    bench, sender, caller = workshop.bench(worker), workshop.sender(worker), workshop.caller(worker)
    asker = workshop.asker()
    with ExitStack() as ends:
        if threading.current_thread() is threading.main_thread():
            # As a worker that runs on does: the messages at hand are finished, so that none of them stays in doubt.
            ends.enter_context(bench.stopping.on_signals(sender.stop, caller.stop, asker.stop))
        return await _do_all(workshop, bench, sender, caller, asker, now)


async def _do_all(
    workshop: Workshop, bench: Bench, sender: Sender, caller: Caller, asker: Asker, now: datetime
) -> Done:
    counts: Counter[str] = Counter()
    relay_down = ""
    try:
        take_back(bench, now)
        caught_up = await asyncio.to_thread(catch_up, workshop.database, now, bench.stopping)
        while True:
            worked = (await asyncio.to_thread(run_due, bench, now)).done
            await asyncio.to_thread(asker.drain, now)
            sent, relay_down = await sender.drain(now)
            called = await asyncio.to_thread(caller.drain, now)
            counts += worked + sent + called
            # What was sent may have moved a sequence on to something that is due at this very instant.
            if relay_down or sender.is_stopping or not (sum(worked.values()) or sum(sent.values())):
                return Done(counts, relay_down, caught_up)
    finally:
        await sender.close()


class LocalEngine(SendingEngine):
    """The scheduler, the caller and, unless other processes send, the sender of one process."""

    def __init__(self, workshop: Workshop, *, sends: bool = True, stopping: Stopping | None = None) -> None:
        super().__init__(workshop.database, workshop.clock, workshop.sender, stopping)
        self._workshop = workshop
        self._sends = sends
        # While a job goes over everybody, each second's tick finds the one before at work: that is nothing to warn of.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        self._calling = threading.Thread(target=self._call, name="nurture-caller")
        self._compared_at: float | None = None
        self._caller: Caller | None = None
        self._asker = workshop.asker()

    def _begin(self, heart: Heart) -> None:
        bench = replace(self._workshop.bench(heart.worker), stopping=self._stopping)
        self._caller = self._workshop.caller(heart.worker)
        self._scheduler.add_job(lambda: self._tick(bench), "interval", seconds=_TICK_SECONDS, id="jobs")
        self._scheduler.add_job(lambda: self._take_back(bench), "interval", seconds=_TAKE_BACK_SECONDS, id="take back")
        self._take_back(bench)
        self._put_back()  # an error here ends the process: nothing is sent by a database that may have forgotten
        if self._stopping.is_asked:
            return  # perhaps before all of it was put back
        self._scheduler.start()
        self._calling.start()
        if self._sends:
            super()._begin(heart)

    def _finish(self) -> None:
        if self._caller is not None:
            self._caller.stop()
        self._asker.stop()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        super()._finish()
        if self._calling.is_alive():
            self._calling.join()

    def _tick(self, bench: Bench) -> None:
        try:
            done = run_due(bench, self._workshop.clock.now()).done
        except Exception as error:  # noqa: BLE001 — the next tick tries again; one bad row must not stop the house
            self._outage.tell("a job could not run", error)
            return
        if sum(done.values()):
            log.info("%s", in_pairs(done))

    def _take_back(self, bench: Bench) -> None:
        try:
            if taken := take_back(bench, self._workshop.clock.now()):
                log.warning("%s", taken)
        except Exception as error:  # noqa: BLE001 — the next time tries again
            self._outage.tell("what dead workers left could not be taken back", error)
        self._compare_journal()

    def _compare_journal(self) -> None:
        """Now and then, so that the next start finds little to compare."""
        elapsed = self._workshop.clock.elapsed()
        if self._compared_at is not None and elapsed < self._compared_at + _COMPARE_JOURNAL_SECONDS:
            return
        try:
            self._put_back()
        except Exception as error:  # noqa: BLE001 — the next time tries again
            self._outage.tell("the journal could not be compared with the database", error)

    def _put_back(self) -> None:
        self._compared_at = self._workshop.clock.elapsed()
        if caught_up := catch_up(self._workshop.database, self._workshop.clock.now(), self._stopping):
            log.warning("%s", caught_up)

    def _call(self) -> None:
        assert self._caller is not None
        while not self._stopping.wait(_CALL_POLL_SECONDS):
            try:
                now, due_at, ask_at = self._workshop.clock.now(), self._caller.next_due_at(), self._asker.next_due_at()
                if due_at is not None and due_at <= now:
                    log.info("%s", in_pairs(self._caller.drain()))
                if ask_at is not None and ask_at <= now:
                    log.info("domains_asked=%s", self._asker.drain())
            except Exception as error:  # noqa: BLE001 — `tell` writes it down, and the next round tries again
                self._outage.tell("calling stopped", error)
                self._stopping.wait(REST_SECONDS)
