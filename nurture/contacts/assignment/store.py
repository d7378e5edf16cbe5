"""The questions that assignment asks of the contacts."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from nurture.contacts.store import Contact
from nurture.database.engine import Session


def belongs_to_nobody() -> ColumnElement[bool]:
    """Clause on `contact`: no operator owns them; an owner somebody wrote down who does not work here is none."""
    return col(Contact.owner_id).is_(None)


def ownerless(session: Session, ids: Sequence[int]) -> list[int]:
    """Which of these belong to nobody, in the order in which they came."""
    statement = sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), belongs_to_nobody())
    return list(session.scalars(statement.order_by(col(Contact.id))))


def meeting(session: Session, ids: Sequence[int], clause: ColumnElement[bool]) -> frozenset[int]:
    """For which of these a condition holds."""
    return frozenset(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), clause)))


def set_owner(session: Session, contact_id: int, operator_id: int, now: datetime) -> bool:
    """Give somebody an owner; False when they got one meanwhile, who stays."""
    mine = sa.update(Contact).where(col(Contact.id) == contact_id, belongs_to_nobody())
    return bool(session.execute(mine.values(owner_id=operator_id, changed_at=now)).rowcount)  # type: ignore[attr-defined]  # an UPDATE answers with a CursorResult
