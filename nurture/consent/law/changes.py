"""What an installation made of the consent table it began with, and when: from the versions that were published. Pure.

A table may differ from the starter's, where counsel said so; the row that decides then says why (`because`). Two tables
are compared by what they decide, country by country, not by how their rows are written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from nurture.consent.law.rules import ConsentTable, Row, Who, find_row
from nurture.consent.rules import NO_BASIS, Basis

_BASES = (*Basis, NO_BASIS)


@dataclass(frozen=True)
class Difference:
    """One thing two tables decide differently; a country that neither names is not compared."""

    country: str
    who: Who
    basis: str
    before: Row | None  # None: no row fits, so never
    after: Row | None

    @property
    def about(self) -> str:
        """Whom it is about, in few words."""
        return f"{self.country}, {self.who}, {self.basis}"


def differences(before: ConsentTable, after: ConsentTable) -> Iterator[Difference]:
    """What `after` decides otherwise, for the countries that it names; those it does not name count as the strictest."""
    for country in sorted(after.countries):
        for who in Who:
            for basis in _BASES:
                old, new = find_row(before, country, basis, who), find_row(after, country, basis, who)
                if says(old) != says(new):
                    yield Difference(country, who, basis, old, new)


def says(row: Row | None) -> str:
    """What a row decides, as people read it."""
    return row.says if row else "never"
