"""Many rows into one table, as tuples: half of what SQLAlchemy needs for a row of an import is making and reading dicts.

On SQLite the statement is written once and the driver is handed tuples, as the types of the columns keep their values;
columns that say in every row what the database puts there by itself are left out.
PostgreSQL's driver pipelines rows by itself and gets them the usual way.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from nurture.database.columns import Instant
from nurture.database.engine import Session, is_sqlite

Row = tuple[Any, ...]
_Keeper = Callable[[Any], Any]


def insert_rows(session: Session, table: Any, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert rows whose values come in the order of these columns, for SQLite made ready by `as_kept`.

    A row that is there already is an error.
    """
    if not rows:
        return
    session.flush()  # a statement on the connection does not see what the session has only in mind
    connection = session.connection()
    if is_sqlite(session):
        connection.exec_driver_sql(_statement(table, columns), list(rows))
    else:
        connection.execute(sa.insert(table), [dict(zip(columns, row, strict=True)) for row in rows])


def as_kept(table: Any, columns: tuple[str, ...], rows: Sequence[Row]) -> list[Row]:
    """The same rows as SQLite keeps them."""
    return list(zip(*_kept(table, columns, rows), strict=True))


def told_only(table: Any, columns: tuple[str, ...], rows: Sequence[Row]) -> tuple[tuple[str, ...], list[Row]]:
    """The same without columns in which every row has what SQLite puts there by itself; which are left."""
    fields = _kept(table, columns, rows)
    defaults = _defaults(table, columns)
    left = [place for place, field in enumerate(fields) if field.count(defaults[place]) < len(rows)]
    return tuple([columns[place] for place in left]), list(zip(*[fields[place] for place in left], strict=True))


def _kept(table: Any, columns: tuple[str, ...], rows: Sequence[Row]) -> list[Sequence[Any]]:
    """Column by column. Most instants of a chunk are one instant, so it is written once."""
    fields: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, is_plain, keeper in _keepers(table, columns):
        if is_plain:
            known = {value: keeper(value) for value in set(fields[place])}
            fields[place] = [known[value] for value in fields[place]]
        else:
            fields[place] = [keeper(value) for value in fields[place]]
    return fields


@lru_cache(maxsize=64)
def _statement(table: Any, columns: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    return f'INSERT INTO "{_table(table).name}" ({quoted}) VALUES ({marks})'  # noqa: S608 — names of our own tables


@lru_cache(maxsize=64)
def _keepers(table: Any, columns: tuple[str, ...]) -> tuple[tuple[int, bool, _Keeper], ...]:
    """For the columns that need it what makes of a value what SQLite keeps, and whether values can be compared."""
    dialect = sqlite.dialect()
    kinds = [_table(table).c[name].type for name in columns]
    found = [
        (place, isinstance(kind, Instant | sa.Date), kind.dialect_impl(dialect).bind_processor(dialect))
        for place, kind in enumerate(kinds)
    ]
    return tuple((place, is_plain, keeper) for place, is_plain, keeper in found if keeper)


@lru_cache(maxsize=64)
def _defaults(table: Any, columns: tuple[str, ...]) -> tuple[str | None, ...]:
    """What SQLite puts into each column that is not named."""
    given = [_table(table).c[name].server_default for name in columns]
    return tuple(str(one.arg) if isinstance(one, sa.DefaultClause) else None for one in given)


def _table(table: Any) -> sa.Table:
    found: sa.Table = sa.inspect(table).local_table
    return found
