"""Writes contacts into a file that spreadsheets open without harm and `contacts import` reads back without change.

A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP, CSV injection); the import takes it
away again.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from nurture.contacts.cells import guard
from nurture.contacts.columns import write_tags
from nurture.contacts.fields import DeclaredField
from nurture.contacts.store import COLUMN_FIELDS, Contact, Operator


def write_csv(stream: TextIO, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write headers and rows; how many rows there were."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([guard(header) for header in headers])
    count = 0
    for row in rows:
        writer.writerow([guard(spell(value)) for value in row])
        count += 1
    return count


def spell(value: object) -> str:
    """A value as the import reads it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case frozenset() | set():
            return write_tags(sorted(value))
    return str(value)


def headers_of(declared: Mapping[str, DeclaredField]) -> tuple[str, ...]:
    """The columns that `cells_of` fills."""
    return ("email", *COLUMN_FIELDS, "owner", "tags", *declared)


def cells_of(
    contact: Contact, owner: Operator | None, tags: frozenset[str], declared: Mapping[str, DeclaredField]
) -> list[object]:
    """What is known about a contact beside consent."""
    return [
        contact.email,
        *(getattr(contact, name) for name in COLUMN_FIELDS),
        # The text is newer than the operator: it was written down because it names somebody else.
        contact.owner_text or (owner.email if owner else None),
        tags,
        *(contact.fields.get(name) for name in declared),
    ]
