"""Erases people: everything `personal` lists about them, and every place elsewhere where their address stands.

`begin` promises it in one transaction: the address is suppressed as erased, which stops every mail and every import, and
what waits in the outbox is cancelled. `finish` carries it out in small transactions, so that it may be cut off at any
point and goes on at the next call: a contact whose address is suppressed as erased and who is still here is not done. A
database that was restored with such people in it is cleaned the same way. Called by the command, the page and the engine.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from nurture.consent.rules import Proof
from nurture.consent.suppressions.actions import suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import find_half_erased
from nurture.contacts import store as contacts
from nurture.contacts.store import Contact
from nurture.database import audit
from nurture.database.engine import Database, Session
from nurture.privacy import store
from nurture.privacy.personal import PERSONAL, Trace

#: What stands where an address stood.
ERASED = "(erased)"
_ROWS_AT_ONCE = 200

#: Tables of people who are no contacts: these know an address by its hash, or a row that does.
_BY_HASH = tuple(trace for trace in PERSONAL if trace.is_by_hash or trace.via == "newcomer")
_THEMSELVES = tuple(trace for trace in PERSONAL if trace.table == "contact")
_ABOUT_THEM = tuple(trace for trace in PERSONAL if trace not in _THEMSELVES)


def begin(session: Session, address_hash: str, *, proof: Proof, now: datetime, because: str = "") -> bool:
    """Promise it: from here on nobody writes to them. False when they were not known, and only the hash is kept."""
    contact = contacts.find_by_any_hash(session, address_hash)
    if contact is not None:
        address_hash = contact.address_hash
    former = contacts.former_hashes(session, contact.id) if contact else []
    for one in (address_hash, *former):
        suppress(session, one, SuppressionReason.ERASED, how=proof, now=now)
    audit.log(
        session, audit.ERASED, who=proof.by or "the person", at=now, about=address_hash, because=because or proof.how
    )
    if contact is not None:
        store.cancel_mails(session, contact.id, now)
    else:
        _erase_all(session, _BY_HASH, 0, address_hash)
    return contact is not None


def finish(database: Database, now: datetime, *, until: Callable[[], bool] = lambda: False) -> int:
    """Carry out what was promised; how many people are gone. Whose mail is on its way this second waits for another time.

    Between two people it asks whether to leave the rest for another time.
    """
    count = 0
    waiting: list[int] = []
    while not until():
        with database.reading() as session:
            contact = find_half_erased(session, besides=waiting)
            if contact is None:
                break
            if store.is_being_sent(session, contact.id):
                waiting.append(contact.id)
                continue
        _erase(database, contact, now)
        count += 1
    if count:
        store.sweep_disk(database)
    return count


def _erase(database: Database, contact: Contact, now: datetime) -> None:
    """1. What the tables hold about them. 2. Their address wherever else it stands. 3. They themselves."""
    with database.writing(durable=True) as session:
        store.cancel_mails(session, contact.id, now)
        theirs = {contact.email, *store.earlier_addresses(session, contact.id)}
    while _erase_some(database, _ABOUT_THEM, contact):
        pass
    words = sorted({word for email in theirs for word in spellings(email)})
    with database.reading() as session:
        named = list(store.mentions(session, words))
    for first in range(0, len(named), _ROWS_AT_ONCE):
        with database.writing() as session:
            for table, key, column in named[first : first + _ROWS_AT_ONCE]:
                before = store.value_at(session, table, key, column)
                store.write_at(session, table, key, column, without(before, words))
    with database.writing(durable=True) as session:
        contacts.lock_contacts(session, [contact.id], exclusively=True)
        _erase_all(session, PERSONAL, contact.id, contact.address_hash)


def _erase_some(database: Database, traces: Sequence[Trace], contact: Contact) -> int:
    with database.writing() as session:
        left = _ROWS_AT_ONCE
        for trace in traces:
            left -= store.erase_some(session, trace, contact.id, contact.address_hash, left)
            if left <= 0:
                break
        return _ROWS_AT_ONCE - left


def _erase_all(session: Session, traces: Sequence[Trace], contact_id: int, address_hash: str) -> None:
    for trace in traces:
        while store.erase_some(session, trace, contact_id, address_hash, _ROWS_AT_ONCE):
            pass


def spellings(email: str) -> list[str]:
    """How an address may be written in a text or in JSON, in small letters."""
    local, _, domain = email.lower().rpartition("@")
    try:
        shown = domain.encode("ascii").decode("idna")
    except UnicodeError:
        shown = domain
    plain = {f"{local}@{domain}", f"{local}@{shown}", f"{local}%40{domain}"}
    return sorted(plain | {json.dumps(one)[1:-1] for one in plain})


def without(value: Any, words: Sequence[str]) -> Any:
    """A text, or what a JSON column holds, without an address."""
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    match value:
        case str():
            return pattern.sub(ERASED, value)
        case dict():
            return {pattern.sub(ERASED, key): without(one, words) for key, one in value.items()}
        case list():
            return [without(one, words) for one in value]
    return value
