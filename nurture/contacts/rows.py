"""What a file says about one contact: a row that was taken, one that was refused, and what else is known. Pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from nurture.conditions import Value
from nurture.contacts.addresses import Address


@dataclass(frozen=True)
class Note:
    """Something about a cell, or about a whole row, that was not taken as it stands."""

    column: str
    what: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What another system knows of somebody: the days they last did something, and how often their address bounced.

    It decides whom to mail first and whom no longer, and is never part of a score.
    """

    last_open_on: date | None = None
    last_click_on: date | None = None
    last_reply_on: date | None = None
    last_contact_on: date | None = None
    bounces: int | None = None

    @property
    def last_sign_on(self) -> date | None:
        """When they last showed that they read us."""
        return max(filter(None, (self.last_open_on, self.last_click_on, self.last_reply_on)), default=None)

    def and_later(self, other: "Past") -> "Past":
        """What two rows know together: the later days, the greater count."""
        if other == NO_PAST:
            return self
        known = {
            one.name: max(
                (it for it in (getattr(self, one.name), getattr(other, one.name)) if it is not None), default=None
            )
            for one in fields(self)
        }
        return Past(**known)

    def until(self, today: date) -> "Past":
        """Without days that are still to come, which somebody mistyped."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return Past(**{name: None if isinstance(it, date) and it > today else it for name, it in known.items()})


#: Nothing is known, as of most people.
NO_PAST = Past()


class ImportRow(NamedTuple):
    """One contact of a file: what its rows say, the first with a value winning.

    `line` is the physical line of the first row, `permission` what each row says about consent (field, cell), and
    `is_shifted` that a row had more cells than there are headers, so that no cell of it proves a consent. A plain tuple,
    because a long file makes a million of them and a frozen dataclass takes four times as long.
    """

    line: int
    address: Address
    values: Mapping[str, Value] = MappingProxyType({})
    owner: str = ""
    tags: tuple[str, ...] = ()
    permission: tuple[tuple[tuple[str, str], ...], ...] = ()
    is_shifted: bool = False
    further_lines: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    past: Past = NO_PAST


@dataclass(frozen=True)
class RefusedRow:
    """A row that names nobody who could be mailed."""

    line: int
    reason: str
    cells: tuple[str, ...] = ()


def merge(rows: Sequence[ImportRow]) -> list[ImportRow]:
    """One row per address, in the order in which the addresses came."""
    merged: dict[str, ImportRow] = {}
    for row in rows:
        first = merged.get(row.address.key)
        merged[row.address.key] = row if first is None else _fill(first, row)
    return list(merged.values())


def _fill(first: ImportRow, later: ImportRow) -> ImportRow:
    return first._replace(
        values={**later.values, **first.values},
        owner=first.owner or later.owner,
        tags=tuple(dict.fromkeys((*first.tags, *later.tags))),
        permission=(*first.permission, *later.permission),
        is_shifted=first.is_shifted or later.is_shifted,
        further_lines=(*first.further_lines, later.line),
        notes=(*first.notes, *later.notes),
        past=first.past.and_later(later.past),
    )
