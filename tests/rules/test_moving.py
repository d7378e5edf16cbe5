"""Where people in flight land when a sequence was edited."""

import pytest

from nurture.sequences.moving.rules import Outline, Way, land


def outline(*steps: str | tuple[str, dict[str, list[object]]], **goes_back: str) -> Outline:
    """A sequence from the names of its steps; a pair is a step with ways, each a list of steps."""
    around: dict[str, tuple[Way, ...]] = {}

    def add(steps: tuple[object, ...] | list[object], ways: tuple[Way, ...]) -> None:
        for one in steps:
            if isinstance(one, tuple):
                around[one[0]] = ways
                for way, inner in one[1].items():
                    add(inner, (*ways, (one[0], way)))
            else:
                around[str(one)] = ways

    add(steps, ())
    return Outline(around, goes_back)


def test_whoever_stands_on_a_step_that_is_still_there_stays_on_it() -> None:
    assert land(outline("a", "b", "c"), outline("c", "x", "b"), "b") == "b"


def test_whoever_stands_on_a_removed_step_goes_on_to_the_next_one() -> None:
    assert land(outline("a", "b", "c"), outline("a", "c"), "b") == "c"


def test_a_renamed_step_is_gone_and_its_new_name_is_not_gone_back_to() -> None:
    assert land(outline("a", "b", "c"), outline("a", "b2", "c"), "b") == "c"


def test_the_next_one_is_next_in_the_old_order() -> None:
    assert land(outline("a", "b", "c", "d"), outline("d", "c", "a"), "b") == "c"


def test_where_nothing_behind_it_is_left_the_sequence_is_at_its_end() -> None:
    assert land(outline("a", "b"), outline("a", "x"), "b") is None
    assert land(outline("a", "b"), outline("a", "b"), None) is None


OLD = outline("a", ("if", {"then": ["yes", "more"], "else": ["no"]}), "z")


@pytest.mark.parametrize(
    ("new", "step", "lands_on", "because"),
    [
        (outline("a", ("if", {"then": ["more"], "else": ["no"]}), "z"), "yes", "more", "it is in the same way"),
        (outline("a", ("if", {"then": [], "else": ["no"]}), "z"), "yes", "z", "the other way is not theirs"),
        (outline(("if", {"then": ["yes"]}), "z"), "a", "if", "the branch decides"),
        (outline("a", ("other", {"then": ["yes", "more"]}), "z"), "if", "z", "they entered no branch of that name"),
        (outline("a", "yes", "z"), "if", "yes", "the branch is gone, and everybody comes by there"),
        (outline("a", ("big", {"then": ["z"]})), "if", "big", "what comes next is inside a branch now, which decides"),
        (outline("a", ("big", {"then": ["more"]}), "z"), "yes", "big", "the same, from inside the old one"),
    ],
)  # fmt: skip
def test_nobody_lands_inside_a_branch_they_never_entered(new: Outline, step: str, lands_on: str, because: str) -> None:
    assert land(OLD, new, step) == lands_on, because


def test_in_a_loop_everything_from_its_beginning_is_still_to_come() -> None:
    looping = outline("before", "a", "b", "back", "z", back="a")
    assert looping.still_to_come("b") == {"a", "b", "back", "z"}
    assert looping.still_to_come("z") == {"z"}
    assert looping.still_to_come("gone") == set()
