"""What one reader gets from us and may choose: the facts that `/preferences` shows."""

from dataclasses import dataclass
from datetime import datetime

from nurture.campaigns.declared import Sender, find_declared
from nurture.consent import store as consents
from nurture.consent.holds.store import pauses_of
from nurture.consent.recording.rules import Mode, strictest
from nurture.consent.recording.store import get_recording
from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rhythms.store import find_rhythm
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import undo_until
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts.addresses import mask
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.store import Delivery, find_delivery
from nurture.delivery.urls import Via, leave_url
from nurture.web.site import Site, sender_of


@dataclass(frozen=True)
class Choice:
    """One topic as its reader sees it."""

    name: str
    label: str
    description: str
    is_wanted: bool


@dataclass(frozen=True)
class Choices:
    """Everything the page shows about one reader."""

    contact_id: int | None
    who: str
    is_test: bool
    topics: tuple[Choice, ...]
    is_tracked: bool
    left_at: datetime | None
    leave: str  # path of the way out
    sender: Sender | None
    may_be_tracked: bool = True  # whether their word makes a difference here
    at_most: AtMost | None = None
    paused_until: datetime | None = None
    undo_until: datetime | None = None
    language: str | None = None


def find_choices(site: Site, session: Session, delivery_id: int) -> Choices | None:
    """What the page shows; None when the delivery or its contact was deleted, or the mail was not to a contact."""
    delivery = find_delivery(session, delivery_id)
    if delivery is None:
        return None
    if delivery.purpose == Purpose.TEST:
        return _for_a_test(session, delivery)
    # A note to an operator is about a contact, but it is not the contact who reads it.
    is_theirs = delivery.purpose in {Purpose.CAMPAIGN, Purpose.SERVICE}
    contact = session.get(Contact, delivery.contact_id) if is_theirs and delivery.contact_id else None
    if contact is None:
        return None
    reasons = suppressions_of(session, [contact.address_hash]).get(contact.address_hash, {})
    mode = consents.recording_modes(session, {contact.id: contact}, delivery.topic)[contact.id]
    here = get_recording(session)
    most = strictest((here.house, here.topics.get(delivery.topic, Mode.FULL)))
    return Choices(
        contact_id=contact.id,
        who=mask(contact.email),
        is_test=False,
        topics=tuple(_topics(session, contact)),
        is_tracked=mode is Mode.FULL,
        may_be_tracked=most is Mode.FULL,
        left_at=reasons.get(SuppressionReason.OPT_OUT),
        leave=leave_url(site.app.keys, site.root, Via.BODY, delivery.id, contact.address_hash),
        sender=sender_of(session, delivery),
        at_most=find_rhythm(session, contact.id),
        paused_until=max((one.until for one in pauses_of(session, site.app.clock.now(), contact.id)), default=None),
        undo_until=undo_until(session, contact.address_hash, delivery.id),
        language=contact.language,
    )


def _topics(session: Session, contact: Contact) -> list[Choice]:
    """The topics this person gets or has left, in the order in which they are declared, retired ones last."""
    declared = find_declared(session)
    known = declared.topics if declared else {}
    held = {topic: consent for (_, topic), consent in consents.consents_of(session, [contact.id]).items()}
    found = []
    for name in sorted(held, key=lambda name: (list(known).index(name) if name in known else len(known), name)):
        consent = held[name]
        if consent.state == "given" or (consent.state == "withdrawn" and consent.basis is not None):
            label, description = (known[name].label, known[name].description) if name in known else (name, "")
            found.append(Choice(name, label, description, consent.state == "given"))
    return found


def _for_a_test(session: Session, delivery: Delivery) -> Choices:
    declared = find_declared(session)
    topics = declared.topics.values() if declared else ()
    return Choices(
        contact_id=None,
        who="",
        is_test=True,
        topics=tuple(Choice(topic.name, topic.label, topic.description, is_wanted=True) for topic in topics),
        is_tracked=False,
        left_at=None,
        leave="",
        sender=sender_of(session, delivery),
    )
