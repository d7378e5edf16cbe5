"""Who did not get a mail of a newsletter, by name, each with the reason."""

from dataclasses import dataclass
from datetime import datetime

from nurture.campaigns import store as campaigns
from nurture.consent import store as consents
from nurture.consent.rules import Purpose, may_send
from nurture.contacts import store as contacts
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.rules import Status
from nurture.newsletters import store
from nurture.newsletters.actions import is_in_audience
from nurture.newsletters.kind import ISSUE
from nurture.newsletters.published import get_published
from nurture.newsletters.store import ANNOUNCEMENT, NewsletterSlot

#: A mail in one of these states has reached somebody, or will in a moment.
_REACHING = frozenset({Status.QUEUED, Status.CLAIMED, Status.SENDING, Status.SENT, Status.UNCERTAIN})


@dataclass(frozen=True)
class LeftOut:
    """Somebody who did not get a mail of a newsletter, and why."""

    contact: Contact
    because: str


def left_out_of_announcement(session: Session, language: Language, name: str, now: datetime) -> list[LeftOut]:
    """Everybody in the audience the announcement will not reach, with the reason by name."""
    newsletter = get_published(session, name)
    clause = is_in_audience(session, language, newsletter, now)
    had = {delivery.contact_id: delivery for delivery, _ in store.deliveries_of(session, name, ANNOUNCEMENT)}
    found: list[LeftOut] = []
    after = 0
    while page := contacts.page_of_contacts(session, after, 500, clause):
        after = page[-1].id
        ids = [contact.id for contact in page]
        standings = consents.standings(session, ids, newsletter.definition.topic)
        undated = store.undated_in_line(session, name, ids)
        for contact in page:
            delivery = had.get(contact.id)
            permission = may_send(Purpose.CAMPAIGN, standings[contact.id], now)
            if delivery is not None and delivery.status not in _REACHING:
                found.append(LeftOut(contact, f"{delivery.status}: {delivery.because}".rstrip(": ")))
            elif delivery is None and not permission.is_allowed:
                found.append(LeftOut(contact, permission.because))
            elif contact.id in undated:
                found.append(LeftOut(contact, "waits for a later day: no recent day is known of them"))
    return found


def left_out_of_issue(session: Session, language: Language, name: str, issue: str, now: datetime) -> list[LeftOut]:
    """Every reader an issue did not reach, with the reason by name."""
    campaign = campaigns.get_campaign(session, ISSUE, f"{name}/{issue}")
    slot = store.slot_of_issue(session, campaign.id)
    queued = {contact.id: delivery for delivery, contact in store.deliveries_of(session, name, issue)}
    readers = store.list_readers(session, name)
    newsletter = get_published(session, name)
    standings = consents.standings(session, [contact.id for _, contact in readers], newsletter.definition.topic)
    meant = store.readers_meant(session, name, is_in_audience(session, language, newsletter, now))
    found = []
    for reader, contact in readers:
        delivery = queued.get(contact.id)
        permission = may_send(Purpose.CAMPAIGN, standings[contact.id], now)
        if delivery is not None:
            if delivery.status not in _REACHING:
                found.append(LeftOut(contact, f"{delivery.status}: {delivery.because}".rstrip(": ")))
        elif slot is None:
            found.append(LeftOut(contact, "this issue has not gone out yet"))
        elif reader.first_issue_from > slot.slot_at:
            found.append(LeftOut(contact, f"their first issue comes from {reader.first_issue_from:%Y-%m-%d} on"))
        elif not permission.is_allowed:
            found.append(LeftOut(contact, permission.because))
        elif contact.id not in meant:
            found.append(LeftOut(contact, "no longer in the newsletter's audience"))
        elif _has_audience(session, slot):
            found.append(LeftOut(contact, "not in the audience of this issue"))
        else:
            found.append(LeftOut(contact, "had left when it went out"))
    return found


def _has_audience(session: Session, slot: NewsletterSlot) -> bool:
    """Whether the issue of a slot was for some of the readers only."""
    return (
        slot.version_id is not None and campaigns.get_content(session, slot.version_id)["front"]["audience"] is not None
    )
