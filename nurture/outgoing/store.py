"""The outbox of everything that is not mail, and all SQL about it.

As with mail, the row is the queue, and a key that says what the call is for makes deciding twice harmless.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.claiming import dead_workers, is_alive
from nurture.database.columns import id_column, instant_column, json_column, reference
from nurture.database.engine import Session
from nurture.database.installation import is_running
from nurture.database.statements import changed_rows, insert
from nurture.outgoing.rules import ARROWS, SETTLED, Status

_IS_QUEUED = sa.text("status = 'queued'")
_IS_CLAIMED = sa.text("status = 'claimed'")


class Call(SQLModel, table=True):
    """One HTTP request to somebody else's machine."""

    __tablename__ = "outgoing"
    __table_args__ = (
        sa.Index("ix_outgoing_queue", "due_at", "id", sqlite_where=_IS_QUEUED, postgresql_where=_IS_QUEUED),
        sa.Index("ix_outgoing_in_hand", "worker_id", sqlite_where=_IS_CLAIMED, postgresql_where=_IS_CLAIMED),
    )

    id: int = id_column()
    key: str = Field(unique=True, description="what it is for: two decisions with one key are one call")
    kind: str = "webhook"
    url: str = Field(description="from the file of its author, never from what a contact is called")
    headers: dict[str, Any] = json_column()
    payload: dict[str, Any] = json_column()
    contact_id: int | None = reference("contact.id", nullable=True, index=True)
    enrollment_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    status: str = Status.QUEUED
    because: str = Field(default="", description="why it failed, was refused, or is tried again")
    reply: str = Field(default="", description="the first words of the last answer")
    attempts: int = 0
    queued_at: datetime = instant_column()
    due_at: datetime = instant_column()
    settled_at: datetime | None = instant_column(nullable=True)
    worker_id: int | None = Field(default=None, sa_type=sa.BigInteger)


# Word for word as the partial indexes have it, or SQLite does not use them.
_QUEUED = col(Call.status) == sa.literal_column("'queued'")
_CLAIMED = col(Call.status) == sa.literal_column("'claimed'")


def insert_call(session: Session, row: Mapping[str, Any]) -> bool:
    """Queue a call; False when its key is there already."""
    statement = insert(session, Call).on_conflict_do_nothing(index_elements=["key"]).returning(col(Call.id))
    return session.scalar(statement, dict(row)) is not None


def claim_due(session: Session, worker: int, limit: int, now: datetime) -> list[Call]:
    """Take the calls that have waited longest for this worker; none while sending is paused."""
    due = (
        sa.select(col(Call.id))
        .where(_QUEUED, col(Call.due_at) <= now, is_running(), is_alive(worker))
        .order_by(col(Call.due_at), col(Call.id))
        .limit(limit)
        .with_for_update(skip_locked=True, of=Call)
    )
    ids = list(session.scalars(due))
    if not ids:
        return []
    claimed = sa.update(Call).where(col(Call.id).in_(ids), col(Call.status) == Status.QUEUED)
    session.execute(claimed.values(status=Status.CLAIMED, worker_id=worker, attempts=col(Call.attempts) + 1))
    rows = sa.select(Call).where(col(Call.id).in_(ids))
    return list(session.scalars(rows.order_by(col(Call.due_at), col(Call.id))))


def move_claimed(session: Session, worker: int, call_id: int, to: Status, now: datetime, **values: Any) -> bool:
    """Record how a try of this worker ended; False when the call was taken from it meanwhile."""
    mine = sa.update(Call).where(
        col(Call.id) == call_id, col(Call.status) == Status.CLAIMED, col(Call.worker_id) == worker
    )
    settled_at = now if to in SETTLED else None
    return changed_rows(session, mine.values(status=to, settled_at=settled_at, worker_id=None, **values)) == 1


def requeue(session: Session, call_id: int, now: datetime) -> bool:
    """Queue a settled call anew, by hand."""
    sources = [status for status, targets in ARROWS.items() if Status.QUEUED in targets and status in SETTLED]
    again = sa.update(Call).where(col(Call.id) == call_id, col(Call.status).in_(sources))
    # Its term begins anew, or it would be given up at once.
    values = {"queued_at": now, "due_at": now, "settled_at": None, "attempts": 0, "because": "tried again by hand"}
    return changed_rows(session, again.values(status=Status.QUEUED, **values)) == 1


def give_back(session: Session, call_ids: Sequence[int], worker: int) -> int:
    """Calls that were claimed and not begun go back."""
    mine = sa.update(Call).where(_CLAIMED, col(Call.worker_id) == worker, col(Call.id).in_(call_ids))
    return changed_rows(session, mine.values(status=Status.QUEUED, worker_id=None, attempts=col(Call.attempts) - 1))


def take_back(session: Session) -> int:
    """Calls of dead workers go back into the queue: whoever got one already knows its key."""
    orphaned = sa.update(Call).where(_CLAIMED, col(Call.worker_id).in_(dead_workers()))
    return changed_rows(session, orphaned.values(status=Status.QUEUED, worker_id=None))


def next_due_at(session: Session) -> datetime | None:
    """When the next call is due; None while sending is paused, for nothing is then."""
    soonest = sa.select(col(Call.due_at)).where(_QUEUED, is_running()).order_by(col(Call.due_at)).limit(1)
    return session.scalar(soonest)


def find_call(session: Session, call_id: int) -> Call | None:
    return session.get(Call, call_id)


def list_calls(session: Session, *, status: str = "", limit: int | None = None) -> list[tuple[Call, str]]:
    """Calls with the address of whom they are about, the newest first."""
    statement = (
        sa.select(Call, sa.func.coalesce(col(Contact.email), ""))
        .outerjoin(Contact, col(Contact.id) == col(Call.contact_id))
        .order_by(col(Call.id).desc())
        .limit(limit)
    )
    if status:
        statement = statement.where(col(Call.status) == status)
    return [(call, email) for call, email in session.execute(statement)]
