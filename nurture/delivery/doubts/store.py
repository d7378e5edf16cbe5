"""The mails in doubt, and all SQL about settling them."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col

from nurture.database.engine import Session
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery

# Word for word as the index says it, or SQLite would not take it.
_UNCERTAIN = col(Delivery.status) == sa.literal_column("'uncertain'")


def list_uncertain(
    session: Session, campaign: str = "", after: int = 0, limit: int = 500, *, is_locked: bool = False
) -> list[Delivery]:
    """Mails in doubt, of one campaign if it is named, by their numbers; `is_locked`: for whoever settles them."""
    statement = sa.select(Delivery).where(_UNCERTAIN, col(Delivery.id) > after)
    if campaign:
        statement = statement.where(col(Delivery.campaign) == campaign)
    if is_locked:
        statement = statement.with_for_update()
    return list(session.scalars(statement.order_by(col(Delivery.id)).limit(limit)))


def count_uncertain(session: Session, campaign: str = "") -> int:
    """How many there are."""
    statement = sa.select(sa.func.count()).select_from(Delivery).where(_UNCERTAIN)
    return session.scalar(statement.where(col(Delivery.campaign) == campaign) if campaign else statement) or 0


def settle_as_sent(session: Session, ids: Collection[int], because: str, now: datetime) -> list[int | None]:
    """These arrived after all; the contacts of those that were in doubt."""
    doubted = sa.update(Delivery).where(col(Delivery.id).in_(ids), _UNCERTAIN)
    settled = doubted.values(status=Status.SENT, because=because, settled_at=now).returning(col(Delivery.contact_id))
    return list(session.scalars(settled))
