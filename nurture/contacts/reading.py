"""Reads one row of a file: its address and the cells beside it. Pure.

Every row goes through here, so nothing is made that is not needed: an address at first sight, cells that were read
before, and an `ImportRow` at the end.
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nurture.conditions import Value
from nurture.contacts.addresses import AROUND, Address, read_address, read_plain_address
from nurture.contacts.cells import read_text, unguard
from nurture.contacts.columns import Attributes, Kind, Noted, readers_of, split_name
from nurture.contacts.fields import DeclaredField
from nurture.contacts.headers import Columns
from nurture.contacts.rows import NO_PAST, ImportRow, Note, Past, RefusedRow
from nurture.errors import BadInput

# `Ana Ruiz <ana@reader.example>` as mail programs copy it. Before the bracket there is no second address and no line
# break, or a forged header could choose who is meant.
_WITH_NAME = re.compile(r"[^@<>\x00-\x1f]*<([^<>\s]+)>")

_VALUE, _PERMISSION = Kind.VALUE, Kind.PERMISSION
_SURPLUS = Note("", "more cells than there are headers, so no consent is taken from the row")


class RowReader:
    """Reads the rows of one file."""

    def __init__(self, columns: Columns, declared: Mapping[str, DeclaredField]) -> None:
        self._columns = columns
        self._email = columns.email
        self._width = len(columns.headers)
        self._implied = columns.export.implied if columns.export else ()
        self._plan: list[tuple[int, Kind, str, Callable[[str], Any]]]
        self._plan = [(one.place, one.kind, one.field, one.read) for one in readers_of(columns, declared)]

    def read(self, line: int, cells: list[str]) -> tuple[int, ImportRow | RefusedRow]:
        """The row with the key of its address, which is equal for rows of one mailbox."""
        place = self._email
        cell = cells[place] if place < len(cells) else ""
        # An apostrophe may belong to an address, or have been put before it.
        address = None if cell.startswith("'") else read_plain_address(cell)
        if address is not None:
            return _digest(address.key), self._read_cells(line, address, cells)
        key = key_of(cell)
        if not any(cell.strip() for cell in cells):
            return key, RefusedRow(line, "the row is empty", tuple(cells))
        try:
            return key, self._read_cells(line, read_cell_address(cell), cells)
        except BadInput as error:
            return key, RefusedRow(line, str(error), tuple(cells))

    def _read_cells(self, line: int, address: Address, cells: list[str]) -> ImportRow:
        values: dict[str, Value] = {}
        permission = list(self._implied)
        notes: list[Note] = []
        rest: list[tuple[Kind, str, Any]] = []
        width = self._width
        if len(cells) < width:
            cells = cells + [""] * (width - len(cells))
        for place, kind, field, read in self._plan:
            cell = cells[place]
            if not cell or (found := read(cell)) is None:
                continue
            if found.__class__ is Noted:
                notes.append(Note(self._columns.headers[place], found.what, read_text(cell)))
            elif kind is _VALUE:
                values[field] = found
            elif kind is _PERMISSION:
                permission.append((field, found))
            else:
                rest.append((kind, field, found))
        is_shifted = len(cells) > width and any(cell.strip() for cell in cells[width:])
        if is_shifted:
            notes.append(_SURPLUS)
        beside = _Beside(values, permission, notes).take(rest) if rest else _NOTHING_BESIDE
        return ImportRow(
            line,
            address,
            beside.values if rest else values,
            beside.owner,
            beside.tags,
            (tuple(permission),),
            is_shifted,
            (),
            tuple(notes),
            beside.past(),
        )


class _Beside:
    """What a row says that is no plain value: whose the contact is, tags, the past, a full name, attributes."""

    def __init__(self, values: dict[str, Value], permission: list[tuple[str, str]], notes: list[Note]) -> None:
        self.values = values
        self.owner = ""
        self.tags: tuple[str, ...] = ()
        self._permission = permission
        self._notes = notes
        self._past: dict[str, Any] = {}

    def take(self, rest: Sequence[tuple[Kind, str, Any]]) -> "_Beside":
        name = ""
        for kind, field, found in rest:
            match kind:
                case Kind.OWNER:
                    self.owner = found
                case Kind.NAME:
                    name = found
                case Kind.TAGS:
                    self.tags = found
                case Kind.PAST:
                    self._past[field] = max(found, self._past.get(field, found))
                case Kind.ATTRIBUTES:
                    self._take_attributes(found)
        if name:
            self.values = {**split_name(name, self.values), **self.values}
        return self

    def past(self) -> Past:
        if not self._past:
            return NO_PAST
        return Past(bounces=self._past.pop("bounce_count", None), **self._past)

    def _take_attributes(self, more: Attributes) -> None:
        """Take over what one cell says in many words; a column of its own counts more."""
        for kind, field, found in more.found:
            kept: Any = found
            if kind is Kind.VALUE:
                self.values.setdefault(field, kept)
            elif kind is Kind.PERMISSION:
                self._permission.append((field, kept))
            else:
                self._past[field] = max(kept, self._past.get(field, kept))
        self._notes.extend(Note("attributes", what, example) for what, example in more.notes)


_NOTHING_BESIDE = _Beside({}, [], [])


def read_cell_address(cell: str) -> Address:
    """The one address in a cell, also as mail programs copy it; raises `BadInput` with the reason if there is none."""
    text = _bare(cell)
    if text.count("@") > 1 and re.search(r"[;,\s]", text) and text.isprintable():
        raise BadInput("more than one address in one cell; give each a row of its own")
    return read_address(text)


def _bare(cell: str) -> str:
    """The cell without what stands around an address."""
    text = unguard(cell.strip(AROUND))
    match = _WITH_NAME.fullmatch(text)
    return match[1] if match else text


def key_of(cell: str) -> int:
    """Equal for two cells that name one mailbox, and that of the key for an address at first sight."""
    if cell[-1:].isalpha() and cell[:1].isalnum() and cell.isascii():
        return _digest(cell.lower())
    text = _bare(cell)
    if text.isascii():
        return _digest(text.lower())
    try:
        return _digest(read_address(text).key)
    except BadInput:
        return _digest(text)


def _digest(text: str) -> int:
    """The same in every process, since one may survey the file and another read it."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
