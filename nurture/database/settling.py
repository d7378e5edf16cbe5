"""Makes what is written in bulk survive a power cut, while the writing goes on.

SQLite writes into a log, and somebody has to bring it into the file. That takes an import half as long again as its
transactions, so a thread does it beside them. The log begins anew only when nothing is left to be brought over: once it
is long, the import waits until that is so.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from nurture import clock
from nurture.database.engine import Database

#: A power cut takes back what was written so long ago, and as long as a pass takes, which is less.
_EVERY_SECONDS = 0.25
#: 128 MB. Bringing the file to the disk takes 100 ms however little is left, so a shorter log would cost more.
_LONG = 32_000


class Settler:
    """Looks after the log of one piece of bulk work."""

    def __init__(self, database: Database, pool: ThreadPoolExecutor, elapsed: Callable[[], float]) -> None:
        self._database = database
        self._pool = pool
        self._elapsed = elapsed
        self._pass: Future[int] | None = None
        self._began = elapsed()

    def look(self) -> None:
        """Between two transactions: begin a pass if it is time, and wait for the rest of a log that is long."""
        if self._pass is not None:
            if not self._pass.done():
                return
            pages, self._pass = self._pass.result(), None
            if pages > _LONG:
                self._database.settle_to_the_end()
        if self._elapsed() - self._began > _EVERY_SECONDS:
            self._began = self._elapsed()
            self._pass = self._pool.submit(self._database.settle)


@contextmanager
def settling(database: Database, elapsed: Callable[[], float] = clock.real_seconds) -> Iterator[Settler]:
    """Everything that was written in the block is on the disk when it has ended."""
    with ThreadPoolExecutor(1, "nurture-settler") as pool:
        try:
            yield Settler(database, pool, elapsed)
        finally:
            pool.shutdown()
            database.settle()
