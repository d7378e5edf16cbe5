"""`/preferences/{token}`: less than leaving. Topics one by one, and whether opens and clicks are recorded.

What is chosen acts at once, on mail already sent too. A topic can be left by anybody who gets it and taken up again by
whoever left it; nobody can be signed up here for something they never agreed to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from nurture.campaigns.declared import Sender, find_declared
from nurture.consent import store as consents
from nurture.consent.actions import choose_topic, choose_tracking
from nurture.consent.recording.rules import Mode
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import undo_until
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts.addresses import mask
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.store import Delivery, find_delivery
from nurture.delivery.urls import Via, leave_url, read_delivery
from nurture.tokens import TokenPurpose
from nurture.web.plain import cut_short, gone
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

_HOW = "preferences page"


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
    undo_until: datetime | None = None
    language: str | None = None


def show(site: Site, visit: Visit) -> Response:
    """GET: what is chosen now. Changes nothing."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.PREFERENCES, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        choices = _find(site, session, delivery_id)
    return _show(site, visit, choices)


def choose(site: Site, visit: Visit) -> Response:
    """POST: make it so, and say what changed."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.PREFERENCES, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        choices = _find(site, session, delivery_id)
    if choices is None or choices.is_test:
        return _show(site, visit, choices, news=(wording_for(visit).say("preferences.test_unchanged"),))
    with site.app.database.writing(durable=True) as session:
        wording = wording_for(visit, choices.language)
        news = _make_it_so(session, choices, visit, wording, site.app.clock.now())
    has_changed = bool(news)
    with site.app.database.reading() as session:
        choices = _find(site, session, delivery_id)
    news = news or [wording.say("preferences.nothing_changed")]
    return _show(site, visit, choices, news=news, has_changed=has_changed)


def _make_it_so(session: Session, choices: Choices, visit: Visit, wording: Wording, now: datetime) -> list[str]:
    """Change what differs from the form; a topic the form did not show is left alone. One sentence for each change."""
    contact = session.get(Contact, choices.contact_id)
    if contact is None:
        return []
    shown, wanted = set(visit.form.get("shown", ())), set(visit.form.get("topic", ()))
    news: list[str] = []
    for topic in choices.topics:
        is_wanted = topic.name in wanted
        if topic.name in shown and choose_topic(session, contact, topic.name, wanted=is_wanted, how=_HOW, now=now):
            news.append(
                wording.say("preferences.topic_on" if is_wanted else "preferences.topic_off", topic=topic.label)
            )
    may_track = visit.said("tracking") == "yes"
    if visit.said("shown_tracking") and may_track != choices.is_tracked:
        choose_tracking(session, contact, wanted=may_track, how=_HOW, now=now)
        news.append(wording.say("preferences.tracking_on" if may_track else "preferences.tracking_off"))
    return news


def _show(
    site: Site, visit: Visit, choices: Choices | None, *, news: Sequence[str] = (), has_changed: bool = False
) -> Response:
    if choices is None:
        return gone(site, visit, "plain.gone_person")
    wording = wording_for(visit, choices.language)
    may_undo = choices.undo_until is not None and site.app.clock.now() <= choices.undo_until
    return site.page(
        "preferences.html", wording, choices=choices, news=news, has_changed=has_changed, may_undo=may_undo
    )


def _find(site: Site, session: Session, delivery_id: int) -> Choices | None:
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
    return Choices(
        contact_id=contact.id,
        who=mask(contact.email),
        is_test=False,
        topics=tuple(_topics(session, contact)),
        is_tracked=mode is Mode.FULL,
        left_at=reasons.get(SuppressionReason.OPT_OUT),
        leave=leave_url(site.app.keys, site.root, Via.BODY, delivery.id, contact.address_hash),
        sender=sender_of(session, delivery),
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
