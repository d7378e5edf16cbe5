"""Points that were given outright, and all SQL about scoring. Everything else a score consists of is computed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.database.statements import in_list_of, insert
from nurture.scoring.rules import Given


class GivenPoints(SQLModel, table=True):
    """Points a sequence gave a contact; the ledger beside the activities."""

    __tablename__ = "given_points"

    id: int = id_column()
    contact_id: int = reference("contact.id", index=True)
    key: str = Field(unique=True, description="who gave them for what: two decisions with one key count once")
    points: float
    half_life_seconds: float | None = None
    because: str
    given_at: datetime = instant_column()


_GIVEN = (
    sa.select(GivenPoints)
    .where(in_list_of(GivenPoints.contact_id, "ids"))
    .order_by(col(GivenPoints.given_at), col(GivenPoints.id))
)


def given_to(session: Session, contact_ids: Sequence[int]) -> dict[int, list[Given]]:
    """Points given outright, by contact, oldest first."""
    found: dict[int, list[Given]] = {}
    for one in session.scalars(_GIVEN, {"ids": list(contact_ids)}):
        half_life = timedelta(seconds=one.half_life_seconds) if one.half_life_seconds else None
        found.setdefault(one.contact_id, []).append(Given(one.points, one.because, one.given_at, half_life))
    return found


def insert_given(session: Session, **values: Any) -> None:
    """Points given outright; the same key again changes nothing."""
    session.execute(insert(session, GivenPoints).values(values).on_conflict_do_nothing(index_elements=["key"]))


def list_stale(session: Session, before: datetime, limit: int) -> list[int]:
    """Contacts whose points have been fading since before that moment."""
    statement = sa.select(col(Contact.id)).where(col(Contact.score) != 0, col(Contact.scored_at) < before)
    return list(session.scalars(statement.order_by(col(Contact.scored_at)).limit(limit)))


def oldest_scored_at() -> ColumnElement[Any]:
    """Question: when the stalest score that can fade was computed."""
    return sa.select(sa.func.min(col(Contact.scored_at))).where(col(Contact.score) != 0).scalar_subquery()
