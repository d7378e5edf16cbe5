"""How the cells of each column are read: one small reader per field. Pure.

A reader turns a cell into a value, or says in a few words why it cannot; the cell is then left empty. Cells of a column
are much alike, so a reader remembers what it read lately: most of an import is looking up the same few words.
"""

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

from nurture.conditions import FieldType, Value
from nurture.contacts.cells import FAILED, fold, read_date, read_number, read_text
from nurture.contacts.countries import find_country
from nurture.contacts.doubt import may_say_no
from nurture.contacts.fields import DeclaredField, read_value
from nurture.contacts.headers import PAST, PERMISSION, Columns, known_fields
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


@dataclass(frozen=True)
class Attributes:
    """What the cells of an attributes column say: what is kept of a JSON object, and what could not be."""

    found: tuple[tuple["Kind", str, "Read"], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()  # what, and an example


Read: TypeAlias = Value | tuple[str, ...] | date | Noted | Attributes

#: How many different cells of one column are remembered.
_REMEMBERED = 2_048


class Kind(IntEnum):
    """Where what a column says is kept."""

    VALUE = 0
    OWNER = 1
    NAME = 2
    TAGS = 3
    PERMISSION = 4
    PAST = 5
    ATTRIBUTES = 6


_IN_ATTRIBUTES = frozenset({Kind.VALUE, Kind.PERMISSION, Kind.PAST})
_KINDS_OF = {
    "owner": Kind.OWNER,
    "name": Kind.NAME,
    "tags": Kind.TAGS,
    "attributes": Kind.ATTRIBUTES,
    **dict.fromkeys(PERMISSION, Kind.PERMISSION),
    **dict.fromkeys(PAST, Kind.PAST),
}


@dataclass(frozen=True)
class Reader:
    """Reads the cells of one column as they stand in the file; None for one that says nothing."""

    place: int
    field: str
    kind: Kind
    read: Callable[[str], Read | None]


def readers_of(columns: Columns, declared: Mapping[str, DeclaredField]) -> list[Reader]:
    """A reader for every column that was understood, but for the address."""
    return [
        Reader(place, field, kind, read_cells_by(_reader_of(field, declared), hears_failures=kind is Kind.PERMISSION))
        for place, field in columns.fields.items()
        if field != "email"
        for kind in (kind_of(field, declared),)
    ]


def _reader_of(field: str, declared: Mapping[str, DeclaredField]) -> Callable[[str], Read]:
    if kind_of(field, declared) is Kind.ATTRIBUTES:
        known = known_fields(declared)
        return lambda text: read_attributes(text, known, declared)
    return reader_of(field, declared)


def read_attributes(text: str, known: Mapping[str, str], declared: Mapping[str, DeclaredField]) -> Read:
    """A JSON object of a contact's further fields, each read as a column of that name would be.

    A name that may speak of permission and that nobody knows is as good as a no.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return Noted("no JSON; left out")
    if not isinstance(given, dict):
        return Noted("no JSON object; left out")
    found: list[tuple[Kind, str, Read]] = []
    notes: list[tuple[str, str]] = []
    for name, value in given.items():
        field = known.get(fold(name), "")
        kind = kind_of(field, declared)
        cell = read_text(_spell(value))
        if not cell:
            continue
        if not field and may_say_no(name):
            found.append((Kind.PERMISSION, "status", f"{name}: {cell}"))
        elif not field or field == "email" or kind not in _IN_ATTRIBUTES or isinstance(value, dict | list):
            notes.append(("attributes of no field, left out", name))
        elif isinstance(read := reader_of(field, declared)(cell), Noted):
            notes.append((read.what, cell))
        else:
            found.append((kind, field, read))
    return Attributes(tuple(found), tuple(notes))


def _spell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
    return str(value)


def kind_of(field: str, declared: Mapping[str, DeclaredField]) -> Kind:
    """Where a field is kept; a declared one is a value, whatever it is called."""
    return Kind.VALUE if field in declared else _KINDS_OF.get(field, Kind.VALUE)


def read_cells_by(read: Callable[[str], Read], *, hears_failures: bool) -> Callable[[str], Read | None]:
    """What reads whole cells: it cleans them, passes over empty ones and remembers the rest.

    A formula that failed says nothing, but where it may have said no it is a word that nobody knows.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def read_cell(cell: str) -> Read | None:
        text = read_text(cell)
        return None if not text or (text in FAILED and not hears_failures) else read(text)

    return read_cell


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


def _day(text: str) -> Read:
    return read_date(text) or Noted(f"no {_KINDS[FieldType.DATE]}; left empty")


def _count(text: str) -> Read:
    number = read_number(text)
    return number if isinstance(number, int) and number >= 0 else Noted("no number of times; left empty")


_READERS: Mapping[str, Callable[[str], Read]] = {
    **dict.fromkeys(PAST, _day),
    "bounce_count": _count,
    "country": _country,
    "language": _language,
    "timezone": _timezone,
    "source": _source,
    "tags": _tags,
}
