"""A way through a sequence, told beforehand: the engine of production, with pretended people and a clock that jumps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.app.language import language
from nurture.conditions import parse
from nurture.consent.rules import Standing
from nurture.contacts.facts import ContactFacts
from nurture.delivery.mailed.rules import Mailed
from nurture.scoring.rules import ActivityRule, Given, Model
from nurture.sequences.program import (
    AddTag,
    Branch,
    Exit,
    GivePoints,
    HandOver,
    Late,
    Send,
    Sequence,
    SetFields,
    Step,
    Wait,
)
from nurture.sequences.simulation.habits import Behavior, Habit
from nurture.sequences.simulation.simulate import simulate
from nurture.sequences.simulation.world import Ending, Limits, Person, World
from nurture.timing import Duration, Window, parse_days, parse_hours
from nurture.tracking.rules import ActivityKind, Deed

#: A Monday, nine in the morning.
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)
WORDS = language().words({})
OFFICE = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))


def when(text: str) -> Any:
    return parse(text, WORDS)


def wait(id_: str, next_: str | None, days: float) -> Wait:
    return Wait(id_, next_, Duration(days * DAY))


def sequence(
    *steps: Step, exits: tuple[Exit, ...] = (), window: Window | None = None, late: Late | None = None
) -> Sequence:
    return Sequence(
        "s", "insights", "default", steps[0].id, {step.id: step for step in steps}, exits, window, "contact", late
    )  # fmt: skip


def person(**known: Any) -> Person:
    contact = ContactFacts({"country": "DE", "stage": "subscriber", "score": 0.0})
    free = Person(contact, ZONE, ZONE, email="ana@reader.example", tracked_since=START)
    return replace(free, **known)


def mailed(*at: datetime, kind: str = "value") -> list[tuple[Mailed, str]]:
    return [(Mailed("other/mail", one), kind) for one in at]


def live(program: Sequence, behavior: Behavior | None = None, **more: Any) -> Ending:
    """One life; by default without caps and with a link to click in every mail."""
    who = more.pop("who", person())
    limits = {"cap_per_day": 99, "cap_per_week": 99, **more.pop("limits", {})}
    links = more.pop("links", {step: [("x", "/x")] for step in program.steps})
    world = World(Limits(**limits), more.pop("model", None), links=links)
    given_ = {"start": START, "length": 60 * DAY, **more}
    return simulate(program, who, behavior or Behavior(), world, **given_)


def told(ending: Ending) -> list[tuple[float, str, str]]:
    """The timeline in days since the start."""
    return [((entry.at - START) / DAY, entry.step, entry.what) for entry in ending.timeline]


def left(ending: Ending) -> list[float]:
    """When mails left, in days since the start."""
    return [at for at, _, what in told(ending) if what == "mail leaves"]


TWO_LETTERS = sequence(Send("a", "w"), wait("w", "b", 3), Send("b", None))


def test_a_way_is_told_step_by_step_with_the_reasons() -> None:
    ending = live(TWO_LETTERS)
    assert told(ending) == [
        (0, "a", "enrolled"),
        (0, "a", "mail queued"), (0, "a", "mail leaves"), (0, "a", "mail sent"),
        (0, "w", "waits 3 days"), (3, "w", "waited 3 days"),
        (3, "b", "mail queued"), (3, "b", "mail leaves"), (3, "b", "mail sent"),
        (3, "", "finished"),
    ]  # fmt: skip
    assert (ending.status, ending.reason, ending.mails) == ("finished", "", 2)
    reasons = {entry.what: entry.why for entry in ending.timeline}
    assert reasons["waits 3 days"] == "until Thu 2026-03-05 09:00 UTC"
    assert reasons["finished"] == "every step is done"


def test_a_story_ends_where_it_was_told_to() -> None:
    ending = live(TWO_LETTERS, length=2 * DAY)
    assert told(ending)[-1] == (0, "w", "still on the way")
    assert (ending.status, ending.mails) == ("waiting", 1)
    assert ending.timeline[-1].why == "the 2 days are over"


def test_mail_waits_for_its_window_and_the_next_wait_counts_from_when_it_left() -> None:
    program = replace(TWO_LETTERS, window=OFFICE)
    ending = live(program, start=START + 4 * DAY + timedelta(hours=9))  # Friday, six in the evening
    assert left(ending) == [7, 10]
    assert (4.375, "a", "waits for its window") in told(ending)


def test_a_mail_that_would_leave_too_late_is_skipped_or_ends_it() -> None:
    # Three mails are due on one day, and only one may leave on a day: by the time the second may, it is too late for it.
    steps = (Send("a", "b"), Send("b", "c"), Send("c", None))
    capped = {"cap_per_day": 1}
    skipping = live(sequence(*steps, late=Late(timedelta(hours=12))), limits=capped)
    assert left(skipping) == [0, 1]
    assert [(at, step) for at, step, what in told(skipping) if what == "mail skipped"] == [(1, "b")]
    ended = live(sequence(*steps, late=Late(timedelta(hours=12), "exit")), limits=capped)
    assert (ended.status, ended.reason, ended.mails) == ("exited", "too late", 1)


def test_mails_obey_the_caps_that_production_obeys() -> None:
    steps = (Send("a", "w"), wait("w", "b", 1), Send("b", "x"), wait("x", "c", 1), Send("c", None))
    assert left(live(sequence(*steps), limits={"cap_per_week": 2})) == [0, 1, 7]
    assert left(live(sequence(*steps), limits={"cap_per_day": 1, "cap_per_week": 9})) == [0, 1, 2]
    earlier = person(mailed=mailed(START - timedelta(hours=6)))
    assert left(live(TWO_LETTERS, who=earlier, limits={"cap_per_day": 1})) == [0.75, 3.75]


def test_a_branch_follows_what_the_person_did() -> None:
    program = sequence(
        Send("a", "w"), wait("w", "b", 1), Branch("b", when('clicked("a", link="/pricing")'), "…", "hot", "cold"),
        AddTag("hot", None, "hot"), AddTag("cold", None, "cold"),
    )  # fmt: skip
    links = {"a": [("what it costs", "/pricing"), ("the report", "/report")]}
    for link, tag in (
        ("/pricing", "hot"),
        ("what it costs", "hot"),
        ("/report", "cold"),
        ("/jobs", "cold"),
    ):
        behavior = Behavior(steps={"a": {"click": Habit(1, link=link)}})
        assert f'tagged "{tag}"' in [what for _, _, what in told(live(program, behavior, links=links))]


def test_what_happens_after_the_deadline_comes_too_late_for_a_branch() -> None:
    program = sequence(
        Send("a", "w"), wait("w", "b", 1), Branch("b", when('opened("a")'), "…", "yes", None), AddTag("yes", "w2", "yes"),
        wait("w2", None, 5),
    )  # fmt: skip
    in_time = live(program, Behavior({"open": Habit(1, timedelta(hours=23))}))
    too_late = live(program, Behavior({"open": Habit(1, timedelta(hours=25))}))
    assert ('tagged "yes"' in str(told(in_time)), 'tagged "yes"' in str(told(too_late))) == (True, False)


def test_an_answer_ends_it_where_the_file_says_so() -> None:
    program = replace(TWO_LETTERS, exits=(Exit(when("replied()"), "replied()", "replied"),))
    ending = live(program, Behavior({"reply": Habit(1, DAY)}))
    assert (ending.status, ending.reason, ending.mails) == ("exited", "replied", 1)
    assert told(ending)[-2:] == [(1, "a", "they answer"), (1, "w", "exited as replied")]


def test_after_an_opt_out_no_mail_leaves() -> None:
    ending = live(TWO_LETTERS, Behavior({"opt_out": Habit(1, DAY)}))
    assert (ending.status, ending.reason, ending.mails) == ("exited", "opt_out", 1)
    assert ending.timeline[-1].why == "opted out on 2026-03-03"


def test_whoever_may_not_be_mailed_gets_none() -> None:
    refused = person(standing=Standing({}, "given", "met", "never"))
    ending = live(TWO_LETTERS, who=refused)
    assert (ending.status, ending.reason, ending.mails) == ("exited", "never", 0)


def test_what_a_step_sets_counts_for_the_next_condition() -> None:
    program = sequence(
        SetFields("set", "b", (("country", "AT"),)), Branch("b", when('country == "AT"'), "…", "yes", "no"),
        AddTag("yes", None, "yes"), AddTag("no", None, "no"),
    )  # fmt: skip
    assert 'tagged "yes"' in str(told(live(program)))


SCORING = Model(
    activities=(ActivityRule("clicked()", when("clicked()"), 40, 10 * DAY),), threshold_score=70, threshold_fit="D"
)  # fmt: skip
CLICKS = Behavior({"click": Habit(1, timedelta(minutes=1))})


def test_points_fade_while_a_story_goes_on() -> None:
    ending = live(
        replace(TWO_LETTERS, steps={**TWO_LETTERS.steps, "b": wait("b", None, 17)}),
        CLICKS,
        model=SCORING,
        length=20 * DAY,
    )
    # As production does, at midnight: twenty days are 19 days and 15 hours old by then.
    assert ending.score == pytest.approx(40 * 0.5 ** ((20 - 9 / 24) / 10), abs=0.1)


def test_given_points_stay_when_the_next_click_is_scored() -> None:
    program = sequence(GivePoints("gift", "a", 5, "a gift"), Send("a", None))
    at_once: dict[str, Any] = {"model": SCORING, "length": timedelta(hours=3)}  # before anything fades
    assert live(program, **at_once).score == 5
    clicked = sequence(GivePoints("gift", "a", 5, "a gift"), Send("a", "w"), wait("w", None, 0.1))
    assert live(clicked, CLICKS, **at_once).score == 45


def test_what_somebody_did_before_counts_on() -> None:
    before = Deed(ActivityKind.CLICKED, START - timedelta(hours=1), "other/mail", 7, "x", "/x")
    known = person(deeds=[before], given=[Given(5, "met", START - DAY)])
    program = sequence(Send("a", "w"), wait("w", None, 0.1))
    assert live(program, CLICKS, model=SCORING, who=known, length=timedelta(hours=3)).score == pytest.approx(
        40 + 40 + 5, abs=0.3
    )


def test_whoever_crosses_the_line_is_handed_over_and_the_sequence_may_end_with_it() -> None:
    exits = (Exit(when('stage >= "sales_ready"'), "…", "promoted"),)
    ending = live(replace(TWO_LETTERS, exits=exits), CLICKS, model=replace(SCORING, threshold_score=30))
    assert (ending.status, ending.reason, ending.mails) == ("exited", "promoted", 1)
    assert ("w", "handed to a rep") in [(step, what) for _, step, what in told(ending)]


def test_a_hand_off_step_hands_over_whatever_the_score() -> None:
    program = sequence(
        HandOver("over", "b"), Branch("b", when('stage == "sales_ready"'), "…", "yes", None), AddTag("yes", None, "yes")
    )
    assert "handed to a rep" in str(told(live(program)))


def test_chance_is_drawn_from_the_seed_and_a_replay_tells_the_same_story() -> None:
    behavior = Behavior({"open": Habit(0.5), "click": Habit(0.5), "opt_out": Habit(0.2)})
    stories = [live(TWO_LETTERS, behavior, seed=seed) for seed in range(40)]
    assert stories == [live(TWO_LETTERS, behavior, seed=seed) for seed in range(40)]
    opened = sum("they open it" in str(told(story)) for story in stories)
    assert 20 <= opened <= 40
    assert {story.status for story in stories} == {"finished", "exited"}


lengths = st.sampled_from([0, 0.5, 1, 2, 3.25])
habits = st.fixed_dictionaries(
    {what: st.builds(Habit, st.floats(0, 1), st.sampled_from([timedelta(0), timedelta(hours=3), 2 * DAY]))
     for what in ("open", "click", "reply", "opt_out")}
)  # fmt: skip


@given(
    waits=st.lists(lengths, min_size=1, max_size=4),
    habit=habits,
    window=st.sampled_from([None, OFFICE]),
    late=st.sampled_from([None, Late(timedelta(hours=12)), Late(timedelta(hours=12), "exit")]),
    caps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    hour=st.integers(0, 167),
    seed=st.integers(0, 9),
)
def test_however_it_goes_nobody_gets_too_much_and_every_story_ends(
    waits: list[float], habit: dict[str, Habit], window: Window | None, late: Late | None, caps: tuple[int, int],
    hour: int, seed: int,
) -> None:  # fmt: skip
    steps: list[Step] = []
    for number, days in enumerate(waits):
        steps += [Send(f"m{number}", f"w{number}"), wait(f"w{number}", f"m{number + 1}", days)]
    steps[-1] = wait(f"w{len(waits) - 1}", None, waits[-1])
    start = START + timedelta(hours=hour)
    ending = live(
        sequence(*steps, window=window, late=late),
        Behavior(habit),
        start=start,
        seed=seed,
        length=120 * DAY,
        limits={"cap_per_day": caps[0], "cap_per_week": caps[1]},
    )
    assert ending.status in {"finished", "exited"}
    instants = [entry.at for entry in ending.timeline]
    assert instants == sorted(instants)
    at = [entry.at for entry in ending.timeline if entry.what == "mail leaves"]
    assert len(at) == ending.mails <= len(waits)
    for cap, length in ((caps[0], DAY), (caps[1], 7 * DAY)):
        assert all(later - earlier >= length for earlier, later in zip(at, at[cap:], strict=False))
    if window is not None:
        assert all(window.opening(one, ZONE).opens_at <= one for one in at)
    gone = next((entry.at for entry in ending.timeline if entry.what == "they opt out"), None)
    assert gone is None or all(one <= gone for one in at)
    steps_mailed = [entry.step for entry in ending.timeline if entry.what == "mail leaves"]
    assert len(set(steps_mailed)) == len(steps_mailed)
    if late is None:
        assert all(later - earlier >= days * DAY for (earlier, later), days in zip(pairwise(at), waits, strict=False))
