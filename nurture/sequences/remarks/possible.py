"""Can a condition ever hold? Read off its text alone, for whatever may be known about a person. Pure.

A condition is taken apart into ways in which it could hold; each way is tried with the few values per field that can
make a difference. What would take too many ways is taken for possible: a remark that is not made harms nobody.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise, product
from typing import TypeAlias

from nurture.conditions import (
    AllOf,
    AnyOf,
    Asks,
    Compare,
    Condition,
    Field,
    FieldType,
    Missing,
    Not,
    OneOf,
    Value,
    holds,
)

_MANY = 200  # ways to hold, beyond which nobody counts
_ELSE = "\0something else"
_DAY = timedelta(days=1)

#: What is certain about a question: True, False, or None for anything.
Answer: TypeAlias = Callable[[Asks], bool | None]
_Literal: TypeAlias = tuple[Condition, bool]


def _open(_: Asks) -> bool | None:
    return None


class _TooMany(Exception):
    """Nobody wants to try all of this."""


@dataclass(frozen=True)
class Possible:
    """What may be known about people: their fields, what is certain of some questions, the highest of some numbers."""

    fields: Mapping[str, Field]
    answer: Answer = _open
    most: Mapping[str, float] = field(default_factory=dict)

    def can_hold(self, condition: Condition) -> bool:
        """Whether there may be somebody for whom it holds."""
        try:
            return any(self._agree(way) for way in self._ways(condition, is_true=True))
        except _TooMany:
            return True

    def implies(self, condition: Condition, other: Condition) -> bool:
        """Whether everybody for whom the one holds is one for whom the other holds."""
        return not self.can_hold(AllOf((condition, Not(other))))

    def _ways(self, condition: Condition, *, is_true: bool) -> list[tuple[_Literal, ...]]:
        match condition:
            case Not(part):
                return self._ways(part, is_true=not is_true)
            case AllOf(parts) | AnyOf(parts):
                each = [self._ways(part, is_true=is_true) for part in parts]
                if isinstance(condition, AllOf) != is_true:
                    return _few([way for ways in each for way in ways])
                found: list[tuple[_Literal, ...]] = [()]
                for ways in each:
                    found = _few([(*one, *other) for one, other in product(found, ways)])
                return found
            case Asks() if (known := self.answer(condition)) is not None:
                return [()] if known is is_true else []
        return [((condition, is_true),)]

    def _agree(self, way: tuple[_Literal, ...]) -> bool:
        """Whether all of this can be so at once."""
        asked = [(part, is_true) for part, is_true in way if isinstance(part, Asks)]
        if any(_answers(one, other) for one, yes in asked if yes for other, no in asked if not no):
            return False
        by_field: dict[str, list[_Literal]] = {}
        for part, is_true in way:
            if isinstance(part, Compare | OneOf | Missing):
                by_field.setdefault(part.field, []).append((part, is_true))
        return all(self._has_value(name, literals) for name, literals in by_field.items())

    def _has_value(self, name: str, literals: list[_Literal]) -> bool:
        constants = {value for part, _ in literals for value in _constants(part)}
        tried = (_Only(name, value) for value in self._values(name, constants))
        return any(all(holds(part, facts) is is_true for part, is_true in literals) for facts in tried)

    def _values(self, name: str, constants: set[Value]) -> Iterator[Value | None]:
        """The values that can make a difference: those named, and one beside each of them."""
        yield None
        known = self.fields.get(name)
        match known:
            case Field(type=FieldType.FLAG):
                yield from (True, False)
            case Field(type=FieldType.NUMBER):
                most = self.most.get(name, float("inf"))
                numbers = sorted(one for one in constants if isinstance(one, int | float))
                beside = [number + step for number in numbers for step in (-1, 1)]
                between = [(low + high) / 2 for low, high in pairwise(numbers)]
                yield from (one for one in [*numbers, *beside, *between, most] if one <= most)
            case Field(type=FieldType.DATE):
                days = {date.fromisoformat(str(one)) for one in constants}
                yield from (day.isoformat() for day in days)
                yield from ((day - _DAY).isoformat() for day in days if day > date.min)
                yield from ((day + _DAY).isoformat() for day in days if day < date.max)
            case Field(scale=scale, outside_scale=outside) if scale or outside:
                yield from (*scale, *outside)
            case _:
                yield from (*constants, _ELSE)


def _few(ways: list[tuple[_Literal, ...]]) -> list[tuple[_Literal, ...]]:
    if len(ways) > _MANY:
        raise _TooMany
    return ways


def _constants(part: Condition) -> tuple[Value, ...]:
    match part:
        case Compare(value=value):
            return (value,)
        case OneOf(values=values):
            return values
    return ()


def _answers(one: Asks, other: Asks) -> bool:
    """Whether a yes to the one is a yes to the other: it asks the same, or less exactly."""
    here, there = dict(one.arguments), dict(other.arguments)
    if one.predicate != other.predicate or (here.get("ever") and not there.get("ever")):
        return False
    return all(_covers(name, value, here.get(name)) for name, value in there.items() if name != "ever")


def _covers(name: str, wanted: object, given: object) -> bool:
    if name == "within" and isinstance(wanted, timedelta) and isinstance(given, timedelta):
        return given <= wanted
    return given == wanted


@dataclass(frozen=True)
class _Only:
    """Somebody of whom one field is known."""

    name: str
    known: Value | None

    def value(self, name: str) -> Value | None:
        return self.known if name == self.name else None

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        raise AssertionError(f"{predicate} is asked of fields alone, {dict(arguments)}")
