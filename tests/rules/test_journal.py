"""The journal beside the database: append only, cut by size, and readable whatever a crash left of its last line."""

import resource
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture.database.journal import Journal, Place


def said(journal: Journal, since: Place = Place()) -> list[int]:  # noqa: B008 — a place is a frozen value
    return [entry["n"] for entry, _ in journal.entries(since)]


def write(journal: Journal, *numbers: int) -> None:
    journal.append([{"what": "said", "n": n} for n in numbers], must_last=True)


def last_place(journal: Journal) -> Place:
    return [place for _, place in journal.entries(Place())][-1]


def count_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_was_written_is_read_in_order_from_any_place_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.name == ""
    write(journal, 1, 2)
    place = last_place(journal)
    write(journal, 3)
    assert said(journal) == [1, 2, 3]
    assert said(journal, place) == [3]
    assert Place.read(str(place)) == place


def test_a_torn_line_spoils_nothing_before_or_behind_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    write(journal, 1)
    place = last_place(journal)
    with (tmp_path / "000001.jsonl").open("a") as stream:
        stream.write('{"what":"said","n":')  # killed here
    assert said(journal) == [1]
    write(Journal(tmp_path), 3)
    assert said(journal) == [1, 3]
    assert said(journal, place) == [3]


def test_files_are_cut_by_size_and_processes_write_side_by_side(tmp_path: Path) -> None:
    one, other = Journal(tmp_path, most_bytes=200), Journal(tmp_path, most_bytes=200)
    for n in range(40):
        write(one if n % 2 else other, n)
    assert said(one) == list(range(40))
    assert len(list(tmp_path.glob("*.jsonl"))) > 3
    assert one.name == other.name != ""


def test_old_files_go_and_the_one_that_is_written_to_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=60)
    for n in range(10):
        write(journal, n)
    assert journal.forget(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert journal.forget(datetime(2200, 1, 1, tzinfo=UTC)) > 1
    assert len(list(tmp_path.glob("*.jsonl"))) == 1


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    write(Journal(tmp_path / "journal"), 1)
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
    assert (tmp_path / "journal" / "000001.jsonl").stat().st_mode & 0o077 == 0


def test_what_a_full_disk_takes_in_part_is_an_error_and_not_a_no_that_got_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    write(journal, 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "000001.jsonl").stat().st_size + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(journal, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    write(journal, 3)
    assert said(journal) == [1, 3]


def test_when_no_new_file_can_be_opened_nothing_is_written_into_what_others_opened_since(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=20)
    write(journal, 1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            write(journal, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    with (tmp_path / "of others").open("w+") as others:
        write(journal, 3)
        write(journal, 4)
        assert others.read() == ""
    assert said(journal) == [1, 3, 4]


def test_a_journal_that_is_cut_again_and_again_keeps_one_file_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=20)
    write(journal, 0)
    before = count_open_files()
    for n in range(1, 10):
        write(journal, n)
    assert count_open_files() == before
    journal.close()
    assert count_open_files() == before - 1
