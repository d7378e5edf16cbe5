"""How the cells of each column are read: one small reader per field. Pure.

A reader turns the text of a cell into a value, or says in a few words why it cannot; the cell is then left empty.
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from nurture.conditions import FieldType, Value
from nurture.contacts.cells import read_text
from nurture.contacts.countries import find_country
from nurture.contacts.fields import DeclaredField, read_value
from nurture.contacts.headers import PERMISSION, Columns
from nurture.contacts.languages import find_language
from nurture.contacts.sources import find_source
from nurture.errors import BadInput
from nurture.timing import find_zone

#: Longer than any name; a cell beyond it is a note or an attack, and no mail has room for it.
MAX_TEXT = 1_000
MAX_TAG = 100


@dataclass(frozen=True)
class Noted:
    """Why a cell was left empty."""

    what: str


Read: TypeAlias = Value | tuple[str, ...] | Noted


@dataclass(frozen=True)
class Reader:
    """Reads the cells of one column."""

    place: int
    field: str
    read: Callable[[str], Read]
    is_permission: bool = False


def readers_of(columns: Columns, declared: Mapping[str, DeclaredField]) -> list[Reader]:
    """A reader for every column that was understood, but for the address."""
    return [
        Reader(place, field, reader_of(field, declared), field in PERMISSION and field not in declared)
        for place, field in columns.fields.items()
        if field != "email"
    ]


def split_name(name: str, known: Mapping[str, Value]) -> dict[str, str]:
    """First and last name of a full one, at its last blank; beside a first name it gives the last one only.

    A German export has "Vorname" and "Name", and means the family name by the second.
    """
    first = str(known.get("first_name", ""))
    if "last_name" in known:
        return {}
    if first:
        return {"last_name": name.removeprefix(first).strip() or name}
    before, _, last = name.rpartition(" ")
    return {"first_name": before, "last_name": last} if before else {"first_name": last}


def read_tag(text: str) -> str:
    """One tag, as a command is given it."""
    tag = read_text(text)
    if not tag or len(tag) > MAX_TAG:
        raise BadInput(f"A tag is a word or a few, of at most {MAX_TAG} characters.")
    return tag


def read_tags(text: str) -> tuple[str, ...]:
    """Tags between commas or semicolons; one that contains such a thing stands in quotes."""
    delimiter = ";" if ";" in text and '"' not in text and "," not in text else ","
    cells = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
    return tuple(dict.fromkeys(tag for cell in cells if (tag := cell.strip())))


def write_tags(tags: list[str]) -> str:
    """The cell that `read_tags` reads back."""
    quoted = ['"' + tag.replace('"', '""') + '"' if re.search(r'[",;]', tag) else tag for tag in tags]
    return ", ".join(quoted)


def reader_of(field: str, declared: Mapping[str, DeclaredField]) -> Callable[[str], Read]:
    """What reads a cell of that field."""
    if field in declared:
        return lambda text: _declared(text, declared[field])
    return _READERS.get(field, _text)


def _text(text: str) -> Read:
    return text if len(text) <= MAX_TEXT else Noted(f"longer than {MAX_TEXT:,} characters; left empty")


def _declared(text: str, field: DeclaredField) -> Read:
    if field.type is FieldType.TEXT:
        return _text(text)
    try:
        return read_value(text, field)
    except BadInput:
        return Noted(f"no {_KINDS[field.type]}; left empty")


_KINDS = {
    FieldType.NUMBER: "number",
    FieldType.DATE: "day that can be read in one way only, such as 2026-01-31",
    FieldType.FLAG: "yes or no",
}


def _country(text: str) -> Read:
    return find_country(text) or Noted("no country we know; left empty")


def _language(text: str) -> Read:
    return find_language(text) or Noted("no language we know; left empty")


def _timezone(text: str) -> Read:
    zone = find_zone(text) or find_zone(text.replace(" ", "_"))
    return zone.key if zone else Noted('no time zone, such as "Europe/Berlin"; left empty')


def _source(text: str) -> Read:
    return find_source(text) or Noted("no lead source of the closed list; left empty")


def _tags(text: str) -> Read:
    tags = read_tags(text)
    return tags if all(len(tag) <= MAX_TAG for tag in tags) else Noted(f"a tag longer than {MAX_TAG}; left empty")


_READERS: Mapping[str, Callable[[str], Read]] = {
    "country": _country,
    "language": _language,
    "timezone": _timezone,
    "source": _source,
    "tags": _tags,
}
