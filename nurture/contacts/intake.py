"""Takes the rows of a file into the contacts: makes those who are new, changes those who are known.

A cell with something in it replaces what is stored, an empty one never does. `--source` is about how somebody first
came in, so it only fills a gap. These are actions for many contacts at once: they never commit, and the caller marks
everybody who came out as created or updated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from nurture.contacts import store
from nurture.contacts.actions import changes_of, ensure_list, new_contact, set_values
from nurture.contacts.cells import clean
from nurture.contacts.history import actions as history
from nurture.contacts.history.rules import Author, Change
from nurture.contacts.imports import ImportRow, Note
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.tokens import AddressHasher


class Outcome(StrEnum):
    """What became of a contact of the file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Desk:
    """What rows are taken in with: operators by address and by name in lower case, and a lead source for the gaps.

    An operator without an identifier is declared and not in the database yet, as before the first `publish`.
    """

    hasher: AddressHasher
    operators: Mapping[str, int | None]
    source: str | None = None


@dataclass(frozen=True)
class Taken:
    """A contact that a row was taken into; `has_moved` says that another country's law counts now.

    `changes` are those of a contact that was known, field by field.
    """

    row: ImportRow
    contact_id: int
    address_hash: str
    country: str | None
    outcome: Outcome
    has_moved: bool = False
    notes: tuple[Note, ...] = ()
    changes: tuple[Change, ...] = ()


def take_in(
    session: Session,
    rows: Sequence[ImportRow],
    known: Mapping[str, Contact],
    desk: Desk,
    now: datetime,
    *,
    author: Callable[[int], Author],
    list_name: str = "",
) -> list[Taken]:
    """Make or change the contact of each row, tag it and put it on the list; `known` are those there are, by key.

    `author` says of a line who changed what it changed.
    """
    fresh = [new_row(row, desk, now) for row in rows if row.address.key not in known]
    # In one order everywhere, so that two imports of one file wait for each other and never deadlock.
    store.insert_contacts(session, sorted(fresh, key=lambda contact: str(contact["address_key"])))
    by_key = {contact["address_key"]: contact for contact in fresh}
    taken = [
        _made(row, by_key[row.address.key], desk)
        if row.address.key in by_key
        else _changed(session, row, known[row.address.key], desk, now, author(row.line))
        for row in rows
    ]
    for one in taken:
        if one.outcome is Outcome.CREATED:
            history.note(session, history.created(one.contact_id, author(one.row.line), now))
    touched: dict[int, list[Change]] = {}
    for contact_id, tag in _tag(session, taken, now):
        touched.setdefault(contact_id, []).append(Change("tag", None, tag))
    for contact_id in _list(session, taken, list_name, now):
        touched.setdefault(contact_id, []).append(Change("list", None, list_name))
    for one in taken:
        if one.outcome is not Outcome.CREATED and one.contact_id in touched:
            history.note(session, history.rows_of(one.contact_id, touched[one.contact_id], author(one.row.line), now))
    return [_touch(one, touched[one.contact_id]) if one.contact_id in touched else one for one in taken]


def operators_by_word(operators: Mapping[int, store.Operator]) -> dict[str, int]:
    """Operators by address, and by name where only one is called so."""
    names = [operator.name.lower() for operator in operators.values()]
    by_name = {one.name.lower(): i for i, one in operators.items() if names.count(one.name.lower()) == 1}
    return {**by_name, **{one.email.lower(): i for i, one in operators.items()}}


def new_row(row: ImportRow, desk: Desk, now: datetime) -> dict[str, Any]:
    """The contact a row makes of somebody nobody knew."""
    values = {"source": desk.source, **row.values, **_owner(row, desk)}
    declared = {name: values.pop(name) for name in row.values if name not in store.COLUMN_FIELDS}
    return new_contact(row.address, desk.hasher, now, **values, fields=declared)


def _made(row: ImportRow, contact: Mapping[str, Any], desk: Desk) -> Taken:
    return Taken(
        row,
        contact["id"],
        contact["address_hash"],
        contact["country"],
        Outcome.CREATED,
        notes=owner_notes(row, desk),
    )


def _changed(session: Session, row: ImportRow, contact: Contact, desk: Desk, now: datetime, author: Author) -> Taken:
    before = contact.country
    stored = {**contact.fields, **{name: getattr(contact, name) for name in store.COLUMN_FIELDS}}
    values = {name: value for name, value in row.values.items() if not _says_the_same(stored.get(name), value)}
    if contact.source is None and "source" not in values and desk.source is not None:
        values["source"] = desk.source
    values |= _owner(row, desk)
    changes = tuple(changes_of(session, contact, values).values()) if values else ()
    if changes:
        set_values(session, contact, values, now, author)
    return Taken(
        row,
        contact.id,
        contact.address_hash,
        contact.country,
        Outcome.UPDATED if changes else Outcome.UNCHANGED,
        contact.country != before,
        owner_notes(row, desk),
        changes,
    )


def _says_the_same(stored: object, value: object) -> bool:
    """A text that a page stored on several lines comes back from an export on one."""
    return stored == value or (isinstance(stored, str) and clean(stored) == value)


def _owner(row: ImportRow, desk: Desk) -> dict[str, Any]:
    if not row.owner:
        return {}
    if row.owner.lower() not in desk.operators:
        return {"owner_text": row.owner}
    return {"owner_id": desk.operators[row.owner.lower()], "owner_text": None}


def owner_notes(row: ImportRow, desk: Desk) -> tuple[Note, ...]:
    """That an owner nobody knows was kept as a text."""
    if not row.owner or row.owner.lower() in desk.operators:
        return ()
    return (
        Note("owner", "nobody who works here, so kept as a text; declare them in settings.toml and publish", row.owner),
    )


def _tag(session: Session, taken: Sequence[Taken], now: datetime) -> list[tuple[int, str]]:
    """Who got which tag they had not."""
    tagged = [one for one in taken if one.row.tags]
    if not tagged:
        return []
    have = store.tags_of(session, [one.contact_id for one in tagged])
    pairs = [
        (one.contact_id, tag)
        for one in tagged
        for tag in one.row.tags
        if tag not in have.get(one.contact_id, frozenset())
    ]
    store.insert_tags(session, pairs, now)
    return pairs


def _list(session: Session, taken: Sequence[Taken], name: str, now: datetime) -> list[int]:
    """Who joined the list."""
    if not name or not taken:
        return []
    ids = [one.contact_id for one in taken]
    list_id = ensure_list(session, name, now).id
    there = store.members_among(session, list_id, ids)
    joining = [contact_id for contact_id in ids if contact_id not in there]
    store.insert_members(session, list_id, joining, now)
    return joining


def _touch(one: Taken, changes: Sequence[Change]) -> Taken:
    outcome = Outcome.UPDATED if one.outcome is Outcome.UNCHANGED else one.outcome
    return replace(one, outcome=outcome, changes=(*one.changes, *changes))
