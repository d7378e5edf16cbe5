"""The ways through a program, held against walks that go through it step by step."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import AllOf
from nurture.sequences.program import Branch, End, GoTo, Send, Sequence, Step, Wait, ways_from
from nurture.sequences.remarks.ways import Ways
from nurture.timing import Duration

KINDS: tuple[Callable[[str, str | None, str | None], Step], ...] = (
    lambda id_, to, _: Send(id_, to),
    lambda id_, to, _: Wait(id_, to, Duration(timedelta(days=1))),
    lambda id_, to, other: Branch(id_, AllOf(()), "True", to, other),
    lambda id_, to, other: GoTo(id_, to, other or "0"),
    lambda id_, to, other: GoTo(id_, to, other or "0", 3),
    lambda id_, _to, _other: End(id_, "done"),
)


def program(drawn: list[tuple[int, int, int]]) -> Sequence:
    """A program of a few steps that lead anywhere."""
    there = [str(number) for number in range(len(drawn))]
    steps = {
        id_: KINDS[kind](id_, *(there[one] if one < len(there) else None for one in (to, other)))
        for id_, (kind, to, other) in zip(there, drawn, strict=True)
    }
    return Sequence("s", "t", "default", "0", steps)


PROGRAMS = st.lists(
    st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=8
).map(program)


def walk(program: Sequence, turns: list[int]) -> Iterator[str]:
    """The steps of one walk that takes these turns."""
    here = program.first
    for turn in turns:
        if here is None:
            return
        yield here
        ways = list(ways_from(program.steps[here]))
        here = ways[turn % len(ways)][1] if ways else None


TURNS = st.lists(st.integers(0, 1), max_size=40)


@given(PROGRAMS, TURNS)
def test_no_walk_gets_where_nobody_gets_nor_has_had_a_mail_that_is_not_before(
    program: Sequence, turns: list[int]
) -> None:
    ways = Ways(program)
    sent: set[str] = set()
    for here in walk(program, turns):
        assert here in ways.reached
        assert sent <= ways.mails_before(here)
        sent |= {here} if isinstance(program.steps[here], Send) else set()


@given(PROGRAMS, TURNS)
def test_no_walk_is_shorter_than_the_least(program: Sequence, turns: list[int]) -> None:
    ways = Ways(program)
    first = program.first
    assert first is not None
    least = ways.least(
        {first: 0.0}, lambda id_, _way, _passed: float(isinstance(program.steps[id_], Wait)), lambda _id: False
    )
    waits = 0
    for here in walk(program, turns):
        assert least[here] <= waits
        waits += isinstance(program.steps[here], Wait)


@given(PROGRAMS)
def test_a_loop_is_what_one_can_go_round(program: Sequence) -> None:
    ways = Ways(program)
    for back in ways.goes_back():
        for id_ in program.steps:
            is_in_it = id_ in ways.reach(back.to) and back.id in ways.reach(id_)
            assert (id_ in ways.around(back)) is is_in_it
