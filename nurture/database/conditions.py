"""Turns a parsed condition into a clause.

`vocabulary` says what each word means in SQL; the rooms that own the words lend them. Every clause made here is true or
false, never NULL, so that `not` means the same as in `conditions.holds`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from nurture.conditions import AllOf, AnyOf, Asks, Compare, Condition, Missing, Not, OneOf, walk

Clause = ColumnElement[bool]


@dataclass(frozen=True)
class Vocabulary:
    """What the words of a condition mean in SQL: fields as columns, predicates as clauses."""

    fields: Mapping[str, ColumnElement[Any]]
    predicates: Mapping[str, Callable[[Mapping[str, object]], Clause]]
    #: Who satisfies any of these clauses, each looked up by itself; None where an `or` is asked person by person.
    unite: Callable[[Sequence[Clause]], Clause] | None = None

    def __or__(self, other: "Vocabulary") -> "Vocabulary":
        return Vocabulary(
            {**self.fields, **other.fields}, {**self.predicates, **other.predicates}, self.unite or other.unite
        )


_COMPARISONS: dict[str, Callable[[ColumnElement[Any], Any], Clause]] = {
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}


def to_clause(condition: Condition, vocabulary: Vocabulary) -> Clause:
    """The condition in SQL."""
    match condition:
        case AllOf(parts):
            return sa.and_(sa.true(), *(to_clause(part, vocabulary) for part in parts))
        case AnyOf(parts):
            clauses = [to_clause(part, vocabulary) for part in parts]
            if vocabulary.unite and any(isinstance(one, Asks) for one in walk(condition)):
                return vocabulary.unite(clauses)
            return sa.or_(sa.false(), *clauses)
        case Not(part):
            return sa.not_(to_clause(part, vocabulary))
        case Missing(name):
            return vocabulary.fields[name].is_(None)
        case OneOf(name, values):
            return _known(vocabulary.fields[name], lambda column: column.in_(values))
        case Compare(name, operator, value):
            return _known(vocabulary.fields[name], lambda column: _COMPARISONS[operator](column, value))
        case Asks(predicate, arguments):
            return vocabulary.predicates[predicate](dict(arguments))


def _known(column: ColumnElement[Any], compared: Callable[[ColumnElement[Any]], Clause]) -> Clause:
    """The comparison, false where nothing is known."""
    if isinstance(column, sa.Case) and column.else_ is None:
        # Within the CASE, PostgreSQL takes it for true of every second row. Of a CASE that is compared it expects one in
        # two hundred, and then looks up a million rows one by one (measured: 18 s instead of 2).
        return sa.case(*((when, compared(then)) for when, then in column.whens), else_=sa.false())
    # Not coalesce(…, false): that kept PostgreSQL from using an index (measured on 200,000 rows).
    return sa.and_(column.is_not(None), compared(column))
