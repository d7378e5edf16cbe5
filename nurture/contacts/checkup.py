"""How healthy a list is that came in: roles instead of people, addresses to be thrown away, mistyped domains, age. Pure.

Counted while the rows go by, with as little memory for a million people as for ten.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from nurture.contacts.health import is_disposable, is_role_account, misspelt

#: So many domains of each kind are named.
_NAMED = 200

YEAR, TWO_YEARS = timedelta(days=365), timedelta(days=731)


@dataclass
class Checkup:
    """What was seen so far of the people of a file; `today` is what age is counted from."""

    today: date
    people: int = 0
    roles: int = 0
    disposable: Counter[str] = field(default_factory=Counter)
    misspelt: Counter[str] = field(default_factory=Counter)
    within_a_year: int = 0
    within_two_years: int = 0
    older: int = 0

    def see(self, email: str, known_on: date | None) -> None:
        """One person, with the latest day anything is known of them."""
        self.people += 1
        self.roles += is_role_account(email)
        domain = email[email.rfind("@") + 1 :]
        if misspelt(domain):
            # Somebody bought gmial.com, and it is on the lists of throw-away domains, too.
            _count(self.misspelt, domain)
        elif is_disposable(domain):
            _count(self.disposable, domain)
        if known_on is None:
            return
        age = self.today - known_on
        if age <= YEAR:
            self.within_a_year += 1
        elif age <= TWO_YEARS:
            self.within_two_years += 1
        else:
            self.older += 1

    @property
    def undated(self) -> int:
        """Of how many people no day is known."""
        return self.people - self.within_a_year - self.within_two_years - self.older


def _count(domains: Counter[str], domain: str) -> None:
    """Under its name, or with others once there are too many of them."""
    domains[domain if domain in domains or len(domains) < _NAMED else ""] += 1
