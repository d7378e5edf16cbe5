"""Contacts for tests, made the way the product makes them."""

from datetime import date, datetime
from typing import Any

from nurture.consent.actions import Said, record
from nurture.consent.definition import table_of
from nurture.consent.law.rules import ConsentTable
from nurture.consent.rules import Basis
from nurture.contacts import store as contacts
from nurture.contacts.actions import new_contact
from nurture.contacts.addresses import read_address
from nurture.database.engine import Session
from nurture.tokens import AddressHasher

#: Whoever opted in may be mailed; customers in the US for two years; nobody else.
TABLE: ConsentTable = table_of(
    {
        "format": 1,
        "rows": [
            {"country": ["*"], "basis": ["opt-in", "double-opt-in"], "then": "announce", "law": "consent",
             "checked_on": date(2026, 1, 1)},
            {"country": ["US"], "basis": ["customer"], "then": "announce", "within": 24, "otherwise": "ask", "law": "rule",
             "checked_on": date(2026, 1, 1)},
            {"country": ["US", "DE"], "basis": ["*"], "then": "never", "law": "rule", "checked_on": date(2026, 1, 1)},
        ],
        "tracking": {"ask_first": ["EEA"]},
    }
)  # fmt: skip


def add_contact(
    session: Session,
    hasher: AddressHasher,
    email: str,
    now: datetime,
    *,
    topic: str | None = "insights",
    basis: Basis | None = Basis.OPT_IN,
    **values: Any,
) -> contacts.Contact:
    """A contact who opted in to a topic, unless told otherwise."""
    address = read_address(email)
    contacts.insert_contacts(session, [new_contact(address, hasher, now, **{"country": "US", **values})])
    contact = contacts.find_contact(session, address.key)
    assert contact is not None
    if topic is not None:
        state = "given" if basis else "none"
        said = Said(
            contact.id, contact.address_hash, contact.country, topic, state, basis, now.date(), "a test", contact.domain
        )
        record(session, TABLE, [said], now)
    return contact
