"""How many rows go into one transaction, learned from how long the last ones took.

On SQLite whoever writes keeps everybody else waiting, for 50 ms at most. Less is aimed at, because a busy machine now and
then needs longer, and the commit is still to come. PostgreSQL makes nobody wait, so transactions
there are as long as a stop of the process may take.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nurture import clock
from nurture.database.engine import Session, is_sqlite

_AIM_SECONDS, _AIM_SECONDS_ALONE = 0.025, 0.200
_FEWEST, _FIRST, _MOST = 100, 500, 20_000


class ChunkSize:
    """The number of rows the next transaction takes."""

    def __init__(self, elapsed: Callable[[], float] = clock.real_seconds) -> None:
        self.rows = _FIRST
        self._elapsed = elapsed

    @contextmanager
    def learning(self, session: Session) -> Iterator[None]:
        """The block does so many rows as `rows` says; the next one does as many as fit."""
        session.connection()  # waits for the lock, which is none of this chunk's time
        began, rows = self._elapsed(), self.rows
        yield
        aim = _AIM_SECONDS if is_sqlite(session) else _AIM_SECONDS_ALONE
        fitting = rows * aim / max(self._elapsed() - began, 1e-6)
        self.rows = round(min(max(fitting, rows / 2, _FEWEST), rows * 2, _MOST))
