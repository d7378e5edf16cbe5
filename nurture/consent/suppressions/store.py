"""The suppression list as it is kept, and all SQL about it.

It knows addresses by keyed hash only, so that it outlives the contact, and answers for addresses nobody has as contact.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.columns import KEY_IS_THE_ROW, instant_column
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, in_list_of, insert


class Suppression(SQLModel, table=True):
    """An address that is not mailed, by keyed hash, for one reason; a lifted one stays as history."""

    __table_args__ = KEY_IS_THE_ROW

    address_hash: str = Field(primary_key=True, max_length=32)
    reason: str = Field(primary_key=True)
    created_at: datetime = instant_column()
    how: str
    lifted_at: datetime | None = instant_column(nullable=True)


def suppress(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Put addresses on the list; how many are new or were lifted before."""
    statement = insert(session, Suppression)
    again = statement.on_conflict_do_update(
        index_elements=["address_hash", "reason"],
        set_={"lifted_at": None, "created_at": statement.excluded.created_at, "how": statement.excluded.how},
        where=col(Suppression.lifted_at).is_not(None),
    )
    return sum(changed_rows(session, again.values(**row)) for row in rows)


def lift_suppression(session: Session, address_hash: str, reason: str, now: datetime) -> bool:
    standing = sa.update(Suppression).where(
        col(Suppression.address_hash) == address_hash,
        col(Suppression.reason) == reason,
        col(Suppression.lifted_at).is_(None),
    )
    return changed_rows(session, standing.values(lifted_at=now)) == 1


_SUPPRESSIONS = sa.select(col(Suppression.address_hash), col(Suppression.reason), col(Suppression.created_at)).where(
    in_list_of(Suppression.address_hash, "hashes"), col(Suppression.lifted_at).is_(None)
)


def suppressions_of(session: Session, hashes: Iterable[str]) -> dict[str, dict[str, datetime]]:
    """Reasons with their instants, by address hash."""
    found: dict[str, dict[str, datetime]] = {}
    for address_hash, reason, created_at in session.execute(_SUPPRESSIONS, {"hashes": list(hashes)}):
        found.setdefault(address_hash, {})[reason] = created_at
    return found


def is_suppressed(reasons: Collection[str] | None = None, whose: Any = None) -> ColumnElement[bool]:
    """Clause on `contact`, or on what has the column `whose`: their address is on the list, for one of these reasons."""
    is_theirs = col(Suppression.address_hash) == (col(Contact.address_hash) if whose is None else whose)
    found = sa.exists().where(is_theirs, col(Suppression.lifted_at).is_(None))
    return found if reasons is None else found.where(col(Suppression.reason).in_(reasons))
