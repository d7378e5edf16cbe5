"""Everything in one process: APScheduler ticks the jobs, one thread sends, another calls, and all stop cleanly.

With sender processes beside it (`senders`) this one decides and calls and leaves the sending to them.

`run_once` does all that is due at the instant it began with and returns; a cron job or a test can drive the house with
it. `LocalEngine` keeps it running. Schedules live in our tables; APScheduler is only a timer, because two processes on
one of its own stores run jobs twice.
"""

import asyncio
import logging
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from apscheduler.schedulers.background import BackgroundScheduler

from nurture.clock import Clock
from nurture.consent.domains.asking import Asker
from nurture.database.claiming import BEAT_EVERY_SECONDS, beat, end_worker, register_worker
from nurture.database.engine import Database
from nurture.delivery.sender import Sender
from nurture.engines.catching_up import CaughtUp, catch_up
from nurture.engines.jobs import Bench, next_mail_at, run_due, take_back
from nurture.outgoing.calling import Caller

log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_SEND_POLL_SECONDS = 0.25
_CALL_POLL_SECONDS = 1.0
_TAKE_BACK_SECONDS = 5.0
_COMPARE_JOURNAL_SECONDS = 3600.0
_RELAY_REST_SECONDS = 10.0


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
    """Enroll, score, advance and send until nothing is due at `now`, or SIGTERM asks to stop."""
    with Heart(workshop.database) as heart:
        return asyncio.run(_run_once(workshop, heart.worker, now))


async def _run_once(workshop: Workshop, worker: int, now: datetime) -> Done:
    bench, sender, caller = workshop.bench(worker), workshop.sender(worker), workshop.caller(worker)
    asker = workshop.asker()
    counts: Counter[str] = Counter()
    relay_down = ""

    def stop() -> None:
        sender.stop()
        caller.stop()
        asker.stop()

    if threading.current_thread() is threading.main_thread():
        # As a worker that runs on does: the messages at hand are finished, so that none of them stays in doubt.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        take_back(bench, now)
        caught_up = await asyncio.to_thread(catch_up, workshop.database, now)
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


class Heart:
    """A worker incarnation whose heart beats in a thread of its own; leaving the block ends it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="nurture-heart", daemon=True)
        self.worker = 0
        self.is_dead = threading.Event()

    def __enter__(self) -> Self:
        with self._database.writing() as session:
            self.worker = register_worker(session)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        with self._database.writing() as session:
            end_worker(session, self.worker)

    def _beat(self) -> None:
        while not self.is_dead.is_set() and not self._stopping.wait(BEAT_EVERY_SECONDS):
            try:
                with self._database.writing() as session:
                    is_alive = beat(session, self.worker)
            except Exception:
                log.exception("the heartbeat did not reach the database")
                continue
            if not is_alive:
                # Somebody declared us dead; what we do from here on is refused by the database. Whoever runs us looks.
                self.is_dead.set()


class SendingEngine:
    """The sender of one process, with an incarnation of its own."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._stopping = threading.Event()
        self._sending = threading.Thread(target=self._send, name="nurture-sender")
        self._heart: Heart | None = None
        self._sender: Sender | None = None

    def start(self) -> None:
        """Begin to send."""
        self._heart = Heart(self._workshop.database).__enter__()
        self._begin(self._heart)
        log.info("at work", extra={"worker": self.worker})

    def _begin(self, heart: Heart) -> None:
        """Whatever works under this heart."""
        self._sender = self._workshop.sender(heart.worker)
        self._sending.start()

    @property
    def worker(self) -> int:
        """The incarnation it works as; 0 before it does."""
        return self._heart.worker if self._heart else 0

    @property
    def is_dead(self) -> bool:
        """Whether another worker declared this one dead: nothing it does counts, and another engine must take over."""
        return self._heart is not None and self._heart.is_dead.is_set()

    def stop(self) -> None:
        """Finish the messages at hand, give back what was claimed, say good-bye."""
        self._stopping.set()
        if self._sender is not None:
            self._sender.stop()
        self._finish()
        if self._heart is not None:
            self._heart.__exit__()

    def _finish(self) -> None:
        """Wait for the end of whatever `_begin` began."""
        if self._sending.is_alive():
            self._sending.join()

    def _send(self) -> None:
        assert self._sender is not None
        with asyncio.Runner() as runner:
            while not self._stopping.is_set():
                rest = _SEND_POLL_SECONDS
                try:
                    if self._is_anything_due():
                        counts, relay_down = runner.run(self._sender.drain())
                        if relay_down:
                            log.warning("the relay cannot be reached: %s", relay_down)
                            rest = _RELAY_REST_SECONDS
                        elif sum(counts.values()):
                            log.info("%s", _pairs(counts))
                except Exception:
                    log.exception("sending stopped; it goes on in a moment")
                    rest = _RELAY_REST_SECONDS
                self._stopping.wait(rest)
            runner.run(self._sender.close())

    def _is_anything_due(self) -> bool:
        due_at = next_mail_at(self._workshop.bench(self.worker))
        return due_at is not None and due_at <= self._workshop.clock.now()


class LocalEngine(SendingEngine):
    """The scheduler, the caller and, unless other processes send, the sender of one process."""

    def __init__(self, workshop: Workshop, *, sends: bool = True) -> None:
        super().__init__(workshop)
        self._sends = sends
        self._scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        self._calling = threading.Thread(target=self._call, name="nurture-caller")
        self._compared_at: float | None = None
        self._caller: Caller | None = None
        self._asker = workshop.asker()

    def _begin(self, heart: Heart) -> None:
        bench = self._workshop.bench(heart.worker)
        self._caller = self._workshop.caller(heart.worker)
        self._scheduler.add_job(lambda: self._tick(bench), "interval", seconds=_TICK_SECONDS, id="jobs")
        self._scheduler.add_job(lambda: self._take_back(bench), "interval", seconds=_TAKE_BACK_SECONDS, id="take back")
        self._take_back(bench)
        self._put_back()  # an error here ends the process: nothing is sent by a database that may have forgotten
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
        except Exception:
            # The next tick tries again; one bad row must not stop the house.
            log.exception("a job could not run")
            return
        if sum(done.values()):
            log.info("%s", _pairs(done))

    def _take_back(self, bench: Bench) -> None:
        try:
            if count := take_back(bench, self._workshop.clock.now()):
                log.warning("%s mails and calls of a worker that died were taken back", count)
        except Exception:
            log.exception("what dead workers left could not be taken back")
        self._compare_journal()

    def _compare_journal(self) -> None:
        """Now and then, so that the next start finds little to compare."""
        elapsed = self._workshop.clock.elapsed()
        if self._compared_at is not None and elapsed < self._compared_at + _COMPARE_JOURNAL_SECONDS:
            return
        try:
            self._put_back()
        except Exception:
            log.exception("the journal could not be compared with the database")

    def _put_back(self) -> None:
        self._compared_at = self._workshop.clock.elapsed()
        if caught_up := catch_up(self._workshop.database, self._workshop.clock.now()):
            log.warning("%s", caught_up)

    def _call(self) -> None:
        assert self._caller is not None
        while not self._stopping.wait(_CALL_POLL_SECONDS):
            try:
                now, due_at, ask_at = self._workshop.clock.now(), self._caller.next_due_at(), self._asker.next_due_at()
                if due_at is not None and due_at <= now:
                    log.info("%s", _pairs(self._caller.drain()))
                if ask_at is not None and ask_at <= now:
                    log.info("domains_asked=%s", self._asker.drain())
            except Exception:
                log.exception("calling stopped; it goes on in a moment")
                self._stopping.wait(_RELAY_REST_SECONDS)


def _pairs(counts: Counter[str]) -> str:
    return " ".join(f"{word}={count}" for word, count in counts.items() if count)
