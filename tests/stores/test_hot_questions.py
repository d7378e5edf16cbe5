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
from nurture.delivery.claiming import store as claiming
from nurture.delivery.left_behind import store as left_behind
from nurture.delivery.pausing import store as pausing
from nurture.engines import jobs
from nurture.newsletters import store as newsletters
from tests.support.claims import claim_due

NOW = datetime.fromisoformat("2026-03-10T09:00:00+00:00")

QUESTIONS: dict[str, Callable[[Session], Any]] = {
    "when is the next mail due": store.next_due_at,
    "claim what is due": lambda session: claim_due(session, register_worker(session), 20, NOW),
    "take back what dead workers claimed": left_behind.take_back_unsent,
    "take for sending what the power may have taken back": lambda session: left_behind.assume_sending(session, NOW),
    "take back what dead workers were sending": lambda session: left_behind.take_back_in_doubt(session, NOW),
    "give back claims": lambda session: claiming.release(session, 1),
    "release what is held": lambda session: store.list_releasable(session, NOW, 500),
    "when are the jobs due": lambda session: ask_together(session, jobs.QUESTIONS),
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


#: Asked with every piece of a job, under the write lock or beside it, and the index whose few rows it may look at; through
#: another one it walks through a whole campaign, line or queue.
NARROW: dict[str, tuple[Callable[[Session], Any], str]] = {
    "has anybody mails in hand": (
        lambda session: session.execute(sa.select(store.is_any_in_hand())),
        "ix_delivery_in_hand (worker_id",
    ),
    "is anything of a paused campaign queued": (
        lambda session: session.execute(sa.select(pausing.to_set_aside_at())),
        "ix_delivery_campaign (campaign=? AND status=?)",
    ),
    "does anything stand still of a campaign that goes on": (
        lambda session: session.execute(sa.select(pausing.to_release_at())),
        "ix_delivery_held_because (because=? AND campaign>?)",
    ),
    "what stands still of a campaign that goes on": (
        lambda session: pausing.list_to_release(session, 500),
        "ix_delivery_held_because (because=? AND campaign=?)",
    ),
    "who of these has had the announcement": (
        lambda session: newsletters.announced_without_reader(session, "weekly", [1, 2, 3]),
        "ix_delivery_contact (contact_id=?)",
    ),
    "how many of no known day went today": (
        lambda session: newsletters.wave_so_far(session, "weekly", NOW.date()),
        "ix_announcement_turn_wave (newsletter=? AND went_on",
    ),
}


@pytest.mark.parametrize("question", NARROW)
def test_what_jobs_ask_with_every_piece_looks_at_a_few_rows_however_many_are_queued_or_sent(
    sqlite: Database, question: str
) -> None:
    ask, index = NARROW[question]
    with overheard(sqlite) as said, sqlite.reading() as session:
        ask(session)
    [(statement, parameters)] = [one for one in said if one[0].startswith(("SELECT", "WITH"))]
    with sqlite.engine.connect() as connection:
        plan = [str(one[3]) for one in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert [one for one in plan if index in one], plan
    assert not [one for one in plan if one.startswith(("SCAN delivery", "SCAN announcement_turn"))], plan


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
