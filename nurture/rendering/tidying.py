"""What a text part keeps of its white space: `tidy` the whole, or decide it ahead, while some of it is still missing.

A text part is tidied as a whole when it is rendered plainly: no blank at the end of a line, never two empty lines, none
at either end. Most of that follows from what stays the same. Reading from left to right, all that has to be remembered is
the white space since the last word, a `Place`; line ends are written only once something follows them. `residual` walks
a template with a set of places, one for each way in which a reader's mail may have come there.
"""

import re
from dataclasses import dataclass
from typing import Protocol

_RUNS = re.compile(r"\n|[ \t]+|[^\n \t]+")


def tidy(text: str) -> str:
    """No space at the end of a line, never two empty lines in a row, one line end at the end."""
    return without_gaps(text).strip("\n").rstrip() + "\n"


def without_gaps(text: str) -> str:
    """The same, its beginning and its end as they are."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text))


class NotAhead(Exception):
    """This message is not one that was thought of when its mail was compiled; it is written the plain way."""


@dataclass(frozen=True)
class Place:
    """Where a text has come to: so many line ends and these blanks since the last word; below 0, nothing came yet."""

    line_ends: int
    blanks: str = ""
    is_odd: bool = False  # the last word ends with white space of another kind, which goes away at the end of all


BEGINNING = Place(-1)
BEHIND_WORD = Place(0)


class Kept(Protocol):
    """What stays of a text that is read piece by piece."""

    def take(self, place: Place, text: str) -> tuple[str, Place]:
        """What is written of the next text, and where that leads."""

    def owed(self, place: Place) -> str:
        """What is written before a value that follows."""

    def end(self, place: Place) -> str:
        """What is written at the end of all; raises NotAhead if that takes knowing more."""


class Tidied:
    """As `tidy` keeps it."""

    def take(self, place: Place, text: str) -> tuple[str, Place]:
        written: list[str] = []
        line_ends, blanks, is_odd = place.line_ends, place.blanks, place.is_odd
        for run in _RUNS.findall(text):
            if run == "\n":
                line_ends, blanks = (line_ends if line_ends < 0 else min(2, line_ends + 1)), ""
            elif run[0] in " \t":
                blanks += run
            else:
                written += ["\n" * max(0, line_ends), blanks, run]
                line_ends, blanks, is_odd = 0, "", run[-1].isspace()
        return "".join(written), Place(line_ends, blanks, is_odd)

    def owed(self, place: Place) -> str:
        return "\n" * max(0, place.line_ends) + place.blanks

    def end(self, place: Place) -> str:
        if place.is_odd:
            raise NotAhead
        return "\n"


class Begun:
    """As a page is kept: all of it but white space at the beginning."""

    def take(self, place: Place, text: str) -> tuple[str, Place]:
        if place == BEGINNING:
            text = text.lstrip()
        return text, BEHIND_WORD if text else place

    def owed(self, place: Place) -> str:
        if place == BEGINNING:
            raise NotAhead  # a value might begin with white space
        return ""

    def end(self, place: Place) -> str:
        return ""


class Whole:
    """As it is: the subject, which is tidied when all of it is there."""

    def take(self, place: Place, text: str) -> tuple[str, Place]:
        return text, place

    def owed(self, place: Place) -> str:
        return ""

    def end(self, place: Place) -> str:
        return ""
