"""The links of a mail: numbered once, in the order in which they stand, and led through our own address for each contact.

Only http and https are counted as clicks. `mailto:`, `tel:`, `#part` and the addresses to leave, to choose, to view, to
wish and to meet are left alone. A link and its twin for Outlook (VML in a conditional comment) share a number. The
document is spliced, never parsed into a tree: every byte outside an href stays what it was.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from nurture.rendering import markup

#: Names in a template that lead to our own pages.
OWN_ADDRESSES = frozenset(
    {"leave_url", "preferences_url", "view_url", "wish_url", "answer_url", "form_url", "share_url"}
)

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)\s*:")
# Browsers ignore control characters and spaces in front of and inside a scheme, so they are no way around the check.
_IGNORED_IN_SCHEME = re.compile(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff]+")
_AROUND = "".join(map(chr, range(0x21)))  # what browsers take away (WHATWG URL, 4.4)
_INSIDE = re.compile("[\\t\\n\\r ]")
_HARMLESS = frozenset({"http", "https", "mailto", "tel", "sms", "webcal", "geo"})
_VML_HREF = re.compile(r"""<(?:v:\w+|a|area)\b[^>]*?\shref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


class Written(NamedTuple):
    """Addresses of one delivery in quoted-printable, those that a template prints in HTML and in text (see `quoting`)."""

    leave: tuple[bytes, bytes]
    preferences: tuple[bytes, bytes]
    view: tuple[bytes, bytes]
    open: bytes
    click: bytes  # what a number and the end of its line stand behind


@dataclass(frozen=True)
class Link:
    """A link of the mail. `destination` is Jinja when `is_dynamic`; `label` is what the reader sees, Jinja included."""

    number: int
    label: str
    destination: str
    is_dynamic: bool


@dataclass(frozen=True)
class Href:
    """An href in the masked HTML: where its value stands, and whether only Outlook sees it."""

    start: int
    end: int
    value: str
    is_vml: bool
    label: str = ""


#: An address as link of that number carries it: with what tells a website where a visitor came from.
Tag: TypeAlias = Callable[[int, str], str]


def as_authored(_number: int, address: str) -> str:
    """The address as it is."""
    return address


#: Makes the word that stands for an href of that number.
Replace: TypeAlias = Callable[[int, "Href"], str]


def scheme(destination: str) -> str:
    """The scheme of an address as a browser would see it, in lower case; "" when it has none."""
    found = _SCHEME.match(_IGNORED_IN_SCHEME.sub("", destination))
    return found[1].lower() if found else ""


def is_web(destination: str) -> bool:
    """Whether a click on it can be counted."""
    return scheme(destination) in {"http", "https"}


def is_harmless(destination: str) -> bool:
    """Whether a reader may be led there: `javascript:` and its like, out of a contact's field, are not followed."""
    return scheme(destination) in _HARMLESS | {""}


def spelled(address: str) -> str:
    """An address as browsers follow it: no space around it, no line end inside, and a space inside is `%20`."""
    stripped = address.strip(_AROUND)
    return _INSIDE.sub(_written, stripped)


def followed(value: str) -> str:
    """The same of an href as it stands in HTML."""
    return spelled(markup.decoded(value))


def _written(blank: re.Match[str]) -> str:
    return "%20" if blank[0] == " " else ""


def find_hrefs(document: str) -> list[Href]:
    """Every href of a link, in document order, those for Outlook included."""
    found: list[Href] = []
    opened: int | None = None  # the link we are in
    label: list[str] = []
    for piece in markup.pieces(document):
        if piece.kind is markup.Kind.OPEN and piece.name in {"a", "area"}:
            attribute = piece.attribute("href")
            if attribute is not None:
                alt = piece.attribute("alt")
                found.append(Href(attribute.start, attribute.end, attribute.value, False, alt.value if alt else ""))
                opened, label = (len(found) - 1 if piece.name == "a" else None), []
        elif piece.kind is markup.Kind.CLOSE and piece.name == "a" and opened is not None:
            href, shown = found[opened], " ".join(html.unescape("".join(label)).split())
            found[opened] = Href(href.start, href.end, href.value, False, shown)
            opened = None
        elif piece.kind is markup.Kind.OPEN and piece.name == "img" and opened is not None:
            alt = piece.attribute("alt")
            label.append(f" {alt.value} " if alt else "")
        elif piece.kind is markup.Kind.TEXT and opened is not None:
            label.append(piece.text)
        elif piece.kind is markup.Kind.COMMENT:
            for inside in _VML_HREF.finditer(piece.text):
                group = 1 if inside[1] is not None else 2
                start, end = inside.start(group) + piece.start, inside.end(group) + piece.start
                found.append(Href(start, end, inside[group], True))
    return found


def number_links(
    document: str, is_counted: Callable[[str], bool], replace: Replace, authored: Callable[[str], str] = str
) -> tuple[str, list[tuple[int, Href]]]:
    """Put a word for every counted href, and list the numbered links as (number, href).

    `is_counted` is asked with the decoded value of an href; `authored` gives a masked value back as it was written.
    """
    counted = [href for href in find_hrefs(document) if is_counted(markup.decoded(href.value))]
    numbers = _numbers([(authored(href.value), href.is_vml) for href in counted])
    spliced: list[str] = []
    position = 0
    for href, number in zip(counted, numbers, strict=True):
        spliced += [document[position : href.start], replace(number, href)]
        position = href.end
    spliced.append(document[position:])
    first: dict[int, Href] = {}
    for href, number in zip(counted, numbers, strict=True):
        if number not in first or (first[number].is_vml and not href.is_vml):
            first[number] = href
    return "".join(spliced), sorted(first.items())


def _numbers(hrefs: list[tuple[str, bool]]) -> list[int]:
    """A number for each (value, is_vml), in document order; what is for Outlook shares that of the link beside it."""
    numbers: dict[int, int] = {}
    given = []
    for index in range(len(hrefs)):
        itself = _twin(hrefs, index)
        numbers.setdefault(itself, len(numbers))
        given.append(numbers[itself])
    return given


def _twin(hrefs: list[tuple[str, bool]], index: int) -> int:
    """The link that an href for Outlook repeats: the next real one, or the one before; else it stands for itself."""
    value, is_vml = hrefs[index]
    if not is_vml:
        return index
    behind = next((i for i in range(index + 1, len(hrefs)) if not hrefs[i][1]), None)
    before = next((i for i in range(index - 1, -1, -1) if not hrefs[i][1]), None)
    for neighbor in (behind, before):
        if neighbor is not None and hrefs[neighbor][0] == value:
            return neighbor
    return index


class Clicks:
    """Leads the links of one part of one mail, and remembers where each leads.

    A link in a loop is one link with many destinations: on its turn `t` (from 0) it is number `n + t * total`, so that
    a click tells them apart and the numbers of the other links stay what they are.
    """

    def __init__(
        self,
        total: int,
        click: Callable[[int], str] | None,
        own: Callable[[], frozenset[str]],
        tag: Tag = as_authored,
    ) -> None:
        self.total = total
        self.click = click  # None: nothing is tracked
        self.own = own
        self.tag = tag
        self.turns: dict[tuple[int, bool], int] = {}
        self.destinations: dict[int, str] = {}

    def lead(self, number: int, address: str, *, is_vml: bool) -> str | None:
        """What stands in place of an address that depends on the contact; None leaves it as it is."""
        turn = self.turns.get((number, is_vml), 0)
        self.turns[number, is_vml] = turn + 1
        numbered = number + turn * self.total
        if not is_harmless(address):
            return "#"
        if not is_web(address) or (followed_to := spelled(address)) in self.own():
            return None
        self.destinations[numbered] = followed_to
        if self.click:
            return self.click(numbered)
        tagged = self.tag(numbered, followed_to)
        return tagged if tagged != address else None
