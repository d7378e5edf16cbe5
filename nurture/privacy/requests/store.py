"""Requests as they are kept, and all SQL about them."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.contacts.newcomers.store import forget_newcomer
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.forms.store import waits_for_newcomer
from nurture.privacy.requests.rules import Asked, Kind

_MOST_FORGOTTEN = 100
_KEPT_FOR = timedelta(days=1)


class PersonalRequest(SQLModel, table=True):
    """Somebody asked for their data, for erasure, another address or tracking; done once the mails are confirmed."""

    __tablename__ = "personal_request"

    id: int = id_column()
    contact_id: int = reference("contact.id", index=True)
    kind: str = Field(description="download, erase, address, tracking")
    newcomer_id: int | None = reference("newcomer.id", nullable=True, on_delete="SET NULL")
    asked_at: datetime = instant_column(index=True)
    expires_at: datetime = instant_column()
    confirmed_at: datetime | None = instant_column(nullable=True)
    confirmed_new_at: datetime | None = instant_column(nullable=True)

    @property
    def asked(self) -> Asked:
        return Asked(Kind(self.kind), self.expires_at, self.confirmed_at, self.confirmed_new_at)


def find_request(session: Session, request_id: int) -> PersonalRequest | None:
    return session.get(PersonalRequest, request_id)


def count_since(session: Session, contact_id: int, since: datetime) -> int:
    """How often something was asked for in this person's name."""
    statement = sa.select(sa.func.count()).select_from(PersonalRequest)
    return (
        session.scalar(
            statement.where(col(PersonalRequest.contact_id) == contact_id, col(PersonalRequest.asked_at) > since)
        )
        or 0
    )


def add_request(
    session: Session, contact_id: int, kind: Kind, newcomer_id: int | None, now: datetime, expires_at: datetime
) -> PersonalRequest:
    made = PersonalRequest(
        contact_id=contact_id, kind=kind, newcomer_id=newcomer_id, asked_at=now, expires_at=expires_at
    )
    session.add(made)
    session.flush()
    return made


def forget_old(session: Session, now: datetime) -> None:
    """Delete some requests that are over, and the addresses that were typed for them."""
    statement = sa.select(PersonalRequest).where(col(PersonalRequest.asked_at) < now - _KEPT_FOR)
    old = list(session.scalars(statement.limit(_MOST_FORGOTTEN)))
    if not old:
        return
    typed = [one.newcomer_id for one in old if one.newcomer_id is not None]
    session.execute(sa.delete(PersonalRequest).where(col(PersonalRequest.id).in_([one.id for one in old])))
    forget_typed(session, typed)


def forget_typed(session: Session, newcomer_ids: list[int]) -> None:
    """Delete addresses that somebody typed; one that a form waits for too stays, for as long as that does."""
    for one in newcomer_ids:
        still_asked = session.scalar(sa.select(sa.exists().where(col(PersonalRequest.newcomer_id) == one)))
        if not still_asked and not waits_for_newcomer(session, one):
            forget_newcomer(session, one)
