"""A database that cannot be used: every command ends with one sentence that says where, what, and what to do."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from nurture.database.engine import Database, sqlite_url
from nurture.database.failing import failure_of
from tests.support.terminals import Terminal

COMMANDS = [("contacts", "list"), ("check",), ("pause",), ("doctor",), ("database", "upgrade")]


def database_file(terminal: Terminal) -> Path:
    """The file, with nothing left beside it."""
    path = terminal.workspace / ".nurture" / "nurture.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    return path


def make_read_only(path: Path) -> None:
    """A file format that is to be read only: the one way that holds for every user."""
    with path.open("r+b") as file:
        file.seek(18)
        file.write(b"\x03")


def damage(path: Path) -> None:
    page = 4096
    with path.open("r+b") as file:
        file.seek(page)
        file.write(b"\xff" * (path.stat().st_size - page))


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(5_000)


def overwrite(path: Path) -> None:
    path.write_text("This is a letter and no database.\n" * 500, encoding="utf-8")


def put_a_folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (make_read_only, "the database cannot be written; give this user the right to write the file and its folder"),
        (cut_short, "the database is damaged or cut short; stop everything that uses it"),
        (overwrite, "this is no database, or a damaged one; restore the last backup"),
        (put_a_folder_there, "the database cannot be opened; see that it is a file"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_with_what_to_do(
    house: Terminal, words: tuple[str, ...], break_it: Callable[[Path], None], sentence: str
) -> None:
    path = database_file(house)
    break_it(path)
    refusal = house.refused(*words)
    assert refusal.startswith(f"{path}: {sentence}")
    assert refusal.endswith(".")


def test_a_database_damaged_behind_its_first_page_is_a_sentence_too(house: Terminal) -> None:
    path = database_file(house)
    damage(path)
    assert house.refused("contacts", "list").startswith(f"{path}: the database is damaged or cut short")


def test_a_full_disk_and_a_held_lock_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database = Database(sqlite_url(path))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE letter (text)")
        connection.exec_driver_sql("PRAGMA max_page_count = 4")
        with pytest.raises(OperationalError) as full:
            connection.exec_driver_sql("INSERT INTO letter VALUES (zeroblob(100000))")
        connection.rollback()
    assert str(failure_of(full.value)).startswith(f"{path}: the disk is full; make room")
    with database.engine.connect() as one, database.engine.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout = 0")
        one.exec_driver_sql("CREATE TABLE held (text)")
        with pytest.raises(OperationalError) as held:
            other.exec_driver_sql("CREATE TABLE wanted (text)")
    database.close()
    assert str(failure_of(held.value)).startswith(f"{path}: another process has held the database for too long")


def test_a_server_that_is_away_is_named_without_its_password(terminal: Terminal) -> None:
    terminal.set(NURTURE_DATABASE__URL="postgresql+psycopg://nurture:s3cret@127.0.0.1:1/nurture")
    refusal = terminal.refused("contacts", "list")
    assert refusal.startswith(
        "postgresql+psycopg://nurture:***@127.0.0.1:1/nurture: the database server cannot be reached"
    )
    assert "s3cret" not in refusal


def test_a_mistake_of_ours_in_a_statement_keeps_its_traceback(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "some.db"))
    with database.reading() as session, pytest.raises(OperationalError) as mistake:
        session.connection().exec_driver_sql("SELECT nothing FROM nowhere")
    database.close()
    assert failure_of(mistake.value) is None
    assert failure_of(ValueError("no database")) is None


def change_revision(terminal: Terminal, statement: str) -> None:
    database = terminal.open_database()
    with database.writing() as session:
        session.connection().exec_driver_sql(statement)
    database.close()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("statement", "rows"),
    [("DELETE FROM alembic_version", 0), ("INSERT INTO alembic_version VALUES ('0000')", 2)],
)
def test_a_database_that_does_not_know_its_revision_is_left_as_it_is(
    house: Terminal, words: tuple[str, ...], statement: str, rows: int
) -> None:
    change_revision(house, statement)
    assert f"the table alembic_version has {rows} rows instead of one" in house.refused(*words)


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_a_revision_this_version_does_not_know_is_no_upgrade(house: Terminal, revision: str) -> None:
    change_revision(house, f"UPDATE alembic_version SET version_num = '{revision}'")
    refusal = house.refused("database", "upgrade")
    assert refusal.startswith(f"The database is at revision {revision}, which this nurture does not know")
    assert refusal.endswith("Install the version of nurture that made the database, or a newer one.")


def test_a_place_where_nothing_may_be_written_is_named_with_what_to_do(house: Terminal) -> None:
    refusal = house.refused("contacts", "export", "/sys/people.csv")
    assert refusal.startswith("/sys/people.csv.part: ")
    assert refusal.endswith(("give them the right to.", "mount it for writing."))
