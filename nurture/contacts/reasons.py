"""Why a condition holds for somebody or does not, clause by clause, with what is known of them. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from nurture.conditions import (
    AllOf,
    AnyOf,
    Asks,
    Compare,
    Condition,
    Facts,
    Missing,
    Not,
    OneOf,
    Predicate,
    Value,
    holds,
)
from nurture.timing import Duration

#: What is known that answers a question, as in "last on 3 March 2026 in weekly/five-questions".
Evidence = Callable[[Asks], str]


@dataclass(frozen=True)
class Reason:
    """One clause, whether it holds for this person, and what is known of them that decides it."""

    clause: str
    holds: bool
    known: str = ""
    parts: tuple["Reason", ...] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """An indented tree: `company_size >= 50: no, it is 12`."""
        known = f", {self.known}" if self.known else ""
        yield f"{'  ' * depth}{self.clause}: {'yes' if self.holds else 'no'}{known}"
        for part in self.parts:
            yield from part.lines(depth + 1)

    def to_json(self) -> dict[str, Any]:
        return {
            "clause": self.clause,
            "holds": self.holds,
            "known": self.known or None,
            "parts": [part.to_json() for part in self.parts],
        }


def explain(condition: Condition, facts: Facts, predicates: Mapping[str, Predicate], evidence: Evidence) -> Reason:
    """The reason as a tree; every part is told, whether or not it decides."""

    def told(part: Condition) -> Reason:
        clause, is_so = spelled(part, predicates), holds(part, facts)
        match part:
            case AllOf((AllOf(parts, ""),), segment) if segment:
                return Reason(clause, is_so, "", tuple(map(told, parts)))
            case AllOf(parts) | AnyOf(parts):
                return Reason(clause, is_so, "", tuple(map(told, parts)))
            case Not(AllOf() | AnyOf() | Not() as inner):
                return Reason(clause, is_so, "", (told(inner),))
            case Not(inner):
                return Reason(f"not {spelled(inner, predicates)}", is_so, told(inner).known)
            case Asks():
                return Reason(clause, is_so, evidence(part))
        return Reason(clause, is_so, _is(facts.value(part.field)))

    return told(condition)


def spelled(part: Condition, predicates: Mapping[str, Predicate]) -> str:
    """A clause as a file would write it; what holds other clauses is named for how it joins them."""
    match part:
        case AllOf(_, segment) if segment:
            return f'in_segment("{segment}")'
        case AllOf(parts):
            return "all of these" if parts else "everybody"
        case AnyOf():
            return "at least one of these"
        case Not():
            return "not"
        case Missing(name):
            return f"{name} is None"
        case OneOf(name, values):
            return f"{name} in [{', '.join(map(_constant, values))}]"
        case Compare(name, operator, value):
            return f"{name} {operator} {_constant(value)}"
        case Asks(name, arguments):
            given = dict(arguments)
            first = [one.name for one in predicates[name].positional if one.name in given]
            rest = [f"{key}={_constant(value)}" for key, value in given.items() if key not in first]
            return f"{name}({', '.join([*(_constant(given[key]) for key in first), *rest])})"


def _constant(value: object) -> str:
    if isinstance(value, timedelta):
        return f'"{Duration(exact=value)}"'
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _is(value: Value | None) -> str:
    match value:
        case None:
            return "nothing is known"
        case bool():
            return f"it is {value}"
        case float():
            return f"it is {value:g}"
        case str():
            return f'it is "{value}"'
    return f"it is {value}"
