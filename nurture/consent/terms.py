"""What holds for all rows of an import, and what one row changes about somebody's consent under these terms. Pure.

A basis gives way only to one the law makes more of, a better proof, or a newer date; a stored no gives way to nothing.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nurture.consent.law.rules import ConsentTable, Who, end_of, rule
from nurture.consent.rules import STRENGTH, Basis, Pile, Proof
from nurture.consent.statements import Statement, read_statement
from nurture.consent.store import Consent
from nurture.contacts.history.rules import Author
from nurture.contacts.imports import ImportRow
from nurture.contacts.intake import Desk

# Where the date is ahead of UTC the most: a consent dated so is not in the future for everybody.
_EARLIEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True)
class Terms:
    """`origin` says how we know what the rows say and `by` what of ours took them in; `basis` is for those that state none."""

    topic: str
    origin: str
    table: ConsentTable
    desk: Desk
    basis: Basis | None = None
    given_on: date | None = None
    list_name: str = ""
    by: str = "import"

    def how(self, line: int) -> str:
        """How we know what a row says."""
        return f"{self.origin}, line {line}" if line else self.origin

    def proof(self, line: int, statement: Statement) -> Proof:
        """The same as the ledger keeps it."""
        return Proof(self.how(line), ip=statement.ip)

    def author(self, line: int) -> Author:
        """Who changed what that row changed."""
        return Author(self.by, self.how(line) if self.origin != self.by else "")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row with what it says about permission, worked out before any lock is taken."""

    row: ImportRow
    statement: Statement
    address_hash: str


def prepare(row: ImportRow, terms: Terms, now: datetime) -> Arrival:
    """Everything about a row that needs no database."""
    today = (now + _EARLIEST_ZONE).date()
    return Arrival(row, read_statement(row, today), terms.desk.hasher.hash(row.address.key))


@dataclass(frozen=True, slots=True)
class Where:
    """Which law is theirs: the country, and whether the address is a private person's."""

    country: str | None
    who: Who


#: State, basis and date.
News = tuple[str, Basis | None, date | None]


def decide(stored: Consent | None, statement: Statement, terms: Terms, where: Where, now: datetime) -> News | None:
    """State, basis and date as they are from now on; None when what is stored stays."""
    if stored is not None and stored.state not in {"given", "none"}:
        return None
    if statement.is_no:
        return "refused", None, None
    offered = list(statement.bases)
    if statement.is_silent and terms.basis is not None:
        offered.append((terms.basis, statement.given_on))
    kept = (Basis(stored.basis), stored.given_on) if stored is not None and stored.basis else None
    best = kept
    for basis, given_on in offered:
        offer = (basis, given_on or terms.given_on)
        if best is None or _worth(offer, terms.table, where, now) > _worth(best, terms.table, where, now):
            best = offer
    if best == kept:
        return None if stored is not None else ("none", None, None)
    return ("given", *best) if best else None


def _worth(basis: tuple[Basis, date | None], table: ConsentTable, where: Where, now: datetime) -> tuple[int, int, date]:
    """Orders bases: by what may be sent on them today, then by how good a proof they are, then by date."""
    ruling = rule(table, where.country, basis[0], basis[1], where.who)
    until = end_of(ruling.until)
    pile = ruling.afterwards if until is not None and until <= now else ruling.pile
    return -tuple(Pile).index(pile), -STRENGTH.index(basis[0]), basis[1] or date.min
