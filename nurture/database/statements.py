"""Statements that SQLite and PostgreSQL spell alike but SQLAlchemy keeps apart."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from nurture.database.engine import Session, is_sqlite


def insert(session: Session, table: Any) -> Any:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if is_sqlite(session) else postgresql.insert(table)


def changed_rows(session: Session, statement: Any, rows: Any = None) -> int:
    """Run an UPDATE, DELETE or INSERT and say how many rows it touched; `rows` runs it once for each."""
    session.flush()  # a statement on the connection does not see what the session has only in mind
    # Without the option psycopg has closed its cursor before anybody asked, and an INSERT answers -1.
    options = {"preserve_rowcount": True}
    return int(session.connection().execute(statement, rows, execution_options=options).rowcount)


def in_list_of(column: Any, name: str) -> ColumnElement[bool]:
    """Clause: the column is in the list that will be given under this name.

    For statements that are built once: building one costs as much as running it.
    """
    found: ColumnElement[bool] = column.in_(sa.bindparam(name, expanding=True))
    return found


def ask_together(session: Session, question: Any) -> dict[str, Any]:
    """The answers of a SELECT of many small questions, by their labels: one round trip instead of many."""
    return dict(session.connection().execute(question).mappings().one())
