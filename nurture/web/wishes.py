"""`/wish/{token}/{kind}`: somebody says what they want: information, a demonstration, or that they have a need.

GET shows one button, because scanners follow links; only POST says anything. A wish is somebody's own word: it sets
their interest and stands in their history, and the hand-off rules look at it next.
"""

from dataclasses import dataclass
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
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit


@dataclass(frozen=True)
class Wish:
    """One kind of wish: what the page asks, what the button says, and what we answer."""

    question: str
    button: str
    answer: str
    next: str


WISHES = {
    "information": Wish(
        "Would you like more information?",
        "Yes, send me more information",
        "Thank you. We have noted that you would like more information.",
        "What you get from us next takes it into account.",
    ),
    "demonstration": Wish(
        "Would you like to see it at work?",
        "Yes, show me a demonstration",
        "Thank you. We have noted that you would like a demonstration.",
        "A person, not a machine, looks at this next and gets in touch with you.",
    ),
    "need": Wish(
        "Do you have something to solve that we could help with?",
        "Yes, I have a need, talk to me",
        "Thank you. We have noted that you have a need.",
        "A person, not a machine, looks at this next and gets in touch with you.",
    ),
}

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
        return gone(site, "Nobody is known any more under this link")
    return site.page(
        "wish.html", wish=WISHES[kind], who=mask(contact.email) if contact else "", is_test=is_test, sender=sender
    )


def take_down(site: Site, visit: Visit) -> Response:
    """POST: record the wish, once, and thank them."""
    found = _read(site, visit)
    if isinstance(found, Response):
        return found
    kind, delivery_id = found
    with site.app.database.writing() as session:
        delivery, contact = _look_up(session, delivery_id)
        if delivery is not None and delivery.purpose == Purpose.TEST:
            return site.message("This link comes from a test mail, so nothing was noted.", WISHES[kind].answer)
        if delivery is None or contact is None:
            return gone(site, "Nobody is known any more under this link")
        _record(session, delivery, contact, kind, site.app.clock.now())
        sender = sender_of(session, delivery)
        has_left = bool(suppressions_of(session, [contact.address_hash]))
    return _thank(site, WISHES[kind], sender, has_left=has_left)


def _record(session: Session, delivery: Delivery, contact: Contact, kind: str, now: datetime) -> None:
    is_repeated = (
        contact.interest == kind and contact.interest_at is not None and contact.interest_at > now - _ONCE_WITHIN
    )
    if is_repeated:
        return
    record_interest(session, contact, kind, WISHES[kind].button, now)
    record_words(session, contact.id, ActivityKind.WISHED, what=kind, delivery=delivery, now=now)
    # What a sequence had queued is looked at again first: their wish may be what ends it.
    hold_for_recheck(session, contact.id)


def _thank(site: Site, wish: Wish, sender: Sender | None, *, has_left: bool) -> Response:
    if not has_left:
        return site.message(wish.answer, wish.next, sender=sender)
    address = f" ({sender.email})" if sender else ""
    return site.message(
        wish.answer,
        f"You left our mails earlier, so we do not write to you by ourselves: please write to us{address}.",
        sender=sender,
    )


def _read(site: Site, visit: Visit) -> tuple[str, int] | Response:
    """The kind of wish and the mail it came from, or the page that says what is wrong with the link."""
    kind = visit.names["kind"]
    delivery_id = read_delivery(site.app.keys, TokenPurpose.WISH, visit.names["token"])
    if delivery_id is None:
        return cut_short(site)
    return (kind, delivery_id) if kind in WISHES else not_there(site)


def _look_up(session: Session, delivery_id: int) -> tuple[Delivery | None, Contact | None]:
    delivery = find_delivery(session, delivery_id)
    # A note to an operator is about a contact, but it is not the contact who reads it.
    is_theirs = delivery is not None and delivery.purpose == Purpose.CAMPAIGN
    contact = session.get(Contact, delivery.contact_id) if delivery and is_theirs and delivery.contact_id else None
    return delivery, contact
