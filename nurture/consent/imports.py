"""The writing half of an import: contacts, their consent, suppressions and list, together in small transactions.

Every chunk is whole by itself, so after a crash the same import, run again, finds what is there unchanged and does the
rest. On SQLite a chunk aims to hold the write lock for 25 of the 50 ms it may, and the lock is free for half as long in
between, so that an opt-out posted meanwhile gets its turn. What one chunk does is in `consent.arrivals`.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy.exc import IntegrityError

from nurture.clock import Clock
from nurture.consent.arrivals import Arrival, Summary, Terms, prepare, sort_into_piles, take_in_chunk
from nurture.contacts.imports import ImportRow, RefusedRow, merge
from nurture.database.engine import Database

#: Half of the 50 ms that a writing transaction may take, because a busy machine now and then needs twice as long.
_AIM_SECONDS = 0.025
_FEWEST, _FIRST, _MOST = 40, 40, 500
#: Each try that fails is a chunk of the other import that went in, and 13 of the smallest overlap with one of the largest.
_TRIES = 20


class Pace:
    """How many rows go into the next transaction, and how long the lock is left free before it."""

    def __init__(self, clock: Clock) -> None:
        self.rows = _FIRST
        self._clock = clock
        self._held = 0.0
        self._began = self._ended = clock.elapsed()

    def rest(self) -> None:
        """Leave the lock to others for half as long as it was held; what was read meanwhile counts."""
        time.sleep(max(0.0, self._held / 2 - (self._clock.elapsed() - self._ended)))

    def begin(self) -> None:
        """The lock is ours."""
        self._began = self._clock.elapsed()

    def end(self, rows: int) -> None:
        """The lock is free again, after this many rows."""
        self._ended = self._clock.elapsed()
        self._held = self._ended - self._began
        fitting = rows * _AIM_SECONDS / max(self._held, 1e-6)
        self.rows = round(min(max(fitting, self.rows / 2, _FEWEST), self.rows * 2, _MOST))


def import_rows(
    database: Database,
    rows: Iterable[ImportRow | RefusedRow],
    terms: Terms,
    clock: Clock,
    now: datetime,
    *,
    is_rehearsal: bool = False,
) -> Iterator[Summary]:
    """Write the rows chunk by chunk; yields the summary so far after each. A rehearsal throws every chunk away.

    1. Read as many rows as the last chunks could write in time.
    2. Leave the lock free for half as long as it was held; reading counts.
    3. Write them in one transaction.
    """
    total, pace, source = Summary(), Pace(clock), iter(rows)
    while chunk := list(islice(source, pace.rows)):
        total.refused.extend(row for row in chunk if isinstance(row, RefusedRow))
        arrivals = [prepare(row, terms, now) for row in merge([row for row in chunk if isinstance(row, ImportRow)])]
        if arrivals:
            total.add(_write(database, arrivals, terms, pace, now, is_rehearsal=is_rehearsal))
        yield total
    if not total.read:
        yield total


def _write(
    database: Database,
    arrivals: Sequence[Arrival],
    terms: Terms,
    pace: Pace,
    now: datetime,
    *,
    is_rehearsal: bool,
) -> Summary:
    """One chunk. If somebody else made one of its contacts at the same moment, it starts over and finds them known."""
    for tries_left in reversed(range(_TRIES)):
        pace.rest()
        try:
            with database.writing(durable=True) as session:
                session.connection()  # waits for the lock, which is none of this chunk's time
                pace.begin()
                done, ids = take_in_chunk(session, arrivals, terms, now)
                if is_rehearsal:
                    sort_into_piles(session, done, ids, terms, now)
                    session.rollback()
        except IntegrityError:
            if not tries_left:
                raise
        else:
            break
        finally:
            pace.end(len(arrivals))
    if not is_rehearsal:
        with database.reading() as session:
            sort_into_piles(session, done, ids, terms, now)
    return done
