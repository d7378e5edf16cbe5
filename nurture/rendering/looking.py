"""What a reader's values come to where they are printed, looked at once for all places of a mail.

A name stands in both parts of a mail, and more than once. `Looks` numbers the fields that the parts of a mail print, root
by root. Before its programs run, each field is looked at; what a program finds under the number is the finished piece. At
a value that is not short and plain text it looks itself, by what `quoting` has for the place.
"""

from binascii import b2a_qp
from collections.abc import Callable, Sequence
from operator import is_, itemgetter
from typing import Any, TypeAlias

from nurture.rendering.quoting import PLAIN, SHORT, SOFT, SPECIAL, escaped, quote
from nurture.rendering.rules import ROOTS

#: A value as a piece of HTML and of text. `BLANK` is what `fallback` steps in for; at what is `ODD`, and at a blank that
#: nothing steps in for, each place looks for itself.
Pieces: TypeAlias = tuple[bytes | None, bytes | None]
BLANK: Pieces = (None, None)
ODD: Pieces = (b"", b"")
IN_HTML, IN_TEXT = 0, 1

_MISSING = object()


def look_at(value: object) -> Pieces:
    """What a value comes to wherever it is printed."""
    if type(value) is not str:
        return BLANK if value is None else ODD
    if value.isascii() and PLAIN(value):
        piece = value.encode() + SOFT
        return piece, piece
    # Nothing printable is white space but the space itself.
    if not value.isprintable() or value[:1] == " " or value[-1:] == " " or not 0 < len(value) <= SHORT:
        return ODD if len(value) > SHORT or value.strip() else BLANK
    encoded = b2a_qp(value.encode())
    in_text = encoded + SOFT if len(encoded) < 76 and value[0] not in ".F" else quote(value)  # as that would have it
    return (quote(escaped(value)) if SPECIAL(value) else in_text), in_text


class Looks:
    """The fields of one root that a mail prints."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._take: Callable[[Any], Sequence[Any]] = lambda _: ()
        self._lately: tuple[Sequence[Any], Sequence[Pieces]] = (), ()

    def number(self, name: str) -> int:
        """Where a program finds this field."""
        if name not in self.names:
            self.names[name] = len(self.names)
            names = tuple(self.names)
            self._take = itemgetter(*names) if len(names) > 1 else lambda fields: (fields[name],)
            self._lately = [object()] * len(names), ()  # the values of no mail
        return self.names[name]

    def at(self, fields: Any) -> Sequence[Pieces]:
        """These fields of a reader, by number; one that is missing is left to whoever prints it."""
        if not self.names:
            return ()
        try:
            values = self._take(fields)
        except KeyError:
            values = [fields.get(name, _MISSING) for name in self.names]
        # The very values of the mail before it: those of its sender and of the mail itself are.
        lately, pieces = self._lately
        if not all(map(is_, values, lately)):
            pieces = [look_at(value) for value in values]
            self._lately = values, pieces
        return pieces


class Addresses(Looks):
    """Those of our own pages, in the order in which `Written` has them; every mail has others."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("leave", "preferences", "view"):
            self.number(name)

    def at(self, fields: Any) -> Sequence[Pieces]:
        return [look_at(getattr(fields, name)) for name in self.names]


def looks_of_a_mail() -> dict[str, Looks]:
    """What all parts of a mail share: the fields by root, and our own addresses."""
    return {root: Looks() for root in sorted(ROOTS)} | {"urls": Addresses()}
