"""`/wish/{token}/{kind}`: somebody says what they want: information, a demonstration, or that they have a need.

GET shows one button, because scanners follow links; only POST says anything. A wish is somebody's own word: it sets
their interest and stands in their history, and the hand-off rules look at it next.
"""

from datetime import datetime, timedelta

from starlette.responses import Response

from nurture.campaigns.declared import Sender
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts.actions import record_interest
from nurture.contacts.addresses import mask
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.store import Delivery, find_delivery, hold_for_recheck
from nurture.delivery.urls import read_delivery
from nurture.tokens import TokenPurpose
from nurture.tracking.actions import record_words
from nurture.tracking.rules import ActivityKind
from nurture.web.plain import cut_short, gone, not_there
from nurture.web.site import ENGLISH_ONLY, Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

#: The kinds of wish; what the page asks, its button and our answer stand in words/.
WISHES = ("information", "demonstration", "need")

#: The same wish within this time is a second press of the same button.
_ONCE_WITHIN = timedelta(days=1)


def ask(site: Site, visit: Visit) -> Response:
    """GET: one button. Changes nothing."""
    found = _read(site, visit)
    if isinstance(found, Response):
        return found
    kind, delivery_id = found
    with site.app.database.reading() as session:
        delivery, contact = _look_up(session, delivery_id)
        is_test = delivery is not None and delivery.purpose == Purpose.TEST
        sender = sender_of(session, delivery)
    if contact is None and not is_test:
        return gone(site, visit, "plain.gone_person")
    who = mask(contact.email) if contact else ""
    wording = wording_for(visit, contact.language if contact else None)
    return site.page("wish.html", wording, kind=kind, who=who, is_test=is_test, sender=sender)


def take_down(site: Site, visit: Visit) -> Response:
    """POST: record the wish, once, and thank them."""
    found = _read(site, visit)
    if isinstance(found, Response):
        return found
    kind, delivery_id = found
    with site.app.database.writing() as session:
        delivery, contact = _look_up(session, delivery_id)
        if delivery is not None and delivery.purpose == Purpose.TEST:
            wording = wording_for(visit)
            return site.message(wording, wording.say("wish.test_title"), wording.say(f"wish.{kind}_answer"))
        if delivery is None or contact is None:
            return gone(site, visit, "plain.gone_person")
        _record(session, delivery, contact, kind, site.app.clock.now())
        wording = wording_for(visit, contact.language)
        sender = sender_of(session, delivery)
        has_left = bool(suppressions_of(session, [contact.address_hash]))
    return _thank(site, wording, kind, sender, has_left=has_left)


def _record(session: Session, delivery: Delivery, contact: Contact, kind: str, now: datetime) -> None:
    is_repeated = (
        contact.interest == kind and contact.interest_at is not None and contact.interest_at > now - _ONCE_WITHIN
    )
    if is_repeated:
        return
    record_interest(session, contact, kind, ENGLISH_ONLY.say(f"wish.{kind}_button"), now)
    record_words(session, contact.id, ActivityKind.WISHED, what=kind, delivery=delivery, now=now)
    # What a sequence had queued is looked at again first: their wish may be what ends it.
    hold_for_recheck(session, contact.id)


def _thank(site: Site, wording: Wording, kind: str, sender: Sender | None, *, has_left: bool) -> Response:
    next_line = wording.say(f"wish.{kind}_next")
    if has_left:
        next_line = wording.say("parts.left_earlier", address=f" ({sender.email})" if sender else "")
    return site.message(wording, wording.say(f"wish.{kind}_answer"), next_line, sender=sender)


def _read(site: Site, visit: Visit) -> tuple[str, int] | Response:
    """The kind of wish and the mail it came from, or the page that says what is wrong with the link."""
    kind = visit.names["kind"]
    delivery_id = read_delivery(site.app.keys, TokenPurpose.WISH, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    return (kind, delivery_id) if kind in WISHES else not_there(site, visit)


def _look_up(session: Session, delivery_id: int) -> tuple[Delivery | None, Contact | None]:
    delivery = find_delivery(session, delivery_id)
    # A note to an operator is about a contact, but it is not the contact who reads it.
    is_theirs = delivery is not None and delivery.purpose == Purpose.CAMPAIGN
    contact = session.get(Contact, delivery.contact_id) if delivery and is_theirs and delivery.contact_id else None
    return delivery, contact
