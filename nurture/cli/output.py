"""How commands speak: facts on stdout (as one JSON document if asked), everything else on stderr.

`--json` makes stdout one JSON document or nothing. On a terminal tables have color; in a pipe the same text comes as
plain lines. Rich is imported late: `nurture --help` answers within 0.3 s.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: Wide enough for every line: a pipe folds nothing.
_PIPE = 10_000
#: Below so many columns a table in which a word would be cut is told row by row; beyond, only what is very long is cut.
_NARROW, _WIDEST_HEAD = 120, 14


def console(*, on_stderr: bool = False) -> "Console":
    """Where words go."""
    from rich.console import Console

    stream = sys.stderr if on_stderr else sys.stdout
    width = None if stream.isatty() else _PIPE
    return Console(file=stream, highlight=False, soft_wrap=True, width=width)


def say(text: str = "") -> None:
    """One line for people."""
    console().print(text, markup=False)


def warn(text: str) -> None:
    """One line beside the result."""
    console(on_stderr=True).print(text, markup=False)


def emit(document: Any) -> None:
    """The one JSON document of a command."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=_plain)
    sys.stdout.write("\n")


def emit_each(items: Iterable[Any]) -> None:
    """A list as the one JSON document of a command, written while it is walked through, so that it may have any length."""
    before = "["
    for item in items:
        text = json.dumps(item, ensure_ascii=False, indent=2, default=_plain).replace("\n", "\n  ")
        sys.stdout.write(f"{before}\n  {text}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def write(place: Path, content: str | bytes) -> None:
    """Write a page, a picture or a mail."""
    check_place(place)
    place.write_bytes(content.encode() if isinstance(content, str) else content)


def check_place(place: Path) -> None:
    """See that a file may stand there; a folder that is not there is told, not made."""
    from nurture.errors import NotAllowed, NotFound

    if not place.parent.is_dir():
        raise NotFound(f"{place}: there is no folder {place.parent}; make it first, or name another one.")
    if place.is_dir():
        raise NotAllowed(f"{place}: this is a folder; name a file in it, or another one.")


def read_id(text: str, what: str, listed_by: str) -> int:
    """A number that names a row, as people copy it from a list."""
    from nurture.errors import NotFound

    if not (text.isascii() and text.isdigit() and int(text) < 2**63):
        raise NotFound(f'"{text}" is no {what}; `{listed_by}` lists them with their numbers.')
    return int(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """A table, or the sentence that says what would fill it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        say(empty)
        return
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    heads = [_head(column, [row[number] for row in rows]) for number, column in enumerate(columns)]
    for number, head in enumerate(heads):
        is_number = all(isinstance(row[number], int | float) for row in rows)
        grid.add_column(head, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        # As text, so that square brackets in somebody's name are no markup.
        grid.add_row(*(Text(shown(value)) for value in row))
    target = console()
    if target.is_terminal:
        if (
            target.width < _NARROW
            and target.measure(grid, options=target.options.update(width=_PIPE)).minimum > target.width
        ):
            _print_blocks(target, heads, rows)
        else:
            target.print(grid)
        return
    with target.capture() as captured:
        target.print(grid)
    # In a pipe one row is one line, without the blanks that only align.
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines() if line.strip())


def _head(column: str, values: Sequence[object]) -> str:
    """The heading of a column; instants are told in UTC, and it says so."""
    has_instants = any(isinstance(value, datetime) for value in values)
    return f"{column} (UTC)" if has_instants and "(UTC)" not in column else column


def _print_blocks(target: "Console", heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The rows where the terminal has no room for a table: one below the other, what is empty left out."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    for number, row in enumerate(rows):
        block = Table.grid(padding=(0, 2, 0, 0))
        block.add_column(style="dim", max_width=min(max(map(len, heads[1:])), _WIDEST_HEAD))
        block.add_column(overflow="fold")
        for head, value in zip(heads[1:], row[1:], strict=True):
            if value is not None and value != "":
                block.add_row(head, Text(shown(value)))
        if number:
            target.print()
        target.print(Text(shown(row[0]), style="bold"))
        target.print(Padding(block, (0, 0, 0, 2), expand=False))


def shown(value: object) -> str:
    """A value as people read it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}".removesuffix(".0")
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def _plain(value: object) -> object:
    match value:
        case datetime() | date():
            return value.isoformat()
        case set() | frozenset():
            return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
