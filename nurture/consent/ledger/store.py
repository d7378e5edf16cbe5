"""What the ledger is asked: what it says of an address, what was said since, and what was said of somebody not here.

The ledger itself, and how it is written, is in `consent.store`.
"""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.echoes import is_no
from nurture.consent.rules import ConsentPurpose
from nurture.consent.store import ConsentEvent
from nurture.contacts.store import Contact, FormerAddress
from nurture.database.engine import Session
from nurture.database.statements import in_list_of


def known_events(session: Session, ids: Iterable[int]) -> set[int]:
    """Which of these entries the ledger has."""
    return set(
        session.scalars(sa.select(col(ConsentEvent.id)).where(in_list_of(ConsentEvent.id, "ids")), {"ids": list(ids)})
    )


def has_said_yes_since(session: Session, contact_id: int, topic: str, at: datetime) -> bool:
    """Whether they came back to a topic after that instant, on a page or with a yes of a later day."""
    statement = sa.select(col(ConsentEvent.id)).where(
        col(ConsentEvent.contact_id) == contact_id,
        col(ConsentEvent.topic) == topic,
        col(ConsentEvent.purpose) == ConsentPurpose.MAIL,
        col(ConsentEvent.what) == "given",
        col(ConsentEvent.recorded_at) > at,
        sa.or_(col(ConsentEvent.basis).is_(None), col(ConsentEvent.given_on) > at.date()),
    )
    return session.execute(statement.limit(1)).first() is not None


def list_events(session: Session, address_hash: str, contact_id: int | None = None) -> list[ConsentEvent]:
    """The ledger of one address, oldest first; with a contact also what was said of their earlier addresses."""
    # An entry names a contact who has or had the address, or nobody; only so there is an index for each part.
    of_address, whose = col(ConsentEvent.address_hash) == address_hash, col(ConsentEvent.contact_id)
    people = sa.union_all(
        sa.select(col(Contact.id)).where(col(Contact.address_hash) == address_hash),
        sa.select(col(FormerAddress.contact_id)).where(col(FormerAddress.address_hash) == address_hash),
    )
    is_theirs = sa.or_(sa.and_(of_address, whose.is_(None)), sa.and_(of_address, whose.in_(people)))
    if contact_id is not None:
        is_theirs = sa.or_(is_theirs, whose == contact_id)
    statement = sa.select(ConsentEvent).where(is_theirs)
    return list(session.scalars(statement.order_by(col(ConsentEvent.id))))


def left_through(session: Session, address_hash: str, left_at: datetime) -> set[int | None]:
    """The mails through which an address opted out, since the opt-out that stands; None: in another way."""
    statement = sa.select(col(ConsentEvent.delivery_id)).where(
        col(ConsentEvent.address_hash) == address_hash,
        col(ConsentEvent.what) == sa.literal_column("'opted_out'"),  # as the index says it, or it is not used
        col(ConsentEvent.recorded_at) >= left_at,
    )
    return set(session.scalars(statement))


def noes_of_nobody(session: Session, address_hash: str | None = None) -> dict[str, dict[tuple[str, str], ConsentEvent]]:
    """Every last no about a topic, or about tracking, of an address that was nobody's when it was written down.

    By address, then by topic and purpose. There are such for people whom a restored database did not have, and for those
    who were erased; whoever comes in under such an address has said no already.
    """
    said = sa.select(ConsentEvent).where(
        col(ConsentEvent.contact_id).is_(None),
        col(ConsentEvent.what).in_(("given", "refused", "withdrawn", "last_open_date")),
    )
    if address_hash is not None:
        said = said.where(col(ConsentEvent.address_hash) == address_hash)
    found: dict[str, dict[tuple[str, str], ConsentEvent]] = {}
    for one in session.scalars(said.order_by(col(ConsentEvent.recorded_at))):
        about = found.setdefault(one.address_hash, {})
        about.pop((one.topic, one.purpose), None)
        if is_no(one.what):
            about[one.topic, one.purpose] = one
    return {address: noes for address, noes in found.items() if noes}
