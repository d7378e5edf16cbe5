"""Hand-offs and tasks as they are kept, and all SQL about them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact, Operator
from nurture.database.columns import id_column, instant_column, json_column, reference
from nurture.database.conditions import Clause
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert

_IS_OPEN = sa.text("verdict = 'waiting'")
WAITING = "waiting"


class HandOff(SQLModel, table=True):
    """A contact that was given to a rep, with the story as it was then, a deadline, and the verdict."""

    __tablename__ = "hand_off"
    __table_args__ = (
        sa.Index("uq_hand_off_open", "contact_id", unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        sa.Index("ix_hand_off_contact", "contact_id"),
    )

    id: int = id_column()
    contact_id: int = reference("contact.id")
    operator_id: int = reference("operator.id", index=True)
    reason: str
    because: str = ""
    score: float
    fit: str | None = None
    interest: str | None = None
    story: dict[str, Any] = json_column()
    created_at: datetime = instant_column()
    due_at: datetime = instant_column()
    verdict: str = WAITING
    verdict_reason: str = ""
    verdict_at: datetime | None = instant_column(nullable=True)
    amount: float | None = None
    recycle_at: datetime | None = instant_column(nullable=True, index=True)


_IS_UNDONE = sa.text("done_at IS NULL")


class Task(SQLModel, table=True):
    """Something an operator is to do about a contact, or about a company, by when, and why."""

    __table_args__ = (
        sa.Index("ix_task_undone", "due_at", sqlite_where=_IS_UNDONE, postgresql_where=_IS_UNDONE),
        sa.Index("ix_task_contact", "contact_id"),
    )

    id: int = id_column()
    key: str = Field(unique=True, description="what asked for it: asking twice is one task")
    contact_id: int | None = reference("contact.id", nullable=True)
    domain: str | None = Field(default=None, index=True, description="of the company, when it is about one")
    operator_id: int | None = reference("operator.id", nullable=True, index=True)
    what: str
    because: str = Field(default="", description="which step of which sequence asked for it")
    created_at: datetime = instant_column()
    due_at: datetime = instant_column()
    done_at: datetime | None = instant_column(nullable=True)


def list_hand_offs(session: Session, *, only_open: bool = False) -> list[tuple[HandOff, Contact, Operator]]:
    """Hand-offs with their contact and rep, the most urgent first."""
    statement = (
        sa.select(HandOff, Contact, Operator)
        .join(Contact, col(Contact.id) == col(HandOff.contact_id))
        .join(Operator, col(Operator.id) == col(HandOff.operator_id))
        .order_by(col(HandOff.verdict) != WAITING, col(HandOff.due_at))
    )
    if only_open:
        statement = statement.where(col(HandOff.verdict) == WAITING)
    return list(session.execute(statement))


def find_hand_off(session: Session, hand_off_id: int) -> HandOff | None:
    return session.get(HandOff, hand_off_id)


def hand_offs_of(session: Session, contact_ids: Sequence[int]) -> dict[int, list[HandOff]]:
    """All hand-offs of these contacts, oldest first."""
    statement = sa.select(HandOff).where(col(HandOff.contact_id).in_(contact_ids)).order_by(col(HandOff.id))
    found: dict[int, list[HandOff]] = {}
    for one in session.scalars(statement):
        found.setdefault(one.contact_id, []).append(one)
    return found


def list_to_recycle(session: Session, now: datetime, limit: int) -> list[HandOff]:
    """Rejected hand-offs whose term is over."""
    statement = sa.select(HandOff).where(col(HandOff.recycle_at) <= now).order_by(col(HandOff.recycle_at))
    return list(session.scalars(statement.limit(limit)))


def next_recycle_at() -> ColumnElement[Any]:
    """Question: when the next rejected contact may come again."""
    return sa.select(sa.func.min(col(HandOff.recycle_at))).scalar_subquery()


def is_true_of(session: Session, contact_id: int, clause: Clause) -> bool:
    """Whether a condition holds for this contact now."""
    return session.scalar(sa.select(sa.exists().where(col(Contact.id) == contact_id, clause))) is True


def insert_task(session: Session, row: Mapping[str, Any]) -> bool:
    """Write down a task; False when its key is there already."""
    statement = insert(session, Task).on_conflict_do_nothing(index_elements=["key"]).returning(col(Task.id))
    return session.scalar(statement, dict(row)) is not None


def drop_undone(session: Session, keys: Sequence[str]) -> int:
    """Tasks that are not wanted any more; what was done stays."""
    return changed_rows(session, sa.delete(Task).where(col(Task.key).in_(keys), _UNDONE))


def list_tasks(
    session: Session,
    *,
    owner: str = "",
    contact_id: int | None = None,
    domain: str = "",
    with_done: bool = False,
    limit: int | None = None,
) -> list[tuple[Task, Contact | None, Operator | None]]:
    """Tasks with whom they are about and who is to do them, the most urgent first, done ones last.

    A task about a company that nobody is known at has no contact. `domain`: also those about somebody who works there.
    """
    statement = (
        sa.select(Task, Contact, Operator)
        .outerjoin(Contact, col(Contact.id) == col(Task.contact_id))
        .outerjoin(Operator, col(Operator.id) == col(Task.operator_id))
        .order_by(col(Task.done_at).is_not(None), col(Task.due_at), col(Task.id))
        .limit(limit)
    )
    if not with_done:
        statement = statement.where(_UNDONE)
    if owner:
        statement = statement.where(sa.func.lower(col(Operator.email)) == owner.lower())
    if contact_id is not None:
        statement = statement.where(col(Task.contact_id) == contact_id)
    if domain:
        statement = statement.where(sa.or_(col(Task.domain) == domain, col(Contact.domain) == domain))
    return [(task, contact, operator) for task, contact, operator in session.execute(statement)]


def count_undone(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(Task).where(_UNDONE)) or 0


def find_task(session: Session, task_id: int) -> Task | None:
    return session.get(Task, task_id)


def mark_done(session: Session, task_id: int, now: datetime) -> bool:
    """False when it was done before."""
    undone = sa.update(Task).where(col(Task.id) == task_id, _UNDONE)
    return changed_rows(session, undone.values(done_at=now)) == 1


_UNDONE = col(Task.done_at).is_(None)
