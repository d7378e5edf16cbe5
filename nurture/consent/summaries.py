"""What an import did, counted; and what somebody who listens is told about each row meanwhile.

A summary stays small however long the file is: refused rows are handed on as they come and kept only if nobody takes
them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from nurture.consent.rules import Pile
from nurture.contacts.history.rules import Change
from nurture.contacts.imports import Note, RefusedRow
from nurture.contacts.intake import Outcome

_EXAMPLES = 3


class Told(NamedTuple):
    """What became, or would become, of one contact of the file; `known_on` is the latest day the file tells of them."""

    line: int
    email: str
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    is_opted_out: bool = False
    known_on: date | None = None


@dataclass(frozen=True)
class Listener:
    """Who wants to know more than the numbers: `refused` takes every refused row, `told` hears about every contact."""

    refused: Callable[[RefusedRow], None] | None = None
    told: Callable[[Told], None] | None = None


@dataclass
class Noticed:
    """How often something was noted, with the first line and a few of the cells."""

    count: int = 0
    first_line: int = 0
    examples: tuple[str, ...] = ()


@dataclass
class Summary:
    """What an import did. `opted_out` counts addresses on the suppression list; every accepted contact is in a pile.

    `refused` is empty where a listener takes the rows; `refused_count` counts them all.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    refused_count: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    opted_out: int = 0
    piles: dict[Pile, int] = field(default_factory=lambda: dict.fromkeys(Pile, 0))
    notes: dict[tuple[str, str], Noticed] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Rows of the file so far."""
        return self.created + self.updated + self.unchanged + self.merged + self.refused_count

    def add(self, other: "Summary", listener: Listener) -> None:
        """Count what a further chunk did."""
        for name in ("created", "updated", "unchanged", "merged", "opted_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for row in other.refused:
            self.refuse(row, listener)
        for pile, count in other.piles.items():
            self.piles[pile] += count
        for (column, what), noticed in other.notes.items():
            self._notice(column, what, noticed)

    def refuse(self, row: RefusedRow, listener: Listener) -> None:
        """Count a row that was refused, and hand it on."""
        self.refused_count += 1
        if listener.refused is None:
            self.refused.append(row)
        else:
            listener.refused(row)

    def note(self, line: int, notes: Iterable[Note]) -> None:
        """Count what was noted about the contact that starts on this line."""
        for one in notes:
            self._notice(one.column, one.what, Noticed(1, line, (one.value,) if one.value else ()))

    def _notice(self, column: str, what: str, noticed: Noticed) -> None:
        kept = self.notes.setdefault((column, what), Noticed(first_line=noticed.first_line))
        kept.count += noticed.count
        if len(kept.examples) < _EXAMPLES:
            kept.examples = tuple(dict.fromkeys(kept.examples + noticed.examples))[:_EXAMPLES]
