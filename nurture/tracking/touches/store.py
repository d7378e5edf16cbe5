"""Touches as they are kept, append only, and all SQL about them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact, Operator
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.database.statements import in_list_of, insert


class Touch(SQLModel, table=True):
    """Something one of us did with a contact outside the mails of campaigns."""

    __table_args__ = (sa.Index("ix_touch_contact", "contact_id", "quiet_until"),)

    id: int = id_column()
    key: str = Field(unique=True, description="what left it: one mail is one touch, however often it comes")
    contact_id: int = reference("contact.id")
    operator_id: int = reference("operator.id", index=True)
    kind: str
    note: str = Field(default="", description="a line about it; of a mail its subject, never its words")
    through_id: int | None = reference("contact.id", nullable=True, index=True)  # the contact who introduced us
    occurred_at: datetime = instant_column()
    recorded_at: datetime = instant_column()
    quiet_until: datetime | None = instant_column(nullable=True)  # sequences stand still until then


class Quiet(NamedTuple):
    """Sequences of somebody stand still because a colleague is in touch with them."""

    until: datetime
    by: str
    kind: str


def insert_touch(session: Session, row: Mapping[str, Any]) -> bool:
    """Write a touch down; False when its key is there already."""
    statement = insert(session, Touch).on_conflict_do_nothing(index_elements=["key"]).returning(col(Touch.id))
    return session.scalar(statement, dict(row)) is not None


_QUIET = (
    sa.select(col(Touch.contact_id), col(Touch.quiet_until), col(Operator.name), col(Touch.kind))
    .join(Operator, col(Operator.id) == col(Touch.operator_id))
    .where(in_list_of(Touch.contact_id, "ids"), col(Touch.quiet_until) > sa.bindparam("at"))
    .order_by(col(Touch.quiet_until))
)


def quiet_of(session: Session, contact_ids: Sequence[int], now: datetime) -> dict[int, Quiet]:
    """By contact, the touch that keeps sequences quiet the longest from now on."""
    rows = session.execute(_QUIET, {"ids": list(contact_ids), "at": now})
    return {contact_id: Quiet(until, by, kind) for contact_id, until, by, kind in rows}


def touches_of(session: Session, contact_ids: Sequence[int]) -> list[tuple[Touch, Contact, Operator, Contact | None]]:
    """Touches with these contacts, the newest first: with whom, whose, and who introduced us."""
    through = aliased(Contact)
    statement = (
        sa.select(Touch, Contact, Operator, through)
        .join(Contact, col(Contact.id) == col(Touch.contact_id))
        .join(Operator, col(Operator.id) == col(Touch.operator_id))
        .outerjoin(through, col(through.id) == col(Touch.through_id))
        .where(col(Touch.contact_id).in_(contact_ids))
        .order_by(col(Touch.occurred_at).desc(), col(Touch.id).desc())
    )
    return [(touch, contact, operator, whom) for touch, contact, operator, whom in session.execute(statement)]
