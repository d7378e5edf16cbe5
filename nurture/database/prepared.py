"""Statements of the hot path: spelled once per kind of database, then handed to the driver as they are.

SQLAlchemy takes ten times as long over a small statement as SQLite does. Whoever runs one for every mail builds it once
as a `Prepared`, and hands over many rows at once: as a list of identifiers (`is_among`) or as a table that is given
(`rows_given`). Statements that follow each other whatever they find are sent in one go (`run_together`). What comes back
may be `packed` into one row: Python lets another thread run for each row that SQLite finds, and waits until that one lets
go, which among busy threads takes longer than the whole statement.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

from nurture.database.columns import Instant
from nurture.database.engine import Session
from nurture.database.failing import place_of
from nurture.database.json_text import as_json

#: How a value becomes what the driver takes; None: it is that already.
_Process = Callable[[Any], Any] | None


class _Many(TypeDecorator[Any]):
    """Many values of one kind in one parameter."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.Text() if is_sqlite else ARRAY(self.of()))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return as_json(value) if dialect.name == "sqlite" else value


class _Table(TypeDecorator[Any]):
    """Many rows in one parameter."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        return value if isinstance(value, str) else as_json(value)


def is_among(column: Any, name: str, *, is_sqlite: bool, of: Any = sa.BigInteger) -> ColumnElement[bool]:
    """Clause: the column is one of the values, most often identifiers, that will be given as a list under this name."""
    given = sa.bindparam(name, type_=_Many(of))
    if not is_sqlite:
        found: ColumnElement[bool] = column == sa.func.any(given)
        return found
    each = sa.func.json_each(given).table_valued("value", name=f"each_{name}")
    among: ColumnElement[bool] = column.in_(sa.select(each.c.value))
    return among


def rows_given(name: str, columns: Mapping[str, Any], *, is_sqlite: bool) -> Any:
    """A table of the rows that will be given under this name, each a list of values in the order of `columns`.

    Rows that go into several statements may be given as the JSON of their list.
    """
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


def packed(question: Any, *, is_sqlite: bool) -> Any:
    """The same SELECT, whose rows come back as one on SQLite; `Prepared.unpacked` reads either."""
    if not is_sqlite:
        return question
    found = question.subquery("found")
    return sa.select(sa.func.json_group_array(sa.func.json_array(*found.c)))


class _Spelled:
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
                process = lru_cache(maxsize=64)(process)  # most that is written at once is written at one instant
            if name in given:
                self._given.append((name, process))
            else:
                value = state.parameters[name]
                self._fixed[name] = process(value) if process is not None else value
        self._is_plain = not self._fixed and all(process is None for _, process in self._given)

    def fill(self, given: Mapping[str, Any]) -> Any:
        if not self._is_plain:
            ready = {name: process(given[name]) if process else given[name] for name, process in self._given}
            given = {**self._fixed, **ready}
        elif self._in_order is None:
            return {name: given[name] for name, _ in self._given}
        return self._in_order(given) if self._in_order is not None else given


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

    def run_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each of these rows."""
        if rows:
            spelled = self._for(session)
            session.connection().exec_driver_sql(spelled.text, [spelled.fill(row) for row in rows])

    def rows(self, session: Session, **given: Any) -> list[Any]:
        """Run it once on the driver alone, which is what a statement for every few mails does; the rows it returns."""
        driver = _driver_of(session)
        if driver is None:
            result = self.run(session, **given)
            return list(result.all()) if result.returns_rows else []
        with closing(self._execute(session, driver, given)) as cursor:
            return list(cursor.fetchall()) if cursor.description is not None else []

    def unpacked(self, session: Session, **given: Any) -> list[Any]:
        """The rows of a question that was `packed`."""
        rows = self.rows(session, **given)
        found: list[Any] = json.loads(rows[0][0]) if session.get_bind().dialect.name == "sqlite" else rows
        return found

    def change(self, session: Session, **given: Any) -> int:
        """Run it once on the driver alone and say how many rows it touched."""
        driver = _driver_of(session)
        if driver is None:
            return int(self.run(session, **given).rowcount)
        with closing(self._execute(session, driver, given)) as cursor:
            return int(cursor.rowcount)

    def filled(self, **given: Any) -> "Filled":
        """To be run with others, by `run_together`."""
        return Filled(self, given)

    def _execute(self, session: Session, driver: "Driver", given: Mapping[str, Any]) -> Any:
        return driver.execute(*self.spell(session, driver, given))

    def spell(self, session: Session, driver: "Driver", given: Mapping[str, Any]) -> tuple[str, Any]:
        """Its text, and what the driver takes with it."""
        spelled = self._for(session, driver.dialect)
        return spelled.text, spelled.fill(given)

    def _for(self, session: Session, dialect: sa.Dialect | None = None) -> _Spelled:
        session.flush()  # a statement on the connection does not see what the session has only in mind
        dialect = dialect or session.get_bind().dialect
        spelled = self._spelled.get(dialect.name)
        if spelled is None:
            spelled = self._spelled[dialect.name] = _Spelled(self._make(is_sqlite=dialect.name == "sqlite"), dialect)
        return spelled


class Filled(NamedTuple):
    """A statement and what is given to it."""

    statement: Prepared
    given: Mapping[str, Any]


def run_together(session: Session, many: Sequence[Filled]) -> list[int]:
    """Run them one after the other and say how many rows each touched.

    To PostgreSQL they travel together: five small statements take a third of the time that asking and waiting five times
    does. Each still sees what was committed before it began.
    """
    driver = _driver_of(session)
    if driver is None:
        return [one.statement.change(session, **one.given) for one in many]
    return driver.execute_all([one.statement.spell(session, driver, one.given) for one in many])


class Driver:
    """The driver's own connection below a session; its errors come as SQLAlchemy's."""

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._error = connection.dialect.loaded_dbapi.Error

    @property
    def is_overheard(self) -> bool:
        """Whether somebody listens to all statements, which ours would not be among."""
        return bool(self._connection.engine.dispatch.before_cursor_execute)

    def execute(self, text: str, parameters: Any = ()) -> Any:
        """A cursor of the driver that has run this."""
        cursor = self._driver.cursor()
        try:
            cursor.execute(text, parameters)
        except self._error as error:
            cursor.close()
            raise self._as_ours(error, text) from error
        return cursor

    def execute_all(self, many: Sequence[tuple[str, Any]]) -> list[int]:
        """Run all of them; how many rows each touched."""
        with ExitStack() as ends:
            cursors = [ends.enter_context(closing(self._driver.cursor())) for _ in many]
            try:
                with self._driver.pipeline() if self._has_pipeline and len(many) > 1 else nullcontext():
                    for cursor, (text, parameters) in zip(cursors, many, strict=True):
                        cursor.execute(text, parameters)
                return [cursor.rowcount for cursor in cursors]
            except self._error as error:
                raise self._as_ours(error, "; ".join(text for text, _ in many)) from error

    @cached_property
    def _has_pipeline(self) -> bool:
        """Only PostgreSQL's driver can send several statements at once, and only with a library of its version 14."""
        pipeline = getattr(self._connection.dialect.loaded_dbapi, "Pipeline", None)
        return pipeline is not None and bool(pipeline.is_supported())

    def _as_ours(self, error: Exception, text: str) -> BaseException:
        raised = DBAPIError.instance(text, None, error, self._error, hide_parameters=True)
        if isinstance(raised, DBAPIError):
            raised.add_detail(place_of(self._connection.engine.url.render_as_string(hide_password=False)))
        return raised


_DRIVER = "driver"


def keep_driver(session: Session, driver: Driver) -> None:
    """Spare the session of a desk to be asked for its connection by each statement."""
    session.info[_DRIVER] = driver


def _driver_of(session: Session) -> Driver | None:
    """What to run statements on; None where they have to go through SQLAlchemy."""
    driver: Driver | None = session.info.get(_DRIVER)
    if driver is None:
        driver = Driver(session.connection())
    return None if driver.is_overheard else driver


def instant_of(value: Any) -> datetime | None:
    """An instant as `Prepared.run` finds it: ISO text without its zone on SQLite, aware on PostgreSQL."""
    if value is None:
        return None
    if isinstance(value, str):
        return _read_instant(value)
    found: datetime = value.astimezone(UTC)
    return found


def sure_instant_of(value: Any) -> datetime:
    """The same of a column that is never null."""
    found = instant_of(value)
    assert found is not None
    return found


def day_of(value: Any) -> date | None:
    """A date as `Prepared.run` finds it: ISO text on SQLite."""
    return date.fromisoformat(value) if isinstance(value, str) else value


@lru_cache(maxsize=256)
def _read_instant(text: str) -> datetime:
    """Rows that were written together have it in common."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def json_of(value: Any) -> Any:
    """A JSON value as `Prepared.run` finds it: text on SQLite, read already on PostgreSQL."""
    return json.loads(value) if isinstance(value, str) else value
