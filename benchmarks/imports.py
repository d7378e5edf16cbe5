"""How fast a file of contacts comes in, against reading it with `csv` and checking its addresses alone.

`python -m benchmarks.imports [ROWS]` makes a file with the flaws of real exports (duplicates, broken addresses, opt-outs),
imports it three times into a fresh SQLite database (new, unchanged, everything changed), and prints for each the
seconds, the ratio to the reading alone, and how long a transaction held the write lock. Set TEST_DATABASE_URL for
PostgreSQL. Meanwhile another connection opts somebody out again and again, as a page would, and its waits are printed.
"""

import csv
import gc
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from email_validator import EmailNotValidError, validate_email

from nurture.clock import SystemClock
from nurture.conditions import FieldType
from nurture.consent import imports
from nurture.consent.definition import table_of
from nurture.consent.rules import Basis
from nurture.consent.summaries import Listener
from nurture.consent.suppressions.actions import opt_out, undo_opt_out
from nurture.consent.terms import Terms
from nurture.contacts.fields import DeclaredField
from nurture.contacts.imports import RefusedRow, survey
from nurture.contacts.intake import Desk
from nurture.database.engine import Database, sqlite_url
from nurture.database.migrating import ensure_schema
from nurture.tokens import AddressHasher

HEADERS = [
    "Email Address",
    "First Name",
    "Last Name",
    "Company",
    "Job Title",
    "Country",
    "Timezone",
    "Lead Source",
    "Opted In",
    "Headcount",
]
COUNTRIES = ["US", "Germany", "GB", "", "Japan", "BR", "India", "Österreich"]
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
DECLARED = {"headcount": DeclaredField("headcount", FieldType.NUMBER, "Headcount")}
TABLE = table_of(
    {
        "format": 1,
        "rows": [
            {
                "country": ["*"],
                "basis": ["opt-in", "double-opt-in", "customer"],
                "then": "announce",
                "law": "consent",
                "checked_on": date(2026, 1, 1),
            },
            *(
                {"country": [code], "basis": ["*"], "then": "never", "law": "rule", "checked_on": date(2026, 1, 1)}
                for code in ("US", "DE", "GB", "JP", "BR", "IN", "AT")
            ),
        ],
    }
)


def make_file(path: Path, rows: int) -> None:
    """One row in a hundred repeats an address, one has none, one forges a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_rows(csv.writer(file), rows)


def _write_rows(writer: Any, rows: int) -> None:
    writer.writerow(HEADERS)
    for n in range(rows):
        number = n - 7 if n % 100 == 50 else n
        email = f"person{number}@company-{number % 900}.example"
        match n % 100:
            case 20:
                email = f"person{n} at company.example"
            case 30:
                email += "\r\nBcc: victim@elsewhere.example"
            case 40:
                email = f"  {email.upper()} "
        writer.writerow(
            [
                email, f"Zoë {n}", "O'Neill", f"Company {n % 900}", "Plant Manager", COUNTRIES[n % 8], "Europe/Berlin",
                "trade show booth", ("yes", "yes", "no", "")[n % 4], (n * 7) % 5000,
            ]
        )  # fmt: skip


def read_alone(path: Path) -> float:
    """Seconds for csv and email_validator."""
    began = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            try:
                validate_email(row["Email Address"].strip(), check_deliverability=False)
            except EmailNotValidError:
                continue
    return time.perf_counter() - began


class Refused:
    """Takes refused rows, as the command does that writes them to a file."""

    def __init__(self) -> None:
        self.rows: list[RefusedRow] = []

    def add(self, row: RefusedRow) -> None:
        self.rows.append(row)

    def forget(self) -> None:
        self.rows.clear()


class MeasuredPace(imports.Pace):
    """Remembers how long each transaction held the lock."""

    held: list[float] = []  # noqa: RUF012 — one list for the whole run is what is wanted

    def end(self, rows: int) -> float:
        self.held.append(super().end(rows))
        return self.held[-1]


def leave_again_and_again(url: str, is_over: Event, waits: "Queue[list[float]]") -> None:
    """Somebody who leaves and comes back all the time, in another process, as through the web server."""
    database = Database(url)
    found: list[float] = []
    waits.put(found)  # here we are
    while not is_over.wait(0.02):
        for act in (opt_out, undo_opt_out):
            began = time.perf_counter()
            with database.writing(durable=True) as session:
                act(session, "somebody else", how="a benchmark", now=NOW)
            found.append(time.perf_counter() - began)
    waits.put(found)
    database.close()


def run(database: Database, path: Path, alone: float, what: str, terms: Terms) -> None:
    """One import, measured."""
    MeasuredPace.held.clear()
    context = multiprocessing.get_context("spawn")
    is_over, found = context.Event(), context.Queue()
    leaver = context.Process(target=leave_again_and_again, args=(database.url, is_over, found))
    leaver.start()
    found.get()
    began = time.perf_counter()
    refused = Refused()
    file, listener = survey(path, DECLARED), Listener(refused=refused.add)
    for summary in imports.import_file(  # noqa: B007 — the last one is wanted
        database, file, DECLARED, terms, SystemClock(), NOW, listener=listener
    ):
        refused.forget()
    seconds = time.perf_counter() - began
    is_over.set()
    waits = sorted(found.get())
    leaver.join()
    held = sorted(MeasuredPace.held)
    print(
        f"{what:10} {seconds:7.2f} s  {seconds / alone:5.1f} × reading alone  {summary.read / seconds:7,.0f} rows/s  "
        f"new {summary.created:,}, changed {summary.updated:,}, unchanged {summary.unchanged:,}, "
        f"merged {summary.merged:,}, refused {summary.refused_count:,}"
    )
    print(
        f"{'':10} lock held: median {_ms(held, 0.5)}, p99 {_ms(held, 0.99)}, most {_ms(held, 1)} in {len(held):,} chunks; "
        f"an opt-out meanwhile: median {_ms(waits, 0.5)}, p99 {_ms(waits, 0.99)}, most {_ms(waits, 1)}"
    )
    print(
        f"{'':10} memory so far: {_peak(resource.RUSAGE_SELF)}, and {_peak(resource.RUSAGE_CHILDREN)} in the process that reads"
    )


def _peak(who: int) -> str:
    return f"{resource.getrusage(who).ru_maxrss // 1024:,} MB"


def _ms(times: list[float], share: float) -> str:
    return f"{1000 * times[min(len(times) - 1, int(len(times) * share))]:.0f} ms" if times else "–"


def main() -> None:
    """Make the file and import it three times."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        make_file(path, rows)
        database = Database(os.environ.get("TEST_DATABASE_URL") or sqlite_url(Path(folder) / "nurture.db"))
        ensure_schema(database)
        imports.Pace = MeasuredPace  # type: ignore[misc]  # measured from outside, not built in
        gc.collect()
        gc.freeze()  # as the command does
        alone = min(read_alone(path) for _ in range(3))
        print(
            f"{rows:,} rows; csv and email_validator alone: {alone:.2f} s ({'SQLite' if database.is_sqlite else 'PostgreSQL'})"
        )
        desk = Desk(AddressHasher("a key"), {})
        run(database, path, alone, "new", Terms("insights", "a benchmark", TABLE, desk))
        run(database, path, alone, "unchanged", Terms("insights", "a benchmark", TABLE, desk))
        run(
            database,
            path,
            alone,
            "changed",
            Terms("insights", "a benchmark", TABLE, desk, Basis.CUSTOMER, list_name="all"),
        )
        database.close()


if __name__ == "__main__":
    main()
