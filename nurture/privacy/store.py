"""All SQL that walks over the personal tables, whatever they are: by name, as `personal` lists them.

A table is known by name once its store is imported, so every store with one of them stands in the imports here.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel, col

import nurture.consent.recording.store
import nurture.consent.rhythms.store
import nurture.consent.silence.store
import nurture.consent.store
import nurture.contacts.history.store
import nurture.contacts.newcomers.store
import nurture.delivery.outcomes.store
import nurture.delivery.relayed.store
import nurture.delivery.remembered.store
import nurture.forms.store
import nurture.handoff.store
import nurture.inbound.store
import nurture.newsletters.store
import nurture.outgoing.store
import nurture.privacy.requests.store
import nurture.scoring.store
import nurture.sequences.store
import nurture.tracking.store
import nurture.tracking.touches.store  # noqa: F401 — importing a store declares its tables
from nurture.contacts.history.store import ContactChange
from nurture.database.engine import Database, Session
from nurture.database.statements import changed_rows
from nurture.delivery.rules import STOPPABLE, Status
from nurture.delivery.store import Delivery
from nurture.privacy.personal import PERSONAL, Erasing, Trace

_TABLES = SQLModel.metadata.tables
#: Free text that may be about anybody: what somebody wrote about somebody else is found by the address in it.
_NOT_SWEPT = frozenset(
    {
        "contact",
        "newcomer",
        "operator",
        "campaign_version",
        "installation",
        "job_lock",
        "worker",
        "audit_entry",
        "consent_event",
    }
)


def rows_about(session: Session, trace: Trace, contact_id: int, address_hash: str) -> list[dict[str, Any]]:
    """What a table holds about somebody, oldest first as far as its key knows."""
    table = _TABLES[trace.table]
    statement = sa.select(table).where(_theirs(trace, contact_id, address_hash)).order_by(*table.primary_key.columns)
    return [dict(row) for row in session.execute(statement).mappings()]


def erase_some(session: Session, trace: Trace, contact_id: int, address_hash: str, limit: int) -> int:
    """Delete or empty some of the rows of a table; 0 when it holds nothing about them any more."""
    table = _TABLES[trace.table]
    keys = list(table.primary_key.columns)
    theirs = _theirs(trace, contact_id, address_hash)
    if trace.erasing is Erasing.EMPTY:
        theirs = sa.and_(theirs, sa.or_(*(_differs(table.c[name], value) for name, value in trace.emptied.items())))
    found = session.execute(sa.select(*keys).where(theirs).limit(limit)).all()
    if not found:
        return 0
    these = (
        sa.tuple_(*keys).in_([tuple(row) for row in found]) if len(keys) > 1 else keys[0].in_([row[0] for row in found])
    )
    if trace.erasing is Erasing.DELETE:
        return changed_rows(session, sa.delete(table).where(these))
    return changed_rows(session, sa.update(table).where(these).values(dict(trace.emptied)))


def _differs(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    if value is None:
        return column.is_not(None)
    differs: sa.ColumnElement[bool] = sa.cast(column, sa.Text) != "{}" if isinstance(value, dict) else column != value
    return differs


def _theirs(trace: Trace, contact_id: int, address_hash: str) -> sa.ColumnElement[bool]:
    """Clause: the rows of this table that are about them."""
    column = _TABLES[trace.table].c[trace.column]
    if trace.via:
        over = next(one for one in PERSONAL if one.table == trace.via)
        return column.in_(sa.select(_TABLES[trace.via].c.id).where(_theirs(over, contact_id, address_hash)))
    return column == (address_hash if trace.is_by_hash else contact_id)


def cancel_mails(session: Session, contact_id: int, now: datetime) -> int:
    """What waits for them in the outbox is not sent."""
    waiting = sa.update(Delivery).where(col(Delivery.contact_id) == contact_id, col(Delivery.status).in_(STOPPABLE))
    values = {"status": Status.CANCELLED, "because": "erased", "settled_at": now, "held_until": None, "worker_id": None}
    return changed_rows(session, waiting.values(values))


def earlier_addresses(session: Session, contact_id: int) -> list[str]:
    """The addresses they had before, as far as the history of their changes knows."""
    changed = sa.select(col(ContactChange.before)).where(
        col(ContactChange.contact_id) == contact_id, col(ContactChange.field).in_(("email", "merged"))
    )
    return [one for one in session.scalars(changed) if one and "@" in one]


def is_being_sent(session: Session, contact_id: int) -> bool:
    """Whether a mail to them is on its way this very second."""
    statement = sa.select(col(Delivery.id)).where(
        col(Delivery.contact_id) == contact_id, col(Delivery.status) == Status.SENDING
    )
    return session.execute(statement.limit(1)).first() is not None


def mentions(session: Session, words: list[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every place in another table where an address stands in clear: table, key of the row, column."""
    for table in SQLModel.metadata.sorted_tables:
        if table.name in _NOT_SWEPT:
            continue
        keys = list(table.primary_key.columns)
        for column in table.columns:
            if column.primary_key or not isinstance(getattr(column.type, "impl", column.type), sa.String | sa.JSON):
                continue
            text = sa.func.lower(sa.cast(column, sa.Text))
            named = sa.or_(*(text.contains(word, autoescape=True) for word in words))
            for row in session.execute(sa.select(*keys).where(named)):
                yield table.name, dict(zip((key.name for key in keys), row, strict=True)), column.name


def value_at(session: Session, table: str, key: Mapping[str, Any], column: str) -> Any:
    """What stands in one place."""
    return session.scalar(sa.select(_TABLES[table].c[column]).where(_is_row(table, key)))


def write_at(session: Session, table: str, key: Mapping[str, Any], column: str, value: Any) -> None:
    """Put something else there."""
    changed_rows(session, sa.update(_TABLES[table]).where(_is_row(table, key)).values({column: value}))


def _is_row(table: str, key: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    return sa.and_(*(_TABLES[table].c[name] == value for name, value in key.items()))


def sweep_disk(database: Database) -> None:
    """Have the database's own files forget what was deleted: old pages in the log, dead rows in tables."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        for name in {trace.table for trace in PERSONAL}:
            connection.execute(sa.text(f"VACUUM {name}"))
