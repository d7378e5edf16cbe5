"""Less often and a pause: what a contact chose is kept by every campaign, and what came out meanwhile is not made up for."""

from datetime import datetime, timedelta

import pytest

from nurture.consent.actions import choose_frequency, choose_pause
from nurture.consent.holds.actions import find_target, lift, place
from nurture.consent.holds.store import list_ended_holds, list_holds
from nurture.consent.ledger.store import list_events
from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rules import Permission, Purpose, may_send
from nurture.consent.store import standings
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Database, Session
from nurture.delivery.rules import Circumstances, HeldBecause, Status, Stop, find_stop
from nurture.errors import BadInput, NotFound
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.people import add_contact

DAY = timedelta(days=1)
MONTH = 30 * DAY


def permission(
    session: Session, contact: Contact, at: datetime = NOW, purpose: Purpose = Purpose.CAMPAIGN
) -> Permission:
    return may_send(purpose, standings(session, [contact.id], "insights")[contact.id], at)


def test_a_pause_says_until_when_and_ends_by_itself_and_at_once_if_they_like(
    database: Database, hasher: AddressHasher
) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW)
        assert choose_pause(session, ana, NOW + MONTH, how="page", now=NOW)
        assert not choose_pause(session, ana, NOW + MONTH, how="page", now=NOW), "that changes nothing"
        until = Permission(False, "pause", "they asked for a pause until 2026-04-09", NOW + MONTH)
        assert permission(session, ana) == until
        assert permission(session, ana, NOW + MONTH).is_allowed
        assert permission(session, ana, purpose=Purpose.SERVICE).is_allowed
        assert choose_pause(session, ana, NOW + 2 * MONTH, how="page", now=NOW)
        assert permission(session, ana).until == NOW + 2 * MONTH
        assert choose_pause(session, ana, None, how="page", now=NOW + DAY)
        assert permission(session, ana, NOW + DAY).is_allowed
        assert len(list_ended_holds(session, NOW + DAY, 9)) == 2, "whoever waits for them is told"
        assert [one.what for one in list_events(session, ana.address_hash)][1:] == [
            "paused until 2026-04-09", "paused until 2026-05-09", "pause ended",
        ]  # fmt: skip


def test_a_colleagues_hold_and_a_pause_leave_each_other_alone(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        luis = Operator(email="luis@acme.example", name="Luis")
        session.add(luis)
        session.flush()
        ana = add_contact(session, hasher, "ana@reader.example", NOW, owner_id=luis.id)
        choose_pause(session, ana, NOW + MONTH, how="page", now=NOW)
        target = find_target(session, ana.email)
        with pytest.raises(NotFound, match="nobody holds"):
            lift(session, target, NOW)
        place(session, target, length=DAY, because="a deal", now=NOW)
        assert [by for _, by, _, _ in list_holds(session, NOW)] == ["Luis"], "colleagues see colleagues' holds"
        assert lift(session, target, NOW) == 1
        assert permission(session, ana).reason == "pause"


@pytest.mark.parametrize("until", [NOW, NOW - DAY, NOW + 367 * DAY])
def test_a_pause_is_some_time_and_no_way_to_leave(sqlite: Database, hasher: AddressHasher, until: datetime) -> None:
    with sqlite.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW)
        with pytest.raises(BadInput, match="within a year"):
            choose_pause(session, ana, until, how="page", now=NOW)


def test_how_often_is_chosen_once_and_taken_back(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW)
        chosen = [
            choose_frequency(session, ana, at_most, how="page", now=NOW)
            for at_most in (None, AtMost.WEEK, AtMost.WEEK, AtMost.MONTH, None)
        ]
        assert chosen == [False, True, False, True, True]
        assert [one.what for one in list_events(session, ana.address_hash)][1:] == [
            "at most one a week", "at most one a month", "as it comes",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("at_most", "days", "is_issue", "stop"),
    [
        (None, 2, False, None),
        (AtMost.WEEK, 5, False, Stop(Status.HELD, HeldBecause.CAP, NOW + DAY)),
        (AtMost.WEEK, 5, True, Stop(Status.EXPIRED, "they asked for at most one mail a week")),
        (AtMost.WEEK, 7, True, None),
        (AtMost.MONTH, 21, True, Stop(Status.EXPIRED, "they asked for at most one mail a month")),
        (AtMost.MONTH, 21, False, Stop(Status.HELD, HeldBecause.CAP, NOW + 6 * DAY)),
        (AtMost.MONTH, 28, True, None),
    ],
)
def test_a_step_waits_its_turn_and_an_issue_that_comes_too_soon_is_left_out(
    at_most: AtMost | None, days: int, is_issue: bool, stop: Stop | None
) -> None:
    here = Circumstances(Permission(True), at_most=at_most, last_at=NOW - days * DAY, is_issue=is_issue)
    assert find_stop(here, NOW) == stop


def test_issues_of_a_paused_month_do_not_arrive_all_at_once_after_it() -> None:
    paused = Permission(False, "pause", "they asked for a pause until 2026-04-09", NOW + MONTH)
    assert find_stop(Circumstances(paused, is_issue=True), NOW) == Stop(Status.EXPIRED, paused.because)
    stop = find_stop(Circumstances(paused), NOW)
    assert stop is not None
    assert (stop.status, stop.until) == (Status.HELD, NOW + MONTH)
