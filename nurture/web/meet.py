"""`/meet/{token}`: the page behind an offered meeting: pick one of the times in the mail, or say when else.

GET shows buttons and changes nothing, because scanners follow links; only POST says anything. A time that is chosen is
somebody's own word: it stands in their history, sets their interest, goes to whoever they would meet, and the hand-off
rules look at it next. Choosing again takes the place of what was chosen. Nothing stands in anybody's calendar yet, and
the page says so.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.responses import Response

from nurture.campaigns.declared import Sender
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.actions import record_interest
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.delivery.notices import queue_notice
from nurture.delivery.offering import Offer, read_offer
from nurture.delivery.store import Delivery, find_delivery, hold_for_recheck
from nurture.delivery.urls import read_delivery
from nurture.handoff.routing import find_taker
from nurture.handoff.tasks import facts_about
from nurture.timing import find_zone
from nurture.tokens import TokenPurpose
from nurture.tracking.actions import record_words
from nurture.tracking.rules import ActivityKind
from nurture.tracking.store import words_said_in
from nurture.web.plain import cut_short, gone
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

#: Whoever changes their mind more often is better served by an answer to the mail; so is the colleague who reads it.
_MOST_CHOICES = 10
_MOST_WORDS = 500


@dataclass(frozen=True)
class Slot:
    """One time that can still be chosen."""

    number: int
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class Invitation:
    """What the page knows about the mail it came from."""

    delivery: Delivery
    contact: Contact | None
    offer: Offer
    host: str  # empty for nobody in particular
    said: tuple[str, ...]  # what was chosen, the last one counts
    sender: Sender | None

    @property
    def is_test(self) -> bool:
        return self.delivery.purpose == Purpose.TEST

    def wording(self, visit: Visit) -> Wording:
        return wording_for(visit, self.contact.language if self.contact else None)

    @property
    def chosen(self) -> str:
        return self.said[-1] if self.said else ""

    def slots(self, now: datetime, wording: Wording) -> list[Slot]:
        """The times that are still to come."""
        return [
            Slot(number, wording.time(at, self.offer.zone), written(at, self.offer.zone) == self.chosen)
            for number, at in enumerate(self.offer.times, start=1)
            if at > now
        ]


def written(at: datetime, zone: ZoneInfo) -> str:
    """A time as it stands in somebody's history: nobody takes it for another, whenever they read it."""
    return f"{at.astimezone(zone):%A %-d %B %Y, %H:%M} ({zone.key})"


def ask(site: Site, visit: Visit) -> Response:
    """GET: the times, one of them in front if the link named it. Changes nothing."""
    with site.app.database.reading() as session:
        found = _find(site, session, visit)
    if isinstance(found, Response):
        return found
    return _show(site, visit, found, wanted=visit.asked.get("slot", ""))


def choose(site: Site, visit: Visit) -> Response:
    """POST: take down the time, or the words, and tell whoever is to be met."""
    now = site.app.clock.now()
    with site.app.database.writing() as session:
        found = _find(site, session, visit, is_writing=True)
        if isinstance(found, Response):
            return found
        said = _read(found, visit, now)
        if said is None:
            return _show(site, visit, found, is_unsaid=True)
        wording = found.wording(visit)
        if found.is_test:
            return site.message(wording, wording.say("meet.test_title"), said.label)
        if found.contact is None:
            return gone(site, visit, "plain.gone_person")
        if said.words != found.chosen:
            if len(found.said) >= _MOST_CHOICES:
                return site.message(
                    wording,
                    wording.say("meet.often_title"),
                    wording.say("meet.often_line", chosen=found.chosen),
                    status=409,
                    sender=found.sender,
                )
            _record(session, found, found.contact, said, now)
        has_left = bool(suppressions_of(session, [found.contact.address_hash]))
        found = _find(site, session, visit)
    if isinstance(found, Response):
        return found
    return _show(site, visit, found, has_just_chosen=True, has_left=has_left)


@dataclass(frozen=True)
class Said:
    """What somebody chose: a time of the offer, or when else in their own words."""

    words: str  # as it stands in their history
    label: str
    at: datetime | None = None


def _read(found: Invitation, visit: Visit, now: datetime) -> Said | None:
    """What the form says; None when it says nothing that can be noted."""
    numbers = {str(slot.number): slot for slot in found.slots(now, found.wording(visit))}
    if (slot := numbers.get(visit.said("slot"))) is not None:
        at = found.offer.times[slot.number - 1]
        return Said(written(at, found.offer.zone), slot.label, at)
    words = " ".join(visit.said("words").split())[:_MOST_WORDS]
    return Said(f"another time: {words}", words) if words else None


def _record(session: Session, found: Invitation, contact: Contact, said: Said, now: datetime) -> None:
    """One transaction: their history, their interest, the note to a colleague, and what looks at it next."""
    record_words(session, contact.id, ActivityKind.BOOKED, what=said.words, delivery=found.delivery, now=now)
    # A need is more than a demonstration, and stays what they said.
    interest = "need" if contact.interest == "need" else "demonstration"
    record_interest(session, contact, interest, f"Chose {said.words}" if said.at else said.label, now)
    hold_for_recheck(session, contact.id)
    known = contacts.list_operators(session).get(found.offer.operator_id)
    host = find_taker(session, contact, known.email) if known else find_taker(session, contact)
    if host is None:
        return
    queue_notice(
        session,
        "meeting",
        key=f"meeting:{found.delivery.id}:{len(found.said) + 1}",
        operator=host,
        facts={
            "when": _when(said, host),
            "theirs": said.words if said.at else "",
            "words": "" if said.at else said.label,
            "before": found.chosen,
            **facts_about(session, contact),
        },
        now=now,
        contact=contact,
    )


def _when(said: Said, host: Operator) -> str:
    if said.at is None:
        return "at another time"
    return f"{said.at.astimezone(find_zone(host.timezone)):%A %-d %B, %H:%M} ({host.timezone})"


def _show(
    site: Site,
    visit: Visit,
    found: Invitation,
    *,
    wanted: str = "",
    has_just_chosen: bool = False,
    has_left: bool = False,
    is_unsaid: bool = False,
) -> Response:
    wording = found.wording(visit)
    slots = found.slots(site.app.clock.now(), wording)
    first = next((slot for slot in slots if str(slot.number) == wanted and not slot.is_chosen), None)
    chosen = next((slot.label for slot in slots if slot.is_chosen), found.chosen)
    return site.page(
        "meet.html",
        wording,
        host=found.host,
        first=first,
        slots=[slot for slot in slots if slot is not first and not slot.is_chosen],
        chosen=chosen.removeprefix("another time: "),
        is_other=found.chosen.startswith("another time: "),
        has_just_chosen=has_just_chosen,
        has_left=has_left,
        is_unsaid=is_unsaid,
        is_test=found.is_test,
        most_words=_MOST_WORDS,
        sender=found.sender,
        status=422 if is_unsaid else 200,
    )


def _find(site: Site, session: Session, visit: Visit, *, is_writing: bool = False) -> Invitation | Response:
    """The offer behind the token, or the page that says what is wrong with the link."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.MEET, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    delivery = find_delivery(session, delivery_id)
    offer = read_offer(delivery.facts) if delivery else None
    if delivery is None or offer is None:
        return gone(site, visit, "plain.gone_mail")
    # A note to an operator is about a contact, but it is not the contact who reads it.
    is_theirs = delivery.purpose == Purpose.CAMPAIGN and delivery.contact_id is not None
    if is_theirs and is_writing:
        # Two presses at once are counted one after the other.
        contacts.lock_contacts(session, [delivery.contact_id or 0], exclusively=True)
    contact = session.get(Contact, delivery.contact_id) if is_theirs else None
    if contact is None and delivery.purpose != Purpose.TEST:
        return gone(site, visit, "plain.gone_person")
    host = contacts.list_operators(session).get(offer.operator_id)
    said = tuple(words_said_in(session, delivery.id, ActivityKind.BOOKED))
    return Invitation(delivery, contact, offer, host.name if host else "", said, sender_of(session, delivery))
