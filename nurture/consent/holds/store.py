"""Holds as they are kept, and all SQL about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.consent.rules import HandsOff
from nurture.contacts.store import Contact, Operator
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, is_among, sure_instant_of

_IS_OPEN = sa.text("followed_at IS NULL")


class Hold(SQLModel, table=True):
    """Hands off one contact, or everybody at one domain; append only but for how it ended.

    One that no operator placed is the contact's own: they asked for a pause.
    """

    __table_args__ = (sa.Index("ix_hold_open", "until", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),)

    id: int = id_column()
    contact_id: int | None = reference("contact.id", nullable=True, index=True)
    domain: str | None = Field(default=None, index=True, description="of a company, when it is not one contact")
    until: datetime = instant_column()
    because: str
    operator_id: int | None = reference("operator.id", nullable=True)
    placed_at: datetime = instant_column()
    lifted_at: datetime | None = instant_column(nullable=True)
    followed_at: datetime | None = instant_column(nullable=True)  # its end was seen to, by `delivery.holds`


_IS_MEANT = sa.or_(col(Hold.contact_id) == col(Contact.id), col(Hold.domain) == col(Contact.domain))


def _hands_off(*, is_sqlite: bool) -> Any:
    return (
        sa.select(col(Contact.id), col(Hold.until), col(Hold.because), col(Operator.name))
        .select_from(Hold)
        .outerjoin(Operator, col(Operator.id) == col(Hold.operator_id))
        .join(Contact, _IS_MEANT)
        .where(is_among(col(Contact.id), "ids", is_sqlite=is_sqlite), col(Hold.lifted_at).is_(None))
        .order_by(col(Hold.until))
    )


_HANDS_OFF = Prepared(_hands_off)


def hands_off(session: Session, contact_ids: Sequence[int]) -> dict[int, HandsOff]:
    """By contact, the hold that ends last of those nobody lifted; it may be over."""
    rows = _HANDS_OFF.rows(session, ids=list(contact_ids))
    return {contact_id: HandsOff(sure_instant_of(until), because, by or "") for contact_id, until, because, by in rows}


def is_on_hold(now: Any) -> ColumnElement[bool]:
    """Clause on `contact`: somebody holds them, or everybody at their domain."""
    # Two questions, each with an index of its own, rather than one with an "or" that has none.
    in_force = sa.and_(col(Hold.lifted_at).is_(None), col(Hold.until) > now)
    theirs = sa.exists().where(col(Hold.contact_id) == col(Contact.id), in_force)
    return sa.or_(theirs, sa.exists().where(col(Hold.domain) == col(Contact.domain), in_force))


def is_anybody_on_hold(now: Any) -> ColumnElement[bool]:
    """Clause: there is a hold in force at all."""
    return sa.exists().where(col(Hold.lifted_at).is_(None), col(Hold.until) > now)


def list_holds(session: Session, now: datetime) -> list[tuple[Hold, str, str | None, int]]:
    """The holds in force, the soonest to end first: each with who placed it, on whom, and how many people that is."""
    people = sa.select(sa.func.count()).select_from(Contact).where(_IS_MEANT).correlate(Hold).scalar_subquery()
    email = sa.select(col(Contact.email)).where(col(Contact.id) == col(Hold.contact_id)).scalar_subquery()
    statement = (
        sa.select(Hold, col(Operator.name), email, people)
        .join(Operator, col(Operator.id) == col(Hold.operator_id))
        .where(col(Hold.lifted_at).is_(None), col(Hold.until) > now)
    )
    return [(hold, by, on, count) for hold, by, on, count in session.execute(statement.order_by(col(Hold.until)))]


def holds_on(
    session: Session, now: datetime, *, contact_id: int | None = None, domain: str | None = None
) -> list[Hold]:
    """The holds of colleagues in force on exactly this contact, or on exactly this company."""
    target = col(Hold.contact_id) == contact_id if contact_id is not None else col(Hold.domain) == domain
    return list(session.scalars(_in_force(now).where(target, col(Hold.operator_id).is_not(None))))


def pauses_of(session: Session, now: datetime, contact_id: int) -> list[Hold]:
    """The pauses in force that a contact asked for."""
    return list(
        session.scalars(_in_force(now).where(col(Hold.contact_id) == contact_id, col(Hold.operator_id).is_(None)))
    )


def _in_force(now: datetime) -> sa.Select[Hold]:
    return sa.select(Hold).where(col(Hold.lifted_at).is_(None), col(Hold.until) > now)


def list_ended_holds(session: Session, now: datetime, limit: int) -> list[Hold]:
    """Holds that are over, and nobody has looked again at the people they were about."""
    is_over = sa.or_(col(Hold.until) <= now, col(Hold.lifted_at).is_not(None))
    return list(session.scalars(sa.select(Hold).where(col(Hold.followed_at).is_(None), is_over).limit(limit)))


def next_hold_end_at() -> ColumnElement[Any]:
    """Question: when the next hold ends."""
    ends_at = sa.case((col(Hold.lifted_at).is_not(None), col(Hold.lifted_at)), else_=col(Hold.until))
    return sa.select(sa.func.min(ends_at)).where(col(Hold.followed_at).is_(None)).scalar_subquery()
