"""A file of rows as it comes: which characters, which delimiter, which line each row starts on.

UTF-8 with or without a mark, UTF-16 and UTF-32, else Windows-1252, which is what Excel writes in Western Europe; another
one has to be named. The delimiter is the one of `, ; tab |` with which the headers make most sense. Lines are physical
ones, the first being 1, so that an editor finds them although quoted cells may hold line breaks (RFC 4180). Workbooks
are read in `spreadsheets`.
"""

import codecs
import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from nurture.errors import BadInput, NotFound

DELIMITERS = (",", ";", "\t", "|")

#: A cell longer than this was never closed; the csv module's own limit.
MAX_CELL = 131_072

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP = b"PK\x03\x04"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
# No file has this line; where it comes out shows whether the last quote was closed.
_END = "\0end of file\0"
_SAMPLE_ROWS = 20
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Sheet:
    """How a file is to be read, and its first row with something in it."""

    path: Path
    encoding: str
    delimiter: str
    header_line: int
    headers: tuple[str, ...]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows below the headers that have any cell, each with the line it starts on."""
        header_line = self.header_line
        return ((line, cells) for line, cells in self.lines() if cells and line > header_line)

    def sample(self) -> list[list[str]]:
        """The first rows, for advice about what they hold."""
        return [cells for _, cells in itertools.islice(self.rows(), _SAMPLE_ROWS)]

    @property
    def format(self) -> str:
        """As `--format` calls it."""
        return "tsv" if self.delimiter == "\t" else "csv"

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Every row from the first line on, with the line it starts on."""
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
            reader = csv.reader(itertools.chain(file, (_END,)), delimiter=self.delimiter)
            line = 1
            try:
                for cells in reader:
                    if cells and cells[-1].endswith(_END):
                        if cells != [_END]:
                            raise self._never_closed(line)
                        return
                    yield line, cells
                    line = reader.line_num + 1
            except csv.Error:
                raise self._never_closed(line) from None

    def _never_closed(self, line: int) -> BadInput:
        return BadInput(
            f"{self.path.name}:{line}: a quote opens in this row and is never closed, so nothing behind it can be read; "
            'close it, or write it twice ("") if it belongs to the text. Nothing was imported.'
        )


SheetT = TypeVar("SheetT", bound=Sheet)


def open_sheet(path: Path, makes_sense: Callable[[Sequence[str]], int], encoding: str = "") -> Sheet:
    """Find out how a file is written; `makes_sense` counts the headers among some cells that mean something."""
    start = _first_bytes(path)
    if start.startswith(_OLD_WORKBOOK):
        raise BadInput(
            f"{path.name}: this is a workbook of an old kind, or behind a password; save it as .xlsx without one."
        )
    if start.startswith(_ZIP):
        from nurture.contacts.spreadsheets import open_workbook

        return open_workbook(path, makes_sense)
    encoding = _known_encoding(encoding) if encoding else _encoding(path, start)
    header_line, text = _first_line(path, encoding)
    if text.lower().startswith("sep=") and len(text) == len("sep=") + 1:
        # Excel's own hint, in a line of its own above the headers.
        return with_headers(Sheet(path, encoding, text[-1], header_line, ()))
    attempts = [
        with_headers(Sheet(path, encoding, delimiter, header_line - 1, ()))
        for delimiter in DELIMITERS
        if delimiter in text or delimiter == DELIMITERS[0]
    ]
    return max(attempts, key=lambda sheet: (makes_sense(sheet.headers), len(sheet.headers)))


def find_encoding(path: Path) -> str:
    """In which characters a plain list is written; raises `BadInput` for what is no text."""
    start = _first_bytes(path)
    if start.startswith((_ZIP, _OLD_WORKBOOK)):
        raise BadInput(
            f"{path.name}: this is a workbook or an archive; save the list as CSV, with the addresses first."
        )
    return _encoding(path, start)


def with_headers(sheet: SheetT) -> SheetT:
    """The sheet with its first row that has something in it."""
    line, cells = next(((line, cells) for line, cells in sheet.rows() if any(cells)), (sheet.header_line + 1, []))
    return replace(sheet, header_line=line, headers=tuple(cells))


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: this is a folder; name a file in it.") from None
    except PermissionError:
        raise BadInput(f"{path}: this file may not be read; change its permissions.") from None


def _encoding(path: Path, start: bytes) -> str:
    marked = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
    if marked:
        return marked
    if len(start) >= 4 and 0 in start[:4]:
        # Every second byte of a Latin letter is none in UTF-16, whose mark somebody cut off.
        return "utf-16-be" if start[0] == 0 else "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)  # which base64 and its like refuse
        known = codecs.lookup(name)
    except LookupError:
        raise BadInput(
            f'--encoding: there is none called "{name}"; write it as utf-8, cp1250, cp1251, iso-8859-2, mac-roman, '
            "shift-jis or gb18030."
        ) from None
    return known.name


def _first_line(path: Path, encoding: str) -> tuple[int, str]:
    """The first line that is not blank, with its number."""
    with path.open(encoding=encoding, errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                return number, line.strip("\r\n")
    raise BadInput(f"{path.name}: the file is empty; export it once more.")
