"""What a worker does about mails that it only believes to have in its hands: nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.database.claiming import Worker, register_worker
from nurture.database.engine import Database, Session
from nurture.delivery import actions, owners, store
from nurture.delivery.actions import Ended
from nurture.delivery.claimed import Claimed
from nurture.delivery.doubts.actions import Resolved, resolve_all
from nurture.delivery.leaving.actions import exchange
from nurture.delivery.rules import Heard, HeldBecause, Outcome, Status
from nurture.delivery.store import Delivery
from nurture.errors import BadInput
from nurture.privacy.store import cancel_mails
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.stores.test_outbox import LIMITS, house, queue, status_of
from tests.support.claims import claim_due
from tests.support.databases import is_anybody_waiting

__all__ = ["house"]

HOUR = timedelta(hours=1)

#: What a claim does to mails of it that do not leave.
SETTLING: dict[str, Callable[[Session, Claimed], object]] = {
    "its relay is full": lambda session, one: actions.let_pass(session, one, NOW + HOUR, NOW),
    "it cannot be rendered": lambda session, one: actions.fail_unsendable(session, one, "broken", NOW),
    "it may not leave the house": lambda session, one: actions.hold_at_boundary(session, one, "no", NOW),
    "nobody knows its domain": lambda session, one: actions.hold_until_asked(session, one, one.domain, NOW),
    "its owner has not agreed": lambda session, one: owners.hold_for_yes(session, one, NOW),
}
settling = pytest.mark.parametrize("settle", SETTLING.values(), ids=SETTLING)


@settling
def test_a_mail_that_another_worker_sends_by_now_is_not_queued_held_or_failed_by_one_that_stood_still(
    house: Database, hasher: AddressHasher, settle: Callable[[Session, Claimed], object]
) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        frozen, other = register_worker(session), register_worker(session)
        [claimed] = claim_due(session, frozen, 10, NOW)
        session.execute(sa.update(Worker).where(col(Worker.id) == frozen).values(ended_at=1.0))
        actions.take_back(session, NOW)
        [again] = claim_due(session, other, 10, NOW)
        assert exchange(session, other, [], [again], LIMITS, NOW) == {ana.id: None}
        settle(session, claimed)
        assert status_of(session, ana.id) == (Status.SENDING, "")
        unanswered = Ended(again, Outcome(Heard.UNANSWERED))
        exchange(session, other, [unanswered], [], LIMITS, NOW)
        settle(session, claimed)
        assert status_of(session, ana.id) == (Status.UNCERTAIN, "the relay never answered the final dot")


@settling
def test_a_mail_that_was_held_for_a_recheck_since_it_was_claimed_waits_for_that(
    house: Database, hasher: AddressHasher, settle: Callable[[Session, Claimed], object]
) -> None:
    with house.writing() as session:
        ana = queue(session, hasher, enrollment_id=7)
        [claimed] = claim_due(session, register_worker(session), 10, NOW)
        assert claimed.contact_id is not None
        assert store.hold_for_recheck(session, claimed.contact_id) == 1
        settle(session, claimed)
        assert status_of(session, ana.id) == (Status.HELD, HeldBecause.RECHECK)


def test_a_late_no_for_now_forgets_that_the_mail_was_in_doubt(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        session.execute(sa.update(Worker).where(col(Worker.id) == worker).values(ended_at=1.0))
        actions.take_back(session, NOW)
        assert status_of(session, ana.id) == (Status.UNCERTAIN, "its worker died before the answer")
        exchange(session, worker, [Ended(claimed, Outcome(Heard.DEFERRED, 450, "450 later"))], [], LIMITS, NOW)
        assert status_of(session, ana.id) == (Status.QUEUED, "")
        assert store.get_delivery(session, ana.id).settled_at is None


@pytest.mark.parametrize(
    "stop",
    [
        lambda session, one: store.stop_enrollments(session, [7], "replied", NOW),
        lambda session, one: store.cancel_by_keys(session, [one.key], "not needed", NOW),
        lambda session, one: cancel_mails(session, one.contact_id, NOW),
    ],
    ids=["its sequence ended", "nobody needs it", "its reader is erased"],
)
def test_what_is_cancelled_while_it_is_held_is_not_held_until_anything_any_more(
    house: Database, hasher: AddressHasher, stop: Callable[[Session, Delivery], object]
) -> None:
    with house.writing() as session:
        ana = queue(session, hasher, enrollment_id=7)
        store.move(session, [ana.id], Status.HELD, now=NOW, because=HeldBecause.CAP, held_until=NOW + HOUR)
        stop(session, ana)
        session.expire_all()
        found = store.get_delivery(session, ana.id)
        assert (found.status, found.held_until) == (Status.CANCELLED, None)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_is_held_for_a_recheck_while_the_house_releases_it_waits_for_that(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        ana = queue(session, hasher, enrollment_id=7)
        store.move(session, [ana.id], Status.HELD, now=NOW, because=HeldBecause.CAP, held_until=NOW)
        assert ana.contact_id is not None

    def release() -> int:
        with house.writing() as session:
            return actions.release_held(session, NOW)

    with ThreadPoolExecutor() as threads:
        with house.writing() as session:
            assert store.hold_for_recheck(session, ana.contact_id) == 1
            releasing = threads.submit(release)
            while not releasing.done() and not is_anybody_waiting(house):
                pass
        assert releasing.result() == 0
    with house.reading() as session:
        assert status_of(session, ana.id) == (Status.HELD, HeldBecause.RECHECK)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("is_alone", [True, False], ids=["one", "all"])
def test_what_a_person_says_of_a_mail_does_not_undo_an_answer_that_comes_at_that_moment(
    house: Database, hasher: AddressHasher, *, is_alone: bool
) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        session.execute(sa.update(Worker).where(col(Worker.id) == worker).values(ended_at=1.0))
        actions.take_back(session, NOW)

    def send_again() -> None:
        if is_alone:
            with house.writing() as session, pytest.raises(BadInput, match="is failed; only an uncertain one"):
                actions.resolve(session, ana.id, "resend", NOW)
        else:
            assert resolve_all(house, "", "resend", NOW) == Resolved(0, 0)

    with ThreadPoolExecutor() as threads:
        with house.writing() as session:
            exchange(session, worker, [Ended(claimed, Outcome(Heard.REJECTED, 550, "550 no"))], [], LIMITS, NOW)
            sending = threads.submit(send_again)
            while not sending.done() and not is_anybody_waiting(house):
                pass
        sending.result()
    with house.reading() as session:
        assert status_of(session, ana.id) == (Status.FAILED, "the relay refused it")
