"""A sender at work: its heart, and the engine that sends whatever is due until it is told to stop.

A sender process runs this and nothing else (`processes`); where one process does everything, `local` adds the rest to it.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Self

from sqlalchemy.exc import DBAPIError

from nurture.clock import Clock
from nurture.database.claiming import BEAT_EVERY_SECONDS, beat, end_worker, register_worker
from nurture.database.engine import Database
from nurture.delivery import store as deliveries
from nurture.delivery.sender import Sender
from nurture.engines.outages import Outage
from nurture.engines.stopping import Stopping

log = logging.getLogger(__name__)

_SEND_POLL_SECONDS = 0.25
#: So long nothing is tried after the relay could not be reached, or something went wrong that nobody thought of.
REST_SECONDS = 10.0
#: A database server is back within seconds, and asking it costs nothing; whoever cancelled a run is done with it.
RETRY_SECONDS = 1.0


class Heart:
    """A worker incarnation whose heart beats in a thread of its own; leaving the block ends it."""

    def __init__(self, database: Database, outage: Outage | None = None) -> None:
        self._database = database
        self._outage = outage or Outage()
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
        try:
            with self._database.writing() as session:
                end_worker(session, self.worker)
        except DBAPIError as error:
            # Whoever looks after dead workers finds that its heart has stopped.
            self._outage.tell("this worker could not say good-bye", error)

    def _beat(self) -> None:
        while not self.is_dead.is_set() and not self._stopping.wait(BEAT_EVERY_SECONDS):
            try:
                with self._database.writing() as session:
                    is_alive = beat(session, self.worker)
            except Exception as error:  # noqa: BLE001 — `tell` writes it down, and the next beat tries again
                self._outage.tell("the heartbeat did not reach the database", error)
                continue
            self._outage.is_over()
            if not is_alive:
                # Somebody declared us dead; what we do from here on is refused by the database. Whoever runs us looks.
                self.is_dead.set()


class SendingEngine:
    """The sender of one process, with an incarnation of its own."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sender: Callable[[int], Sender],
        stopping: Stopping | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sender_of = sender
        self._outage = Outage()
        self._stopping = Stopping(within=stopping)
        self._sending = threading.Thread(target=self._send, name="nurture-sender")
        self._heart: Heart | None = None
        self._sender: Sender | None = None

    def start(self) -> None:
        """Begin to send."""
        self._heart = Heart(self._database, self._outage).__enter__()
        self._begin(self._heart)
        log.info("at work", extra={"worker": self.worker})

    def _begin(self, heart: Heart) -> None:
        """Whatever works under this heart."""
        self._sender = self._sender_of(heart.worker)
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
        self._stopping.ask()
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
            while not self._stopping.is_asked:
                rest = _SEND_POLL_SECONDS
                try:
                    if self._sender.owes or self._is_anything_due():
                        counts, relay_down = runner.run(self._sender.drain())
                        if relay_down:
                            log.warning("the relay cannot be reached: %s", relay_down)
                            rest = REST_SECONDS
                        elif sum(counts.values()):
                            log.info("%s", in_pairs(counts))
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 — `tell` writes it down, and the next round tries again
                    # A run that somebody cancels is no Exception, and would end this thread while its heart beats on.
                    self._outage.tell("sending stopped", error)
                    is_over_soon = isinstance(error, DBAPIError | asyncio.CancelledError)
                    rest = RETRY_SECONDS if is_over_soon else REST_SECONDS
                self._stopping.wait(rest)
            runner.run(self._sender.close())

    def _is_anything_due(self) -> bool:
        with self._database.reading() as session:
            due_at = deliveries.next_due_at(session)
        return due_at is not None and due_at <= self._clock.now()


def in_pairs(counts: Counter[str]) -> str:
    """What was done, as the log has it."""
    return " ".join(f"{word}={count}" for word, count in counts.items() if count)
