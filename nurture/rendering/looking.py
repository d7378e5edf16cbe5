"""What a reader's values come to where they are printed, looked at once for all places of a mail.

A name stands in both parts of a mail, and more than once. `Looks` numbers the fields that the parts of a mail print, root
by root. Before its programs run, each field is looked at; what a program finds under the number is the finished piece. At
a value that is not short and plain text it looks itself, by what `quoting` has for the place.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from nurture.rendering.quoting import PLAIN, SHORT, SOFT, SPECIAL, escaped, quote
from nurture.rendering.rules import ROOTS

#: A value as a piece of HTML and of text. `BLANK` is what `fallback` steps in for; at what is `ODD`, and at a blank that
#: nothing steps in for, each place looks for itself.
Pieces: TypeAlias = tuple[bytes | None, bytes | None]
BLANK: Pieces = (None, None)
ODD: Pieces = (b"", b"")
IN_HTML, IN_TEXT = 0, 1

_MOST = 256
_MISSING = object()


def look_at(value: object) -> Pieces:
    """What a value comes to wherever it is printed."""
    if type(value) is not str:
        return BLANK if value is None else ODD
    if PLAIN(value):
        piece = value.encode() + SOFT
        return piece, piece
    # Nothing printable is white space but the space itself.
    if value.isprintable() and value[:1] != " " != value[-1:] and 0 < len(value) <= SHORT:
        in_text = quote(value)
        return (quote(escaped(value)) if SPECIAL(value) else in_text), in_text
    return ODD if len(value) > SHORT or value.strip() else BLANK


class _Lately(dict[Any, Pieces]):
    """What the last values came to: many readers share a country or a sender. It keeps text and None alone."""

    def __missing__(self, value: object) -> Pieces:
        pieces = look_at(value)
        if pieces is not ODD:
            if len(self) >= _MOST:
                self.clear()
            self[value] = pieces
        return pieces


_look = _Lately().__getitem__


class Looks:
    """The fields of one root that a mail prints."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._take: Callable[[Any], Sequence[Any]] = lambda _: ()

    def number(self, name: str) -> int:
        """Where a program finds this field."""
        if name not in self.names:
            self.names[name] = len(self.names)
            names = tuple(self.names)
            self._take = itemgetter(*names) if len(names) > 1 else lambda fields: (fields[name],)
        return self.names[name]

    def at(self, fields: Any) -> list[Pieces]:
        """These fields of a reader, by number; one that is missing is left to whoever prints it."""
        if not self.names:
            return []
        try:
            values = self._take(fields)
        except KeyError:
            values = [fields.get(name, _MISSING) for name in self.names]
        return list(map(_look, values))


class Addresses(Looks):
    """Those of our own pages; every mail has others."""

    def at(self, fields: Any) -> list[Pieces]:
        return [look_at(getattr(fields, name)) for name in self.names]


def looks_of_a_mail() -> dict[str, Looks]:
    """What all parts of a mail share: the fields by root, and our own addresses."""
    return {root: Looks() for root in sorted(ROOTS)} | {"urls": Addresses()}
