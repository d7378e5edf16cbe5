"""Everything a condition may ask of people outside any enrollment, and what of it answers a question."""

from collections.abc import Sequence
from datetime import datetime

from nurture.conditions import Asks
from nurture.consent import store as consents
from nurture.contacts import store as contacts
from nurture.contacts.zones import zone_of
from nurture.database.engine import Session
from nurture.delivery.mailed.store import mailed_to
from nurture.scoring.actions import gather_facts
from nurture.sequences import store
from nurture.sequences.facts import PersonFacts
from nurture.tracking import store as tracking
from nurture.tracking.rules import ANSWERED_BY, matches, standing


def gather_known(session: Session, ids: Sequence[int], now: datetime) -> dict[int, PersonFacts]:
    """The facts about these contacts, over all time."""
    people = contacts.list_contacts(session, ids)
    about = gather_facts(session, people, now)
    done, mailed = tracking.deeds_of(session, ids), mailed_to(session, ids)
    tracked_since = consents.tracked_since_of(session, people)
    ways = store.list_enrollments(session, ids)
    return {
        i: PersonFacts(
            about[i],
            now,
            zone_of(contact),
            zone_of(contact),
            deeds=done.get(i, ()),
            mailed=mailed.get(i, ()),
            tracked_since=tracked_since[i],
            enrolled_in=frozenset(way.sequence for way in ways if way.contact_id == i and way.ended_at is None),
            finished=frozenset(way.sequence for way in ways if way.contact_id == i and way.status == "finished"),
        )
        for i, contact in people.items()
    }


def evidence(facts: PersonFacts, asked: Asks) -> str:
    """What is known of somebody that answers this question, in a few words."""
    if asked.predicate in ANSWERED_BY:
        return _of_deeds(facts, asked)
    match asked.predicate:
        case "mailed":
            return _last([(one.occurred_at, one.place) for one in facts.mailed], "never mailed")
        case "tracked_for":
            since = facts.tracked_since
            return f"since {since:%-d %B %Y}" if since else "their opens and clicks may not be recorded"
        case "enrolled":
            return _listed(facts.enrolled_in, "on the way through", "on no sequence now")
        case "finished":
            return _listed(facts.finished, "came to the end of", "came to the end of none")
        case "has_tag":
            return _listed(facts.contact.tags, "tagged", "without any tag")
        case "in_list":
            return _listed(facts.contact.lists, "on", "on no list")
    return _listed(facts.contact.topics, "may be mailed about", "may be mailed about nothing")


def _of_deeds(facts: PersonFacts, asked: Asks) -> str:
    """The last time that answers; if none does, the last time they did the like."""
    kind, given = ANSWERED_BY[asked.predicate], dict(asked.arguments)
    alike = [deed for deed in standing(facts.deeds, asked.predicate) if deed.kind == kind]
    hits = [deed for deed in alike if matches(deed, asked.predicate, given, facts.now)]
    found = [(deed.occurred_at, _where(deed.place, deed.link_label or deed.link_path)) for deed in hits or alike]
    return _last(found, "never")


def _where(place: str, further: str) -> str:
    return f"{place} ({further})" if place and further else place or further


def _last(found: Sequence[tuple[datetime, str]], never: str) -> str:
    if not found:
        return never
    at, where = max(found)
    return f"last on {at:%-d %B %Y}{f', {where}' if where else ''}"


def _listed(names: frozenset[str], before: str, none: str) -> str:
    return f"{before} {', '.join(sorted(names))}" if names else none
