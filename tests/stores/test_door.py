"""Who writes next on SQLite: whoever waits, not whoever has just written."""

import fcntl
import threading
from pathlib import Path

import pytest

from nurture.consent.suppressions.actions import opt_out
from nurture.consent.suppressions.store import suppressions_of
from nurture.database.desk import Desk
from nurture.database.door import Door
from nurture.database.engine import Database, Session, sqlite_url
from tests.conftest import NOW


def wait_until_taken(door: Path) -> None:
    """Come back when somebody stands in the door."""
    with door.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(file, fcntl.LOCK_UN)


def leave(session: Session) -> None:
    opt_out(session, "somebody", how="a page", now=NOW)


def has_left(session: Session) -> bool:
    return "somebody" in suppressions_of(session, ["somebody"])


@pytest.mark.parametrize("waits_at", ["a page", "a desk"])
def test_whoever_waits_comes_before_the_next_chunk_of_an_import(
    sqlite: Database, tmp_path: Path, waits_at: str
) -> None:
    elsewhere = Database(sqlite_url(tmp_path / "nurture.db"))
    desk = Desk(elsewhere)

    def write() -> None:
        with elsewhere.writing(durable=True) if waits_at == "a page" else desk.writing() as session:
            leave(session)

    waiting = threading.Thread(target=write)
    with sqlite.writing_in_bulk() as session:
        session.connection()
        waiting.start()
        wait_until_taken(tmp_path / "nurture.db-door")
        assert not has_left(session)
    with sqlite.writing_in_bulk() as session:  # at once, and finds the door taken
        assert has_left(session)
    waiting.join()
    desk.close()
    elsewhere.close()


def test_whoever_stands_in_the_door_and_dies_leaves_it_open(sqlite: Database, tmp_path: Path) -> None:
    with (tmp_path / "nurture.db-door").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    with sqlite.writing() as session:
        leave(session)
    with sqlite.reading() as session:
        assert has_left(session)


def test_without_a_file_there_is_no_door_and_the_first_look_is_enough() -> None:
    said: list[str] = []
    assert Door(None).begin(said.append)
    assert said == ["BEGIN IMMEDIATE"]
