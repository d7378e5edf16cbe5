"""Newcomers as they are kept, and all SQL about them.

A newcomer is nobody yet: no condition sees them, nothing counts them, and only service mail reaches them. The row goes
away when they confirm (then they are a contact) and when they do not.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.contacts.addresses import Address
from nurture.database.columns import id_column, instant_column, new_id
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert
from nurture.tokens import AddressHasher


class Newcomer(SQLModel, table=True):
    """An address that asked for something and has not confirmed it."""

    id: int = id_column()
    email: str
    address_key: str = Field(unique=True)
    address_hash: str = Field(max_length=32, description="how the suppression list knows the address")
    domain: str
    created_at: datetime = instant_column()

    @property
    def address(self) -> Address:
        return Address(self.email, self.address_key, self.domain)


def find_newcomer(session: Session, newcomer_id: int) -> Newcomer | None:
    return session.get(Newcomer, newcomer_id)


def lock_newcomer(session: Session, newcomer_id: int) -> None:
    """Hold the row until the commit: whoever else would make a contact of it waits."""
    session.execute(sa.select(col(Newcomer.id)).where(col(Newcomer.id) == newcomer_id).with_for_update())


def ensure_newcomer(session: Session, address: Address, hasher: AddressHasher, now: datetime) -> Newcomer:
    """The newcomer with that address, made if need be, and held until the commit: who asks next waits for this one."""
    made = {
        "email": address.email, "address_key": address.key, "address_hash": hasher.hash(address.key),
        "domain": address.domain, "created_at": now,
    }  # fmt: skip
    held = sa.select(Newcomer).where(col(Newcomer.address_key) == address.key).with_for_update()
    found = session.scalars(held).one_or_none()
    while found is None:
        # Two may ask at once, and whoever is there may be confirmed and go just now.
        changed_rows(session, insert(session, Newcomer).values(id=new_id(), **made).on_conflict_do_nothing())
        found = session.scalars(held).one_or_none()
    return found


def forget_newcomer(session: Session, newcomer_id: int) -> None:
    """Delete the row; a mail that waits for them fails, since nobody is known any more."""
    session.execute(sa.delete(Newcomer).where(col(Newcomer.id) == newcomer_id))
