"""All SQL of retention: a page of a table at a time, by its key, so that no question walks through all of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from nurture.database.engine import Session
from nurture.database.statements import changed_rows
from nurture.privacy.retention.rules import Term


def page_of(session: Session, term: Term, after: int, limit: int) -> Sequence[tuple[int, datetime | None]]:
    """The next rows by key, each with its instant; of a table that is walked by contact, the next contacts."""
    table = SQLModel.metadata.tables[term.table]
    key = table.c[term.key]
    if term.is_by_contact:
        ids = sa.select(key).where(key > after).distinct().order_by(key).limit(limit)
        return [(one, None) for one in session.scalars(ids)]
    rows = sa.select(key, table.c[term.at]).where(key > after).order_by(key).limit(limit)
    return [(number, at) for number, at in session.execute(rows)]


def let_go(session: Session, term: Term, keys: Sequence[int], before: datetime) -> int:
    """Delete or empty what is older in some rows, or of some people."""
    table = SQLModel.metadata.tables[term.table]
    old: Any = sa.and_(table.c[term.key].in_(keys), table.c[term.at] < before)
    if not term.emptied:
        return changed_rows(session, sa.delete(table).where(old))
    return changed_rows(session, sa.update(table).where(old).values(dict(term.emptied)))
