"""Thousands of lives at once: what they tell together, who the crowd is, and how an A/B test ends among them."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nurture.app.language import language
from nurture.conditions import parse
from nurture.contacts.facts import ContactFacts
from nurture.contacts.fields import WITH_SALES, field_words
from nurture.sequences.program import AddTag, Arm, Branch, Exit, HandOver, Send, Sequence, Split, Step, Wait, WinnerRule
from nurture.sequences.simulation.crowd import BEHAVIOR, COME_IN_OVER, SIZE, invent
from nurture.sequences.simulation.habits import Behavior, Group, Habit
from nurture.sequences.simulation.outcomes import outcome
from nurture.sequences.simulation.simulate import Simulated, simulate, simulate_all
from nurture.sequences.simulation.world import Ending, Limits, Outage, Person, World
from nurture.timing import Duration
from nurture.tracking.rules import ActivityKind

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WORDS = language().words({})


def sequence(*steps: Step, exits: tuple[Exit, ...] = ()) -> Sequence:
    return Sequence("s", "insights", "default", steps[0].id, {step.id: step for step in steps}, exits)


TWO = sequence(
    Send("a", "w"), Wait("w", "b", Duration(3 * DAY)), Send("b", None, kind="ask"),
    exits=(Exit(parse("replied()", WORDS), "replied()", "replied"),),
)  # fmt: skip


def people(count: int, **known: Any) -> list[Person]:
    facts = ContactFacts({"country": "US", "stage": "subscriber", "score": 0.0})
    return [
        Person(facts, ZONE, ZONE, email=f"p{number}@d{number % 3}.example", tracked_since=START, **known)
        for number in range(count)
    ]


def world(program: Sequence = TWO, **limits: Any) -> World:
    return World(
        Limits(**{"cap_per_day": 9, "cap_per_week": 9, **limits}),
        links={step: [("x", "/x"), ("y", "/y"), ("z", "/z")] for step in program.steps},
        sender_domains={"default": "acme.example"},
    )


def live(who: list[Person], behavior: Behavior, program: Sequence = TWO, **more: Any) -> Simulated:
    around = more.pop("around", world(program))
    return simulate_all(program, who, behavior, around, **{"start": START, "length": 30 * DAY, **more})


MIXED = Behavior({"open": Habit(0.5), "reply": Habit(0.1, HOUR), "opt_out": Habit(0.05, DAY), "bounce": Habit(0.02)})


def test_the_figures_of_a_population_add_up() -> None:
    told = live(people(600), MIXED)
    found = outcome(told.endings, start=START, length=30 * DAY, blast_guard=500)
    assert found.people == sum(one.count for one in found.by_end.values()) == 600
    assert sum(day.mails for day in found.days) == sum(found.by_sender.values()) == sum(found.by_recipient.values())
    assert found.mails.value * 600 == pytest.approx(sum(day.mails for day in found.days))
    assert found.mails.low < found.mails.value < found.mails.high
    assert set(found.by_end) == {"finished", "replied", "opt_out", "failed"}
    assert found.by_end["replied"].share == pytest.approx(0.1, abs=0.04)
    assert found.days[0].mails == found.reached["a"].count
    assert found.days[3].asks == found.days[3].mails == found.reached["b"].count
    assert (found.finish.median, found.finish.still_on) == (3.0, 0)
    assert found.most_in_a_week == 2
    assert found.guard is not None
    assert (found.guard.on, found.guard.room) == (START.date(), 500)
    assert found.opted_out.count >= found.by_end["opt_out"].count  # some leave when it is over


def test_a_mail_that_nobody_gets_is_told_too() -> None:
    told = live(people(30), Behavior({"reply": Habit(1, HOUR)}))
    found = outcome(told.endings, start=START, length=30 * DAY, mails_of=("a", "b"))
    assert {step: one.count for step, one in found.reached.items()} == {"a": 30, "b": 0}


def test_whom_sales_had_before_are_told_apart_from_those_who_become_sales_ready() -> None:
    promoted = Exit(parse('stage >= "sales_ready"', WORDS), "…", "promoted")
    program = sequence(HandOver("h", "a"), Send("a", None), exits=(promoted,))
    new = people(30)
    had = [replace(one, contact=ContactFacts({"country": "US", "stage": "customer"})) for one in people(10)]
    found = outcome(live([*new, *had], Behavior(), program).endings, start=START, length=30 * DAY)
    assert (found.sales_ready.count, found.sales_ready.base, found.sales_ready_before) == (30, 30, 10)
    assert {name: one.count for name, one in found.by_end.items()} == {
        "promoted": 30, "promoted, sales-ready before they came in": 10,
    }  # fmt: skip


def test_the_same_seed_tells_the_same_and_another_tells_another_story() -> None:
    one, two, other = (live(people(50), MIXED, seed=seed) for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_a_life_is_the_same_alone_and_among_others_who_share_the_pace() -> None:
    among = live(people(40), MIXED, around=world(per_second=1000))
    alone = live(people(40), MIXED)
    assert [one.reason for one in among.endings] == [one.reason for one in alone.endings]


def test_a_house_that_sends_slowly_spreads_what_is_due_at_once() -> None:
    told = live(people(10), Behavior(), around=world(per_second=0.1))
    left = sorted(one.sent[0].at for one in told.endings)
    assert [(at - START).total_seconds() for at in left] == [10.0 * number for number in range(10)]


def test_people_of_a_group_do_otherwise() -> None:
    behavior = Behavior(groups=(Group(0.3, {"reply": Habit(1, HOUR)}, "answering"),))
    told = live(people(400), behavior)
    assert sum(one.reason == "replied" for one in told.endings) / 400 == pytest.approx(0.3, abs=0.08)


def test_what_untracked_people_open_is_not_seen() -> None:
    opens = Behavior({"open": Habit(1), "click": Habit(1, 3 * HOUR), "reply": Habit(1, 5 * HOUR)}, tracked=0.5)
    told = live(people(200), opens).endings
    for one in told:
        assert one.has("open") == one.has("click") == one.is_tracked
        assert one.has("reply")
    assert 70 < sum(one.is_tracked for one in told) < 130


def told_of(ending: Ending) -> list[str]:
    return [one.what for one in ending.timeline]


def alone(behavior: Behavior, program: Sequence = TWO, around: World | None = None) -> Ending:
    return simulate(program, people(1)[0], behavior, around or world(program), start=START, length=30 * DAY)


def test_a_machine_that_fetches_every_link_is_nobody() -> None:
    hot = sequence(
        Send("a", "w"), Wait("w", "b", Duration(DAY)), Branch("b", parse("clicked()", WORDS), "…", "hot", None),
        AddTag("hot", None, "hot"),
    )  # fmt: skip
    scanned = alone(Behavior({"scan": Habit(1, timedelta(minutes=5))}), hot)
    assert "a machine fetches it" in told_of(scanned)
    assert scanned.tags == frozenset()
    assert alone(Behavior({"click": Habit(1, HOUR)}), hot).tags == {"hot"}


def test_who_is_out_of_office_gets_nothing_until_they_are_back() -> None:
    away = alone(Behavior(steps={"a": {"away": Habit(1, HOUR, lasting=10 * DAY)}}))
    assert [(one.at - START) // DAY for one in away.sent] == [0, 9]  # from that day's midnight on
    assert "they are out of office" in told_of(away)


def test_an_address_that_bounces_gets_no_second_mail() -> None:
    bounced = alone(Behavior(steps={"a": {"bounce": Habit(1)}}))
    assert (bounced.reason, bounced.mails) == ("failed", 0)


def test_an_outage_of_the_relay_keeps_mail_and_the_next_wait_counts_from_when_it_left() -> None:
    out = replace(world(), outages=(Outage(START - HOUR, START + 2 * DAY),))
    assert [(one.at - START) / DAY for one in alone(Behavior(), around=out).sent] == [2, 5]
    deferring = replace(world(), outages=(Outage(START, START + HOUR, defers=True),))
    [first, _] = alone(Behavior(), around=deferring).sent
    assert first.at == START + timedelta(minutes=110)  # tried after 5, 20, 50 and 110 minutes


def test_a_delay_may_be_anything_in_between() -> None:
    habit = Habit(1, HOUR, 3 * DAY)
    after = [one.did[0].at - START for one in live(people(100), Behavior({"reply": habit})).endings]
    assert min(after) >= HOUR
    assert max(after) < 3 * DAY
    assert len(set(after)) > 90


def test_an_a_b_test_ends_among_them_and_whoever_comes_later_gets_the_winner() -> None:
    goal = 'clicked("left")'
    rule = WinnerRule(parse(goal, WORDS), goal, after=DAY, at_least=50)
    program = sequence(
        Split("t", (Arm("left", 50, "left"), Arm("right", 50, "right")), rule), Send("left", None), Send("right", None)
    )
    who = [replace(one, arrives_at=START + number * HOUR) for number, one in enumerate(people(600))]
    told = live(who, Behavior(steps={"left": {"click": Habit(0.9, HOUR)}}), program)
    assert told.tests["t"].arm == "left"
    taken = [next(iter(one.reached - {"t"})) for one in told.endings]
    assert 60 < taken[:200].count("right") < 140
    assert taken[-300:].count("right") == 0


def test_the_crowd_is_the_same_for_a_seed_and_as_different_as_people_are() -> None:
    fields = field_words({})
    program = replace(TWO, exits=(Exit(parse('job_title == "CEO"', WORDS), "…", "boss"),))
    crowd = invent(program, fields, START)
    assert crowd == invent(program, fields, START)
    assert crowd != invent(program, fields, START, seed=1)
    assert len(crowd) == len({one.email for one in crowd}) == SIZE
    assert len({one.zone for one in crowd}) > 12
    assert {one.contact.value("job_title") for one in crowd} >= {"CEO", None}
    stages = Counter(one.contact.value("stage") for one in crowd)
    assert 4 <= sum(stages[one] for one in WITH_SALES) <= 30  # a few, so that the others have somewhere to get to
    assert len(stages) >= 6
    arrived = [one.arrives_at for one in crowd if one.arrives_at is not None]
    assert START <= min(arrived) <= max(arrived) < START + COME_IN_OVER
    told = live(crowd, BEHAVIOR, program, length=COME_IN_OVER + 60 * DAY)
    did = {deed.what for one in told.endings for deed in one.did}
    assert did >= {ActivityKind.OPENED, ActivityKind.CLICKED, "reply", "opt_out", "away", "bounce", "wish"}
    assert {one.is_tracked for one in told.endings} == {True, False}
