"""The text of a statement for one kind of database, and how what is given gets into it. Used by `database.prepared`."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeDecorator

from nurture.database.columns import Instant, instant_in_utc, instant_text
from nurture.database.flight import Leg

#: How a value becomes what the driver takes; None: it is that already.
_Process = Callable[[Any], Any] | None


class Spelled:
    """The text of a statement for one kind of database, and how what is given gets into it."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled = visitors.cloned_traverse(statement, {}, {"bindparam": _write_out}).compile(dialect=dialect)
        given = {name for name, bound in compiled.binds.items() if bound.required}
        state = compiled.construct_expanded_state(dict.fromkeys(given))
        self.text = state.statement
        #: The parameters in their order where they have no names.
        names = list(state.positiontup) if state.positiontup is not None else None
        self._in_order = _picker(names) if names is not None else None
        self._given: list[tuple[str, _Process]] = []
        self._fixed: dict[str, Any] = {}
        for name in dict.fromkeys(names or state.parameters):
            bound = compiled.binds.get(name)
            kind = bound.type.dialect_impl(dialect) if bound is not None else None
            process: _Process = kind.bind_processor(dialect) if kind is not None else state.processors.get(name)
            if process is not None and isinstance(kind, Instant):
                process = instant_text if dialect.name == "sqlite" else instant_in_utc
            if name in given:
                self._given.append((name, process))
            else:
                value = state.parameters[name]
                self._fixed[name] = process(value) if process is not None else value
        self._is_plain = not self._fixed and all(process is None for _, process in self._given)
        self._pick = _picker(list(dict.fromkeys(_NAMED.findall(self.text)))) if names is None else None

    @cached_property
    def numbered(self) -> str:
        """The text with the names of its parameters as $1, $2, …, as libpq has them."""
        places: dict[str, int] = {}
        text = _NAMED.sub(lambda found: f"${places.setdefault(found[1], len(places) + 1)}", self.text)
        return text.replace("%%", "%")

    def leg(self, given: Mapping[str, Any]) -> Leg:
        """For a flight to PostgreSQL."""
        assert self._pick is not None
        return self.numbered, self._pick(self.fill(given))

    def fill(self, given: Mapping[str, Any]) -> Any:
        if not self._is_plain:
            ready = {name: process(given[name]) if process else given[name] for name, process in self._given}
            given = {**self._fixed, **ready}
        elif self._in_order is None:
            return {name: given[name] for name, _ in self._given}
        return self._in_order(given) if self._in_order is not None else given


_NAMED = re.compile(r"%\((\w+)\)s")


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """The values under these names, in their order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: tuple([given[name] for name in names])


def _write_out(bound: Any) -> None:
    """A value that is the same every time stands in the text.

    As a parameter it would have SQLite plan the statement anew each time: its value decides whether a partial index may
    be used (https://sqlite.org/partialindex.html), and planning costs ten times what running does.
    """
    kind = bound.type.impl_instance if isinstance(bound.type, TypeDecorator) else bound.type
    if not bound.required and isinstance(bound.value, str | int) and isinstance(kind, sa.String | sa.Integer):
        bound.type, bound.literal_execute = kind, True
