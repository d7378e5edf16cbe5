"""Keeps the stored scores true: after every change, and daily, since points fade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.campaigns.declared import colleague_domains
from nurture.consent import store as consents
from nurture.consent.rules import is_subscribed
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed, move_stage
from nurture.contacts.facts import ContactFacts
from nurture.contacts.fields import STAGES
from nurture.contacts.store import Contact
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.scoring import store
from nurture.scoring.rules import Model, Result, compute
from nurture.tracking import store as tracking


@dataclass(frozen=True)
class Scored:
    """A contact with the score they have now."""

    contact: Contact
    result: Result


def rescore(session: Session, model: Model, ids: Sequence[int], now: datetime) -> list[Scored]:
    """Compute the scores of these contacts and store those that changed; those who were looked at are returned.

    Colleagues have no score, whatever they click, and are not among those returned.
    """
    found = contacts.list_contacts(session, ids)
    domains = colleague_domains(session)
    for contact in [one for one in found.values() if one.domain in domains]:
        _unscore(session, found.pop(contact.id), now)
    scored = [Scored(found[i], result) for i, result in results(session, model, found, now).items()]
    for one in scored:
        _store(session, one, now)
    session.flush()
    return scored


def results(session: Session, model: Model, found: Mapping[int, Contact], now: datetime) -> dict[int, Result]:
    """The scores of these contacts with their working; nothing is stored."""
    ids = list(found)
    deeds = tracking.deeds_of(session, ids)
    given = store.given_to(session, ids)
    facts = gather_facts(session, found, now)
    return {i: compute(model, deeds.get(i, []), given.get(i, []), facts[i], now) for i in ids}


def gather_facts(session: Session, found: Mapping[int, Contact], now: datetime) -> dict[int, ContactFacts]:
    """Fields, tags, lists and topics of these contacts."""
    ids = list(found)
    tags, lists = contacts.tags_of(session, ids), contacts.lists_of(session, ids)
    operators = contacts.list_operators(session)
    standings = consents.all_standings(session, ids)
    return {
        i: ContactFacts(
            contacts.values_of(contact, operators.get(contact.owner_id or 0)),
            tags.get(i, frozenset()),
            lists.get(i, frozenset()),
            frozenset(topic for topic, standing in standings[i].items() if is_subscribed(standing, now)),
        )
        for i, contact in found.items()
    }


def _unscore(session: Session, contact: Contact, now: datetime) -> None:
    """Somebody who works here: what they had before their domain was declared is gone."""
    if (contact.score, contact.fit, contact.fit_points) != (0, None, 0):
        contact.score, contact.fit, contact.fit_points, contact.scored_at = 0, None, 0, now
        session.add(contact)
        contacts.add_changed(session, [contact.id], now, readers=("sequences", "newsletters"))


def _store(session: Session, one: Scored, now: datetime) -> None:
    contact, result = one.contact, one.result
    is_new = (contact.score, contact.fit, contact.fit_points) != (result.score, result.fit, result.fit_points)
    contact.score, contact.fit, contact.fit_points = result.score, result.fit, result.fit_points
    contact.scored_at = now
    session.add(contact)
    if result.score > 0 and contact.stage == STAGES[0]:
        move_stage(session, contact, "lead", "showed interest", now)
    elif is_new:
        # The others read the score; scoring itself need not look again because of what it just wrote.
        contacts.add_changed(session, [contact.id], now, readers=("sequences", "newsletters"))


def give_points(
    session: Session,
    contact_id: int,
    *,
    key: str,
    points: float,
    because: str,
    half_life: timedelta | None,
    now: datetime,
) -> None:
    """Points given outright, once per key."""
    store.insert_given(
        session,
        id=new_id(),
        contact_id=contact_id,
        key=key,
        points=points,
        half_life_seconds=half_life.total_seconds() if half_life else None,
        because=because,
        given_at=now,
    )
    mark_changed(session, [contact_id], now)
