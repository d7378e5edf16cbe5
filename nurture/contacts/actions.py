"""What may be done to contacts: add, change, tag, list, move between stages.

Each action takes a session and `now` and never commits. Whatever a condition can read is marked as changed in the same
transaction, so that scoring and sequences look at the contact again. Whatever changed stands in the history with its
author from then on.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.contacts import store
from nurture.contacts.addresses import Address, get_address
from nurture.contacts.history import actions as history
from nurture.contacts.history.rules import UNNAMED, Author, Change, change_of
from nurture.contacts.store import Contact, ContactList, Operator, StageMove
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.errors import NotAllowed, NotFound
from nurture.tokens import AddressHasher


def mark_changed(session: Session, ids: Iterable[int], now: datetime) -> None:
    """Something a condition can read about these contacts changed; every reader will look again."""
    store.add_changed(session, sorted(set(ids)), now)


def new_contact(address: Address, hasher: AddressHasher, now: datetime, **values: Any) -> dict[str, Any]:
    """The row of a contact that does not exist yet."""
    return {
        "id": new_id(),
        "email": address.email,
        "address_key": address.key,
        "address_hash": hasher.hash(address.key),
        "domain": address.domain,
        "fields": {},
        "stage": "subscriber",
        "interest_because": "",
        "score": 0.0,
        "fit_points": 0.0,
        "created_at": now,
        "changed_at": now,
        **dict.fromkeys(store.COLUMN_FIELDS),
        "owner_id": None,
        "owner_text": None,
        "links": {},
        **values,
    }


def get_contact(session: Session, email: str) -> Contact:
    """The contact with that address, however it is spelled."""
    contact = store.find_contact(session, get_address(email).key)
    if contact is None:
        raise NotFound(f"{email}: there is no such contact; type `nurture contacts add {email}`.")
    return contact


def change_contact(
    session: Session, contact: Contact, values: Mapping[str, Any], now: datetime, author: Author = UNNAMED
) -> list[str]:
    """Set columns and declared fields; the names of those that really changed."""
    changed = set_values(session, contact, values, now, author)
    if changed:
        mark_changed(session, [contact.id], now)
    return changed


def set_values(
    session: Session, contact: Contact, values: Mapping[str, Any], now: datetime, author: Author = UNNAMED
) -> list[str]:
    """The same for one of many contacts; the caller marks them all at once."""
    changes = changes_of(session, contact, values)
    if not changes:
        return []
    kept = dict(contact.fields)
    for name in changes:
        if name in store.COLUMN_FIELDS or name in _OWNERSHIP:
            setattr(contact, name, values[name])
        else:
            kept[name] = values[name]
    contact.fields = kept
    contact.changed_at = now
    session.add(contact)
    history.note(session, history.rows_of(contact.id, changes.values(), author, now))
    return list(changes)


_OWNERSHIP = ("owner_id", "owner_text")


def changes_of(session: Session, contact: Contact, values: Mapping[str, Any]) -> dict[str, Change]:
    """What these values would change about a contact, by name; nothing is written."""
    found = {}
    for name, value in values.items():
        is_column = name in store.COLUMN_FIELDS or name in _OWNERSHIP
        before = getattr(contact, name) if is_column else contact.fields.get(name)
        if before == value:
            continue
        if name == "owner_id":
            found[name] = Change("owner", _address_of(session, before), _address_of(session, value))
        else:
            found[name] = change_of(name, before, value)
    return found


def _address_of(session: Session, operator_id: int | None) -> str | None:
    operator = session.get(Operator, operator_id) if operator_id is not None else None
    return operator.email if operator else None


def set_link(
    session: Session, contact: Contact, kind: str, url: str | None, now: datetime, author: Author = UNNAMED
) -> bool:
    """Keep a link to a profile of theirs, or take it away; False when that changes nothing. No condition reads it."""
    before = contact.links.get(kind)
    if before == url:
        return False
    contact.links = {name: one for name, one in {**contact.links, kind: url}.items() if one is not None}
    contact.changed_at = now
    session.add(contact)
    history.note(session, history.rows_of(contact.id, [Change(f"link:{kind}", before, url)], author, now))
    return True


def tag_contact(session: Session, contact_id: int, tag: str, now: datetime, author: Author = UNNAMED) -> None:
    if store.insert_tag(session, contact_id, tag, now):
        history.note(session, history.rows_of(contact_id, [Change("tag", None, tag)], author, now))
        mark_changed(session, [contact_id], now)


def untag_contact(session: Session, contact_id: int, tag: str, now: datetime, author: Author = UNNAMED) -> None:
    if store.delete_tag(session, contact_id, tag):
        history.note(session, history.rows_of(contact_id, [Change("tag", tag, None)], author, now))
        mark_changed(session, [contact_id], now)


def change_address(
    session: Session, contact: Contact, address: Address, hasher: AddressHasher, now: datetime, author: Author
) -> bool:
    """Give a contact another address; False if it is theirs already. The old one is kept as theirs, by its hash.

    Only the contact's half: whoever takes a new address from somebody calls `consent.identity.actions.change_address`,
    which sees to it that a no said for the old address holds for the new one.
    """
    if address.key == contact.address_key:
        return False
    if store.find_contact(session, address.key) is not None:
        raise NotAllowed(
            f"{address.email} is a contact already; `nurture contacts merge {contact.email} {address.email}` makes the two one."
        )
    store.lock_contacts(session, [contact.id], exclusively=True)
    change = Change("email", contact.email, address.email)
    former, fresh = contact.address_hash, hasher.hash(address.key)
    contact.email, contact.address_key, contact.address_hash = address.email, address.key, fresh
    contact.domain, contact.changed_at = address.domain, now
    session.add(contact)
    session.flush()
    store.save_former_addresses(session, contact.id, [former], now)
    store.drop_former_address(session, contact.id, fresh)
    history.note(session, history.rows_of(contact.id, [change], author, now))
    mark_changed(session, [contact.id], now)
    return True


def ensure_list(session: Session, name: str, now: datetime) -> ContactList:
    """The list of that name, made if need be."""
    found = store.find_list(session, name)
    if found is None:
        found = ContactList(name=name, created_at=now)
        session.add(found)
        session.flush()
    return found


def join_list(session: Session, name: str, ids: Sequence[int], now: datetime, author: Author = UNNAMED) -> int:
    """Make contacts members of a list; how many were not yet."""
    target = ensure_list(session, name, now).id
    there = store.members_among(session, target, ids)
    joining = [one for one in ids if one not in there]
    joined = store.insert_members(session, target, joining, now)
    if joined:
        for one in joining:
            history.note(session, history.rows_of(one, [Change("list", None, name)], author, now))
        mark_changed(session, ids, now)
    return joined


def leave_list(session: Session, name: str, ids: Sequence[int], now: datetime, author: Author = UNNAMED) -> int:
    """Take contacts off a list; how many were on it."""
    found = store.find_list(session, name)
    there = store.members_among(session, found.id, ids) if found else frozenset()
    left = store.delete_members(session, found.id, ids) if found else 0
    if left:
        for one in sorted(there):
            history.note(session, history.rows_of(one, [Change("list", name, None)], author, now))
        mark_changed(session, ids, now)
    return left


def move_stage(session: Session, contact: Contact, stage: str, because: str, now: datetime) -> None:
    """Move a contact to a stage and write down why."""
    if contact.stage == stage:
        return
    move = StageMove(contact_id=contact.id, from_stage=contact.stage, to_stage=stage, because=because, moved_at=now)
    contact.stage = stage
    contact.changed_at = now
    session.add_all([contact, move])
    mark_changed(session, [contact.id], now)


def record_interest(session: Session, contact: Contact, interest: str, because: str, now: datetime) -> None:
    """What the person said they want; only ever called with something they said or chose."""
    contact.interest = interest
    contact.interest_at = now
    contact.interest_because = because
    contact.changed_at = now
    session.add(contact)
    mark_changed(session, [contact.id], now)


def mirror_operators(session: Session, declared: Sequence[Mapping[str, str]]) -> None:
    """Make the operators of the database those that settings.toml declares; none is deleted, contacts point at them."""
    known = {operator.email.lower(): operator for operator in store.list_operators(session).values()}
    for values in declared:
        operator = known.pop(values["email"].lower(), None) or Operator(email=values["email"], name=values["name"])
        for name, value in values.items():
            setattr(operator, name, value)
        operator.is_declared = True
        session.add(operator)
    for left in known.values():
        left.is_declared = False
        session.add(left)
    session.flush()
