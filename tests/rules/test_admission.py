"""Who comes in when something lets them in: one sequence at a time, the more important first, nothing forgotten."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nurture.sequences.admission import Door, Occasion, Outcome, Way, admit, may_share
from nurture.sequences.program import Sequence

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def door(name: str, priority: int = 50, if_busy: str = "wait", *with_: str, again: timedelta | None = None) -> Door:
    program = Sequence(
        name, "insights", "default", None, {}, priority=priority, if_busy=if_busy, compatible_with=frozenset(with_)
    )
    return Door(program, again)


def decided(doors: list[Door], *ways: Way, passes: bool = False, was_put: bool = False) -> list[tuple[str, Outcome]]:
    """What becomes of one person whom every door has an occasion for."""
    occasions = {one.name: [Occasion(1, "a test", passes, was_put)] for one in doors}
    return [(one.sequence, one.outcome) for one in admit(doors, occasions, {1: ways}, NOW)]


def test_the_more_important_sequence_comes_first_and_the_other_has_to_wait() -> None:
    assert decided([door("b", 20), door("a", 80)]) == [("a", Outcome.COMES_IN)]
    assert decided([door("b", 20), door("a", 80)], passes=True) == [("a", Outcome.COMES_IN), ("b", Outcome.WAITS)]


def test_sequences_that_go_together_are_both_begun() -> None:
    assert len(decided([door("a", 80), door("b", 20, "wait", "a")])) == 2
    assert len(decided([door("a", 80, "wait", "all"), door("b", 20)])) == 2


def test_one_that_replaces_ends_only_what_is_less_important() -> None:
    doors, on = [door("urgent", 90, "replace"), door("a", 20), door("b", 95)], {"urgent": [Occasion(1, "a test")]}
    [one] = admit(doors, on, {1: [Way("a")]}, NOW)
    assert (one.outcome, one.replaces) == (Outcome.COMES_IN, ("a",))
    assert admit(doors, on, {1: [Way("b")]}, NOW) == []
    assert admit(doors, on, {1: [Way("taken out long ago")]}, NOW) == []


def test_one_that_stays_out_says_so() -> None:
    assert decided([door("modest", 20, "skip"), door("a", 80)], Way("a")) == [("modest", Outcome.STAYS_OUT)]


def test_nobody_comes_in_a_second_time_unless_the_file_says_after_how_long() -> None:
    over = Way("a", NOW - 10 * DAY)
    assert decided([door("a")], over) == []
    assert decided([door("a", again=11 * DAY)], over) == []
    assert decided([door("a", again=10 * DAY)], over) == [("a", Outcome.COMES_IN)]
    assert decided([door("a", again=timedelta(0))], Way("a")) == []


def test_whoever_was_put_there_comes_in_however_often_they_were_there() -> None:
    assert decided([door("a")], Way("a", NOW - DAY), was_put=True) == [("a", Outcome.COMES_IN)]


names = st.sampled_from("abcd")
doors = st.lists(
    st.builds(
        lambda name, priority, if_busy, with_, again: door(name, priority, if_busy, *with_, again=again),
        names, st.integers(0, 3), st.sampled_from(["wait", "skip", "replace"]), st.frozensets(names, max_size=1),
        st.none() | st.just(timedelta(0)),
    ),
    unique_by=lambda one: one.name,
)  # fmt: skip


@given(doors, st.frozensets(names, max_size=2), st.booleans(), st.booleans())
def test_nobody_is_ever_on_two_sequences_that_do_not_go_together(
    open_: list[Door],
    busy_with: frozenset[str],
    passes: bool,
    was_put: bool,
) -> None:
    programs = {one.name: one.program for one in open_}
    first = sorted(busy_with & programs.keys())[:1]
    occasions = {one.name: [Occasion(1, "a test", passes, was_put)] for one in open_}
    on = set(first)
    for one in admit(open_, occasions, {1: [Way(name) for name in first]}, NOW):
        on -= set(one.replaces)
        if one.outcome is Outcome.COMES_IN:
            on.add(one.sequence)
    assert all(may_share(programs[one], other, open_) for one in on for other in on)
