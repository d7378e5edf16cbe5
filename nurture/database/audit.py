"""The audit log: who exported, imported, erased, lifted, published or changed the consent table, when, and why.

Append only: nothing here changes or deletes an entry. It names people by the hash of their address, files by their name.
Called by whoever carries such a thing out, in the transaction that does it.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import Json, id_column, instant_column
from nurture.database.engine import Session

#: What is logged.
EXPORTED, IMPORTED, ERASED, LIFTED, SUPPRESSED = "exported", "imported", "erased", "lifted", "suppressed"
PUBLISHED, CONSENT_TABLE, LET_GO_ON = "published", "consent table", "let go on"


class AuditEntry(SQLModel, table=True):
    """One thing somebody did that has to be answered for."""

    __tablename__ = "audit_entry"

    id: int = id_column()
    at: datetime = instant_column(index=True)
    who: str = Field(description="the operator, the user of this machine, or the person themselves")
    what: str
    about: str = Field(default="", description="an address hash, a file, a campaign")
    because: str = ""
    details: dict[str, Any] = Field(default_factory=dict, sa_column=sa.Column(Json, nullable=False))


def log(
    session: Session, what: str, *, who: str, at: datetime, about: str = "", because: str = "", **details: Any
) -> None:
    """Add one entry."""
    session.add(AuditEntry(at=at, who=who, what=what, about=about, because=because, details=details))


def list_entries(session: Session, *, what: str = "", limit: int = 0) -> list[AuditEntry]:
    """The newest first; `limit` 0: all."""
    statement = sa.select(AuditEntry).order_by(col(AuditEntry.id).desc())
    if what:
        statement = statement.where(col(AuditEntry.what) == what)
    return list(session.scalars(statement.limit(limit) if limit else statement))
