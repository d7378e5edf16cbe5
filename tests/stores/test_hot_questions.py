"""What the house asks every second, or while somebody leaves, finds its rows through an index, however many there are.

At 1.2 million mails a walk through the table took 100 to 400 ms, some of it under the write lock; the index takes 1 ms.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from nurture.consent.ledger.store import left_through, list_events, noes_of_nobody
from nurture.database.claiming import register_worker
from nurture.database.engine import Database, Session
from nurture.database.statements import ask_together
from nurture.delivery import store
from nurture.engines import jobs
from tests.support.claims import claim_due

NOW = datetime.fromisoformat("2026-03-10T09:00:00+00:00")

QUESTIONS: dict[str, Callable[[Session], Any]] = {
    "when is the next mail due": store.next_due_at,
    "claim what is due": lambda session: claim_due(session, register_worker(session), 20, NOW),
    "take back what dead workers claimed": store.take_back_unsent,
    "take back what dead workers were sending": lambda session: store.take_back_in_doubt(session, NOW),
    "give back claims": lambda session: store.release_claims(session, 1),
    "release what is held": lambda session: store.list_releasable(session, NOW, 500),
    "when are the jobs due": lambda session: ask_together(session, jobs._QUESTIONS),
    "what does the ledger say of an address": lambda session: list_events(session, "hash"),
    "what does the ledger say of a contact": lambda session: list_events(session, "hash", 1),
    "through which mail did they leave": lambda session: left_through(session, "hash", NOW),
    "what did somebody say who is no contact": lambda session: noes_of_nobody(session, "hash"),
}


WALKS = ("SCAN delivery", "SCAN contact", "SCAN consent_event")


@contextmanager
def overheard(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Every statement with its parameters, as the driver gets them."""
    said: list[tuple[str, Any]] = []

    def listen(_c: object, _k: object, statement: str, parameters: Any, _x: object, _m: object) -> None:
        said.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", listen)


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_hot_question_walks_through_all_mails_or_people_or_what_they_said(sqlite: Database, question: str) -> None:
    with overheard(sqlite) as said, sqlite.writing() as session:
        QUESTIONS[question](session)
    statements = [one for one in said if one[0].split()[0] in {"SELECT", "UPDATE", "DELETE", "WITH"}]
    assert statements
    for statement, parameters in statements:
        with sqlite.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        walks = [str(row[3]) for row in plan if str(row[3]).startswith(WALKS)]
        assert [walk for walk in walks if "INDEX" not in walk] == [], statement
