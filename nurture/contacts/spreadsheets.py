"""Workbooks (.xlsx) read and written row by row: memory stays flat, and nothing in them is ever run.

Macros are not looked at. Of a formula the result that was saved with it is read, never the formula; one that nobody ever
calculated is read as one that failed. Dates are cells of
their own kind and come out as 2026-01-31, whatever the workbook shows. Of several worksheets the one is read whose
headers make most sense. Written, every text is a text: a workbook that came from here has no formulas.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nurture.contacts.sheets import Sheet, with_headers
from nurture.errors import BadInput

#: What Excel itself can open.
MAX_ROWS = 1_048_576
#: Texts that cells share are all kept in memory; beyond this a file is no list of people.
_MAX_TEXTS = 512 * 1024 * 1024
#: Rows of people pack ten times smaller, empty ones forty times; what packs so much better is made to fill a memory.
_PACKED_AT_MOST = 200
_LARGE = 64 * 1024 * 1024

_MIDNIGHT = time()
_FORMULA = re.compile(rb"[<:]f[ >/]")
_PIECE = 1 << 20
#: What Excel itself shows where it could not calculate.
_NOT_CALCULATED = "#CALC!"


@dataclass(frozen=True)
class Worksheet(Sheet):
    """One worksheet of a workbook; a line is the number that the program shows beside the row."""

    title: str = ""
    further: tuple[str, ...] = ()  # worksheets that are not read

    @property
    def format(self) -> str:
        return "xlsx"

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        with ExitStack() as stack:
            rows = self._rows(stack.enter_context(_opened(self.path)))
            if _has_formulas(self.path):
                written = self._rows(stack.enter_context(_opened(self.path, as_written=True)))
                rows = (_calculated(cells, formulas) for cells, formulas in zip_longest(rows, written, fillvalue=()))
            for line, cells in enumerate(rows, 1):
                if line > MAX_ROWS:
                    raise BadInput(f"{self.path.name}: more than {MAX_ROWS:,} rows; export it as CSV.")
                yield line, [_spell(value) for value in cells] if any(cell is not None for cell in cells) else []

    def _rows(self, book: Any) -> Iterator[Sequence[Any]]:
        sheet = book[self.title]
        sheet.reset_dimensions()  # some programs write a wrong one
        rows: Iterator[Sequence[Any]] = sheet.iter_rows(values_only=True)
        return rows


def open_workbook(path: Path, makes_sense: Callable[[Sequence[str]], int]) -> Worksheet:
    """The worksheet with the best headers."""
    with _opened(path) as book:
        every = [sheet.title for sheet in book.worksheets]
        titles = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    attempts = [
        with_headers(Worksheet(path, "xlsx", "", 0, (), title, tuple(one for one in every if one != title)))
        for title in titles
    ]
    if not any(sheet.headers for sheet in attempts):
        raise BadInput(f"{path.name}: the file is empty; export it once more.")
    return max(attempts, key=lambda sheet: makes_sense(sheet.headers))


def write_workbook(path: Path, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write headers and rows; how many rows there were. Texts must be guarded already."""
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Contacts")
    sheet.freeze_panes = "A2"
    sheet.append(list(headers))
    count = 0
    for row in rows:
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", cell) if isinstance(cell, str) else cell for cell in row])
        count += 1
    if count >= MAX_ROWS:
        raise BadInput(f"{count:,} contacts are more than a workbook holds; export them as CSV.")
    book.save(path)
    return count


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            if name.startswith("xl/worksheets/"):
                with parts.open(name) as part:
                    end = b""
                    while piece := part.read(_PIECE):
                        if _FORMULA.search(end + piece):
                            return True
                        end = piece[-2:]
    return False


def _calculated(cells: Sequence[Any], formulas: Sequence[Any]) -> list[Any]:
    """The cells of a row; a formula without a result is no empty cell, since it may have said no."""
    pairs = zip_longest(cells, formulas)
    return [_NOT_CALCULATED if cell is None and formula is not None else cell for cell, formula in pairs]


@contextmanager
def _opened(path: Path, *, as_written: bool = False) -> Iterator[Any]:
    """The workbook; whatever is wrong inside a file that somebody sends, it is the file."""
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as parts:
            every = {part.filename: part for part in parts.infolist()}
        if any(one.file_size > max(_LARGE, one.compress_size * _PACKED_AT_MOST) for one in every.values()):
            raise BadInput(f"{path.name}: unpacked it is hundreds of times as large; save it once more, or as CSV.")
        if "xl/sharedStrings.xml" in every and every["xl/sharedStrings.xml"].file_size > _MAX_TEXTS:
            raise BadInput(f"{path.name}: too much text for a workbook of people; export it as CSV.")
        with path.open("rb") as file:  # not openpyxl: it leaves open what it cannot read
            yield load_workbook(file, read_only=True, data_only=not as_written, keep_links=False)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(
            f"{path.name}: this is no workbook that can be read; save it as .xlsx or CSV once more."
        ) from error


def _spell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime():
            return value.date().isoformat() if value.time() == _MIDNIGHT else value.isoformat(" ", "seconds")
        case date():
            return value.isoformat()
    return str(value)
