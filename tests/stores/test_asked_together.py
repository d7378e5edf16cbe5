"""Many connections ask for their next mail in one statement; each gets the answer it would have got alone."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rhythms.store import save_rhythm
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts.store import Contact
from nurture.database.claiming import register_worker
from nurture.database.engine import Database, Session
from nurture.delivery import actions, store
from nurture.delivery.actions import Ended
from nurture.delivery.guard.granting import grant
from nurture.delivery.leaving.actions import _circumstances, _permissions, exchange
from nurture.delivery.outcomes.store import list_attempts, put_back_unsaid
from nurture.delivery.rules import Heard, Outcome, Priority, Status, find_stop
from nurture.timing import Window, parse_days, parse_hours
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.stores.test_outbox import LIMITS, house, intention, queue
from tests.support.claims import claim_due

__all__ = ["house"]  # the fixture of the outbox

HOUR = timedelta(hours=1)
AT_NIGHT = Window(parse_days("daily"), *parse_hours("20:00-23:00"))

people = st.lists(
    st.fixed_dictionaries(
        {
            "has_left": st.sampled_from([False, False, False, True]),
            "interest": st.sampled_from([None, "need"]),
            "at_most": st.sampled_from([None, None, AtMost.WEEK]),
            "had_one": st.sampled_from([None, None, 5, 30, 100]),
            "mail": st.fixed_dictionaries(
                {
                    "purpose": st.sampled_from([Purpose.CAMPAIGN, Purpose.CAMPAIGN, Purpose.SERVICE]),
                    "priority": st.sampled_from([Priority.SEQUENCE, Priority.NEWSLETTER]),
                    "kind": st.sampled_from(["", "value", "ask"]),
                    "window": st.sampled_from([None, None, AT_NIGHT]),
                    "expires_at": st.sampled_from([None, None, NOW + HOUR]),
                }
            ),
        }
    ),
    min_size=2,
    max_size=6,
)


@given(people, st.sampled_from([timedelta(0), 2 * HOUR]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_asks_together_hears_what_the_rule_says_of_each(
    house: Database, hasher: AddressHasher, crowd: list[dict[str, object]], later: timedelta
) -> None:
    now = NOW + later
    with house.reading() as session:  # what is written in it is thrown away, so each example begins anew
        for number, known in enumerate(crowd):
            _prepare(session, hasher, f"p{number}@reader.example", known)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 50, now + timedelta(days=1))
        for number, known in enumerate(crowd):
            if known["has_left"]:
                opt_out(session, hasher.hash(f"p{number}@reader.example"), how="page", now=NOW)
        permissions = {one.id: _permissions(session, [one], now)[one.id] for one in claimed}
        expected = {
            one.id: find_stop(_circumstances(session, one, permissions[one.id], LIMITS, now), now) for one in claimed
        }
        assert len(expected) == len(crowd)
        answers = exchange(session, worker, [], claimed, LIMITS, now)
        assert {i: stop is None for i, stop in answers.items()} == {i: stop is None for i, stop in expected.items()}
        session.expire_all()
        sending = {one.id for one in store.deliveries_of_ids(session, expected) if one.status == Status.SENDING}
        assert sending == {i for i, stop in answers.items() if stop is None}


def _prepare(session: Session, hasher: AddressHasher, email: str, known: dict[str, object]) -> None:
    mail = dict(known["mail"])  # type: ignore[call-overload]  # the strategy above made it
    if mail["purpose"] is Purpose.SERVICE:
        mail |= {"topic": "", "kind": ""}
    delivery = queue(session, hasher, email, **mail)
    assert delivery.contact_id is not None
    session.get_one(Contact, delivery.contact_id).interest = known["interest"]  # type: ignore[assignment]  # the same
    save_rhythm(session, delivery.contact_id, known["at_most"], NOW)  # type: ignore[arg-type]  # the same
    if known["had_one"] is not None:
        key = f"earlier to {email}"
        actions.queue_deliveries(session, [intention(session, delivery.contact_id, key)], NOW)
        old = store.delivery_of_key(session, key)
        assert old is not None
        old.status, old.attempted_at = Status.SENT, NOW - known["had_one"] * HOUR  # type: ignore[operator]  # the same
        session.add(old)
        session.flush()


def test_two_mails_to_one_person_that_are_asked_about_together_do_not_both_pass_the_cap(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        first = queue(session, hasher)
        other = queue(session, hasher, "ben@reader.example")
        assert first.contact_id is not None
        actions.queue_deliveries(session, [intention(session, first.contact_id, "second")], NOW)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 10, NOW)
        answers = exchange(session, worker, [], claimed, LIMITS, NOW)
        begun = [one for one in claimed if answers[one.id] is None]
        assert len(claimed) == 3
        assert {one.contact_id for one in begun} == {first.contact_id, other.contact_id}
        assert len(begun) == 2


def test_whom_the_guard_lets_through_in_one_statement_are_as_many_as_it_granted(
    house: Database, hasher: AddressHasher
) -> None:
    guarded = replace(LIMITS, blast_guard=3)
    with house.writing() as session:
        for number in range(6):
            queue(session, hasher, f"p{number}@reader.example", campaign="newsletter:weekly")
        worker = register_worker(session)
        claimed = claim_due(session, worker, 10, NOW)
        granted = grant(session, worker, claimed, guarded.blast_guard, NOW)
        opt_out(session, hasher.hash("p0@reader.example"), how="page", now=NOW)
        answers = exchange(session, worker, [], claimed, guarded, NOW, granted=granted)
        # The one who left takes nobody's place.
        assert [answers[one.id] is None for one in claimed].count(True) == 3
        assert answers[claimed[0].id] is not None


def test_a_claim_that_begins_while_the_last_one_is_in_hand_is_granted_places_for_both(
    house: Database, hasher: AddressHasher
) -> None:
    guarded = replace(LIMITS, blast_guard=5)
    with house.writing() as session:
        for number in range(6):
            queue(session, hasher, f"p{number}@reader.example", campaign="newsletter:weekly")
        worker = register_worker(session)
        first = claim_due(session, worker, 3, NOW)
        granted = grant(session, worker, first, guarded.blast_guard, NOW)
        second = claim_due(session, worker, 3, NOW)
        granted = grant(session, worker, second, guarded.blast_guard, NOW, granted)
        answers = exchange(session, worker, [], [*first, *second], guarded, NOW, granted=granted)
        assert list(answers.values()).count(None) == 5


def test_results_of_all_kinds_are_recorded_together(house: Database, hasher: AddressHasher) -> None:
    ends = {
        "sent@reader.example": (Outcome(Heard.ACCEPTED, 250, "250 queued as 1"), Status.SENT),
        "also@reader.example": (Outcome(Heard.ACCEPTED, 250, "250 queued as 2"), Status.SENT),
        "gone@reader.example": (Outcome(Heard.REJECTED, 550, "550 5.1.1 no such user"), Status.FAILED),
        "busy@reader.example": (Outcome(Heard.DEFERRED, 451, "451 later"), Status.QUEUED),
        "mute@reader.example": (Outcome(Heard.UNANSWERED, None, "nothing was heard"), Status.UNCERTAIN),
    }
    with house.writing() as session:
        mails = {email: queue(session, hasher, email) for email in ends}
        worker = register_worker(session)
        claimed = {one.id: one for one in claim_due(session, worker, 10, NOW)}
        exchange(session, worker, [], list(claimed.values()), LIMITS, NOW)
        ended = [Ended(claimed[mails[email].id], outcome) for email, (outcome, _) in ends.items()]
        exchange(session, worker, ended, [], LIMITS, NOW)
        session.expire_all()
        for email, (outcome, status) in ends.items():
            found = store.get_delivery(session, mails[email].id)
            assert (found.status, found.reply, found.worker_id) == (status, outcome.reply, None)
            [attempt] = list_attempts(session, found.id)
            assert (attempt.number, attempt.heard, attempt.code) == (1, outcome.heard, outcome.code)


def test_a_permission_that_nobody_heard_of_is_taken_back_and_the_mail_is_sent_later(
    house: Database, hasher: AddressHasher
) -> None:
    """The commit was made and the connection to the database broke before its answer: no body was written."""
    with house.writing() as session:
        mail = queue(session, hasher)
        worker, other = register_worker(session), register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        put_back_unsaid(session, other, [mail.id])
        session.expire_all()
        assert store.get_delivery(session, mail.id).status == Status.SENDING, "it is another worker's"
        put_back_unsaid(session, worker, [mail.id])
        [again] = claim_due(session, worker, 10, NOW)
        assert exchange(session, worker, [], [again], LIMITS, NOW) == {mail.id: None}
