"""Everything about one company in one value: whom we know there, who could introduce us, what nobody knows, what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from nurture.campaigns.declared import colleague_domains, find_declared
from nurture.consent.rules import Purpose, may_send
from nurture.consent.store import all_standings
from nurture.contacts import store as contacts
from nurture.contacts.companies import is_company
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.errors import BadInput
from nurture.handoff import store as handoff
from nurture.handoff.accounts import store
from nurture.handoff.accounts.rules import Known, unknown_about
from nurture.handoff.accounts.store import Company, TargetAccount
from nurture.handoff.portrait import name_of, who_is
from nurture.handoff.store import Task
from nurture.tracking.store import deeds_of
from nurture.tracking.touches.rules import WORDS, TouchKind
from nurture.tracking.touches.store import touches_of


@dataclass(frozen=True)
class Person:
    """Somebody we know at a company."""

    contact: Contact
    who: str
    owner: str | None
    is_mailable: bool  # about any topic, on a basis of their own
    last_deed_at: datetime | None
    last_touch: str | None


@dataclass(frozen=True)
class Introducer:
    """Somebody who could introduce us, and why."""

    name: str
    because: str


@dataclass(frozen=True)
class Account:
    """A company as a rep wants to see it before they call."""

    domain: str
    name: str | None
    company: Company | None  # None: nobody is known there
    target: TargetAccount | None
    rep: Operator | None
    people: tuple[Person, ...]
    introducers: tuple[Introducer, ...]
    unknown: tuple[str, ...]
    tasks: tuple[tuple[Task, Contact | None, Operator | None], ...]


def gather(session: Session, domain: str, now: datetime) -> Account:
    """Everything about the company at this domain."""
    if not is_company(domain):
        raise BadInput(f"{domain} is no company; anybody may have an address there.")
    target = store.find_target(session, domain)
    company = None if domain in colleague_domains(session) else store.companies_at(session, [domain]).get(domain)
    people = _people(session, domain, now)
    operators = contacts.list_operators(session)
    acted = [
        Known(
            name_of(one.contact), one.contact.job_title, one.contact.country, one.owner is not None, one.is_mailable,
            one.last_deed_at is not None, one.last_touch is not None,
        )
        for one in people
    ]  # fmt: skip
    name = (target.name if target else "") or (company.name if company else None)
    return Account(
        domain,
        name or None,
        company,
        target,
        operators[target.operator_id] if target else None,
        tuple(people),
        tuple(_introducers(session, people, name, operators)),
        tuple(unknown_about(acted)),
        tuple(handoff.list_tasks(session, domain=domain)),
    )


def list_accounts(session: Session, *, targets_of: int | None = None, only_targets: bool, limit: int) -> list[Company]:
    """Companies with what they add up to, the most engaged first; targets without contacts come last."""
    left_out = colleague_domains(session)
    chosen = {target.domain for target, _ in store.list_targets(session, targets_of)}
    if only_targets or targets_of is not None:
        domains = sorted(chosen)
    else:
        with_people = [one for one in store.list_domains(session) if one not in left_out and is_company(one)]
        domains = with_people[: limit or None]
    found = store.companies_at(session, domains)
    listed = [found.get(one) or Company(one, None, 0, 0, 0, None) for one in domains]
    return sorted(listed, key=lambda one: (-one.engagement, -one.people, one.domain))[: limit or None]


def _people(session: Session, domain: str, now: datetime) -> list[Person]:
    found = store.people_at(session, domain)
    ids = [one.id for one in found]
    operators = contacts.list_operators(session)
    deeds = deeds_of(session, ids)
    declared = find_declared(session)
    standings = all_standings(session, ids, declared.topics if declared else ())
    touched = {}
    for touch, contact, by, _ in reversed(touches_of(session, ids)):
        touched[contact.id] = f"{by.name} {WORDS[TouchKind(touch.kind)]} on {touch.occurred_at:%Y-%m-%d}"
    return [
        Person(
            one,
            who_is(one),
            operators[one.owner_id].name if one.owner_id in operators else None,
            any(may_send(Purpose.CAMPAIGN, standing, now).is_allowed for standing in standings[one.id].values()),
            deeds[one.id][-1].occurred_at if one.id in deeds else None,
            touched.get(one.id),
        )
        for one in found
    ]


def _introducers(
    session: Session, people: list[Person], name: str | None, operators: dict[int, Operator]
) -> Iterator[Introducer]:
    """Colleagues who own somebody there or were in touch, contacts who introduced us, people elsewhere who work there."""
    seen = set()
    ids = [one.contact.id for one in people]
    for touch, contact, by, through in touches_of(session, ids):
        if by.is_declared and by.id not in seen:
            seen.add(by.id)
            what = f"{WORDS[TouchKind(touch.kind)]} ({name_of(contact)}, {touch.occurred_at:%Y-%m-%d})"
            yield Introducer(by.name, what)
        if through is not None and through.id not in seen:
            seen.add(through.id)
            yield Introducer(who_is(through), f"introduced {by.name} to {name_of(contact)}")
    for one in people:
        owner = operators.get(one.contact.owner_id or 0)
        if owner is not None and owner.is_declared and owner.id not in seen:
            seen.add(owner.id)
            yield Introducer(owner.name, f"owns {name_of(one.contact)}")
    for person in store.people_who_name(session, name, _elsewhere(session, name)) if name else ():
        yield Introducer(who_is(person), "says that they work there, and has a private address")
    for one in people:
        if one.last_deed_at is not None and one.is_mailable:
            yield Introducer(one.who, f"works there and reads us, last on {one.last_deed_at:%Y-%m-%d}")


def _elsewhere(session: Session, name: str) -> list[str]:
    return [one for one in contacts.domains_of_company(session, name) if not is_company(one)]
