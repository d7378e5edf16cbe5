"""The reading half of an import: a file becomes rows that are checked, normalized and free of duplicates.

`survey` looks through the file once (how it is written, which column means what, which addresses come twice) and
`read_rows` yields every contact it names, in order, with the further rows of the same address merged in: the first
row's values win and later ones fill what it left empty. Only a row without a usable address is refused; any other cell
that cannot be read is left empty and noted. Nothing here knows the database or what permission means; the writing half
is `consent.imports`.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from nurture.contacts.fields import DeclaredField
from nurture.contacts.headers import Columns, count_recognized, recognize, refuse_doubtful, without_address
from nurture.contacts.providers import find_export
from nurture.contacts.reading import RowReader, key_of, read_cell_address
from nurture.contacts.rows import NO_PAST, ImportRow, Note, Past, RefusedRow, merge
from nurture.contacts.sheets import Sheet, open_sheet
from nurture.errors import BadInput

#: What whoever takes the rows needs beside them.
__all__ = [
    "NO_PAST", "ImportRow", "Note", "Past", "RefusedRow", "Survey", "merge", "read_cell_address", "read_rows", "survey",
]  # fmt: skip

_PARTS = 8


@dataclass(frozen=True)
class Survey:
    """What is known about a file before its rows are read: `repeated` counts keys of addresses that may come twice."""

    sheet: Sheet
    columns: Columns
    rows: int
    repeated: Mapping[int, int]


def survey(
    path: Path,
    declared: Mapping[str, DeclaredField],
    mapping: Mapping[str, str] | None = None,
    *,
    encoding: str = "",
    told_in: str = "--map",
) -> Survey:
    """Look through a file once; nothing of it is kept but what its second reading needs."""
    sheet = open_sheet(path, lambda headers: count_recognized(headers, declared), encoding)
    columns = recognize(sheet.headers, declared, mapping, find_export(sheet.headers, path.name), told_in=told_in)
    if "email" not in columns.fields.values():
        raise BadInput(f"{path.name}: {without_address(columns.headers, sheet.sample())}")
    refuse_doubtful(path.name, columns)
    place = columns.email
    # Four bytes a row, so that a million rows fit in memory; two addresses with one hash only wait for each other.
    keys = array("I", (key_of(cells[place] if place < len(cells) else "") for _, cells in sheet.rows()))
    return Survey(sheet, columns, len(keys), _count_repeated(keys))


def _count_repeated(keys: Sequence[int]) -> dict[int, int]:
    """How often each key comes that comes twice; sorted in parts, since a number takes ten times as much in a list."""
    repeated: dict[int, int] = {}
    for part in range(_PARTS):
        for key, following in pairwise(sorted(key for key in keys if key % _PARTS == part)):
            if key == following:
                repeated[key] = repeated.get(key, 1) + 1
    return repeated


def read_rows(file: Survey, declared: Mapping[str, DeclaredField]) -> Iterator[ImportRow | RefusedRow]:
    """Every contact and every refused row of the file.

    A contact whose address may come again waits until its last row was read, so that none is written half.
    """
    read = RowReader(file.columns, declared).read
    waiting: dict[int, list[ImportRow]] = defaultdict(list)
    left = dict(file.repeated)
    for line, cells in file.sheet.rows():
        key, row = read(line, cells)
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
