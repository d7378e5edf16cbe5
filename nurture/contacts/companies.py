"""Companies are known by their domain: what a domain says about where somebody works. Pure.

At a free-mail provider or a throw-away domain anybody has an address, so those are no company. What somebody's Company
cell says stays a field of theirs; whoever shares a domain works at one place.
"""

from nurture.contacts.freemail import is_free_mail
from nurture.contacts.health import is_disposable


def company_of(domain: str) -> str | None:
    """The company that an address at this domain belongs to, by its domain; None: no company."""
    known = domain.strip().lower().rstrip(".")
    return None if not known or is_free_mail(known) or is_disposable(known) else known


def is_company(domain: str) -> bool:
    """Whether people with an address at this domain work at one place."""
    return company_of(domain) is not None
