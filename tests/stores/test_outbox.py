"""The outbox keeps its promises in the database: keys, claims, permission in the statement, workers that die."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col

from nurture.campaigns.publishing import freeze_draft
from nurture.campaigns.reading import Unit
from nurture.consent.actions import Said, choose_topic, record
from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rhythms.store import save_rhythm
from nurture.consent.rules import Basis, Purpose
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts.store import Contact
from nurture.database.claiming import (
    Worker,
    beat,
    bury_dead_workers,
    end_worker,
    has_missed_beats,
    register_worker,
    set_hurried,
)
from nurture.database.columns import new_id
from nurture.database.engine import Database, Session
from nurture.database.installation import pause, settle_in
from nurture.delivery import actions, store
from nurture.delivery.actions import Ended, Intention, Limits
from nurture.delivery.claiming import store as claiming
from nurture.delivery.leaving.actions import _circumstances, _permissions, exchange
from nurture.delivery.outcomes.store import list_attempts
from nurture.delivery.pausing import store as pausing
from nurture.delivery.rules import Heard, HeldBecause, Outcome, Priority, Status, find_stop
from nurture.delivery.store import Delivery
from nurture.delivery.waiting import Waiting, list_waiting
from nurture.errors import BadInput
from nurture.timing import DaySpan, Window, parse_days, parse_hours
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.claims import claim_due
from tests.support.people import TABLE, add_contact

LIMITS = Limits(cap_per_day=1, cap_per_week=2, give_up_after=timedelta(days=4))
HOUR = timedelta(hours=1)


@pytest.fixture
def house(database: Database) -> Database:
    with database.writing() as session:
        settle_in(session, home="here", suppression_fingerprint="f", now=NOW)
    return database


def a_version(session: Session) -> int:
    unit = Unit("sequence", f"s{new_id()}", "s.yaml", {"mails": {}})
    return freeze_draft(session, unit, published_by="a test", now=NOW)


def intention(session: Session, contact_id: int, key: str = "k", **more: object) -> Intention:
    made = Intention(
        key=key,
        purpose=Purpose.CAMPAIGN,
        campaign="sequence:s",
        version_id=a_version(session),
        mail="report",
        priority=Priority.SEQUENCE,
        due_at=NOW,
        contact_id=contact_id,
        domain="reader.example",
        topic="insights",
    )
    return replace(made, **more)  # type: ignore[arg-type]  # each test names fields of Intention


def queue(session: Session, hasher: AddressHasher, email: str = "ana@reader.example", **more: object) -> Delivery:
    contact = add_contact(session, hasher, email, NOW)
    key = f"key of {email}"
    actions.queue_deliveries(session, [intention(session, contact.id, key, **more)], NOW)
    found = store.delivery_of_key(session, key)
    assert found is not None
    return found


def status_of(session: Session, delivery_id: int) -> tuple[str, str]:
    session.expire_all()
    found = store.get_delivery(session, delivery_id)
    return found.status, found.because


def test_two_decisions_with_one_key_are_one_mail(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", NOW)
        made = intention(session, contact.id)
        assert actions.queue_deliveries(session, [made], NOW) == {"k": Status.QUEUED}
        assert actions.queue_deliveries(session, [made], NOW) == {}
        assert store.count_by_status(session) == {"queued": 1}


def test_whoever_may_not_be_mailed_is_refused_when_queued_and_the_reason_is_kept(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", NOW)
        opt_out(session, contact.address_hash, how="page", now=NOW)
        assert actions.queue_deliveries(session, [intention(session, contact.id)], NOW) == {"k": Status.REFUSED}
        found = store.delivery_of_key(session, "k")
        assert found is not None
        assert found.because.startswith("opted out on")


def test_an_opt_out_after_the_claim_still_wins(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        delivery = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        contact_hash = hasher.hash("ana@reader.example")
        opt_out(session, contact_hash, how="one-click", now=NOW)
        stops = exchange(session, worker, [], [claimed], LIMITS, NOW)
        stop = stops[delivery.id]
        assert stop is not None
        assert stop.status is Status.REFUSED
        assert status_of(session, delivery.id)[0] == Status.REFUSED


def test_a_pause_holds_what_was_claimed_and_resuming_sends_it(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        delivery = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        pause(session, because="a test", now=NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        assert status_of(session, delivery.id) == (Status.HELD, HeldBecause.PAUSED)
        assert claim_due(session, worker, 10, NOW) == []
        assert actions.release_held(session, NOW) == 0
        session.execute(sa.text("UPDATE installation SET paused_at = NULL"))
        assert actions.release_held(session, NOW) == 1
        assert len(claim_due(session, worker, 10, NOW)) == 1


def test_a_cancelled_mail_is_not_sent_although_it_was_claimed(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        delivery = queue(session, hasher, enrollment_id=5)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        store.stop_enrollments(session, [5], "they replied", NOW)
        assert exchange(session, worker, [], [claimed], LIMITS, NOW)[delivery.id] is not None
        assert status_of(session, delivery.id) == (Status.CANCELLED, "they replied")


def test_a_mail_held_for_a_second_look_waits_for_it(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        delivery = queue(session, hasher, enrollment_id=5)
        assert delivery.contact_id is not None
        assert store.hold_for_recheck(session, delivery.contact_id) == 1
        worker = register_worker(session)
        assert claim_due(session, worker, 10, NOW) == []
        assert actions.release_held(session, NOW + timedelta(days=30)) == 0
        assert store.release_rechecked(session, [delivery.id], NOW) == 1
        assert len(claim_due(session, worker, 10, NOW)) == 1


def test_whoever_left_the_topic_of_a_mail_does_not_get_it_though_they_are_mailed_about_another(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        about_products = queue(session, hasher)
        contact = session.get_one(Contact, about_products.contact_id)
        said = Said(
            contact.id,
            contact.address_hash,
            "US",
            "events",
            "given",
            Basis.OPT_IN,
            NOW.date(),
            "a test",
            contact.domain,
        )
        record(session, TABLE, [said], NOW)
        actions.queue_deliveries(session, [intention(session, contact.id, "events", topic="events")], NOW)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 10, NOW)
        choose_topic(session, contact, "insights", wanted=False, how="page", now=NOW)
        for one in claimed:
            exchange(session, worker, [], [one], LIMITS, NOW)
        assert status_of(session, about_products.id)[0] == Status.REFUSED
        events = store.delivery_of_key(session, "events")
        assert events is not None
        assert events.status == Status.SENDING


def test_a_mail_that_was_held_for_another_reason_waits_for_the_second_look_too(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        delivery = queue(session, hasher, enrollment_id=5)
        assert delivery.contact_id is not None
        tomorrow = NOW + timedelta(days=1)
        store.move(session, [delivery.id], Status.HELD, now=NOW, because=HeldBecause.CAP, held_until=tomorrow)
        assert store.hold_for_recheck(session, delivery.contact_id) == 1
        assert actions.release_held(session, tomorrow) == 0
        assert store.release_rechecked(session, [delivery.id], NOW) == 1


def test_a_window_that_closed_meanwhile_holds_a_mail_until_it_opens_again(
    house: Database, hasher: AddressHasher
) -> None:
    office = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))
    evening = NOW.replace(hour=17)
    with house.writing() as session:
        delivery = queue(session, hasher, window=office, zone="UTC")
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, evening)
        exchange(session, worker, [], [claimed], LIMITS, evening)
        session.expire_all()
        held = store.get_delivery(session, delivery.id)
        tomorrow = NOW.replace(hour=9) + timedelta(days=1)
        assert (held.status, held.because, held.held_until) == (Status.HELD, HeldBecause.WINDOW, tomorrow)
        assert actions.release_held(session, tomorrow) == 1
        session.expire_all()
        assert store.get_delivery(session, delivery.id).closes_at == tomorrow.replace(hour=17)


def test_what_waits_is_what_is_held_and_what_was_queued_for_another_opening(
    house: Database, hasher: AddressHasher
) -> None:
    tomorrow = Window(frozenset({(NOW + timedelta(days=1)).weekday()}), *parse_hours("09:00-17:00"))
    with house.writing() as session:
        held = queue(session, hasher, "ana@reader.example")
        store.move(session, [held.id], Status.HELD, now=NOW, because=HeldBecause.CAP, held_until=NOW + HOUR)
        in_berlin = queue(session, hasher, "ben@reader.example", window=tomorrow, zone="Europe/Berlin")
        queue(session, hasher, "cal@reader.example", window=tomorrow, zone="America/New_York")
        # Nothing keeps these: one may leave now, one was meant for later, one is to be tried again in a while.
        queue(session, hasher, "dan@reader.example", window=Window(parse_days("daily"), *parse_hours("00:00-24:00")))
        queue(session, hasher, "eva@reader.example", due_at=NOW + 5 * HOUR)
        today = Window(frozenset({NOW.weekday()}), *parse_hours("00:00-24:00"))
        queue(session, hasher, "fay@reader.example", due_at=NOW + HOUR / 4, window=today)
        assert list_waiting(session, NOW) == [
            Waiting(HeldBecause.CAP, 1, NOW + HOUR),
            Waiting(HeldBecause.WINDOW, 2, in_berlin.due_at),
        ]


def test_a_second_mail_on_one_day_is_held_until_the_cap_lets_it_go(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        first = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        assert first.contact_id is not None
        actions.queue_deliveries(session, [intention(session, first.contact_id, "second")], NOW)
        [second] = claim_due(session, worker, 10, NOW + HOUR)
        sent = Ended(claimed, Outcome(Heard.ACCEPTED, 250, "250 OK"))
        exchange(session, worker, [sent], [second], LIMITS, NOW + HOUR)
        session.expire_all()
        held = store.get_delivery(session, second.id)
        assert (held.status, held.because) == (Status.HELD, HeldBecause.CAP)
        assert held.held_until == NOW + timedelta(days=1)


def test_what_a_dead_worker_had_claimed_goes_back_and_what_it_was_sending_is_uncertain(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        ana, ben = queue(session, hasher), queue(session, hasher, "ben@reader.example")
        worker = register_worker(session)
        claimed = {one.id: one for one in claim_due(session, worker, 10, NOW)}
        exchange(session, worker, [], [claimed[ana.id]], LIMITS, NOW)
        assert actions.take_back(session, NOW) == 0  # it lives
        end_worker(session, worker)
        assert actions.take_back(session, NOW) == 2
        assert status_of(session, ana.id)[0] == Status.UNCERTAIN
        assert status_of(session, ben.id)[0] == Status.QUEUED


@pytest.mark.parametrize(
    ("is_hurried", "is_another_start", "becomes"),
    [(True, True, "uncertain"), (True, False, "queued"), (False, True, "queued")],
)
def test_what_was_claimed_in_a_hurry_before_the_machine_started_anew_may_have_left(
    house: Database, hasher: AddressHasher, is_hurried: bool, is_another_start: bool, becomes: str
) -> None:
    """A power cut may have taken back that it was being sent: then nothing but the claim is known."""
    with house.writing() as session:
        delivery = queue(session, hasher)
        worker = register_worker(session)
        claim_due(session, worker, 1, NOW)
        set_hurried(session, worker, is_hurried=is_hurried)
        if is_another_start:
            session.execute(sa.update(Worker).values(place="another-start:pid:[1]"))
        end_worker(session, worker)
        assert actions.take_back(session, NOW) == 1
        assert status_of(session, delivery.id)[0] == becomes
        session.expire_all()
        found = session.get_one(Delivery, delivery.id)
        assert (found.attempts, found.attempted_at) == ((1, NOW) if becomes == "uncertain" else (0, None))


def test_uncertain_mail_is_sent_again_only_where_that_was_asked_for(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        end_worker(session, worker)
        actions.take_back(session, NOW, resend_uncertain=True)
        assert status_of(session, ana.id)[0] == Status.QUEUED


def test_a_worker_that_was_declared_dead_writes_no_further_body(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        session.execute(sa.update(Worker).where(col(Worker.id) == worker).values(ended_at=1.0))
        assert not beat(session, worker)
        assert exchange(session, worker, [], [claimed], LIMITS, NOW)[claimed.id] is not None
        assert claim_due(session, worker, 10, NOW) == []


def test_a_worker_that_stood_still_gives_back_nothing_that_somebody_else_has_by_now(
    house: Database, hasher: AddressHasher
) -> None:
    """It was frozen for so long that it was declared dead, and thinks that the mail is still in its hands."""
    with house.writing() as session:
        ana = queue(session, hasher)
        frozen, other = register_worker(session), register_worker(session)
        [claimed] = claim_due(session, frozen, 10, NOW)
        assert claiming.keep_in_hand(session, frozen, [ana.id]) == {ana.id}
        session.execute(sa.update(Worker).where(col(Worker.id) == frozen).values(ended_at=1.0))
        actions.take_back(session, NOW)
        [again] = claim_due(session, other, 10, NOW)
        assert exchange(session, other, [], [again], LIMITS, NOW) == {ana.id: None}
        assert not claiming.keep_in_hand(session, frozen, [claimed.id])
        assert claiming.release(session, frozen, only=claimed.id) == 0
        assert status_of(session, ana.id)[0] == Status.SENDING


def test_silence_proves_nothing_while_nobody_reaches_the_database(database: Database) -> None:
    """It was away: whoever looks for the dead first has missed as many beats as the others, and they all live."""
    with database.writing() as session:
        watching, other = register_worker(session), register_worker(session)
        session.execute(sa.update(Worker).values(beat_at=col(Worker.beat_at) - 60))
        assert has_missed_beats(session, watching)
        assert beat(session, watching)
        assert not has_missed_beats(session, watching)
        assert bury_dead_workers(session) == 1
        assert not beat(session, other)
        assert not has_missed_beats(session, other)  # it is dead, and knows it


def test_a_late_answer_settles_what_was_uncertain_meanwhile(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        end_worker(session, worker)
        actions.take_back(session, NOW)
        answer = Ended(claimed, Outcome(Heard.ACCEPTED, 250, "250 OK"))
        exchange(session, worker, [answer], [], LIMITS, NOW)
        assert status_of(session, ana.id) == (Status.SENT, "")


def test_a_4xx_is_tried_again_later_and_every_try_is_kept(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        for number, at in enumerate((NOW, NOW + HOUR), 1):
            [claimed] = claim_due(session, worker, 10, at)
            exchange(session, worker, [], [claimed], LIMITS, at)
            put_off = Ended(claimed, Outcome(Heard.DEFERRED, 451, "451 later"))
            exchange(session, worker, [put_off], [], LIMITS, at)
            assert claim_due(session, worker, 10, at) == []
            session.expire_all()
            assert store.get_delivery(session, ana.id).attempts == number
        assert [one.reply for one in list_attempts(session, ana.id)] == ["451 later", "451 later"]


def test_a_mail_that_waited_here_for_long_is_given_up_no_sooner_than_any_other(
    house: Database, hasher: AddressHasher
) -> None:
    """A wave, a warm-up or a pause had kept it for a month, and its relay was away: nobody had refused it yet."""
    late = NOW + timedelta(days=30)
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        for heard, at, status in (
            (Heard.LOST, NOW, Status.QUEUED),
            (Heard.DEFERRED, late, Status.QUEUED),
            (Heard.DEFERRED, late + timedelta(days=3), Status.QUEUED),
            (Heard.DEFERRED, late + timedelta(days=4), Status.FAILED),
        ):
            [claimed] = claim_due(session, worker, 10, at)
            exchange(session, worker, [], [claimed], LIMITS, at)
            exchange(session, worker, [Ended(claimed, Outcome(heard, 450, "450 greylisted"))], [], LIMITS, at)
            session.expire_all()
            assert status_of(session, ana.id)[0] == status


def test_a_5xx_fails_for_good_and_keeps_the_reply(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        exchange(session, worker, [], [claimed], LIMITS, NOW)
        refused = Ended(claimed, Outcome(Heard.REJECTED, 550, "550 5.1.1 no such user"))
        exchange(session, worker, [refused], [], LIMITS, NOW)
        session.expire_all()
        found = store.get_delivery(session, ana.id)
        assert (found.status, found.reply) == (Status.FAILED, "550 5.1.1 no such user")


def test_only_an_uncertain_mail_can_be_resolved_by_hand(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ana = queue(session, hasher)
        with pytest.raises(BadInput, match="is queued; only an uncertain one"):
            actions.resolve(session, ana.id, "sent", NOW)
        with pytest.raises(BadInput, match='"maybe" is no verdict'):
            actions.resolve(session, ana.id, "maybe", NOW)


def test_a_mail_that_could_not_be_rendered_is_sent_again_by_hand_and_none_that_a_relay_heard_of(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        worker = register_worker(session)
        broken = queue(session, hasher)
        [claimed] = claim_due(session, worker, 10, NOW)
        actions.fail_unsendable(session, claimed, "it could not be rendered", NOW)
        session.expire_all()
        assert actions.resolve(session, broken.id, "resend", NOW).status == Status.QUEUED
        [claimed] = claim_due(session, worker, 10, NOW)
        assert exchange(session, worker, [], [claimed], LIMITS, NOW) == {broken.id: None}
        exchange(session, worker, [Ended(claimed, Outcome(Heard.REJECTED, 550, "no"))], [], LIMITS, NOW)
        assert status_of(session, broken.id)[0] == Status.FAILED
        with pytest.raises(BadInput, match="is failed; only an uncertain one"):
            actions.resolve(session, broken.id, "resend", NOW)


OFFICE = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))

#: Each obstacle alone stops the mail, so that most are drawn seldom, or nothing would be learnt of the others.
seldom = st.sampled_from([False] * 9 + [True])

situations = st.fixed_dictionaries(
    {
        "is_paused": seldom,
        "is_campaign_paused": seldom,
        "has_left": seldom,
        "window": st.sampled_from([None, OFFICE]),
        "expires_after": st.sampled_from([None] * 4 + [timedelta(0), timedelta(hours=3)]),
        "earlier": st.lists(
            st.tuples(st.integers(20, 400) | st.integers(600, 700), st.sampled_from(["", "value", "ask"])), max_size=4
        ),
        "later": st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=2), timedelta(hours=9)]),
        "kind": st.sampled_from(["", "value", "ask"]),
        "priority": st.sampled_from([Priority.SEQUENCE, Priority.NEWSLETTER]),
        "interest": st.sampled_from([None, "information", "demonstration", "need"]),
        "issue": st.sampled_from([None, *product((Status.QUEUED, Status.HELD, Status.SENT), (-1, 20, 30))]),
        "issue_held_because": st.sampled_from([HeldBecause.CAP, HeldBecause.WINDOW, HeldBecause.PAUSED]),
        "is_issue_coming": seldom,
        "is_blackout": seldom,
        "caps": st.sampled_from([(1, 2), (2, 3), (9, 9)]),
        "values_per_ask": st.sampled_from([0, 1, 3]),
        "at_most": st.sampled_from([None, None, *AtMost]),
    }
)


@given(situations)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_statement_that_begins_sending_permits_exactly_what_the_rule_does(
    house: Database, hasher: AddressHasher, known: dict[str, Any]
) -> None:
    per_day, per_week = known["caps"]
    limits = replace(
        LIMITS,
        cap_per_day=per_day,
        cap_per_week=per_week,
        values_per_ask=known["values_per_ask"],
        blackout=(DaySpan(NOW.date(), NOW.date()),) if known["is_blackout"] else (),
    )
    with house.reading() as session:  # what is written in it is thrown away, so each example begins anew
        expires_at = NOW + known["expires_after"] if known["expires_after"] is not None else None
        delivery = queue(
            session,
            hasher,
            window=known["window"],
            expires_at=expires_at,
            kind=known["kind"],
            priority=known["priority"],
        )
        assert delivery.contact_id is not None
        session.get_one(Contact, delivery.contact_id).interest = known["interest"]
        save_rhythm(session, delivery.contact_id, known["at_most"], NOW)

        def another(key: str, **values: object) -> None:
            actions.queue_deliveries(session, [intention(session, delivery.contact_id or 0, key)], NOW)
            old = store.delivery_of_key(session, key)
            assert old is not None
            for name, value in values.items():
                setattr(old, name, value)
            session.add(old)
            session.flush()

        for number, (hours, kind) in enumerate(known["earlier"]):
            another(f"earlier {number}", status=Status.SENT, attempted_at=NOW - hours * HOUR, kind=kind)
        if known["issue"] is not None:
            status, hours = known["issue"]
            until = NOW + hours * HOUR
            issue = {"priority": Priority.NEWSLETTER, "status": status, "due_at": until, "held_until": None}
            if status is Status.HELD:
                issue |= {"held_until": until, "because": known["issue_held_because"]}
            another("issue", **issue, attempted_at=NOW - HOUR if status is Status.SENT else None)
        now = NOW + known["later"]
        worker = register_worker(session)
        claimed = claim_due(session, worker, 10, now)
        if known["has_left"]:
            opt_out(session, hasher.hash("ana@reader.example"), how="page", now=NOW)
        if known["is_paused"]:
            pause(session, because="a test", now=NOW)
        if known["is_campaign_paused"]:
            pausing.pause(session, "sequence:s", "a test", "a test", NOW)
        mine = next(one for one in claimed if one.id == delivery.id)
        is_coming = known["is_issue_coming"] and mine.priority == Priority.SEQUENCE
        issue_at = now + HOUR if is_coming else None
        permission = _permissions(session, [mine], now)[mine.id]
        stop = find_stop(_circumstances(session, mine, permission, limits, now, issue_at=issue_at), now)
        assert mine.contact_id is not None
        coming = {mine.contact_id: issue_at} if issue_at is not None else {}
        assert exchange(session, worker, [], [mine], limits, now, coming=coming) == {mine.id: stop}
