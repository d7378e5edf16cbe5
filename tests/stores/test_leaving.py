"""What keeps a mail from leaving besides permission: days off, an issue that goes first, an ask too early, a blast."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from nurture.campaigns.store import Campaign
from nurture.consent.rules import Purpose
from nurture.contacts.store import Contact
from nurture.database.claiming import end_worker, register_worker
from nurture.database.engine import Database, Session
from nurture.database.json_text import as_json
from nurture.delivery import actions, store
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.claiming.store import keep_facts
from nurture.delivery.guard import actions as saying_yes
from nurture.delivery.guard import store as guard
from nurture.delivery.guard.granting import give_back, grant
from nurture.delivery.guard.rules import LOOK_BACK
from nurture.delivery.leaving.actions import exchange
from nurture.delivery.openings import opening_from, window_json
from nurture.delivery.pausing import store as pausing
from nurture.delivery.rules import Heard, HeldBecause, Outcome, Priority, Status
from nurture.delivery.store import Delivery
from nurture.errors import BadInput, NotFound
from nurture.timing import DaySpan, Window, is_holiday, parse_hours
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.rules.test_timing import closing_windows, instants, patient, spans, zones
from tests.stores.test_outbox import LIMITS, a_version, house, intention, queue
from tests.support.claims import claim_due
from tests.support.databases import is_anybody_waiting

__all__ = ["house"]  # the fixture of the outbox

DAY = timedelta(days=1)
ACCEPTED = Outcome(Heard.ACCEPTED, 250, "250 OK")
CHRISTMAS = (DaySpan(NOW.date(), NOW.date() + DAY),)


def leave(
    session: Session, at: datetime, limits: Limits = LIMITS, coming: dict[int, datetime] | None = None
) -> dict[str, str]:
    """One worker's try at everything that is due; what became of each mail that was asked for, by its key."""
    actions.release_held(session, at)
    worker = register_worker(session)
    claimed = claim_due(session, worker, 500, at)
    asked = [one.id for one in claimed]
    granted = grant(session, worker, claimed, limits.blast_guard, at)
    for one in claimed:
        stops = exchange(session, worker, [], [one], limits, at, coming=coming or {}, granted=granted)
        if stops[one.id] is None:
            exchange(session, worker, [Ended(one, ACCEPTED)], [], limits, at)
    give_back(session, worker, granted)
    session.expire_all()
    return {
        one.key: one.status if one.status != Status.HELD else one.because
        for one in store.deliveries_of_ids(session, asked)
    }


def ask_for(session: Session, contact_id: int | None, key: str, **more: object) -> Delivery:
    assert contact_id is not None
    actions.queue_deliveries(session, [intention(session, contact_id, key, **more)], NOW)
    found = store.delivery_of_key(session, key)
    assert found is not None
    return found


def test_nothing_of_a_campaign_leaves_on_a_day_the_house_keeps_free_even_if_it_was_queued_before(
    house: Database, hasher: AddressHasher
) -> None:
    closed = replace(LIMITS, blackout=CHRISTMAS)
    with house.writing() as session:
        mail = queue(session, hasher)
        assert leave(session, NOW, closed) == {mail.key: HeldBecause.BLACKOUT}
        assert store.get_delivery(session, mail.id).held_until == (NOW + 2 * DAY).replace(hour=0)
        assert leave(session, NOW + DAY, closed) == {}
        assert leave(session, NOW + 2 * DAY, closed) == {mail.key: Status.SENT}


def test_nothing_of_a_campaign_that_somebody_paused_leaves_although_it_was_claimed_before(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        of_it = queue(session, hasher)
        of_another = queue(session, hasher, "ben@reader.example", campaign="sequence:another")
        service = queue(session, hasher, "cal@reader.example", purpose=Purpose.SERVICE)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 10, NOW)
        assert pausing.pause(session, "sequence:s", "wrong price", "dana", NOW)
        exchange(session, worker, [], claimed, LIMITS, NOW)
        session.expire_all()
        left = {one.id: (one.status, one.because) for one in store.deliveries_of_ids(session, [o.id for o in claimed])}
        assert left == {
            of_it.id: (Status.HELD, HeldBecause.CAMPAIGN),
            of_another.id: (Status.SENDING, ""),
            service.id: (Status.SENDING, ""),  # somebody asked for it
        }
        assert actions.release_held(session, NOW + 30 * DAY) == 0
        assert pausing.go_on(session, "sequence:s")
        assert pausing.bring_forward(session, "sequence:s", NOW, 10) == 1
        assert leave(session, NOW)[of_it.key] == Status.SENT


def test_days_off_are_those_where_the_window_is(house: Database, hasher: AddressHasher) -> None:
    # At 09:00 UTC of the first day it is that day in Berlin, and the day before is not over in Honolulu.
    closed = replace(LIMITS, blackout=CHRISTMAS)
    always = Window(days=frozenset(range(7)), closes=parse_hours("00:00-23:59")[1])
    with house.writing() as session:
        berlin = queue(session, hasher, "ana@reader.example", window=always, zone="Europe/Berlin")
        honolulu = queue(session, hasher, "ben@reader.example", window=always, zone="Pacific/Honolulu")
        assert leave(session, NOW, closed) == {berlin.key: HeldBecause.BLACKOUT, honolulu.key: Status.SENT}


def test_days_off_do_not_make_a_mail_too_late(house: Database, hasher: AddressHasher) -> None:
    closed = replace(LIMITS, blackout=CHRISTMAS)
    with house.writing() as session:
        mail = queue(session, hasher, expires_at=NOW + timedelta(hours=20))
        # Nobody was at work during the days off; a day and a half of the two are not counted.
        first_free = (NOW + 2 * DAY).replace(hour=0)
        assert leave(session, first_free + timedelta(hours=19), closed) == {mail.key: Status.SENT}
        other = queue(session, hasher, "ben@reader.example", expires_at=NOW + timedelta(hours=20))
        assert leave(session, first_free + timedelta(hours=21), closed) == {other.key: Status.EXPIRED}


@given(closing_windows, spans, instants, zones)
@patient
def test_no_opening_of_a_mail_lies_on_a_closed_day(
    window: Window, blackout: DaySpan, at: datetime, zone: ZoneInfo
) -> None:
    opens_at, closes_at = opening_from(window_json(window, str(zone)), at, (*window.blackout, blackout))
    assert opens_at >= at
    local = opens_at.astimezone(zone)
    if closes_at is not None and closes_at > opens_at:
        assert not is_holiday(local.date(), window.holidays)
        assert local.date() not in blackout
        assert local.weekday() in window.days


def test_the_mail_of_a_newsletter_goes_first_and_the_step_of_a_sequence_moves(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        step = queue(session, hasher)
        tomorrow = NOW + timedelta(hours=20)
        issue = ask_for(session, step.contact_id, "issue", priority=Priority.NEWSLETTER, due_at=tomorrow)
        assert leave(session, NOW) == {step.key: HeldBecause.ISSUE_FIRST}
        assert store.get_delivery(session, step.id).held_until == tomorrow
        # Released at the same instant the step is claimed first, and lets the issue pass all the same.
        assert leave(session, tomorrow) == {step.key: HeldBecause.ISSUE_FIRST, issue.key: Status.SENT}
        assert leave(session, tomorrow + timedelta(hours=1)) == {step.key: HeldBecause.CAP}
        assert leave(session, tomorrow + DAY) == {step.key: Status.SENT}


def test_an_issue_that_is_not_queued_yet_goes_first_too(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        step = queue(session, hasher)
        assert step.contact_id is not None
        slot = NOW + timedelta(hours=3)
        assert leave(session, NOW, coming={step.contact_id: slot}) == {step.key: HeldBecause.ISSUE_FIRST}
        assert store.get_delivery(session, step.id).held_until == slot


@pytest.mark.parametrize(
    ("why", "values"),
    [
        ("it is days away", {"due_at": NOW + 2 * DAY}),
        ("it stands still for long", {"status": Status.HELD, "because": "hold: mine", "held_until": None}),
        ("it was stopped for good", {"status": Status.CANCELLED}),
    ],
)
def test_a_step_does_not_wait_for_a_newsletter_that_is_not_about_to_leave(
    house: Database, hasher: AddressHasher, why: str, values: dict[str, object]
) -> None:
    with house.writing() as session:
        step = queue(session, hasher)
        issue = ask_for(session, step.contact_id, "issue", priority=Priority.NEWSLETTER, due_at=NOW + DAY)
        for name, value in values.items():
            setattr(issue, name, value)
        session.add(issue)
        assert leave(session, NOW) == {step.key: Status.SENT}, why


def test_a_step_leaves_beside_an_issue_where_the_caps_allow_both(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        step = queue(session, hasher)
        ask_for(session, step.contact_id, "issue", priority=Priority.NEWSLETTER, due_at=NOW + timedelta(hours=5))
        assert leave(session, NOW, replace(LIMITS, cap_per_day=2, cap_per_week=2)) == {step.key: Status.SENT}


FREELY = replace(LIMITS, cap_per_day=9, cap_per_week=9)


def test_an_ask_is_earned_by_three_mails_of_value_whoever_sent_them(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ask = queue(session, hasher, kind="ask")
        for number, campaign in enumerate(("newsletter:weekly", "sequence:a", "sequence:b"), 1):
            assert leave(session, NOW + number * DAY - DAY / 2, FREELY).get(ask.key) == HeldBecause.ASK_BUDGET
            due_at = NOW + number * DAY
            ask_for(session, ask.contact_id, campaign, campaign=campaign, kind="value", due_at=due_at)
            assert leave(session, due_at, FREELY)[campaign] == Status.SENT
        # The third mail of value is what it waited for: it is looked at without waiting for its daily turn.
        at = NOW + 3 * DAY + timedelta(minutes=1)
        assert leave(session, at, FREELY) == {ask.key: Status.SENT}
        another = ask_for(session, ask.contact_id, "another", kind="ask")
        assert leave(session, at + timedelta(minutes=1), FREELY) == {another.key: HeldBecause.ASK_BUDGET}


def test_mail_that_is_neither_value_nor_ask_earns_nothing_and_waits_for_nothing(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        ask = queue(session, hasher, kind="ask")
        for number in range(4):
            ask_for(session, ask.contact_id, f"letter {number}")
        found = leave(session, NOW, FREELY)
        assert found.pop(ask.key) == HeldBecause.ASK_BUDGET
        assert set(found.values()) == {Status.SENT}


@pytest.mark.parametrize("interest", ["demonstration", "need"])
def test_whoever_asked_us_is_answered_at_once(house: Database, hasher: AddressHasher, interest: str) -> None:
    with house.writing() as session:
        ask = queue(session, hasher, kind="ask")
        session.get_one(Contact, ask.contact_id).interest = interest
        assert leave(session, NOW) == {ask.key: Status.SENT}


def test_an_ask_that_is_never_earned_expires_after_thirty_days(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ask = queue(session, hasher, kind="ask")
        for days in range(30):
            assert leave(session, NOW + days * DAY, LIMITS) == {ask.key: HeldBecause.ASK_BUDGET}, days
        assert leave(session, NOW + 30 * DAY, LIMITS) == {ask.key: Status.EXPIRED}
        assert store.get_delivery(session, ask.id).because == "not earned by 3 mails of value in 30 days"


def test_the_ask_budget_can_be_switched_off(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        ask = queue(session, hasher, kind="ask")
        assert leave(session, NOW, replace(LIMITS, values_per_ask=0)) == {ask.key: Status.SENT}


GUARDED = replace(LIMITS, blast_guard=3)
WAITS = (
    "blast guard: newsletter:weekly is about to mail far more people in a day than it ever did; "
    "if that is meant, type `nurture allow newsletter:weekly --people N`"
)


def crowd(session: Session, hasher: AddressHasher, count: int, at: datetime = NOW, name: str = "ana") -> None:
    for number in range(count):
        email = f"{name}{number}@reader.example"
        queue(session, hasher, email, campaign="newsletter:weekly", priority=Priority.NEWSLETTER, due_at=at)


def outcome(session: Session, at: datetime, limits: Limits = GUARDED) -> dict[str, int]:
    found = list(leave(session, at, limits).values())
    return {what: found.count(what) for what in set(found)}


def publish_weekly(session: Session) -> None:
    campaign = Campaign(kind="newsletter", name="weekly", file="newsletter.yaml", version_id=a_version(session))
    session.add(campaign)
    session.flush()


def allow(session: Session, people: int, at: datetime = NOW) -> saying_yes.Yes:
    return saying_yes.allow(session, "newsletter:weekly", people, 3 * DAY, allowed_by="a test", now=at)


def test_a_campaign_that_mails_more_people_than_it_ever_did_stops_until_somebody_says_yes(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        publish_weekly(session)
        crowd(session, hasher, 8)
        other = queue(session, hasher, "sequence@reader.example", campaign="sequence:other")
        assert outcome(session, NOW) == {Status.SENT: 4, WAITS: 5}
        assert store.get_delivery(session, other.id).status == Status.SENT
        assert allow(session, 4).released == 5
        assert outcome(session, NOW) == {Status.SENT: 1, WAITS: 4}
        # Days pass, and nothing more of it leaves, new mails of it neither.
        crowd(session, hasher, 1, NOW + 4 * DAY, "new")
        assert outcome(session, NOW + 4 * DAY) == {WAITS: 1}
        assert guard.list_stopped(session) == [("newsletter:weekly", 5)]
        assert allow(session, 100, NOW + 4 * DAY).released == 5
        assert outcome(session, NOW + 4 * DAY) == {Status.SENT: 5}
        assert guard.list_stopped(session) == []


def test_a_yes_holds_for_mails_that_a_worker_had_in_hand_when_it_was_said(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        publish_weekly(session)
        crowd(session, hasher, 8)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 8, NOW)
        granted = grant(session, worker, claimed, GUARDED.blast_guard, NOW)
        begun = exchange(session, worker, [], claimed[:5], GUARDED, NOW, granted=granted)
        assert list(begun.values()).count(None) == 3
        assert guard.list_stopped(session) == [("newsletter:weekly", 2)]
        assert allow(session, 7).released == 2
        exchange(session, worker, [], claimed[5:], GUARDED, NOW, granted=granted)
        assert guard.list_stopped(session) == []
        assert outcome(session, NOW) == {Status.SENT: 4, WAITS: 1}
        # The yes was one too small; and what comes when it is over is no surprise, for nothing stands still any more.
        assert allow(session, 8).released == 1
        assert outcome(session, NOW) == {Status.SENT: 1}
        crowd(session, hasher, 8, NOW + 7 * DAY, "next")
        assert outcome(session, NOW + 7 * DAY) == {Status.SENT: 8}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_yes_holds_for_mails_that_are_being_stopped_while_it_is_said(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        publish_weekly(session)
        crowd(session, hasher, 5)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 5, NOW)
        granted = grant(session, worker, claimed, GUARDED.blast_guard, NOW)

    def say_yes() -> int:
        with house.writing() as session:
            return allow(session, 5).released

    with ThreadPoolExecutor() as threads:
        with house.writing() as sender:
            stops = exchange(sender, worker, [], claimed, GUARDED, NOW, granted=granted)
            assert list(stops.values()).count(None) == 3
            saying = threads.submit(say_yes)
            while not saying.done() and not is_anybody_waiting(house):
                pass
        assert saying.result() == 2


def test_twice_as_many_as_on_the_busiest_of_the_last_days_is_how_a_campaign_grows(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        crowd(session, hasher, 3)
        assert outcome(session, NOW) == {Status.SENT: 3}
        crowd(session, hasher, 8, NOW + 7 * DAY, "next")
        assert outcome(session, NOW + 7 * DAY) == {Status.SENT: 6, WAITS: 2}


def test_what_was_normal_long_ago_is_not_normal_any_more(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        guard.add_people(session, "newsletter:weekly", 1, 100, NOW - LOOK_BACK - DAY)
        crowd(session, hasher, 4)
        assert outcome(session, NOW) == {Status.SENT: 3, WAITS: 1}


def test_two_workers_count_together(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        guard.add_people(session, "newsletter:weekly", 1, 2, NOW)
        guard.add_people(session, "newsletter:weekly", 2, 1, NOW)
        guard.add_people(session, "newsletter:weekly", 2, 4, NOW)
        assert guard.traffic(session, "newsletter:weekly", NOW).today == 7
        crowd(session, hasher, 1)
        assert outcome(session, NOW) == {WAITS: 1}


def test_whom_nobody_mailed_after_all_is_not_counted(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        crowd(session, hasher, 3)
        closed = replace(GUARDED, blackout=CHRISTMAS)
        assert outcome(session, NOW, closed) == {HeldBecause.BLACKOUT: 3}
        assert guard.traffic(session, "newsletter:weekly", NOW).today == 0


def test_whom_a_worker_that_died_had_not_begun_to_mail_is_not_counted(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        crowd(session, hasher, 5)
        worker = register_worker(session)
        claimed = claim_due(session, worker, 10, NOW)
        granted = grant(session, worker, claimed, 3, NOW)
        keep_facts(session, worker, as_json([(one.id, "{}", f"<{one.id}@acme.example>") for one in claimed]))
        [first, *_] = claimed
        assert exchange(session, worker, [], [first], GUARDED, NOW, granted=granted) == {first.id: None}
        assert guard.traffic(session, "newsletter:weekly", NOW).today == 3
        end_worker(session, worker)
        actions.take_back(session, NOW)
        assert guard.traffic(session, "newsletter:weekly", NOW).today == 1
        assert outcome(session, NOW) == {Status.SENT: 2, WAITS: 2}


def test_a_worker_that_died_before_it_was_granted_anything_gives_nothing_back(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        crowd(session, hasher, 5)
        worker = register_worker(session)
        [first, second] = claim_due(session, worker, 2, NOW)
        granted = grant(session, worker, [first, second], 3, NOW)
        keep_facts(session, worker, as_json([(one.id, "{}", f"<{one.id}@acme.example>") for one in (first, second)]))
        exchange(session, worker, [], [first, second], GUARDED, NOW, granted=granted)
        claim_due(session, worker, 10, NOW)
        end_worker(session, worker)
        actions.take_back(session, NOW)
        assert guard.traffic(session, "newsletter:weekly", NOW).today == 2


def test_another_try_of_the_same_mail_is_no_other_person(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        crowd(session, hasher, 1)
        worker = register_worker(session)
        for hours in (0, 1, 2, 4):
            at = NOW + timedelta(hours=hours)
            [claimed] = claim_due(session, worker, 10, at)
            granted = grant(session, worker, [claimed], 3, at)
            assert exchange(session, worker, [], [claimed], GUARDED, at, granted=granted) == {claimed.id: None}
            exchange(session, worker, [Ended(claimed, Outcome(Heard.DEFERRED, 451, "later"))], [], GUARDED, at)
            session.expire_all()
        assert guard.traffic(session, "newsletter:weekly", NOW).today == 1


def test_the_guard_can_be_switched_off(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        crowd(session, hasher, 8)
        assert outcome(session, NOW, LIMITS) == {Status.SENT: 8}


def test_a_yes_names_a_campaign_and_a_number(house: Database) -> None:
    with house.writing() as session:
        publish_weekly(session)
        assert saying_yes.allow(session, "weekly", 5, DAY, allowed_by="a test", now=NOW).campaign == "newsletter:weekly"
        with pytest.raises(NotFound, match=r'no campaign is called "wekly"\. Did you mean "weekly"\?'):
            saying_yes.allow(session, "wekly", 5, DAY, allowed_by="a test", now=NOW)
        with pytest.raises(BadInput, match="--people 0: write a number from 1"):
            saying_yes.allow(session, "weekly", 0, DAY, allowed_by="a test", now=NOW)
        with pytest.raises(BadInput, match="--for: write how long the yes holds, such as 3d"):
            saying_yes.allow(session, "weekly", 5, -DAY, allowed_by="a test", now=NOW)
