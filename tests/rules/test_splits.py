"""When an A/B test ends: never by luck more often than its file allows, and for sure when one arm really is better."""

from datetime import timedelta

import pytest

from nurture.conditions import ALWAYS, Field, FieldType, Words, parse
from nurture.sequences.engine import draw
from nurture.sequences.program import WinnerRule
from nurture.sequences.splits import Score, chance_of_luck, judge, looks
from nurture.tracking.rules import PREDICATES

RULE = WinnerRule(ALWAYS, "a test", timedelta(days=7), at_least=100, up_to=timedelta(days=90))
DAY = timedelta(days=1)


def run(rates: dict[str, float], seed: int, *, most: int = 1_700, every: int = 10) -> str | None:
    """Live through a test that is looked at after every few people; the arm that won, if one did."""
    hits, seen = dict.fromkeys(rates, 0), 0
    for people in range(every, most + 1, every):
        for arm, rate in rates.items():
            hits[arm] += sum(draw(seed, f"{arm}:{people}:{one}") < rate for one in range(every))
        ended = judge(RULE, {arm: Score(people, hits[arm]) for arm in rates}, running_for=DAY, looks_done=seen)
        seen = max(seen, looks(RULE, people))
        if ended is not None:
            return ended.arm
    return None


def test_where_there_is_no_difference_one_is_found_in_at_most_five_of_a_hundred_tests() -> None:
    found = sum(run({"a": 0.1, "b": 0.1}, seed) is not None for seed in range(300))
    assert found <= 24  # 5 % of 300 is 15; more than 24 would be a chance of 1 in 100


def test_three_arms_are_no_excuse_for_more() -> None:
    found = sum(run({"a": 0.1, "b": 0.1, "c": 0.1}, seed, most=800) is not None for seed in range(200))
    assert found <= 17


def test_an_arm_that_is_twice_as_good_wins() -> None:
    won = [run({"a": 0.1, "b": 0.2}, seed) for seed in range(50)]
    assert won.count("b") >= 48
    assert "a" not in won


def test_nobody_looks_before_every_arm_has_its_people() -> None:
    assert judge(RULE, {"a": Score(99, 0), "b": Score(5_000, 4_000)}, running_for=DAY, looks_done=0) is None
    assert judge(RULE, {"a": Score(100, 0), "b": Score(5_000, 4_000)}, running_for=DAY, looks_done=0) is not None


def test_after_a_look_in_vain_the_next_comes_at_twice_as_many() -> None:
    clear = {"a": Score(150, 0), "b": Score(150, 140)}
    assert judge(RULE, clear, running_for=DAY, looks_done=1) is None
    assert [looks(RULE, people) for people in (99, 100, 199, 200, 399, 400)] == [0, 1, 1, 2, 2, 3]


def test_a_test_that_lasted_too_long_ends_without_a_winner_and_says_so() -> None:
    ended = judge(RULE, {"a": Score(50, 5), "b": Score(50, 6)}, running_for=timedelta(days=90), looks_done=0)
    assert ended is not None
    assert ended.arm is None
    assert ended.because == 'no arm was better for sure: "a" 10.0 % of 50, "b" 12.0 % of 50'


def test_a_goal_that_only_tracked_people_can_reach_names_its_base() -> None:
    arms = {"a": Score(214, 37, 84), "b": Score(220, 12, 90)}
    ended = judge(RULE, arms, running_for=DAY, looks_done=0)
    assert ended is not None
    assert ended.because == (
        '"a" 17.3 % of 214 tracked readers (84 are not tracked) against '
        '"b" 5.5 % of 220 tracked readers (90 are not tracked)'
    )


@pytest.mark.parametrize(
    ("goal", "reads"),
    [("clicked()", True), ("replied() or opened()", True), ("replied()", False), ("score > 3", False)],
)
def test_a_goal_reads_what_is_recorded_if_it_asks_for_opens_or_clicks(goal: str, reads: bool) -> None:
    words = Words(fields={"score": Field(FieldType.NUMBER)}, predicates=PREDICATES)
    assert WinnerRule(parse(goal, words), goal, DAY).reads_recorded is reads


@pytest.mark.parametrize(("better", "other", "chance"), [((60, 100), (40, 100), 0.0047), ((5, 10), (5, 10), 1.0)])
def test_the_chance_of_luck_is_that_of_the_two_proportion_test(
    better: tuple[int, int], other: tuple[int, int], chance: float
) -> None:
    found = chance_of_luck(Score(better[1], better[0]), Score(other[1], other[0]))
    assert found == pytest.approx(chance, abs=0.0001)
