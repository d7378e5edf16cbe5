"""Where something stands in a TOML file, and what is wrong with one: the standard library's reader keeps no positions."""

import re
import tomllib
from collections import Counter
from typing import TypeAlias

#: The way to a key; a number says which of several sections of one name is meant.
Place: TypeAlias = tuple[str | int, ...]


def line_of(text: str, place: Place) -> int | None:
    """The line where a key stands, found by its section header and name; None when the file does not have it.

    A number in the place is which of several sections of one name is meant.
    """
    wanted = [str(step) for step in place if step != "" and not isinstance(step, int)]
    turn = next((step for step in place if isinstance(step, int)), 0)
    section: list[str] = []
    seen: Counter[str] = Counter()
    header_line = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([^\]]+)\]", line):
            section = [part.strip(" \"'") for part in header[1].split(".")]
            seen[header[1]] += 1
            is_meant = not header[0].lstrip().startswith("[[") or seen[header[1]] == turn + 1
            if not is_meant:
                section = []
            elif section in (wanted, wanted[:-1]):
                header_line = number
            if section == wanted:
                return number
        elif (key := re.match(r"\s*([\w.-]+)\s*=", line)) and [*section, *key[1].split(".")] == wanted:
            return number
    # What is missing is missing in its section.
    return header_line


_TWICE = re.compile(r"Cannot (?:overwrite a value|declare \(.*\) twice) \(at line (\d+), column \d+\)")


def fault_of(text: str, error: tomllib.TOMLDecodeError) -> str:
    """Why this text is not TOML, in the words of whoever wrote it rather than of the reader."""
    said = str(error)
    if found := _TWICE.fullmatch(said):
        number = int(found[1])
        again = text.splitlines()[number - 1].partition("=")[0].strip()
        return f"this is not TOML: {again} stands there twice, the second time at line {number}; take one of them away."
    return f"this is not TOML: {said[:1].lower()}{said[1:]}."
