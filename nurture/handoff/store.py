"""Hand-offs as they are kept, and all SQL about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import SQLModel, col

from nurture.contacts.store import Contact, Operator
from nurture.database.columns import id_column, instant_column, json_column, reference
from nurture.database.conditions import Clause
from nurture.database.engine import Session

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
