"""The writing half of an import: contacts, their consent, suppressions and list, together in small transactions.

Every chunk is whole by itself, so after a crash the same import, run again, finds what is there unchanged and does the
rest. On SQLite a chunk aims to hold the write lock for 25 of the 50 ms it may; an opt-out posted meanwhile stands in the
door (`database.door`) and comes next. What one chunk does is in `consent.arrivals`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from nurture.clock import Clock
from nurture.consent.arrivals import Round, sort_into_piles, take_in_chunk
from nurture.consent.fresh import BATCH, Batch, batches_of
from nurture.consent.reading_aside import read_aside
from nurture.consent.summaries import Listener, Summary
from nurture.consent.terms import Terms
from nurture.contacts.fields import DeclaredField
from nurture.contacts.imports import ImportRow, RefusedRow, Survey, read_rows
from nurture.database.engine import Database
from nurture.database.settling import settling

#: Half of the 50 ms that a writing transaction may take, because a busy machine now and then needs twice as long.
_AIM_SECONDS = 0.025
_FEWEST, _FIRST, _MOST = 40, 40, 1_000
#: Each try that fails is a chunk of the other import that went in, and 13 of the smallest overlap with one of the largest.
_TRIES = 20


class Pace:
    """How many rows go into the next transaction."""

    def __init__(self, clock: Clock) -> None:
        self.rows = _FIRST
        self._clock = clock
        self._began = clock.elapsed()

    def begin(self) -> None:
        """The lock is ours."""
        self._began = self._clock.elapsed()

    def end(self, rows: int) -> float:
        """The lock is free again, after this many rows; how long it was held."""
        held = self._clock.elapsed() - self._began
        fitting = rows * _AIM_SECONDS / max(held, 1e-6)
        self.rows = round(min(max(fitting, self.rows / 2, _FEWEST), self.rows * 2, _MOST))
        return held


#: A file with fewer rows is read before a second process would have begun.
_WORTH_A_PROCESS = 20_000


def import_file(
    database: Database,
    file: Survey,
    declared: Mapping[str, DeclaredField],
    terms: Terms,
    clock: Clock,
    now: datetime,
    *,
    is_rehearsal: bool = False,
    listener: Listener = Listener(),  # noqa: B008 — it is frozen
) -> Iterator[Summary]:
    """Write the rows of a file chunk by chunk, as `import_rows` does; a long one is read by a second process."""
    if file.rows < _WORTH_A_PROCESS:
        rows = read_rows(file, declared)
        yield from import_rows(database, rows, terms, clock, now, is_rehearsal=is_rehearsal, listener=listener)
        return
    with read_aside(file, declared, terms, now, is_sqlite=database.is_sqlite) as batches:
        yield from _import(database, batches, Round(terms, now, listener), clock, is_rehearsal=is_rehearsal)


def import_rows(
    database: Database,
    rows: Iterable[ImportRow | RefusedRow],
    terms: Terms,
    clock: Clock,
    now: datetime,
    *,
    is_rehearsal: bool = False,
    listener: Listener = Listener(),  # noqa: B008 — it is frozen
) -> Iterator[Summary]:
    """Write the rows chunk by chunk; yields the summary so far after each. A rehearsal throws every chunk away."""
    batches = batches_of(rows, terms, now, is_sqlite=database.is_sqlite)
    yield from _import(database, batches, Round(terms, now, listener), clock, is_rehearsal=is_rehearsal)


def _import(
    database: Database, batches: Iterator[Batch], around: Round, clock: Clock, *, is_rehearsal: bool
) -> Iterator[Summary]:
    """1. Read as many rows as the last chunks could write in time.

    2. Write them in one transaction.
    """
    total, pace = Summary(), Pace(clock)
    with settling(database, clock.elapsed) as settler:
        while chunk := _next_chunk(batches, pace.rows):
            for batch in chunk:
                for row in batch.list_refused():
                    total.refuse(row, around.listener)
            if any(batch.keys for batch in chunk):
                total.add(_write(database, chunk, around, pace, is_rehearsal=is_rehearsal), around.listener)
            settler.look()
            yield total
    if not total.read:
        yield total


def _next_chunk(batches: Iterator[Batch], rows: int) -> list[Batch]:
    """Batches of about so many rows together, at least one; none when there are no more."""
    chunk: list[Batch] = []
    while sum(map(len, chunk)) < max(rows - BATCH // 2, 1):
        batch = next(batches, None)
        if batch is None:
            break
        chunk.append(batch)
    return chunk


def _write(database: Database, chunk: Sequence[Batch], around: Round, pace: Pace, *, is_rehearsal: bool) -> Summary:
    """One chunk. If somebody else made one of its contacts at the same moment, it starts over and finds them known."""
    for tries_left in reversed(range(_TRIES)):
        try:
            with database.writing_in_bulk() as session:
                session.connection()  # waits for the lock, which is none of this chunk's time
                pace.begin()
                done, ids = take_in_chunk(session, chunk, around)
                if is_rehearsal:
                    sort_into_piles(session, done, ids, around.terms, around.now)
                    session.rollback()
                    around.plain_domains.clear()
        except IntegrityError:
            around.plain_domains.clear()
            if not tries_left:
                raise
        else:
            break
        finally:
            pace.end(sum(map(len, chunk)))
    if not is_rehearsal and ids:
        with database.reading() as session:
            sort_into_piles(session, done, ids, around.terms, around.now)
    return done
