"""A long file: read by a second process, written in bulk, and cut off in the middle by kill -9."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from nurture.clock import SystemClock
from nurture.consent import imports
from nurture.consent.reading_aside import ReaderLost, read_aside
from nurture.consent.summaries import Listener, Summary
from nurture.contacts.imports import RefusedRow, survey
from nurture.database.engine import Database
from nurture.errors import BadInput
from nurture.tokens import AddressHasher
from tests.support.imports import DECLARED, Importer, forget, what_is_known

#: Everything a file may hold: people who are new, a yes, a no, opt-outs, tags, dates, somebody twice, somebody broken.
MANY = "email,first_name,country,opted_in,status,tags,company_size,last_open\n" + "".join(
    f"person{n - 3 if n % 50 == 9 else n}@{'gmial.com' if n % 70 == 5 else f'company{n % 9}.example'},Zoë {n},"
    f"{('US', 'DE', '')[n % 3]},{('yes', 'no', '')[n % 4 % 3]},{'unsubscribed' if n % 31 == 4 else ''},"
    f"{'vip' if n % 7 else ''},{n if n % 5 else 'many'},{'2025-06-01' if n % 6 else '2021-01-05'}\n"
    if n % 40
    else f"no address {n},,,,,,,\n"
    for n in range(2_000)
)

#: Imports a file with a process that reads it, and says after each chunk how far it is, and first who reads.
PROGRAM = """
import multiprocessing, sys
from datetime import datetime
from pathlib import Path
from nurture.clock import SystemClock
from nurture.consent import imports
from nurture.database.engine import Database
from nurture.tokens import AddressHasher
from tests.support.imports import DECLARED, Importer
from nurture.contacts.imports import survey
imports._WORTH_A_PROCESS = 0
url, path, now = sys.argv[1:]
importer = Importer(Database(url), AddressHasher("a key"), Path(path).parent, datetime.fromisoformat(now))
file = survey(Path(path), DECLARED)
for summary in imports.import_file(importer.database, file, DECLARED, importer.terms(), SystemClock(), importer.now):
    print(multiprocessing.active_children()[0].pid, summary.read, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def importer(database: Database, tmp_path: Path, now: datetime) -> Importer:
    return Importer(database, AddressHasher("a key"), tmp_path, now)


@pytest.fixture
def always_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a file is, a second process reads it."""
    monkeypatch.setattr(imports, "_WORTH_A_PROCESS", 0)


def take(importer: Importer, text: str, refused: list[RefusedRow], name: str = "people.csv") -> Summary:
    path = importer.folder / name
    path.write_text(text, encoding="utf-8")
    *_, summary = imports.import_file(
        importer.database, survey(path, DECLARED), DECLARED, importer.terms(), SystemClock(), importer.now,
        listener=Listener(refused=refused.append),
    )  # fmt: skip
    return summary


@pytest.mark.usefixtures("always_aside")
def test_a_file_that_another_process_reads_comes_in_like_any_other(importer: Importer) -> None:
    aside: list[RefusedRow] = []
    summary = take(importer, MANY, aside)
    known = what_is_known(importer.database)
    forget(importer.database)
    here = importer.take(MANY)
    assert what_is_known(importer.database) == known
    assert (summary.created, summary.merged, summary.opted_out, summary.piles) == (
        here.created, here.merged, here.opted_out, here.piles,
    )  # fmt: skip
    assert [(row.line, row.reason, row.cells) for row in aside] == [
        (row.line, row.reason, row.cells) for row in here.refused
    ]
    assert summary.notes == here.notes
    assert summary.refused == []
    again = take(importer, MANY, [])
    assert (again.created, again.updated, again.unchanged) == (0, 0, summary.created)


def test_an_import_killed_in_the_middle_is_completed_by_running_it_again(importer: Importer) -> None:
    importer.take(MANY)
    whole = what_is_known(importer.database)
    forget(importer.database)

    url = importer.database.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(importer.folder / "people.csv"), importer.now.isoformat()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    reader, read = map(int, process.stdout.readline().split())
    watched = os.pidfd_open(reader)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # Nobody reads its pipe any more, so the second process ends by itself.
    assert select.select([watched], [], [], 60)[0]
    os.close(watched)
    assert 0 < read < 2_000

    summary = importer.take(MANY)
    assert what_is_known(importer.database) == whole
    assert 0 < summary.unchanged < summary.created


def test_a_reader_that_dies_is_told_and_one_that_cannot_read_says_why(importer: Importer) -> None:
    path = importer.folder / "people.csv"
    path.write_text(MANY, encoding="utf-8")
    file, terms = survey(path, DECLARED), importer.terms()
    with read_aside(file, DECLARED, terms, importer.now, is_sqlite=True) as batches:
        next(batches)
        (reader,) = multiprocessing.active_children()
        reader.kill()
        with pytest.raises(ReaderLost, match="run the same import again"):
            list(batches)
    path.write_text('email\n"never closed', encoding="utf-8")
    with (
        read_aside(file, DECLARED, terms, importer.now, is_sqlite=True) as batches,
        pytest.raises(BadInput, match="never closed"),
    ):
        list(batches)
    assert multiprocessing.active_children() == []
