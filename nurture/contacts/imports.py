"""The reading half of an import: a file becomes rows that are checked, normalized and free of duplicates.

`survey` looks through the file once (how it is written, which column means what, which addresses come twice) and
`read_rows` yields every contact it names, in order, with the further rows of the same address merged in: the first
row's values win and later ones fill what it left empty. Only a row without a usable address is refused; any other cell
that cannot be read is left empty and noted. Nothing here knows the database or what permission means; the writing half
is `consent.imports`.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from nurture.conditions import Value
from nurture.contacts.addresses import AROUND, Address, read_address
from nurture.contacts.cells import read_text, unguard
from nurture.contacts.columns import Noted, Reader, readers_of, split_name
from nurture.contacts.fields import DeclaredField
from nurture.contacts.headers import Columns, count_recognized, recognize, refuse_doubtful, without_address
from nurture.contacts.sheets import Sheet, open_sheet
from nurture.errors import BadInput

# `Ana Ruiz <ana@reader.example>` as mail programs copy it. Before the bracket there is no second address and no line
# break, or a forged header could choose who is meant.
_WITH_NAME = re.compile(r"[^@<>\x00-\x1f]*<([^<>\s]+)>")


@dataclass(frozen=True)
class Note:
    """Something about a cell, or about a whole row, that was not taken as it stands."""

    column: str
    what: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What another system knows of somebody: the days they last did something, and how often their address bounced.

    It decides whom to mail first and whom no longer, and is never part of a score.
    """

    last_open_on: date | None = None
    last_click_on: date | None = None
    last_reply_on: date | None = None
    last_contact_on: date | None = None
    bounces: int | None = None

    @property
    def last_sign_on(self) -> date | None:
        """When they last showed that they read us."""
        return max(filter(None, (self.last_open_on, self.last_click_on, self.last_reply_on)), default=None)


#: Nothing is known, as of most people.
NO_PAST = Past()


@dataclass(frozen=True)
class ImportRow:
    """One contact of a file: what its rows say, the first with a value winning.

    `line` is the physical line of the first row, `permission` what each row says about consent (field, cell), and
    `is_shifted` that a row had more cells than there are headers, so that no cell of it proves a consent.
    """

    line: int
    address: Address
    values: Mapping[str, Value] = field(default_factory=dict)
    owner: str = ""
    tags: tuple[str, ...] = ()
    permission: tuple[tuple[tuple[str, str], ...], ...] = ()
    is_shifted: bool = False
    further_lines: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    cells: tuple[str, ...] = ()
    past: Past = NO_PAST


@dataclass(frozen=True)
class RefusedRow:
    """A row that names nobody who could be mailed."""

    line: int
    reason: str
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What is known about a file before its rows are read: `repeated` counts keys of addresses that may come twice."""

    sheet: Sheet
    columns: Columns
    rows: int
    repeated: Mapping[int, int]


def survey(path: Path, declared: Mapping[str, DeclaredField], mapping: Mapping[str, str] | None = None) -> Survey:
    """Look through a file once; nothing of it is kept but what its second reading needs."""
    sheet = open_sheet(path, lambda headers: count_recognized(headers, declared))
    columns = recognize(sheet.headers, declared, mapping)
    if "email" not in columns.fields.values():
        raise BadInput(f"{path.name}: {without_address(columns.headers, sheet.sample())}")
    refuse_doubtful(path.name, columns)
    place = columns.email
    # Eight bytes a row, so that a million rows fit in memory; two addresses with one hash only wait for each other.
    keys = array("q", (_hash_of(cells[place] if place < len(cells) else "") for _, cells in sheet.rows()))
    repeated: dict[int, int] = {}
    for key, following in pairwise(sorted(keys)):
        if key == following:
            repeated[key] = repeated.get(key, 1) + 1
    return Survey(sheet, columns, len(keys), repeated)


def read_rows(file: Survey, declared: Mapping[str, DeclaredField]) -> Iterator[ImportRow | RefusedRow]:
    """Every contact and every refused row of the file.

    A contact whose address may come again waits until its last row was read, so that none is written half.
    """
    readers = readers_of(file.columns, declared)
    place = file.columns.email
    waiting: dict[int, list[ImportRow]] = defaultdict(list)
    left = dict(file.repeated)
    for line, cells in file.sheet.rows():
        row = _read_row(line, cells, place, readers, file.columns)
        key = _hash_of(cells[place] if place < len(cells) else "")
        if key not in left:
            yield row
            continue
        left[key] -= 1
        if isinstance(row, RefusedRow):
            yield row
        else:
            waiting[key].append(row)
        if not left[key]:
            yield from merge(waiting.pop(key, []))


def merge(rows: Sequence[ImportRow]) -> list[ImportRow]:
    """One row per address, in the order in which the addresses came."""
    merged: dict[str, ImportRow] = {}
    for row in rows:
        first = merged.get(row.address.key)
        merged[row.address.key] = row if first is None else _fill(first, row)
    return list(merged.values())


def _fill(first: ImportRow, later: ImportRow) -> ImportRow:
    return replace(
        first,
        values={**later.values, **first.values},
        owner=first.owner or later.owner,
        tags=tuple(dict.fromkeys((*first.tags, *later.tags))),
        permission=(*first.permission, *later.permission),
        is_shifted=first.is_shifted or later.is_shifted,
        further_lines=(*first.further_lines, later.line),
        notes=(*first.notes, *later.notes),
    )


def _read_row(
    line: int, cells: list[str], place: int, readers: Sequence[Reader], columns: Columns
) -> ImportRow | RefusedRow:
    if not any(cell.strip() for cell in cells):
        return RefusedRow(line, "the row is empty", tuple(cells))
    try:
        address = read_cell_address(cells[place] if place < len(cells) else "")
    except BadInput as error:
        return RefusedRow(line, str(error), tuple(cells))
    row = ImportRow(line, address, cells=tuple(cells), **_read_cells(cells, readers, columns))
    if any(cell.strip() for cell in cells[len(columns.headers) :]):
        surplus = Note("", "more cells than there are headers, so no consent is taken from the row")
        return replace(row, is_shifted=True, notes=(*row.notes, surplus))
    return row


def _read_cells(cells: list[str], readers: Sequence[Reader], columns: Columns) -> dict[str, Any]:
    """What the cells beside the address say, as `ImportRow` keeps it."""
    values: dict[str, Value] = {}
    permission: list[tuple[str, str]] = []
    notes: list[Note] = []
    owner = name = ""
    tags: tuple[str, ...] = ()
    for reader in readers:
        text = read_text(cells[reader.place]) if reader.place < len(cells) else ""
        if not text:
            continue
        match reader.read(text), reader.field:
            case Noted(what), _:
                notes.append(Note(columns.headers[reader.place], what, text))
            case tuple(read), _:
                tags = read
            case str(read), "owner":
                owner = read
            case str(read), "name":
                name = read
            case str(read), about if reader.is_permission:
                permission.append((about, read))
            case read, about:
                values[about] = read
    if name:
        values = {**split_name(name, values), **values}
    return {
        "values": values, "owner": owner, "tags": tags, "permission": (tuple(permission),), "notes": tuple(notes),
    }  # fmt: skip


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


def _hash_of(cell: str) -> int:
    """Equal for two cells that name one mailbox. Cheap, because every row is asked twice."""
    text = _bare(cell)
    if text.isascii():
        return hash(text.lower())
    try:
        return hash(read_address(text).key)
    except BadInput:
        return hash(text)
