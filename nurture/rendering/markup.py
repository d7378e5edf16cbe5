"""Tags, comments and text of an MJML or HTML document, each with its place, found in one pass without building a tree.

A tree parser would move, close and re-order things, and templates hold loops that only become a document when they are
rendered. So the linter, the link numbering and the text part all read this stream and leave every other byte alone.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html.entities import html5

# HTML tags that are never closed.
VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip


class Kind(StrEnum):
    TEXT = "text"
    OPEN = "open"
    CLOSE = "close"
    COMMENT = "comment"
    DECLARATION = "declaration"  # <!doctype>, <?xml?>, <![CDATA[…]]>
    BROKEN = "broken"  # a `<` that begins nothing


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as written; `start` and `end` enclose its value in the document, without the quotes."""

    name: str
    value: str
    at: int
    start: int
    end: int
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the document. `name` is the tag's, in lower case for HTML; `is_empty` marks `<br />`."""

    kind: Kind
    start: int
    end: int
    text: str
    name: str = ""
    is_empty: bool = False

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Those of a tag; most are never asked for, so they are read when they are."""
        return _attributes(self.text, self.start) if self.kind is Kind.OPEN else ()

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name, the last one when it is written twice, as MJML takes it."""
        return next((each for each in reversed(self.attributes) if each.name.lower() == name), None)


# Possessive quantifiers (`*+`) keep this linear on any input.
_PIECE = re.compile(
    r"""<(?P<declaration>[!?][^<>]*+)>
      | </(?P<close>[A-Za-z][\w:.-]*+)\s*+>
      | <(?P<open>[A-Za-z][\w:.-]*+)(?P<attributes>(?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>
      | (?P<text>[^<]++)
      | (?P<broken><)
    """,
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'=<>/]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'<>]++))?""")
_TAG_NAME = re.compile(r"<[A-Za-z][\w:.-]*+")
_RAW_TEXT = frozenset({"style", "script", "mj-style"})


_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*)[;=]?")


def decoded(value: str) -> str:
    """The value of an attribute as mail programs read it: `&reg` is a sign in text, but `?a=1&region=EU` holds none."""
    return _REFERENCE.sub(_referred_to, value)


def _referred_to(found: re.Match[str]) -> str:
    reference = found[0]
    is_one = reference.startswith("&#") or (not reference.endswith("=") and reference[1:] in html5)
    return html.unescape(reference) if is_one else reference


def pieces(document: str) -> Sequence[Piece]:
    """The document from front to back; the texts of all pieces joined are the document."""
    return _pieces(document)


@lru_cache(maxsize=8)  # one mail is looked at several times in a row
def _pieces(document: str) -> tuple[Piece, ...]:
    return tuple(_cut(document))


def _cut(document: str) -> Iterator[Piece]:
    position = 0
    while position < len(document):
        if document.startswith("<!--", position):
            end = document.find("-->", position + 4) + 3
            if end < 3:  # never closed: the rest is lost
                yield Piece(Kind.BROKEN, position, len(document), document[position:])
                return
            yield Piece(Kind.COMMENT, position, end, document[position:end])
            position = end
            continue
        found = _PIECE.match(document, position)
        if found is None:  # never: any `<` is at least broken, and anything else is text
            return
        start, position, text = found.start(), found.end(), found[0]
        match found.lastgroup:
            case "declaration":
                yield Piece(Kind.DECLARATION, start, position, text)
            case "close":
                yield Piece(Kind.CLOSE, start, position, text, _name(found["close"]))
            case "text":
                yield Piece(Kind.TEXT, start, position, text)
            case "broken":
                yield Piece(Kind.BROKEN, start, position, text)
            case _:
                opened = _opened(found, start, position)
                yield opened
                end = _end_of_raw_text(opened, document)
                if end > position:
                    yield Piece(Kind.TEXT, position, end, document[position:end])
                    position = end


def _end_of_raw_text(opened: Piece, document: str) -> int:
    """Where the text of a style sheet ends, in which `<` means nothing."""
    if opened.name not in _RAW_TEXT or opened.is_empty:
        return opened.end
    closing = re.compile(f"</{opened.name}", re.IGNORECASE).search(document, opened.end)
    return closing.start() if closing else len(document)


def _opened(found: re.Match[str], start: int, end: int) -> Piece:
    is_empty = found["attributes"].rstrip().endswith("/")
    return Piece(Kind.OPEN, start, end, found[0], _name(found["open"]), is_empty)


@lru_cache(maxsize=1_000)  # about the same tags again and again
def _attributes(tag: str, start: int) -> tuple[Attribute, ...]:
    """The attributes of an opening tag that begins at `start`."""
    named = _TAG_NAME.match(tag)
    attributes = []
    for each in _ATTRIBUTE.finditer(tag, named.end() if named else 0, len(tag) - 1):
        value = each[2] or ""
        is_quoted = value[:1] in {'"', "'"}
        value_start = start + (each.start(2) if each[2] else each.end())
        first, last = value_start + is_quoted, value_start + len(value) - is_quoted
        inside = value[1:-1] if is_quoted else value
        attributes.append(Attribute(each[1], inside, start + each.start(), first, last, is_quoted))
    return tuple(attributes)


def _name(written: str) -> str:
    # MJML is case-sensitive: <MJ-TEXT> is no tag it knows.
    return written if written.lower().startswith("mj") else written.lower()
