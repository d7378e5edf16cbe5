"""The consent table as a pure rule: country, kind of address, basis and age → announce, ask, never.

Each row names its law and the day somebody checked it; the first row that fits decides. A country nobody looked up
counts as the strictest of those that somebody did. Where a law is more generous to companies, an address at a free
provider counts as a private person's: nobody can tell that it is not. This is not legal advice.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import cached_property, lru_cache

from nurture.consent.rules import Pile
from nurture.contacts.freemail import is_free_mail

_STRICTNESS = tuple(Pile)
EEA = frozenset(
    ["AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IS", "IE", "IT", "LV", "LI", "LT", "LU", "MT", "NL", "NO", "PL", "PT", "RO", "SK", "SI", "ES", "SE"]
)  # fmt: skip


class Who(StrEnum):
    """Whose address it is, as far as the address tells."""

    PERSON = "person"
    COMPANY = "company"


def who_at(domain: str) -> Who:
    """Whoever writes from a free provider is a private person until somebody shows otherwise, and so is who is unknown."""
    return Who.COMPANY if domain and not is_free_mail(domain) else Who.PERSON


@dataclass(frozen=True)
class Row:
    """One row of the consent table; `within_months` is the age up to which `then` holds, after it `otherwise`."""

    countries: frozenset[str]
    bases: frozenset[str]
    then: Pile
    law: str
    checked_on: date
    within_months: int | None = None
    otherwise: Pile = Pile.NEVER
    who: Who | None = None  # None: whoever it is
    because: str = ""  # why this installation differs from the table it began with

    def is_about(self, country: str, who: Who, basis: str) -> bool:
        """Whether this row decides, if none before it does."""
        is_here = country in self.countries or "*" in self.countries
        return is_here and self.who in {None, who} and (basis in self.bases or "*" in self.bases)

    @property
    def says(self) -> str:
        """What it lets happen."""
        if self.within_months is None:
            return str(self.then)
        return f"{self.then} for {self.within_months} months, then {self.otherwise}"


@dataclass(frozen=True, eq=False)
class ConsentTable:
    """The rows in order, the first match decides; and where opens and clicks are recorded only after a yes.

    Each is equal to itself only, so that rulings can be kept by table without comparing its rows.
    """

    rows: tuple[Row, ...]
    ask_before_tracking: frozenset[str] = frozenset("*")
    date_of_last_open: frozenset[str] = frozenset()  # where the day of the last open is kept of whoever said nothing

    @cached_property
    def countries(self) -> frozenset[str]:
        """Every country that has a row of its own."""
        return frozenset(country for row in self.rows for country in row.countries if len(country) == 2)


@dataclass(frozen=True)
class Ruling:
    """What the table says: `pile` until the end of `until`, `afterwards` later."""

    pile: Pile
    law: str
    until: date | None = None
    afterwards: Pile = Pile.NEVER


@lru_cache(maxsize=8192)
def rule(table: ConsentTable, country: str | None, basis: str, given_on: date | None, who: Who = Who.PERSON) -> Ruling:
    """What the consent table says about somebody in `country` with this basis since `given_on`."""
    if country in table.countries:
        return _rule_in(table, str(country), basis, given_on, who)
    # Nobody looked this country up: the strictest of all that were, ending the soonest.
    rulings = [_rule_in(table, known, basis, given_on, who) for known in sorted(table.countries)]
    strictest = max(rulings, key=_severity, default=Ruling(Pile.NEVER, "no row of the consent table fits"))
    return Ruling(strictest.pile, f"country unknown, so the strictest row: {strictest.law}", strictest.until)


def _severity(ruling: Ruling) -> tuple[int, float]:
    return _STRICTNESS.index(ruling.pile), -(ruling.until or date.max).toordinal()


def _rule_in(table: ConsentTable, country: str, basis: str, given_on: date | None, who: Who) -> Ruling:
    row = find_row(table, country, basis, who)
    if row is None:
        return Ruling(Pile.NEVER, "no row of the consent table fits")
    if row.within_months is None:
        return Ruling(row.then, row.law)
    if given_on is None:
        return Ruling(row.otherwise, f"{row.law}; a basis without a date counts as expired")
    return Ruling(row.then, row.law, add_months(given_on, row.within_months), row.otherwise)


def find_row(table: ConsentTable, country: str, basis: str, who: Who) -> Row | None:
    """The row that decides in a country that has one."""
    return next((row for row in table.rows if row.is_about(country, who, basis)), None)


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or its last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def end_of(day: date | None) -> datetime | None:
    """The instant from which a ruling that held until `day` no longer holds."""
    return datetime.combine(day, time.max, tzinfo=UTC) if day else None
