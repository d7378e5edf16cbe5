"""A file of comma-separated values as it comes: which characters, which delimiter, which line each row starts on.

UTF-8 with or without a mark, UTF-16 with one, else Windows-1252, which is what Excel writes in Western Europe. The
delimiter is the one of `, ; tab |` with which the headers make most sense. Lines are physical ones, the first being 1,
so that an editor finds them although quoted cells may hold line breaks (RFC 4180).
"""

import codecs
import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nurture.errors import BadInput, NotFound

DELIMITERS = (",", ";", "\t", "|")

#: A cell longer than this was never closed; the csv module's own limit.
MAX_CELL = 131_072

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
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
        return ((line, cells) for line, cells in self._read() if line > self.header_line and cells)

    def sample(self) -> list[list[str]]:
        """The first rows, for advice about what they hold."""
        return [cells for _, cells in itertools.islice(self.rows(), _SAMPLE_ROWS)]

    def _read(self) -> Iterator[tuple[int, list[str]]]:
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


def open_sheet(path: Path, makes_sense: Callable[[Sequence[str]], int]) -> Sheet:
    """Find out how a file is written; `makes_sense` counts the headers among some cells that mean something."""
    encoding = _encoding(path)
    header_line, text = _first_line(path, encoding)
    if text.lower().startswith("sep=") and len(text) == len("sep=") + 1:
        # Excel's own hint, in a line of its own above the headers.
        return _with_headers(Sheet(path, encoding, text[-1], header_line, ()))
    attempts = [
        _with_headers(Sheet(path, encoding, delimiter, header_line - 1, ()))
        for delimiter in DELIMITERS
        if delimiter in text or delimiter == DELIMITERS[0]
    ]
    return max(attempts, key=lambda sheet: (makes_sense(sheet.headers), len(sheet.headers)))


def _with_headers(sheet: Sheet) -> Sheet:
    line, cells = next(((line, cells) for line, cells in sheet.rows() if any(cells)), (sheet.header_line + 1, []))
    return Sheet(sheet.path, sheet.encoding, sheet.delimiter, line, tuple(cells))


def _encoding(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if any(start.startswith(mark) for mark in _SPREADSHEETS):
                raise BadInput(f'{path.name}: this is a workbook; save it as "CSV UTF-8" and import that.')
            for mark, encoding in _MARKS:
                if start.startswith(mark):
                    return encoding
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: this is a folder; name a file in it.") from None
    except PermissionError:
        raise BadInput(f"{path}: this file may not be read; change its permissions.") from None
    return "utf-8"


def _first_line(path: Path, encoding: str) -> tuple[int, str]:
    """The first line that is not blank, with its number."""
    with path.open(encoding=encoding, errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                return number, line.strip("\r\n")
    raise BadInput(f"{path.name}: the file is empty; export it once more.")
