"""Scores fade, stay under their caps, and always show their working."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import Asks, Compare
from nurture.contacts.facts import ContactFacts
from nurture.scoring.rules import ActivityRule, FitRule, Given, Model, compute, grade, is_over_the_line
from nurture.tracking.rules import ActivityKind, Deed

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
NOBODY = ContactFacts({})
CLICKED, OPENED = Asks("clicked"), Asks("opened")


def clicks(*days_ago: float) -> list[Deed]:
    return [Deed(ActivityKind.CLICKED, NOW - timedelta(days=days)) for days in days_ago]


def test_points_are_worth_half_after_their_half_life() -> None:
    model = Model((ActivityRule("clicked()", CLICKED, 10, timedelta(days=30)),))
    assert compute(model, clicks(0), (), NOBODY, NOW).score == 10
    assert compute(model, clicks(30), (), NOBODY, NOW).score == 5
    assert compute(model, clicks(0, 30, 60), (), NOBODY, NOW).score == 17.5


def test_a_cap_counts_what_is_newest_first() -> None:
    model = Model((ActivityRule("clicked()", CLICKED, 10, timedelta(days=30), cap=15),))
    result = compute(model, clicks(0, 1, 30), (), NOBODY, NOW)
    assert result.score == 15
    assert result.parts[0].occurred_at == NOW


def test_what_lies_in_the_future_does_not_count_yet() -> None:
    model = Model((ActivityRule("clicked()", CLICKED, 10),))
    assert compute(model, clicks(-1), (), NOBODY, NOW).score == 0


def test_points_given_by_a_sequence_count_and_fade_as_it_said() -> None:
    given_once = (Given(20, "read closely", NOW - timedelta(days=60), timedelta(days=60)),)
    assert compute(Model(), (), given_once, NOBODY, NOW).score == 10


def test_fit_is_a_sum_of_its_rules_and_a_grade() -> None:
    model = Model(
        fit=(FitRule("big", Compare("size", ">=", 50), 30), FitRule("intern", Compare("title", "==", "Intern"), -40)),
        grades=(("A", 40), ("B", 20), ("C", 5)),
    )
    assert compute(model, (), (), ContactFacts({"size": 80}), NOW).fit == "B"
    assert compute(model, (), (), ContactFacts({"size": 80, "title": "Intern"}), NOW).fit == "D"
    assert grade(dict(model.grades), 40) == "A"


def test_the_line_is_crossed_by_score_and_fit_together() -> None:
    model = Model(threshold_score=60, threshold_fit="B")
    assert is_over_the_line(model, 60, "B")
    assert is_over_the_line(model, 99, "A")
    assert not is_over_the_line(model, 59.9, "A")
    assert not is_over_the_line(model, 99, "C")
    assert not is_over_the_line(model, 99, None)


rules = st.lists(
    st.builds(
        lambda when, points, half_life, cap: ActivityRule("rule", when, points, half_life, cap),
        st.sampled_from([CLICKED, OPENED]),
        st.integers(-20, 40).map(float),
        st.none() | st.integers(1, 90).map(lambda days: timedelta(days=days)),
        st.none() | st.integers(1, 60).map(float),
    ),
    max_size=4,
)
deeds = st.lists(
    st.builds(
        lambda kind, days: Deed(kind, NOW - timedelta(days=days)),
        st.sampled_from([ActivityKind.CLICKED, ActivityKind.OPENED]),
        st.floats(0, 400),
    ),
    max_size=12,
)


@given(rules, deeds)
def test_the_parts_always_sum_to_the_score(made: list[ActivityRule], done: list[Deed]) -> None:
    """GDPR 22, 13(2)(f) [89]: a score explains itself, point by point."""
    result = compute(Model(tuple(made)), done, (), NOBODY, NOW)
    assert round(sum(part.points for part in result.parts), 1) == result.score


@given(rules, deeds)
def test_no_rule_gives_more_than_its_cap(made: list[ActivityRule], done: list[Deed]) -> None:
    for rule in made:
        result = compute(Model((rule,)), done, (), NOBODY, NOW)
        assert rule.cap is None or result.score <= rule.cap


@given(rules, deeds)
def test_the_same_facts_always_give_the_same_score(made: list[ActivityRule], done: list[Deed]) -> None:
    model = Model(tuple(made))
    assert compute(model, done, (), NOBODY, NOW) == compute(model, list(reversed(done)), (), NOBODY, NOW)
