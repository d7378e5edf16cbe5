"""Takes down opens and clicks without making anybody wait for the database.

A request for a pixel or a link is answered at once; what it was is put here and stored a moment later, many in one
transaction. `add` may be called from any thread. What cannot be stored because the database is busy or away is kept
and tried again; what can never be stored is dropped alone, named in the log, so that nothing behind it waits.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from nurture.clock import Clock
from nurture.database.engine import Database
from nurture.tracking.actions import Request, record_requests

log = logging.getLogger(__name__)

FLUSH_EVERY_SECONDS = 0.2
FLUSH_AT = 500
_REST_SECONDS = 1.0

#: Storing a hit takes 0.1 ms (0.3 ms for a link that depends on the contact), and nobody may hold the write lock of
#: SQLite for more than 50. The pause lets whoever waits for the lock have it: threads take it in no order, and a backlog
#: would keep an opt-out waiting.
BATCH = 100
_PAUSE_SECONDS = 0.005

#: About 25 MB. A database that is away for a minute loses nothing at 800 hits a second; beyond that new hits are
#: counted and let go, because a web server that runs out of memory would also lose opt-outs.
MOST_WAITING = 50_000

_BUSY_OR_AWAY = (OperationalError, InterfaceError, NoConnectionFree)


class Recorder:
    """The queue between the tracking endpoints and the database."""

    def __init__(self, database: Database, clock: Clock, *, most_waiting: int = MOST_WAITING) -> None:
        self._database = database
        self._clock = clock
        self._most_waiting = most_waiting
        self._waiting: deque[Request] = deque()
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost_count = 0

    @property
    def pending(self) -> int:
        """How many requests are not stored yet."""
        return len(self._waiting)

    @property
    def lost_count(self) -> int:
        """How many requests were let go because too many were waiting."""
        return self._lost_count

    def add(self, request: Request) -> None:
        """Take one request down; never waits and never fails."""
        with self._lock:
            has_room = len(self._waiting) < self._most_waiting
            if has_room:
                self._waiting.append(request)
            else:
                self._lost_count += 1
            is_worth_a_line = not has_room and (self._lost_count - 1) % self._most_waiting == 0
        if is_worth_a_line:
            log.error("%s opens and clicks wait for the database; further ones are not kept", self._most_waiting)
        if len(self._waiting) >= FLUSH_AT:
            self._wanted.set()

    def flush(self) -> None:
        """Store everything that is waiting now; raises what the database raises, and then keeps the rest."""
        with self._storing:
            left = len(self._waiting)
            while left > 0:
                with self._lock:
                    batch = list(islice(self._waiting, min(left, BATCH)))
                self._store(batch)
                left -= len(batch)
                if left > 0:
                    self._stopping.wait(_PAUSE_SECONDS)

    def start(self) -> None:
        """Begin to store in a thread of its own, every 200 ms or as soon as 500 requests wait."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._keep_storing, name="nurture-recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what is waiting and end the thread."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        try:
            self.flush()
        except _BUSY_OR_AWAY:
            log.exception("%s opens and clicks could not be stored and are lost", self.pending)

    def _keep_storing(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(FLUSH_EVERY_SECONDS)
            self._wanted.clear()
            try:
                self.flush()
            except Exception:
                log.exception("%s opens and clicks wait for the database; trying again", self.pending)
                self._stopping.wait(_REST_SECONDS)

    def _store(self, batch: Sequence[Request]) -> None:
        """Store the oldest requests in one transaction, or, if one of them is impossible, in smaller ones."""
        try:
            with self._database.writing() as session:
                record_requests(session, batch, self._clock.now())
        except _BUSY_OR_AWAY:
            raise
        except Exception:
            if len(batch) > 1:
                half = len(batch) // 2
                self._store(batch[:half])
                self._store(batch[half:])
                return
            log.exception("a hit can never be stored; it is dropped", extra={"delivery": batch[0].delivery_id})
        with self._lock:
            for _ in batch:
                self._waiting.popleft()
