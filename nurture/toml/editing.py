"""Changes a TOML file as a careful person would: one line at a time, comments, order and everything else left as they are.

Nothing here understands TOML by itself: the reader of the standard library says where a value ends, and after each change
what it reads must be what was there before with that change made to it. Where that cannot be had (an inline table,
say), `BadSettings` names the line to write by hand.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from nurture.errors import BadSettings

#: What may be written. None takes the line away.
Value: TypeAlias = str | int | float | bool | Sequence[str] | Mapping[str, str] | None
#: The sections above a key, and the key.
Path: TypeAlias = tuple[str, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def put(text: str, path: Path, value: Value, *, file: str, dotted: bool = False) -> str:
    """The file with one value changed, added or, for None, taken away; `dotted` adds `smtp.host` and no `[smtp]`."""
    after = _put(text, path, value, dotted=dotted)
    return _checked(text, after, lambda tree: _set_in(tree, path, value), file, path)


def put_entry(text: str, array: str, name: str, values: Mapping[str, Value], *, file: str) -> str:
    """The file with values changed in the `[[array]]` whose `name` it is; it is added where there is none."""
    parsed = tomllib.loads(text).get(array, [])
    entries: list[dict[str, Any]] = parsed if isinstance(parsed, list) else []
    place = next((number for number, one in enumerate(entries) if one.get("name") == name), None)
    if place is None:
        lines = ["", f"[[{array}]]", f"name = {written(name)}"]
        end = "\n" if text and not text.endswith("\n") else ""
        text, place = text + end + "\n".join(lines) + "\n", len(entries)
        if not _is_whole(text):
            raise BadSettings(f"{file}: {array} stands there as a value; write its entries as sections [[{array}]].")
    for key, value in values.items():

        def change(tree: dict[str, Any], key: str = key, value: Value = value, number: int = place) -> None:
            _set_in(tree[array][number], (key,), value)

        text = _checked(text, _put(text, (array, key), value, number=place), change, file, (array, key))
    return text


def written(value: Value) -> str:
    """A value as TOML has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case str():
            # JSON's escapes are TOML's, except that TOML wants the delete character escaped too.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{" + ", ".join(f"{written_key(key)} = {written(one)}" for key, one in value.items()) + "}"
        case None:
            return ""
    return "[" + ", ".join(written(one) for one in value) + "]"


def written_key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


@dataclass(frozen=True)
class _Line:
    """A header (no key) or a value, with the lines it takes; `number` says which of several sections of one name."""

    section: Path
    number: int
    key: Path
    begin: int
    end: int


def _put(text: str, path: Path, value: Value, *, number: int = 0, dotted: bool = False) -> str:
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(ending)
    found = list(_walk(lines))
    there = next((one for one in found if one.key and (*one.section, *one.key) == path and one.number == number), None)
    if there is not None:
        old = lines[there.begin : there.end]
        new = [] if value is None else _longer(old, there.key, value) or [_replaced(old, value)]
        lines[there.begin : there.end] = new
    elif value is not None:
        at, above, key = _room_for(lines, found, path, number, dotted=dotted)
        lines[at:at] = [*above, f"{key} = {written(value)}"]
    return ending.join(lines)


def _walk(lines: Sequence[str]) -> Iterator[_Line]:
    """Every header and every value of a file, in order."""
    section: Path = ()
    counted: dict[Path, int] = {}
    number = at = 0
    while at < len(lines):
        header, key = _HEADER.match(lines[at]), _KEY.match(lines[at])
        end = at + 1
        if header:
            section = _parts(header[2])
            if header[1] == "[[":
                counted[section] = counted.get(section, -1) + 1
            number = counted.get(section[:1], 0)
            yield _Line(section, number, (), at, end)
        elif key:
            while end < len(lines) and not _is_whole("\n".join(lines[at:end])):
                end += 1
            yield _Line(section, number, _parts(key[1]), at, end)
        at = end


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted))


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _longer(old: Sequence[str], key: Path, value: Value) -> list[str] | None:
    """A list of several lines with more at its end, each on a line of its own; None where that is not what is wanted."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not old[-1].lstrip().startswith("]"):
        return None
    there = _value_of(old, key)
    if not isinstance(there, list) or list(value[: len(there)]) != there:
        return None
    within = list(old[1:-1])
    item = next((one for one in within if one.strip()), "  ")
    more = [f"{item[: len(item) - len(item.lstrip())]}{written(one)}," for one in value[len(there) :]]
    last = next((at for at in reversed(range(len(within))) if within[at].split("#")[0].strip()), None)
    # Whether the last one has its comma already, nobody says as surely as the reader.
    spellings = [within]
    if last is not None:
        line = within[last]
        ends = [*(at for at, sign in enumerate(line) if sign == "#"), len(line)]
        spelled = [f"{line[:at].rstrip()},{line[len(line[:at].rstrip()) :]}" for at in ends]
        spellings += [[*within[:last], one, *within[last + 1 :]] for one in spelled]
    longer = ([old[0], *one, *more, old[-1]] for one in spellings)
    return next((one for one in longer if _value_of(one, key) == list(value)), None)


def _value_of(lines: Sequence[str], key: Path) -> object:
    """What these lines say of that key; None if that is not TOML."""
    try:
        tree: Any = tomllib.loads("\n".join(lines))
        for step in key:
            tree = tree[step]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return None
    return tree


def _replaced(old: Sequence[str], value: Value) -> str:
    """The line with another value; a comment behind it stays in its column as far as it can."""
    before, _, rest = old[0].partition("=")
    blank = rest[: len(rest) - len(rest.lstrip(" "))]
    start = f"{before}={blank or ' '}{written(value)}"
    last = old[-1]
    comment = next((at for at, sign in enumerate(last) if sign == "#" and _is_comment(old, at)), None)
    return start if comment is None else f"{start.ljust(comment - 1)} {last[comment:]}"


def _is_comment(old: Sequence[str], at: int) -> bool:
    """Whether what stands before that sign is whole by itself."""
    return _is_whole("\n".join([*old[:-1], old[-1][:at]]))


def _room_for(
    lines: Sequence[str], found: Sequence[_Line], path: Path, number: int, *, dotted: bool
) -> tuple[int, list[str], str]:
    """Where a new line goes, what has to stand above it, and its key."""
    within = [one for one in found if one.section == path[:-1] and one.number == number]
    if within:
        return within[-1].end, [], written_key(path[-1])
    if dotted or not path[:-1]:
        top = [one.end for one in found if one.section == ()]
        return max(top, default=0), [], ".".join(map(written_key, path))
    end = len(lines) - 1 if lines and not lines[-1] else len(lines)
    header = f"[{'.'.join(map(written_key, path[:-1]))}]"
    return end, ["", header] if end else [header], written_key(path[-1])


def _set_in(tree: dict[str, Any], path: Path, value: Value) -> None:
    for step in path[:-1]:
        if value is None and step not in tree:
            return
        tree = tree.setdefault(step, {})
    if value is None:
        tree.pop(path[-1], None)
    else:
        tree[path[-1]] = tomllib.loads(f"x = {written(value)}")["x"]


def _checked(before: str, after: str, change: Callable[[dict[str, Any]], None], file: str, path: Path) -> str:
    """`after`, if it says what `before` says with that change."""
    wanted = deepcopy(tomllib.loads(before))
    try:
        change(wanted)
        if tomllib.loads(after) == wanted:
            return after
    except (tomllib.TOMLDecodeError, AttributeError, TypeError, KeyError):
        pass
    raise BadSettings(
        f"{file}: {'.'.join(path)} stands there in a way that cannot be changed by a command; "
        f"write it as {path[-1]} = … in a section [{'.'.join(path[:-1])}] of its own, then type this again."
    )
