"""The ways through a program: where one gets, what came before, how little may lie between. Pure.

Everything is found by walking over steps, never by listing paths, whose number doubles with every branch.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from nurture.sequences.program import GoTo, Send, Sequence, ways_from

#: A way on from a step: its id, and what the way is called.
Way: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Ways:
    """A program as a graph; `cut` are ways that nobody takes."""

    program: Sequence
    cut: frozenset[Way] = field(default=frozenset())

    @cached_property
    def on(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """The ways on from each step to another: what each is called, and where it leads."""
        return {
            id_: tuple((way, to) for way, to in ways_from(step) if to is not None and (id_, way) not in self.cut)
            for id_, step in self.program.steps.items()
        }

    def reach(self, first: str | None, passes: Callable[[str, str], bool] = lambda _id, _way: True) -> set[str]:
        """The steps one gets to from `first`, which is one of them, by ways that pass."""
        found: set[str] = set()
        left = [first] if first is not None else []
        while left:
            here = left.pop()
            if here not in found:
                found.add(here)
                left += [to for way, to in self.on[here] if passes(here, way)]
        return found

    @cached_property
    def reached(self) -> set[str]:
        """The steps somebody gets to."""
        return self.reach(self.program.first)

    def around(self, back: GoTo) -> set[str]:
        """The steps of the loop that a `goto` closes: those from which one may come to it again."""
        inside = self.reach(back.to)
        found: set[str] = set()
        left = [back.id] if back.id in inside else []
        while left:
            here = left.pop()
            if here not in found:
                found.add(here)
                left += [one for one in self._led_by[here] if one in inside]
        return found

    @cached_property
    def _led_by(self) -> Mapping[str, list[str]]:
        """The steps that lead to each step."""
        found: dict[str, list[str]] = {id_: [] for id_ in self.program.steps}
        for id_, ways in self.on.items():
            for _, to in ways:
                found[to].append(id_)
        return found

    @cached_property
    def _mails(self) -> dict[str, int]:
        """The mails, each with a bit of its own."""
        mails = (id_ for id_, step in self.program.steps.items() if isinstance(step, Send))
        return {id_: 1 << number for number, id_ in enumerate(mails)}

    @cached_property
    def _before(self) -> dict[str, int]:
        """For each step the mails that may have been sent before, as bits; a loop is gone round until nothing is new."""
        before = dict.fromkeys(self.program.steps, 0)
        left = deque([self.program.first] if self.program.first is not None else [])
        seen: set[str] = set()
        while left:
            here = left.popleft()
            sent = before[here] | self._mails.get(here, 0)
            for _, to in self.on[here]:
                if to not in seen or sent & ~before[to]:
                    before[to] |= sent
                    seen.add(to)
                    left.append(to)
        return before

    def mails_before(self, id_: str) -> set[str]:
        """The mails that somebody who stands at a step may have got."""
        bits = self._before[id_]
        return {one for one, bit in self._mails.items() if bits & bit}

    def mails_after(self, first: str | None) -> set[str]:
        """The mails that somebody may still get who comes to `first`."""
        return {one for one in self.reach(first) if isinstance(self.program.steps[one], Send)}

    def least(
        self, begin: Mapping[str, float], length: Callable[[str, str, float], float], is_end: Callable[[str], bool]
    ) -> dict[str, float]:
        """The least that adds up on the way from `begin` to each step, not looking beyond a step that is an end.

        `length` says what is added by a way on, given what added up before.
        """
        least: dict[str, float] = {}
        left = [(amount, id_) for id_, amount in begin.items()]
        heapq.heapify(left)
        while left:
            amount, here = heapq.heappop(left)
            if here in least:
                continue
            least[here] = amount
            if not is_end(here):
                for way, to in self.on[here]:
                    heapq.heappush(left, (amount + length(here, way, amount), to))
        return least

    def goes_back(self) -> Iterator[GoTo]:
        """Every `goto` somebody gets to, in the order of the program."""
        return (step for id_, step in self.program.steps.items() if isinstance(step, GoTo) and id_ in self.reached)
