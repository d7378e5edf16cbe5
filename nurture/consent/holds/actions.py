"""Hands off, this is my deal: nobody in sales wants a sequence to speak into a negotiation of theirs.

A hold names one contact, or a company by its domain, and ends by itself. While it is in force no campaign mail reaches
these people: `may_send` says who holds them and until when, the outbox keeps what was due, sequences stand still. It is
no opt-out: what somebody agreed to stays as it is, and service mail goes on. Only the contact's owner, marketing and
admins may place one. `delivery.holds` sees to what follows when it ends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.consent.holds import store
from nurture.consent.holds.store import Hold
from nurture.contacts import store as contacts
from nurture.contacts.actions import get_contact
from nurture.contacts.freemail import is_free_mail
from nurture.contacts.store import Operator
from nurture.database.engine import Session
from nurture.errors import BadInput, NotAllowed, NotFound, did_you_mean

#: A deal that needs longer is held again; nobody is forgotten for ever.
LONGEST = timedelta(days=366)
#: Roles that may hold anybody, not only those they own.
_MAY_HOLD_ANYBODY = frozenset({"marketing", "admin"})


@dataclass(frozen=True)
class Target:
    """Whom a hold is about: one contact, or everybody at a domain. `owners` are those of the people it is about."""

    name: str
    owners: frozenset[int]
    contact_id: int | None = None
    domain: str | None = None


def find_target(session: Session, text: str) -> Target:
    """An address, a domain, or the name of a company as its contacts have it."""
    if "@" in text:
        contact = get_contact(session, text)
        return Target(contact.email, _ids({contact.owner_id}), contact_id=contact.id)
    domain = text.strip().lower().rstrip(".")
    if "." not in domain or not contacts.has_domain(session, domain):
        domain = _domain_of_company(session, text) or domain
    if is_free_mail(domain):
        raise BadInput(f"{domain} is no company; everybody may have an address there. Name the person's address.")
    owners = contacts.owners_at(session, domain)
    if owners is None:
        names = contacts.company_names(session)
        raise NotFound(
            f'there is no contact, domain or company "{text}"; name one that contacts have.{did_you_mean(text, names)}'
        )
    return Target(domain, _ids(owners), domain=domain)


def _domain_of_company(session: Session, name: str) -> str | None:
    """The domain of a company by its name; None if no contact works there."""
    found = contacts.domains_of_company(session, name)
    at_work = [domain for domain in found if not is_free_mail(domain)]
    if len(at_work) > 1:
        raise BadInput(f'"{name}" is at {", ".join(at_work)}; say which.')
    if found and not at_work:
        raise BadInput(f'everybody known at "{name}" has a private address; name the person\'s.')
    return at_work[0] if at_work else None


def _ids(owners: set[int | None]) -> frozenset[int]:
    return frozenset(one for one in owners if one is not None)


def place(
    session: Session, target: Target, *, length: timedelta, because: str, by: str = "", now: datetime
) -> tuple[Hold, Operator]:
    """Hold somebody; an earlier hold on the very same contact or company gives way. Returned with who placed it."""
    if not timedelta(0) < length <= LONGEST:
        raise BadInput("--for must be more than nothing and at most a year; a deal that needs longer is held again.")
    if not because.strip():
        raise BadInput('say why, such as --because "negotiating"; others will read it.')
    operator = _holder(session, target, by)
    for earlier in store.holds_on(session, now, contact_id=target.contact_id, domain=target.domain):
        earlier.lifted_at = now
        session.add(earlier)
    hold = Hold(
        contact_id=target.contact_id,
        domain=target.domain,
        until=now + length,
        because=" ".join(because.split()),
        operator_id=operator.id,
        placed_at=now,
    )
    session.add(hold)
    session.flush()
    return hold, operator


def lift(session: Session, target: Target, now: datetime) -> int:
    """End the holds on exactly this contact or company; how many there were."""
    found = store.holds_on(session, now, contact_id=target.contact_id, domain=target.domain)
    for hold in found:
        hold.lifted_at = now
        session.add(hold)
    if not found:
        raise NotFound(f"nobody holds {target.name}{_another_way(session, target, now)}")
    session.flush()
    return len(found)


def _another_way(session: Session, target: Target, now: datetime) -> str:
    """Somebody may be held with their whole company."""
    domain = target.name.rpartition("@")[2]
    if target.contact_id is not None and store.holds_on(session, now, domain=domain):
        return f" alone, but everybody at {domain}; type `nurture hold --lift {domain}`."
    return "; `nurture hold --list` lists who is held."


def _holder(session: Session, target: Target, by: str) -> Operator:
    """Who places it: as named, else the one owner of these people."""
    operators = contacts.list_operators(session)
    if not by:
        if len(target.owners) != 1:
            who = "several people own contacts there" if target.owners else "nobody owns them"
            raise BadInput(f"{target.name}: {who}; say who holds them with --by and an operator's address.")
        return operators[next(iter(target.owners))]
    operator = contacts.find_operator(session, by)
    if operator is None or not operator.is_declared:
        known = [one.email for one in operators.values() if one.is_declared]
        raise NotFound(f"{by} is no operator of settings.toml.{did_you_mean(by, known)}")
    if operator.role not in _MAY_HOLD_ANYBODY and operator.id not in target.owners:
        names = ", ".join(sorted(operators[one].name for one in target.owners)) or "nobody"
        raise NotAllowed(
            f"{target.name} belongs to {names}, not to {operator.name}; only the owner, marketing or an admin may hold them."
        )
    return operator
