"""How many rows go into one transaction, learned from how long the last ones took.

On SQLite whoever writes keeps everybody else waiting, for 50 ms at most. Less is aimed at, because a busy machine now and
then needs longer, and the commit is still to come. PostgreSQL makes nobody wait, so transactions
there are as long as a stop of the process may take.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nurture import clock
from nurture.database.engine import Session, is_sqlite

_AIM_SECONDS, _AIM_SECONDS_ALONE = 0.025, 0.200
_FEWEST, _FIRST, _MOST = 100, 500, 20_000


@dataclass
class Chunk:
    """What one transaction does: so many rows, unless it says that there were fewer."""

    rows: int


class ChunkSize:
    """The number of rows the next transaction takes: `first`, then what fits, within bounds."""

    def __init__(
        self,
        elapsed: Callable[[], float] = clock.real_seconds,
        *,
        first: int = _FIRST,
        fewest: int = _FEWEST,
        most: int = _MOST,
    ) -> None:
        self.rows = first
        self._elapsed = elapsed
        self._fewest, self._most = fewest, most

    @contextmanager
    def learning(self, session: Session) -> Iterator[Chunk]:
        """The block does so many rows as `rows` says; the next one does as many as fit."""
        session.connection()  # waits for the lock, which is none of this chunk's time
        began, chunk = self._elapsed(), Chunk(self.rows)
        yield chunk
        took, aim = self._elapsed() - began, _AIM_SECONDS if is_sqlite(session) else _AIM_SECONDS_ALONE
        # A chunk of a few rows costs what a chunk costs, and says nothing about how many would fit.
        if chunk.rows >= self.rows or took > aim:
            fitting = chunk.rows * aim / max(took, 1e-6)
            self.rows = round(min(max(fitting, self.rows / 2, self._fewest), self.rows * 2, self._most))
