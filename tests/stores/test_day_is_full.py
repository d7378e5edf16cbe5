"""Without pages of ours the whole house sends so many marketing mails in 24 hours: the statement that sends keeps it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import opt_out
from nurture.database.claiming import register_worker
from nurture.database.engine import Database, Session
from nurture.database.installation import settle_in
from nurture.delivery import store
from nurture.delivery.actions import Limits
from nurture.delivery.daily.store import MailedHour, take_place
from nurture.delivery.leaving.actions import exchange
from nurture.delivery.rules import Status
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.stores.test_outbox import queue
from tests.support.claims import claim_due

LIMITS = Limits(cap_per_day=1, cap_per_week=2, give_up_after=timedelta(days=4), most_per_day=3)
HOUR = timedelta(hours=1)


@pytest.fixture
def house(database: Database) -> Database:
    with database.writing() as session:
        settle_in(session, home="here", suppression_fingerprint="f", now=NOW)
    return database


def try_all(session: Session, worker: int, *, at: object = NOW) -> list[str]:
    """Claim what is due and ask for each; what became of it."""
    claimed = claim_due(session, worker, 10, at)  # type: ignore[arg-type]  # an instant
    answers = exchange(session, worker, [], claimed, LIMITS, at)  # type: ignore[arg-type]  # the same
    return ["sent" if answers[one.id] is None else answers[one.id].because for one in claimed]  # type: ignore[union-attr]  # looked at before


def test_the_fourth_of_three_waits_until_a_day_has_passed_and_says_so(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        mails = [queue(session, hasher, f"p{number}@reader.example") for number in range(4)]
        worker = register_worker(session)
        became = try_all(session, worker)
        assert became[:3] == ["sent"] * 3
        assert became[3].startswith('day is full: with web.way_out = "mailto" 1,000 mails leave in 24 hours')
        session.expire_all()
        held = store.get_delivery(session, mails[3].id)
        assert held.status == Status.HELD
        assert held.held_until is not None
        assert NOW + timedelta(days=1) <= held.held_until <= NOW + timedelta(days=1) + HOUR
        store.move(session, [held.id], Status.QUEUED, now=NOW)
        assert try_all(session, worker, at=held.held_until) == ["sent"]


def test_whoever_may_not_be_mailed_takes_nobodys_place(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        mails = [queue(session, hasher, f"p{number}@reader.example") for number in range(4)]
        claimed = claim_due(session, worker := register_worker(session), 10, NOW)
        opt_out(session, hasher.hash("p0@reader.example"), how="a test", now=NOW)
        answers = exchange(session, worker, [], claimed, LIMITS, NOW)
        assert [answers[one.id] is None for one in mails] == [False, True, True, True]


def test_a_second_try_of_the_same_mail_and_what_is_no_marketing_take_no_place(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        worker = register_worker(session)
        for number in range(3):
            queue(session, hasher, f"p{number}@reader.example")
        assert try_all(session, worker) == ["sent"] * 3
        again = store.delivery_of_key(session, "key of p0@reader.example")
        assert again is not None
        store.move(session, [again.id], Status.QUEUED, now=NOW)
        queue(session, hasher, "new@reader.example", purpose=Purpose.SERVICE, topic="")
        assert try_all(session, worker) == ["sent", "sent"]
        assert list(session.scalars(sa.select(col(MailedHour.mails)))) == [3]


def test_two_workers_do_not_take_the_last_place_together(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        for number in range(6):
            queue(session, hasher, f"p{number}@reader.example")
        first, second = register_worker(session), register_worker(session)
        batches = [(one, claim_due(session, one, 3, NOW)) for one in (first, second)]
    sent = 0
    for worker, claimed in batches:
        with house.writing() as session:
            sent += list(exchange(session, worker, [], claimed, LIMITS, NOW).values()).count(None)
    assert sent == 3


def test_mails_that_a_clock_of_another_month_counted_keep_nobody_back(house: Database) -> None:
    with house.writing() as session:
        for number in range(3):
            assert take_place(session, 3, NOW + 60 * timedelta(days=1)) is None, number
        assert take_place(session, 3, NOW) is None
