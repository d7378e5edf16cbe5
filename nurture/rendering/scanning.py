"""Jinja tags in a text, each with the place where its author wrote it.

Templates are taken apart here, put together anew by `flattening` and hidden from MJML and Markdown by `mask`. A token
never forgets its file, line and column, so that a mistake three includes deep is reported where it can be mended.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TypeAlias

from nurture.rendering.source import Findings

Place: TypeAlias = tuple[str, int, int]  # file, line, column; both count from 1


class Kind(StrEnum):
    """What a token is: text, `{{ }}`, `{% %}`, `{# #}`, or a `{% raw %}` region as a whole."""

    TEXT = "text"
    OUTPUT = "output"
    STATEMENT = "statement"
    COMMENT = "comment"
    RAW = "raw"


@dataclass(frozen=True, eq=False)
class Original:
    """A file as its author wrote it, or the part of it that begins at `first_line` and `first_column`."""

    file: str
    text: str
    first_line: int = 1
    first_column: int = 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, offset: int) -> Place:
        """Where the character at `offset` stands."""
        line = bisect_right(self._line_starts, offset) - 1
        column = offset - self._line_starts[line] + (self.first_column if line == 0 else 1)
        return self.file, self.first_line + line, column

    def offset_of_line(self, line: int) -> int:
        """Where a line of `text` begins, counting from 0."""
        return self._line_starts[min(line, len(self._line_starts) - 1)]


def _inner(tag: str) -> str:
    return tag[2:-2].strip("+-").strip()


@lru_cache(maxsize=4096)  # a tag is asked many times, and a layout's in every mail
def _first_word(statement: str) -> str:
    found = re.match(r"\w+", _inner(statement))
    return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template. `is_made` marks text of ours that stands for the line its author wrote in Markdown."""

    kind: Kind
    text: str
    original: Original
    offset: int
    is_made: bool = False

    def place(self, within: int = 0) -> Place:
        """Where the character number `within` of this token was written."""
        return self.original.place(self.offset if self.is_made else self.offset + within)

    @property
    def inner(self) -> str:
        """What stands between the braces."""
        return _inner(self.text) if self.kind is not Kind.TEXT else self.text

    @property
    def word(self) -> str:
        """The first word of a statement: `if`, `endfor`, `set`."""
        return _first_word(self.text) if self.kind is Kind.STATEMENT else ""

    @property
    def trims_before(self) -> bool:
        return self.kind is not Kind.TEXT and self.text[2] == "-"

    @property
    def trims_after(self) -> bool:
        return self.kind is not Kind.TEXT and self.text[-3] == "-"

    def with_text(self, text: str, skipped: int = 0) -> "Token":
        """The same token with other text, `skipped` characters of the old one left out in front."""
        return replace(self, text=text, offset=self.offset + (0 if self.is_made else skipped))


_OPENING = re.compile(r"\{\{|\{%|\{#")
_CLOSING = {"{{": "}}", "{%": "%}"}
# Inside a tag a string may hold anything, and a closing brace counts only outside brackets, as in Jinja's own lexer.
_INSIDE = re.compile(r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[\[({]|[\])}]|%}""", re.DOTALL)
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%}")
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%}")


def scan(original: Original, findings: Findings) -> list[Token]:
    """Take a text apart; what cannot be read is reported and left out with all that follows."""
    text, tokens, position = original.text, [], 0
    while opening := _OPENING.search(text, position):
        start = opening.start()
        if start > position:
            tokens.append(Token(Kind.TEXT, text[position:start], original, position))
        kind, end = _read_tag(text, start)
        if end < 0:
            line = text[start:].split("\n", 1)[0].strip()[:40]
            findings.add(original.place(start), "NT105", f"`{line}` is never closed", "close it, or write {% raw %}")
            return tokens
        tokens.append(Token(kind, text[start:end], original, start))
        position = end
    if position < len(text):
        tokens.append(Token(Kind.TEXT, text[position:], original, position))
    return tokens


def _read_tag(text: str, start: int) -> tuple[Kind, int]:
    """The kind of the tag at `start` and where it ends, -1 if nowhere."""
    if text.startswith("{#", start):
        end = text.find("#}", start + 2)
        return Kind.COMMENT, end + 2 if end >= 0 else -1
    if raw := _RAW.match(text, start):
        closing = _ENDRAW.search(text, raw.end())
        return Kind.RAW, closing.end() if closing else -1
    kind = Kind.OUTPUT if text.startswith("{{", start) else Kind.STATEMENT
    end_mark, depth, position = _CLOSING[text[start : start + 2]], 0, start + 2
    while found := _INSIDE.search(text, position):
        position = found.end()
        mark = found[0]
        if depth == 0 and text.startswith(end_mark, found.start()):
            return kind, found.start() + 2
        if mark in ("(", "[", "{"):
            depth += 1
        elif mark in (")", "]", "}") or (mark == "%}" and depth):
            depth -= 1
            if depth < 0:
                return kind, -1
    return kind, -1


def with_line_feeds(text: str) -> str:
    """Jinja counts a carriage return as a line of its own; here a line ends in one way."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def text_of(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


@dataclass(frozen=True)
class Masked:
    """A text in which a harmless word stands for each Jinja tag, as MJML and Markdown may see it."""

    text: str
    tags: Mapping[str, Token]
    mark: str  # what every word begins with
    _starts: list[int] = field(default_factory=list)
    _tokens: list[Token] = field(default_factory=list)

    @cached_property
    def word(self) -> re.Pattern[str]:
        """Finds any of the words."""
        return re.compile(rf"{self.mark}\d{{5,}}Jj")

    @property
    def spans(self) -> list[tuple[int, int, Token]]:
        """Each token with where it begins and ends in the masked text."""
        return list(zip(self._starts, [*self._starts[1:], len(self.text)], self._tokens, strict=True))

    def place(self, offset: int) -> Place:
        """Where the character at `offset` of the masked text was written."""
        if not self._tokens:
            return "", 1, 1
        index = max(0, bisect_right(self._starts, offset) - 1)
        token = self._tokens[index]
        within = offset - self._starts[index] if token.kind is Kind.TEXT else 0
        return token.place(min(within, len(token.text)))


def mask(tokens: Iterable[Token]) -> Masked:
    """Hide each Jinja tag behind a word of letters and digits; comments go away."""
    kept = [token for token in tokens if token.kind is not Kind.COMMENT]
    mark = "jJ"
    while any(mark in token.text for token in kept):
        mark += "j"  # so that no text can look like one of the words
    pieces: list[str] = []
    starts: list[int] = []
    tags: dict[str, Token] = {}
    length = 0
    for token in kept:
        piece = token.text
        if token.kind is not Kind.TEXT:
            piece = numbered_word(mark, len(tags))
            tags[piece] = token
        starts.append(length)
        pieces.append(piece)
        length += len(piece)
    return Masked("".join(pieces), tags, mark, starts, kept)


def numbered_word(mark: str, number: int) -> str:
    """The word that stands for a tag."""
    return f"{mark}{number:05d}Jj"


def restore(masked: str, words: re.Pattern[str], tags: Mapping[str, str]) -> str:
    """Put the tags back. What merely looks like Jinja between them is printed as it is."""
    pieces, position = [], 0
    for found in words.finditer(masked):
        pieces += [_literal(masked[position : found.start()], before_tag=True), tags[found[0]]]
        position = found.end()
    pieces.append(_literal(masked[position:], before_tag=False))
    return "".join(pieces)


def _literal(text: str, *, before_tag: bool) -> str:
    # `&#123;&#123;` in HTML is `{{` in plain text: it must stay text.
    text = re.sub(r"\{(?=[{%#])", '{{ "{" }}', text)
    return text[:-1] + '{{ "{" }}' if before_tag and text.endswith("{") else text
