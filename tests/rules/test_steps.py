"""The steps of a sequence one by one: how long somebody stands at each, which way they go, what is done once."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import Asks, Condition
from nurture.consent.rules import Permission
from nurture.contacts.facts import ContactFacts
from nurture.delivery.rules import HeldBecause, Status
from nurture.sequences import decisions
from nurture.sequences.decisions import Decision, Enrollment, PointsGiven, QueueMail, Tagged, mail_key
from nurture.sequences.engine import advance, draw
from nurture.sequences.facts import Mail, PersonFacts
from nurture.sequences.program import (
    AddTag,
    AddTask,
    Arm,
    Branch,
    CallWebhook,
    ChangeList,
    EnrollIn,
    Exit,
    GivePoints,
    GoTo,
    HandOver,
    Notify,
    RemoveTag,
    Send,
    Sequence,
    SetFields,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitUntil,
)
from nurture.timing import Duration, Window, parse_days, parse_duration, parse_hours, parse_moment
from nurture.tracking.rules import ActivityKind, Deed
from tests.rules.test_engine import START, enrolled, facts_at

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLICKED = Asks("clicked", ())


def look(
    steps: list[Step], known: PersonFacts, now: datetime, enrollment: Enrollment | None = None, **more: object
) -> Decision:
    plain = Sequence("s", "insights", "default", steps[0].id, {step.id: step for step in steps})
    return advance(replace(plain, **more), enrollment or enrolled(steps[0].id), known, now)  # type: ignore[arg-type]  # each test names fields of Sequence


def click_at(at: datetime) -> Deed:
    return Deed(ActivityKind.CLICKED, at, enrollment_id=1)


def asked(decision: Decision) -> list[str]:
    return [effect.step for effect in decision.effects if isinstance(effect, QueueMail)]


# Waiting for a moment.


def test_a_wait_until_a_date_ends_when_it_comes_and_is_no_wait_when_it_has_passed() -> None:
    steps: list[Step] = [WaitUntil("w", "a", parse_moment("2026-03-10", time(9)), "2026-03-10"), Send("a", None)]
    assert look(steps, facts_at(START), START).wake_at == datetime(2026, 3, 10, 9, tzinfo=UTC)
    later = datetime(2026, 4, 1, tzinfo=UTC)
    assert asked(look(steps, facts_at(later), later)) == ["a"]


def test_a_wait_for_a_date_of_the_contact_follows_the_date_when_it_is_changed() -> None:
    steps: list[Step] = [WaitUntil("w", "a", parse_moment("renewal_on - 30 days", time(9)), "renewal"), Send("a", None)]

    def renewing_on(day: str) -> PersonFacts:
        return facts_at(START, contact=ContactFacts({"renewal_on": day}))

    first = look(steps, renewing_on("2026-05-31"), START)
    assert first.wake_at == datetime(2026, 5, 1, 9, tzinfo=UTC)
    moved = look(steps, renewing_on("2026-06-30"), START + DAY, first.enrollment)
    assert moved.wake_at == datetime(2026, 5, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(("if_missing", "status"), [("exit", "exited"), ("next", "waiting")])
def test_for_whom_the_date_is_missing_the_file_says_what_happens(if_missing: str, status: str) -> None:
    steps: list[Step] = [
        WaitUntil("w", "a", parse_moment("renewal_on", time(9)), "renewal", if_missing),
        Send("a", None),
    ]
    decision = look(steps, facts_at(START), START)
    assert decision.enrollment.status == status
    assert asked(decision) == ([] if if_missing == "exit" else ["a"])
    assert any("renewal_on has no date" in note.why for note in decision.notes)


def test_working_days_leave_out_the_holidays_of_the_window() -> None:
    window = Window(parse_days("mon-fri"), *parse_hours("00:00-24:00"), holidays=("DE",))
    thursday = datetime(2026, 4, 2, 9, tzinfo=UTC)  # Good Friday and Easter Monday follow
    known = facts_at(thursday)
    enrollment = replace(enrolled("w"), since=thursday)
    steps: list[Step] = [Wait("w", None, parse_duration("1 working day"))]
    assert look(steps, known, thursday, enrollment, window=window).wake_at == datetime(2026, 4, 7, 9, tzinfo=UTC)
    assert look(steps, known, thursday, enrollment).wake_at == datetime(2026, 4, 3, 9, tzinfo=UTC)


def test_holidays_can_be_those_of_the_contact() -> None:
    window = Window(parse_days("mon-fri"), *parse_hours("00:00-24:00"), holidays=("contact",))
    thursday = datetime(2026, 4, 2, 9, tzinfo=UTC)
    steps: list[Step] = [Wait("w", None, parse_duration("1 working day"))]

    def someone_in(country: str) -> PersonFacts:
        return facts_at(thursday, contact=ContactFacts({"country": country}))

    enrollment = replace(enrolled("w"), since=thursday)
    assert look(steps, someone_in("DE"), thursday, enrollment, window=window).wake_at == datetime(
        2026, 4, 7, 9, tzinfo=UTC
    )
    assert look(steps, someone_in("US"), thursday, enrollment, window=window).wake_at == datetime(
        2026, 4, 3, 9, tzinfo=UTC
    )


# Waiting for something to happen.


def waiting(up_to: timedelta = 5 * DAY, when: Condition = CLICKED) -> list[Step]:
    return [
        WaitFor("w", when, "clicked()", Duration(up_to), "yes", "no"),
        Send("yes", None),
        Send("no", None),
    ]


def test_what_is_waited_for_lets_somebody_go_on_at_once() -> None:
    assert look(waiting(), facts_at(START), START).wake_at == START + 5 * DAY
    decision = look(waiting(), facts_at(START + DAY, deeds=(click_at(START + DAY),)), START + DAY)
    assert asked(decision) == ["yes"]
    assert decision.passed[0].way == "in time"


def test_when_it_does_not_happen_the_deadline_decides() -> None:
    decision = look(waiting(), facts_at(START + 5 * DAY), START + 5 * DAY)
    assert asked(decision) == ["no"]
    assert decision.passed[0].way == "too late"


@given(st.integers(0, 240), st.integers(0, 240))
def test_however_late_anybody_looks_only_what_had_occurred_by_the_deadline_counts(
    clicked_after: int, late: int
) -> None:
    clicked_at, now = START + clicked_after * HOUR, START + 5 * DAY + late * HOUR
    deeds = (click_at(clicked_at),) if clicked_at <= now else ()
    decision = look(waiting(), facts_at(now, deeds=deeds), now)
    assert asked(decision) == (["yes"] if clicked_at <= START + 5 * DAY else ["no"])


def test_a_hit_without_a_verdict_at_the_deadline_waits_for_it() -> None:
    now = START + 5 * DAY
    known = facts_at(now, first_open_question_at=now - HOUR, verdicts_at=now + HOUR)
    decision = look(waiting(), known, now)
    assert (asked(decision), decision.wake_at) == ([], now + HOUR)


def test_a_condition_that_time_alone_can_make_true_is_asked_once_a_day() -> None:
    quiet = Asks("clicked", (("within", 30 * DAY),))
    assert look(waiting(when=quiet), facts_at(START), START).wake_at == datetime(2026, 3, 3, tzinfo=UTC)
    exits = (Exit(quiet, "clicked", "clicked"),)
    rest = look([Wait("w", None, Duration(90 * DAY))], facts_at(START), START, exits=exits)
    assert rest.wake_at == datetime(2026, 3, 3, tzinfo=UTC)


# Ways by lot.

ARMS = Split("s", (Arm("short", 1, "a"), Arm("long", 3, "b")))


def test_the_same_person_always_goes_the_same_way() -> None:
    steps: list[Step] = [ARMS, Send("a", None), Send("b", None)]
    for number in range(1, 40):
        someone = replace(enrolled("s"), id=number)
        assert asked(look(steps, facts_at(START), START, someone)) == asked(
            look(steps, facts_at(START), START, someone)
        )


def test_ways_are_taken_as_often_as_their_weights_say() -> None:
    steps: list[Step] = [ARMS, Send("a", None), Send("b", None)]
    taken = Counter(
        asked(look(steps, facts_at(START), START, replace(enrolled("s"), id=number)))[0] for number in range(1, 4_001)
    )
    assert abs(taken["a"] / 4_000 - 0.25) < 0.03  # four standard deviations


@given(st.integers(1, 2**62), st.text(min_size=1, max_size=10))
def test_chance_is_a_share_between_nothing_and_one(enrollment_id: int, step: str) -> None:
    assert 0 <= draw(enrollment_id, step) < 1


def test_once_an_arm_has_won_everybody_goes_its_way() -> None:
    steps: list[Step] = [ARMS, Send("a", None), Send("b", None)]
    for number in range(1, 20):
        someone = replace(enrolled("s"), id=number)
        assert asked(look(steps, facts_at(START, winners={"s": "short"}), START, someone)) == ["a"]


# Going back.


def test_going_back_is_a_new_visit_whose_mail_is_asked_for_again() -> None:
    steps: list[Step] = [Send("a", "w"), Wait("w", "g", Duration(DAY)), GoTo("g", None, "a", 1)]
    first = look(steps, facts_at(START), START)
    mails = {mail_key(first.enrollment, "a"): Mail(1, Status.SENT, attempted_at=START)}
    again = look(steps, facts_at(START + DAY, mails=mails), START + DAY, first.enrollment)
    assert [effect.key for effect in again.effects if isinstance(effect, QueueMail)] == ["sequence:1:a:2"]
    mails[mail_key(again.enrollment, "a")] = Mail(2, Status.SENT, attempted_at=START + DAY)
    end = look(steps, facts_at(START + 2 * DAY, mails=mails), START + 2 * DAY, again.enrollment)
    assert end.enrollment.status == "finished"


def test_a_loop_that_holds_no_wait_ends_and_says_so() -> None:
    decision = look([AddTag("t", "g", "x"), GoTo("g", None, "t")], facts_at(START), START)
    assert (decision.enrollment.status, decision.enrollment.exit_reason) == ("exited", "in circles")


# What stands in the way, and passes.


def test_while_a_colleague_holds_them_a_sequence_stands_still() -> None:
    held = Permission(False, "hold", "Luis holds them", START + 3 * DAY)
    decision = look([Send("a", None)], facts_at(START, permission=held), START)
    assert (decision.enrollment.status, decision.wake_at, decision.effects) == ("paused", START + 3 * DAY, ())


def test_while_they_are_away_a_sequence_stands_still_and_goes_on_when_they_are_back() -> None:
    away = facts_at(START, away_until=START + 2 * DAY)
    decision = look([Send("a", None)], away, START)
    assert (decision.enrollment.status, decision.wake_at) == ("paused", START + 2 * DAY)
    back = replace(away, now=START + 2 * DAY)
    assert asked(look([Send("a", None)], back, START + 2 * DAY, decision.enrollment)) == ["a"]


def test_a_mail_that_waits_for_a_second_look_stays_while_they_are_away() -> None:
    held = {"sequence:1:a:1": Mail(7, Status.HELD, HeldBecause.RECHECK)}
    decision = look([Send("a", None)], facts_at(START, mails=held, away_until=START + DAY), START)
    assert decision.effects == ()


def test_an_exit_beats_every_pause() -> None:
    held = Permission(False, "hold", "Luis holds them", START + 3 * DAY)
    known = facts_at(START, permission=held, deeds=(click_at(START),))
    decision = look([Send("a", None)], known, START, exits=(Exit(CLICKED, "clicked()", "promoted"),))
    assert decision.enrollment.exit_reason == "promoted"


@pytest.mark.parametrize(("until_agreed", "sender"), [("default", "default"), ("team", "team")])
def test_until_the_owner_agrees_a_mail_carries_the_name_the_file_says(until_agreed: str, sender: str) -> None:
    steps: list[Step] = [Send("a", None)]
    not_yet = facts_at(START, owner_has_agreed=False)
    [mail] = look(steps, not_yet, START, sender="owner", until_agreed=until_agreed).effects
    assert isinstance(mail, QueueMail)
    assert mail.sender == sender
    [mail] = look(steps, facts_at(START), START, sender="owner", until_agreed=until_agreed).effects
    assert isinstance(mail, QueueMail)
    assert mail.sender == "owner"


def test_or_no_mail_leaves_until_the_owner_agrees() -> None:
    decision = look(
        [Send("a", None)], facts_at(START, owner_has_agreed=False), START, sender="owner", until_agreed="wait"
    )
    assert (decision.enrollment.status, decision.effects) == ("paused", ())


# What is done.


def test_every_other_step_asks_for_one_thing_and_goes_on() -> None:
    notify, task = Notify("n", "t", "owner", "Look"), AddTask("t", "c", "owner", "Call", Duration(DAY))
    call = CallWebhook("c", "u", "https://crm.example/hook")
    steps: list[Step] = [
        notify, task, call, RemoveTag("u", "l", "x"), ChangeList("l", "e", "prospects", is_joining=False),
        EnrollIn("e", "h", "onboarding"), HandOver("h", None),
    ]  # fmt: skip
    decision = look(steps, facts_at(START), START)
    assert decision.effects == (
        decisions.Notified("1:n:1", notify),
        decisions.TaskAdded("1:t:1", task),
        decisions.WebhookCalled("1:c:1", call),
        decisions.Untagged("x"),
        decisions.ListChanged("prospects", is_joining=False),
        decisions.Enrolled("onboarding"),
        decisions.HandedOff("h"),
    )
    assert decision.enrollment.status == "finished"
    assert [one.step for one in decision.passed] == list("ntculeh")


def test_a_decision_sees_the_list_and_the_tag_it_has_just_taken_away() -> None:
    on_list, tagged = Asks("in_list", (("list", "x"),)), Asks("has_tag", (("tag", "x"),))
    steps: list[Step] = [
        RemoveTag("u", "l", "x"), ChangeList("l", "b", "x", is_joining=False),
        Branch("b", on_list, "in_list", "a", "c"), Branch("c", tagged, "has_tag", "a", None), Send("a", None),
    ]  # fmt: skip
    known = facts_at(START, contact=ContactFacts({}, frozenset("x"), frozenset("x")))
    assert asked(look(steps, known, START)) == []


# What an older version passed is not repeated.


def test_what_was_passed_before_is_neither_sent_nor_done_again() -> None:
    steps: list[Step] = [
        Send("a", "t"),
        AddTag("t", "p", "x"),
        GivePoints("p", "f", 5, "read"),
        SetFields("f", "b", (("k", 1),)),
        Send("b", None),
    ]
    left_at = START - 5 * DAY
    known = facts_at(
        START,
        mails={"sequence:1:a:1": Mail(1, Status.SENT, attempted_at=left_at)},
        taken={("a", 1): "sent", ("t", 1): "", ("p", 1): "", ("f", 1): ""},
    )
    decision = look(steps, known, START)
    assert asked(decision) == ["b"]
    assert not any(isinstance(effect, Tagged | PointsGiven) for effect in decision.effects)


def test_a_mail_that_was_skipped_before_is_not_sent_afterwards() -> None:
    decision = look([Send("a", "b"), Send("b", None)], facts_at(START, taken={("a", 1): "skipped"}), START)
    assert asked(decision) == ["b"]


@pytest.mark.parametrize("way", ["yes", "no"])
def test_a_branch_once_taken_stays_taken(way: str) -> None:
    steps: list[Step] = [Branch("b", CLICKED, "clicked()", "yes", "no"), Send("yes", None), Send("no", None)]
    for deeds in ((), (click_at(START),)):
        assert asked(look(steps, facts_at(START, deeds=deeds, taken={("b", 1): way}), START)) == [way]


def test_a_way_that_is_gone_is_decided_anew() -> None:
    steps: list[Step] = [ARMS, Send("a", None), Send("b", None)]
    assert asked(look(steps, facts_at(START, taken={("s", 1): "medium"}), START))[0] in {"a", "b"}


def test_a_mail_still_on_its_way_is_waited_for() -> None:
    known = facts_at(START, mails={"sequence:1:a:1": Mail(1, Status.QUEUED)}, taken={("a", 1): "sent"})
    decision = look([Send("a", "b"), Send("b", None)], known, START)
    assert decision.enrollment.step == "a"


def test_a_form_sent_since_they_came_in_counts_and_one_sent_before_does_not() -> None:
    steps: list[Step] = [Branch("b", Asks("submitted", (("form", "demo"),)), "submitted", "a", None), Send("a", None)]
    for sent_at, expected in ((START - HOUR, []), (START + HOUR, ["a"])):
        sent = Deed(ActivityKind.SUBMITTED, sent_at, "demo")
        known = facts_at(START + DAY, deeds=(sent,), enrolled_at=START)
        assert asked(look(steps, known, START + DAY)) == expected
