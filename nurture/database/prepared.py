"""Statements of the hot path: spelled once per kind of database, then handed to the driver as they are.

SQLAlchemy takes ten times as long over a small statement as SQLite does. Whoever runs one for every mail builds it once
as a `Prepared`, and hands over many rows at once: as a list of identifiers (`is_among`) or as a table that is given
(`rows_given`). Statements that follow each other whatever they find are sent in one go (`run_together`). What comes back
may be `packed` into one row: Python lets another thread run for each row that SQLite finds, and waits until that one lets
go, which among busy threads takes longer than the whole statement.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import CursorResult
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

from nurture.database.driver import Driver, Leaving, driver_of
from nurture.database.engine import Session
from nurture.database.json_text import as_json
from nurture.database.spelled import Spelled


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

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], str]:
        return as_json if dialect.name == "sqlite" else _as_array


def _as_array(values: Sequence[int | str]) -> str:
    """As PostgreSQL spells a list; its driver would look at each value in Python, which takes ten times as long."""
    return f"{{{','.join([str(one) if isinstance(one, int) else _quoted(one) for one in values])}}}"


def _quoted(word: str) -> str:
    inner = word.replace("\\", r"\\").replace('"', r"\"")
    return f'"{inner}"'


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


def not_by_index(column: Any) -> Any:
    """The column, for a condition on rows that are found by another one, however good its index looks.

    PostgreSQL believes its statistics, which say that nothing is in hand, and looks through the index of what is in hand
    for twenty rows whose key it was given. Between two passes of VACUUM that index is full of rows that have left since.
    """
    return column + 0 if isinstance(column.type, sa.Integer) else column.concat("")


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


class Make(Protocol):
    """Builds a statement for one kind of database."""

    def __call__(self, *, is_sqlite: bool) -> Any: ...


class Prepared:
    """A statement that `make` builds the first time it is needed; what it needs is given by name."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._spelled: dict[str, Spelled] = {}

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
        driver = driver_of(session)
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
        driver = driver_of(session)
        if driver is None:
            return int(self.run(session, **given).rowcount)
        [touched] = driver.execute_all([self.spell(session, driver, given)])
        return touched

    def filled(self, **given: Any) -> "Filled":
        """To be run with others, by `run_together`."""
        return Filled(self, given)

    def _execute(self, session: Session, driver: Driver, given: Mapping[str, Any]) -> Any:
        spelled = self._for(session, driver.dialect)
        return driver.execute(spelled.text, spelled.fill(given))

    def spell(self, session: Session, driver: Driver, given: Mapping[str, Any]) -> Leaving:
        """For `Driver.execute_all`."""
        return Leaving(self._for(session, driver.dialect), given)

    def _for(self, session: Session, dialect: sa.Dialect | None = None) -> Spelled:
        session.flush()  # a statement on the connection does not see what the session has only in mind
        dialect = dialect or session.get_bind().dialect
        spelled = self._spelled.get(dialect.name)
        if spelled is None:
            spelled = self._spelled[dialect.name] = Spelled(self._make(is_sqlite=dialect.name == "sqlite"), dialect)
        return spelled


class Filled(NamedTuple):
    """A statement, what is given to it, and who is told how many rows it touched, or found on PostgreSQL."""

    statement: Prepared
    given: Mapping[str, Any]
    told: Callable[[int], None] | None = None


def run_together(session: Session, many: Sequence[Filled]) -> list[int]:
    """Run them one after the other and say how many rows each touched.

    To PostgreSQL they travel together: five small statements take a third of the time that asking and waiting five times
    does. Each still sees what was committed before it began.
    """
    driver = driver_of(session)
    if driver is None:
        counts = [one.statement.change(session, **one.given) for one in many]
    else:
        counts = driver.execute_all([one.statement.spell(session, driver, one.given) for one in many])
    for one, count in zip(many, counts, strict=True):
        if one.told is not None:
            one.told(count)
    return counts


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
