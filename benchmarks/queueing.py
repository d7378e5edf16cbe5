"""How long it takes to queue an issue for a million readers, against the bare INSERT … SELECT of the same rows.

`python -m benchmarks.queueing [READERS] [ROUNDS] [--zones] [--postgres]` makes that many readers (once; see
`benchmarks.sending.house`), queues an issue for them as the job "issues" does, chunk by chunk, and then copies the very same
rows into the same empty table, with its indexes, in one statement. In each round both begin with a fresh copy. Asked: at
most 1.5 times as long, and no transaction that holds SQLite's lock for more than 50 ms. `--zones`: on each reader's own
clock, so that each chunk falls into as many groups as there are time zones. `--postgres`: there too.
"""

import argparse
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import population
from benchmarks.sending.house import NEWSLETTER, Kept, open_doors, open_house, tidy, write_workspace
from benchmarks.sending.usage import peak_memory
from nurture.app.house import App
from nurture.database.memory import settle_memory
from nurture.newsletters import store as newsletters
from nurture.newsletters.actions import keep_schedule
from nurture.newsletters.queueing.actions import Stint

MOST = 1.5


@dataclass(frozen=True)
class Queued:
    """One round of the product."""

    seconds: float
    processor: float
    rows: int
    refused: int
    held: list[float]
    memory: int  # the most that the process ever had, in MB


@dataclass(frozen=True)
class Copied:
    """One round of the bare statement."""

    seconds: float
    processor: float  # of this process: PostgreSQL's is another


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("readers", nargs="?", type=int, default=1_000_000)
    options.add_argument("rounds", nargs="?", type=int, default=2)
    options.add_argument("--zones", action="store_true", help="on each reader's own clock")
    options.add_argument("--postgres", action="store_true", help="on PostgreSQL too")
    chosen = options.parse_args()
    kept = Kept(chosen.readers)
    with tempfile.TemporaryDirectory(prefix="nurture-queueing-") as folder:
        found = [_round(Path(folder), kept, is_zoned=chosen.zones) for _ in range(chosen.rounds)]
        _print("SQLite", found)
        if chosen.postgres:
            found = [_round_on_postgres(Path(folder), kept, is_zoned=chosen.zones) for _ in range(chosen.rounds)]
            _print("PostgreSQL", found)


def queue_once(folder: Path, readers: int) -> tuple[float, float]:
    """Seconds of the product and of the bare statement, once on SQLite."""
    queued, copied = _round(folder, Kept(readers), is_zoned=False)
    return queued.seconds, copied.seconds


def _print(database: str, found: list[tuple[Queued, Copied]]) -> None:
    ratios = [one.seconds / bare.seconds for one, bare in found]
    of_processor = statistics.median(one.processor / bare.processor for one, bare in found)
    held = sorted(seconds for one, _ in found for seconds in one.held)
    ours, bare = (
        statistics.median(one.seconds for one, _ in found),
        statistics.median(bare.seconds for _, bare in found),
    )
    rows = found[0][0].rows
    print(
        f"{database}: {rows:,} rows, {found[0][0].refused:,} of them refused, {len(found)} rounds\n"
        f"  bare INSERT … SELECT   {bare:7.2f} s  {1e6 * bare / rows:6.2f} µs a row\n"
        f"  queueing               {ours:7.2f} s  {1e6 * ours / rows:6.2f} µs a row\n"
        f"  ratio                  {statistics.median(ratios):7.2f} ({min(ratios):.2f} – {max(ratios):.2f}); "
        f"at most {MOST} is asked: {'yes' if statistics.median(ratios) <= MOST else 'MISSED'}\n"
        f"  ratio of processor     {of_processor:7.2f}, which says more where other programs run\n"
        f"  transactions           {len(held) // len(found):,}; median {_ms(held, 0.5)}, p99 {_ms(held, 0.99)}, most {_ms(held, 1)}\n"
        f"  memory                 {max(one.memory for one, _ in found)} MB at the most"
    )


def _ms(times: list[float], share: float) -> str:
    return f"{1000 * times[min(len(times) - 1, int(len(times) * share))]:.0f} ms"


def _round(folder: Path, kept: Kept, *, is_zoned: bool) -> tuple[Queued, Copied]:
    workspace = write_workspace(folder / "workspace", timezone="reader" if is_zoned else "sender")
    with kept.sqlite(folder / "published") as url:
        _publish(workspace, url)
        published, ours, bare = (folder / "published" / "nurture.db", folder / "ours.db", folder / "bare.db")
        for one in (ours, bare):
            shutil.copy(published, one)
        queued: Queued = _apart(_queue, workspace, f"sqlite:///{ours}")
        copied: Copied = _apart(_copy_on_sqlite, workspace, f"sqlite:///{bare}", str(ours))
        for one in (published, ours, bare):
            for path in one.parent.glob(f"{one.name}*"):
                path.unlink()
    return queued, copied


def _round_on_postgres(folder: Path, kept: Kept, *, is_zoned: bool) -> tuple[Queued, Copied]:
    workspace = write_workspace(folder / "workspace", timezone="reader" if is_zoned else "sender")
    with kept.postgres() as url:
        _publish(workspace, url)
        queued: Queued = _apart(_queue, workspace, url)
        return queued, _apart(_copy_on_postgres, workspace, url)


def _apart(work: Callable[..., Any], *given: Any) -> Any:
    """In a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def _publish(workspace: Path, url: str) -> None:
    app = open_house(workspace, url)
    open_doors(app, datetime.now(UTC) - timedelta(minutes=1))
    tidy(app.database)
    app.close()


def _queue(workspace: Path, url: str) -> Queued:
    app, now, held = open_house(workspace, url), datetime.now(UTC), []
    stint = Stint()
    settle_memory()  # as whoever runs jobs does
    began, processor = time.perf_counter(), time.process_time()
    while True:
        with app.database.writing() as session:
            session.connection()  # waits for the lock
            locked = time.perf_counter()
            keep_schedule(session, app.language, now, stint)
            is_over = newsletters.last_slots(session)[NEWSLETTER].finished_at is not None
        held.append(time.perf_counter() - locked)
        if is_over:
            break
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    counts = _counts(app)
    app.close()
    readers = sum(counts.values())
    if counts.get("queued", 0) != population.count_queued(readers):
        raise SystemExit(f"of {readers:,} readers {population.count_queued(readers):,} may be mailed, not {counts}")
    memory = peak_memory()
    return Queued(seconds, processor, readers, counts.get("refused", 0), held, memory)


def _counts(app: App) -> dict[str, int]:
    with app.database.reading() as session:
        found = session.execute(sa.text("SELECT status, count(*) FROM delivery GROUP BY status")).all()
    return dict(found)


def _copy_on_sqlite(workspace: Path, url: str, finished: str) -> Copied:
    """Seconds for the bare statement."""
    app = open_house(workspace, url)
    with app.database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("ATTACH DATABASE ? AS finished", (finished,))
        connection.exec_driver_sql("SELECT count(length(facts)) FROM finished.delivery")  # into the system's cache
        began, processor = time.perf_counter(), time.process_time()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("INSERT INTO main.delivery SELECT * FROM finished.delivery")
        connection.exec_driver_sql("COMMIT")
        copied = Copied(time.perf_counter() - began, time.process_time() - processor)
        connection.exec_driver_sql("BEGIN")
    app.close()
    return copied


def _copy_on_postgres(workspace: Path, url: str) -> Copied:
    app = open_house(workspace, url)
    with app.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE TABLE finished AS SELECT * FROM delivery")
        connection.exec_driver_sql("TRUNCATE delivery CASCADE")
        connection.exec_driver_sql("CHECKPOINT")
        began, processor = time.perf_counter(), time.process_time()
        connection.exec_driver_sql("INSERT INTO delivery SELECT * FROM finished")
        copied = Copied(time.perf_counter() - began, time.process_time() - processor)
    app.close()
    return copied


if __name__ == "__main__":
    main()
