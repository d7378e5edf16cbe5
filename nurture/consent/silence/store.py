"""What an export knew of people's past as it is kept, and all SQL about it.

One row for those of whom another system told something, who act here, or who are kept back. It orders the announcement
and is never part of a score.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.columns import KEY_IS_THE_ROW
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, day_of, is_among
from nurture.database.statements import changed_rows, in_list_of, insert


class ContactPast(SQLModel, table=True):
    """What was known of somebody before our first mail, and the last day they showed that they are there."""

    __tablename__ = "contact_past"
    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    last_open_on: date | None = None
    last_click_on: date | None = None
    last_reply_on: date | None = None
    last_contact_on: date | None = None
    bounce_count: int | None = None
    last_sign_on: date | None = Field(default=None, description="the latest of these, of a basis, and of acts here")
    told_on: date | None = Field(default=None, description="when a file last told something new")
    kept_back: str | None = Field(default=None, description="silent or purchased: not written to until they say yes")


_KEPT = ("last_open_on", "last_click_on", "last_reply_on", "last_contact_on", "bounce_count", "last_sign_on", "told_on",
         "kept_back")  # fmt: skip
_PASTS = sa.select(ContactPast).where(in_list_of(ContactPast.contact_id, "ids"))


def _kept_back(*, is_sqlite: bool) -> Any:
    columns = (col(ContactPast.contact_id), col(ContactPast.kept_back), col(ContactPast.last_sign_on))
    theirs = is_among(col(ContactPast.contact_id), "ids", is_sqlite=is_sqlite)
    return sa.select(*columns).where(theirs, col(ContactPast.kept_back).is_not(None))


_KEPT_BACK = Prepared(_kept_back)


def pasts_of(session: Session, contact_ids: Iterable[int]) -> dict[int, ContactPast]:
    """What is known, by contact."""
    return {one.contact_id: one for one in session.scalars(_PASTS, {"ids": list(contact_ids)})}


def kept_back(session: Session, contact_ids: Iterable[int]) -> dict[int, tuple[str, date | None]]:
    """Who of these is kept back, why, and when they last showed that they are there."""
    found = _KEPT_BACK.rows(session, ids=list(contact_ids))
    return {contact_id: (reason, day_of(day)) for contact_id, reason, day in found}


def save_pasts(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what is known; a row that is there is replaced."""
    if not rows:
        return
    statement = insert(session, ContactPast)
    fresh = {name: statement.excluded[name] for name in _KEPT}
    changed_rows(session, statement.on_conflict_do_update(index_elements=["contact_id"], set_=fresh), list(rows))


def save_signs(session: Session, days: Mapping[int, date]) -> None:
    """These people did something on that day; what is known and later stays."""
    if not days:
        return
    statement = insert(session, ContactPast)
    later = statement.on_conflict_do_update(
        index_elements=["contact_id"],
        set_={"last_sign_on": statement.excluded.last_sign_on},
        where=sa.or_(
            col(ContactPast.last_sign_on).is_(None), col(ContactPast.last_sign_on) < statement.excluded.last_sign_on
        ),
    )
    changed_rows(session, later, [{"contact_id": i, "last_sign_on": day} for i, day in sorted(days.items())])


def let_go(session: Session, contact_ids: Sequence[int]) -> None:
    """These people said yes themselves: nothing keeps them back any more."""
    kept = sa.update(ContactPast).where(
        col(ContactPast.contact_id).in_(contact_ids), col(ContactPast.kept_back).is_not(None)
    )
    changed_rows(session, kept.values(kept_back=None))


def is_kept_back() -> ColumnElement[bool]:
    """Clause on `contact`: `rules.keep_back` said so when they came in, and they did not say yes since."""
    told = sa.exists().where(col(ContactPast.contact_id) == col(Contact.id), col(ContactPast.kept_back).is_not(None))
    return told.correlate_except(ContactPast)


def has_sign_since(day: date) -> ColumnElement[bool]:
    """Clause on `contact`: they showed that they are there on that day or later, as far as was written down."""
    told = sa.exists().where(col(ContactPast.contact_id) == col(Contact.id), col(ContactPast.last_sign_on) >= day)
    return told.correlate_except(ContactPast)
