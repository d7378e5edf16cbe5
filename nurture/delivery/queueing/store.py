"""The statement that puts one mail for many people into the outbox, and what it asks about them before."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from nurture.consent.suppressions.store import Suppression
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, instant_of, is_among
from nurture.delivery.remembered.store import RememberedMail
from nurture.delivery.store import Delivery

_TABLE: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
#: What differs between the rows of one statement.
_OWN = ("id", "key", "contact_id", "domain")


def insert_alike(session: Session, row: Mapping[str, Any], people: Iterable[str]) -> None:
    """A delivery for each of these ("DELIVERY":CONTACT), like `row` in all but whom it is for.

    The key of each is that of the row with the contact behind it; who has a delivery of that key gets no other.
    """
    _run(session, row, people, is_answered=False)


def insert_alike_and_say(session: Session, row: Mapping[str, Any], people: Iterable[str]) -> list[int]:
    """The same, and which contacts got one."""
    return [contact for (contact,) in _run(session, row, people, is_answered=True)]


def _run(session: Session, row: Mapping[str, Any], people: Iterable[str], *, is_answered: bool) -> Any:
    shared = {name: value for name, value in row.items() if name not in _OWN}
    given = ",".join(people)
    return _insert(tuple(shared), is_answered=is_answered).run(
        session, people=f"{{{given}}}", key_begins=row["key"], **shared
    )


@lru_cache(maxsize=8)
def _insert(shared: tuple[str, ...], *, is_answered: bool) -> Prepared:
    def make(*, is_sqlite: bool) -> Any:
        given = sa.bindparam("people", type_=sa.Text)
        spread = sa.func.json_each(given) if is_sqlite else sa.func.json_each_text(sa.cast(given, postgresql.JSON))
        each = spread.table_valued("key", "value", name="person")
        contact = sa.cast(each.c.value, sa.BigInteger)
        chosen = sa.select(
            sa.cast(each.c.key, sa.BigInteger),
            sa.bindparam("key_begins", type_=sa.Text) + sa.cast(each.c.value, sa.Text),
            col(Contact.id),
            col(Contact.domain),
            *(sa.bindparam(name, type_=_TABLE.c[name].type) for name in shared),
        ).join_from(each, Contact, col(Contact.id) == contact)
        made = (sqlite if is_sqlite else postgresql).insert(_TABLE)
        # SQLite takes ON CONFLICT for part of a join unless something stands between the two.
        made = made.from_select([*_OWN, *shared], chosen.where(sa.true()))
        made = made.on_conflict_do_nothing(index_elements=["key"])
        return made.returning(_TABLE.c.contact_id) if is_answered else made

    return Prepared(make)


def _remembered(*, is_sqlite: bool) -> Any:
    got = sa.select(col(Contact.id)).join(RememberedMail, col(RememberedMail.address_hash) == col(Contact.address_hash))
    return got.where(
        is_among(Contact.id, "ids", is_sqlite=is_sqlite),
        col(RememberedMail.campaign) == sa.bindparam("campaign"),
        col(RememberedMail.mail) == sa.bindparam("mail"),
    )


def _suppressed(*, is_sqlite: bool) -> Any:
    listed = sa.select(col(Contact.id), col(Suppression.reason), col(Suppression.created_at)).join(
        Suppression, col(Suppression.address_hash) == col(Contact.address_hash)
    )
    return listed.where(is_among(Contact.id, "ids", is_sqlite=is_sqlite), col(Suppression.lifted_at).is_(None))


_IS_ANY_REMEMBERED = Prepared(lambda *, is_sqlite: sa.select(sa.exists(sa.select(col(RememberedMail.delivery_id)))))
_REMEMBERED, _SUPPRESSED = Prepared(_remembered), Prepared(_suppressed)
_DOMAINS = Prepared(
    lambda *, is_sqlite: sa.select(col(Contact.id), col(Contact.domain)).where(
        is_among(Contact.id, "ids", is_sqlite=is_sqlite)
    )
)


def had_before(session: Session, contact_ids: Sequence[int], campaign: str, mail: str) -> set[int]:
    """Which of these got this mail from this house before its database was restored to an earlier state."""
    if not _IS_ANY_REMEMBERED.run(session).scalar_one():
        return set()
    return {contact for (contact,) in _REMEMBERED.run(session, ids=list(contact_ids), campaign=campaign, mail=mail)}


def suppressions_of_contacts(session: Session, contact_ids: Sequence[int]) -> dict[int, dict[str, date]]:
    """Why the addresses of these are on the list, and since when, by contact."""
    found: dict[int, dict[str, date]] = {}
    rows: Sequence[Any] = _SUPPRESSED.run(session, ids=list(contact_ids)).all()
    for contact, reason, created_at in rows:
        at = instant_of(created_at)
        assert at is not None
        found.setdefault(contact, {})[reason] = at.date()
    return found


def domains_of_contacts(session: Session, contact_ids: Sequence[int]) -> dict[int, str]:
    """Where these have their addresses."""
    rows: Sequence[Any] = _DOMAINS.run(session, ids=list(contact_ids)).all()
    return dict(rows)
