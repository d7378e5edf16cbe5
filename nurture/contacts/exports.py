"""Writes contacts into a file that spreadsheets open without harm and `contacts import` reads back without change.

CSV, TSV or XLSX. A cell that a spreadsheet would take for a formula begins with an apostrophe in all of them (OWASP, CSV
injection), since a workbook is saved as CSV sooner or later; the import takes it away again.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TextIO

from nurture.contacts.cells import guard
from nurture.contacts.columns import write_tags
from nurture.contacts.fields import DeclaredField
from nurture.contacts.store import COLUMN_FIELDS, Contact, Operator
from nurture.errors import BadInput, did_you_mean

FORMATS = ("csv", "tsv", "xlsx")


def format_of(path: Path | None, wanted: str) -> str:
    """The format that was asked for, else the one the name of the file ends with, else CSV."""
    if wanted and wanted not in FORMATS:
        raise BadInput(f'--format: "{wanted}" is none of {", ".join(FORMATS)}.{did_you_mean(wanted, FORMATS)}')
    ending = path.suffix.lower().removeprefix(".") if path else ""
    found = wanted or (ending if ending in FORMATS else "csv")
    if found == "xlsx" and path is None:
        raise BadInput("A workbook goes into a file; name one, such as contacts.xlsx.")
    return found


def write_file(path: Path, form: str, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write headers and rows in one of the formats; how many rows there were."""
    if form == "xlsx":
        from nurture.contacts.spreadsheets import write_workbook

        return write_workbook(path, [guard(one) for one in headers], ([_in_workbook(it) for it in row] for row in rows))
    with path.open("w", encoding="utf-8", newline="") as stream:
        return write_csv(stream, headers, rows, "\t" if form == "tsv" else ",")


def _in_workbook(value: object) -> object:
    """Numbers and days are cells of their own kind, everything else is a text."""
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        return value
    return guard(spell(value)) or None


def write_csv(stream: TextIO, headers: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> int:
    """Write headers and rows; how many rows there were."""
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
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
