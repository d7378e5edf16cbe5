"""Statements of the hot path: spelled once per kind of database, then handed to the driver as they are.

SQLAlchemy takes ten times as long over a small statement as SQLite does. Whoever runs one for every mail builds it once
as a `Prepared`, and hands over many rows at once: as a list of identifiers (`is_among`) or as a table that is given
(`rows_given`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import CursorResult
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

from nurture.database.engine import Session

_as_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

#: How a value becomes what the driver takes; None: it is that already.
_Process = Callable[[Any], Any] | None


class _Many(TypeDecorator[Any]):
    """Many identifiers in one parameter."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.Text() if is_sqlite else ARRAY(sa.BigInteger()))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return _as_text(value) if dialect.name == "sqlite" else value


class _Table(TypeDecorator[Any]):
    """Many rows in one parameter."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        return _as_text(value)


def is_among(column: Any, name: str, *, is_sqlite: bool) -> ColumnElement[bool]:
    """Clause: the column is one of the identifiers that will be given as a list under this name."""
    given = sa.bindparam(name, type_=_Many)
    if not is_sqlite:
        found: ColumnElement[bool] = column == sa.func.any(given)
        return found
    each = sa.func.json_each(given).table_valued("value", name=f"each_{name}")
    among: ColumnElement[bool] = column.in_(sa.select(each.c.value))
    return among


def rows_given(name: str, columns: Mapping[str, Any], *, is_sqlite: bool) -> Any:
    """A table of the rows that will be given under this name, each a list of values in the order of `columns`."""
    given = sa.bindparam(name, type_=_Table)
    if is_sqlite:
        each = sa.func.json_each(given).table_valued("value", name=f"each_{name}")
        values = [
            sa.type_coerce(sa.func.json_extract(each.c.value, sa.literal_column(f"'$[{place}]'")), kind).label(column)
            for place, (column, kind) in enumerate(columns.items())
        ]
    else:
        each = sa.func.jsonb_array_elements(sa.cast(given, JSONB)).table_valued(
            sa.column("value", JSONB), name=f"each_{name}"
        )
        values = [
            sa.cast(each.c.value.op("->>")(sa.literal_column(str(place))), kind).label(column)
            for place, (column, kind) in enumerate(columns.items())
        ]
    return sa.select(*values).subquery(name)


class _Spelled:
    """The text of a statement for one kind of database, and how what is given gets into it."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        given = {name for name, bound in compiled.binds.items() if bound.required}
        state = compiled.construct_expanded_state(dict.fromkeys(given))
        self.text = state.statement
        self._is_positional = bool(compiled.positional)
        names: Sequence[str] = state.positiontup if state.positiontup is not None else list(state.parameters)
        #: For each parameter its name, whether it is given, and then how it is processed, else its value.
        self._parts: list[tuple[str, bool, Any]] = []
        for name in names:
            bound = compiled.binds.get(name)
            kind = bound.type.dialect_impl(dialect) if bound is not None else None
            process: _Process = kind.bind_processor(dialect) if kind is not None else state.processors.get(name)
            value = state.parameters[name]
            fixed = process(value) if process is not None and name not in given else value
            self._parts.append((name, name in given, process if name in given else fixed))

    def fill(self, given: Mapping[str, Any]) -> Any:
        values = [
            (rest(given[name]) if rest is not None else given[name]) if is_given else rest
            for name, is_given, rest in self._parts
        ]
        if self._is_positional:
            return tuple(values)
        return {part[0]: value for part, value in zip(self._parts, values, strict=True)}


class Make(Protocol):
    """Builds a statement for one kind of database."""

    def __call__(self, *, is_sqlite: bool) -> Any: ...


class Prepared:
    """A statement that `make` builds the first time it is needed; what it needs is given by name."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._spelled: dict[str, _Spelled] = {}

    def run(self, session: Session, **given: Any) -> CursorResult[Any]:
        """Run it once; columns come as the driver has them."""
        spelled = self._for(session)
        return session.connection().exec_driver_sql(spelled.text, spelled.fill(given))

    def change(self, session: Session, **given: Any) -> int:
        """Run it once and say how many rows it touched."""
        return int(self.run(session, **given).rowcount)

    def run_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each of these rows."""
        if rows:
            spelled = self._for(session)
            session.connection().exec_driver_sql(spelled.text, [spelled.fill(row) for row in rows])

    def _for(self, session: Session) -> _Spelled:
        session.flush()  # a statement on the connection does not see what the session has only in mind
        dialect = session.get_bind().dialect
        spelled = self._spelled.get(dialect.name)
        if spelled is None:
            spelled = self._spelled[dialect.name] = _Spelled(self._make(is_sqlite=dialect.name == "sqlite"), dialect)
        return spelled


def instant_of(value: Any) -> datetime | None:
    """An instant as `Prepared.run` finds it: ISO text without its zone on SQLite, aware on PostgreSQL."""
    if value is None:
        return None
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    found: datetime = value.astimezone(UTC)
    return found


def json_of(value: Any) -> Any:
    """A JSON value as `Prepared.run` finds it: text on SQLite, read already on PostgreSQL."""
    return json.loads(value) if isinstance(value, str) else value
