"""The history as it is kept, and all SQL about it. Append only; erasure takes it away with the contact."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import KEY_IS_THE_ROW, instant_column, new_id
from nurture.database.engine import Session
from nurture.database.statements import changed_rows

_NOTED = "noted changes"


class ContactChange(SQLModel, table=True):
    """One field of one contact that changed."""

    __tablename__ = "contact_change"
    # The key is the way it is read, and new rows come in the order of the contacts of a chunk.
    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    id: int = Field(default_factory=new_id, primary_key=True, sa_type=sa.BigInteger)
    field: str = Field(description="a field, owner, tag, list, email, link:NAME; created and merged for a contact")
    before: str | None = None
    after: str | None = None
    by: str = Field(description="an operator's address, or what of ours did it: import, page, sequence …")
    how: str = Field(default="", description="file and line, step, page, rule")
    changed_at: datetime = instant_column()


def add_changes(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep these rows; they are written when the transaction commits, all in one statement."""
    session.info.setdefault(_NOTED, []).extend(rows)


@sa.event.listens_for(Session, "before_commit")
def _write_noted(session: Session) -> None:
    rows: list[Mapping[str, Any]] = session.info.pop(_NOTED, [])
    if rows:
        changed_rows(session, sa.insert(ContactChange), list(rows))


def list_changes(session: Session, contact_id: int, limit: int | None = None) -> list[ContactChange]:
    """What changed about a contact, the newest first."""
    statement = sa.select(ContactChange).where(col(ContactChange.contact_id) == contact_id)
    return list(session.scalars(statement.order_by(col(ContactChange.id).desc()).limit(limit)))


def last_change(session: Session, contact_id: int, fields: Sequence[str]) -> ContactChange | None:
    """The newest entry about one of these fields."""
    statement = sa.select(ContactChange).where(
        col(ContactChange.contact_id) == contact_id, col(ContactChange.field).in_(fields)
    )
    return session.scalars(statement.order_by(col(ContactChange.id).desc()).limit(1)).one_or_none()
