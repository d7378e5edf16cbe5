"""What is written in bulk gets from SQLite's log into the file beside the writing, and the log does not grow for ever."""

import threading
from itertools import count

import pytest

from nurture.consent.suppressions.actions import opt_out
from nurture.consent.suppressions.store import suppress, suppressions_of
from nurture.database import settling as room
from nurture.database.engine import Database
from nurture.database.settling import settling
from tests.conftest import NOW

ROUNDS = 300


def write(database: Database, number: int) -> None:
    row = {"address_hash": f"{number:032}", "reason": "opt-out", "created_at": NOW, "how": "a test"}
    with database.writing_in_bulk() as session:
        suppress(session, [row])


def test_the_log_of_bulk_work_begins_anew_each_time_it_is_long(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_LONG", 60)
    seconds = count()
    with settling(sqlite, lambda: float(next(seconds))) as settler:
        for number in range(ROUNDS):
            write(sqlite, number)
            settler.look()
    write(sqlite, ROUNDS)
    assert sqlite.settle() < 60  # all before was brought over, and each round wrote a page or more
    with sqlite.reading() as session:
        assert len(suppressions_of(session, [f"{number:032}" for number in range(ROUNDS + 1)])) == ROUNDS + 1


def test_everybody_else_writes_on_while_the_log_is_brought_to_its_end(sqlite: Database) -> None:
    """Who holds the lock meanwhile is waited for, and what they wrote is brought over with the rest."""
    write(sqlite, 0)
    waiting = threading.Thread(target=sqlite.settle_to_the_end)
    with sqlite.writing(durable=True) as session:
        session.connection()
        waiting.start()
        opt_out(session, "somebody", how="a page", now=NOW)
    waiting.join()
    write(sqlite, 1)
    assert sqlite.settle() < 10


def test_without_a_settler_the_log_grows(sqlite: Database) -> None:
    for number in range(ROUNDS):
        write(sqlite, number)
    assert sqlite.settle() > ROUNDS
