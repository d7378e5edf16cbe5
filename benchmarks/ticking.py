"""What one look at due enrollments costs when many more are waiting.

`python -m benchmarks.ticking [WAITING …]` (default 10000 100000 1000000) fills one database for each number with so many
enrollments whose time has not come, makes 10,000 others due, and moves those on as the scheduler does: in chunks, each
gathered, decided and recorded in its own transaction. Every enrollment passes a wait and asks for a mail. The databases
take turns, so that whatever else the machine does falls on all of them alike. Printed are microseconds per due
enrollment (median of the rounds, lowest and highest) and the ratio to the smallest database; most should be 1. Set
TEST_DATABASE_URL for PostgreSQL.
"""

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel, col

from nurture.app.house import App
from nurture.clock import SteppedClock
from nurture.consent.store import Consent
from nurture.contacts.store import Contact
from nurture.database.engine import Database, sqlite_url
from nurture.engines.jobs import JOBS, Bench
from nurture.sequences.store import EnrollmentRow
from tests.support.workspaces import open_house, small_workspace

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
DUE = 10_000
ROUNDS = 3
_BATCH = 20_000

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
exit:
  - {when: replied(), as: replied}
  - {when: stage >= "sales_ready", as: promoted}
steps:
  - wait: 3 days
  - {id: report, send: report, subject: "Your report, {{ contact.first_name | fallback('friend') }}"}
  - wait: 3 days
  - {id: again, send: report, subject: Once more}
"""


@dataclass
class Waiting:
    """One filled database and how long its looks took."""

    number: int
    app: App
    bench: Bench
    seconds: list[float]

    @property
    def database(self) -> Database:
        return self.app.database


def rows(start: int, count: int, version_id: int) -> Iterator[tuple[type[SQLModel], list[dict[str, Any]]]]:
    """Contacts who opted in, waiting at the first step."""
    ids = range(start, start + count)
    yield (
        Contact,
        [
            {
                "id": i, "email": f"person{i}@company-{i % 5000}.example",
                "address_key": f"person{i}@company-{i % 5000}.example", "address_hash": f"{i:032x}",
                "domain": f"company-{i % 5000}.example", "first_name": f"Änne {i}", "country": "US", "fields": {},
                "stage": "subscriber", "interest_because": "", "score": 0.0, "fit_points": 0.0, "created_at": NOW,
                "changed_at": NOW,
            }
            for i in ids
        ],
    )  # fmt: skip
    yield (
        Consent,
        [
            {
                "contact_id": i, "topic": "insights", "purpose": "mail", "state": "given", "basis": "opt-in",
                "given_on": NOW.date(), "pile": "announce", "afterwards": "announce", "law": "consent",
                "changed_at": NOW,
            }
            for i in ids
        ],
    )  # fmt: skip
    yield (
        EnrollmentRow,
        [
            {
                "id": i, "contact_id": i, "sequence": "evaluators", "version_id": version_id, "status": "waiting",
                "step": "wait-1", "visit": 1, "since": NOW - timedelta(days=3), "wake_at": NOW + timedelta(days=30),
                "revision": 1, "because": "a benchmark", "enrolled_at": NOW - timedelta(days=3), "exit_reason": "",
                "is_moved": False,
            }
            for i in ids
        ],
    )  # fmt: skip


def fill(database: Database, version_id: int, count: int) -> None:
    for start in range(1, count + 1, _BATCH):
        for model, values in rows(start, min(_BATCH, count + 1 - start), version_id):
            with database.writing() as session:
                session.execute(sa.insert(model), values)
    with database.writing() as session:
        session.execute(sa.text("ANALYZE"))


@contextmanager
def waiting(folder: Path, url: str, number: int) -> Iterator[Waiting]:
    app = open_house(
        small_workspace(folder, **{"campaigns/sequences/evaluators.yaml": SEQUENCE}), url, relay_port=2525,
        clock=SteppedClock(NOW),
    )  # fmt: skip
    try:
        app.publish(app.read_files(), published_by="a benchmark")
        bench = app.bench(app.register())
        with app.database.reading() as session:
            version_id = session.scalar(sa.text("SELECT version_id FROM campaign WHERE kind = 'sequence'"))
        fill(app.database, version_id, number + ROUNDS * DUE)
        yield Waiting(number, app, bench, [])
    finally:
        app.close()


def look(here: Waiting, turn: int) -> None:
    """Make the next 10,000 due and move them on; the other jobs of the house play no part."""
    first = here.number + turn * DUE + 1
    with here.database.writing() as session:
        due = sa.update(EnrollmentRow).where(col(EnrollmentRow.id).between(first, first + DUE - 1))
        session.execute(due.values(wake_at=NOW))
    advance = next(job for job in JOBS if job.name == "advance")
    gc.collect()
    began, moved = time.perf_counter(), 0
    while moved < DUE:
        with here.database.writing() as session:
            count = advance.run(session, here.bench, NOW)
        assert count > 0, f"only {moved:,} of {DUE:,} moved"
        moved += count
    here.seconds.append(time.perf_counter() - began)


@contextmanager
def urls(numbers: Sequence[int], folder: Path) -> Iterator[Mapping[int, str]]:
    """A fresh database for each number."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server is None:
        yield {number: sqlite_url(folder / f"{number}.db") for number in numbers}
        return
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    names = {number: f"ticking_{number}" for number in numbers}
    with engine.connect() as connection:
        for name in names.values():
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}"'))
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    try:
        made = sa.make_url(server)
        yield {number: made.set(database=name).render_as_string(hide_password=False) for number, name in names.items()}
    finally:
        with engine.connect() as connection:
            for name in names.values():
                connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def main(numbers: Sequence[int]) -> None:
    """Fill, look in turns, print."""
    with tempfile.TemporaryDirectory() as temporary, urls(numbers, Path(temporary)) as at:
        houses, open_ones = [], []
        try:
            for number in numbers:
                one = waiting(Path(temporary) / f"house-{number}", at[number], number)
                houses.append(one.__enter__())
                open_ones.append(one)
            for turn in range(ROUNDS):
                for here in houses:
                    look(here, turn)
            tell(houses)
        finally:
            for one in reversed(open_ones):
                one.__exit__(None, None, None)


def tell(houses: Sequence[Waiting]) -> None:
    kind = "SQLite" if houses[0].database.is_sqlite else "PostgreSQL"
    base = statistics.median(houses[0].seconds)
    print(f"{kind}: {DUE:,} due, {ROUNDS} rounds")
    for here in houses:
        middle, low, high = (1e6 * f(here.seconds) / DUE for f in (statistics.median, min, max))
        ratio = statistics.median(here.seconds) / base
        print(f"  {here.number:>9,} waiting  {middle:6.0f} µs each ({low:.0f} – {high:.0f})   {ratio:.2f} ×")


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
