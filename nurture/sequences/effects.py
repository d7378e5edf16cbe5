"""What a decision asks for is written down here: mails, tags, points, tasks, calls, in the transaction of the decision.

Each has a key that says what it is for, or is harmless to do twice. Nothing leaves the house in here: the loops that
carry intentions out do that later.
"""

import contextlib
from dataclasses import dataclass
from datetime import datetime

from nurture.consent.rules import Purpose
from nurture.contacts import store as contacts
from nurture.contacts.actions import change_contact, join_list, leave_list, tag_contact, untag_contact
from nurture.contacts.history.rules import Author
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact, Operator
from nurture.contacts.zones import zone_of
from nurture.database.engine import Session
from nurture.delivery import store as deliveries
from nurture.delivery.actions import Intention
from nurture.delivery.rules import Priority
from nurture.errors import NotAllowed, NotFound
from nurture.handoff import actions as handoff
from nurture.handoff import tasks
from nurture.outgoing.actions import queue_call
from nurture.scoring.actions import give_points
from nurture.sequences import decisions, entries
from nurture.sequences.decisions import Effect
from nurture.sequences.program import CallWebhook, Sequence
from nurture.sequences.store import EnrollmentRow


@dataclass(frozen=True)
class Here:
    """Whose enrollment in what an effect is of."""

    row: EnrollmentRow
    contact: Contact
    sequence: Sequence
    language: Language


def carry_out(session: Session, here: Here, effect: Effect, now: datetime) -> list[Intention]:
    """Write one effect down, but for mails, which the caller queues together."""
    match effect:
        case decisions.QueueMail():
            return [_mail(session, here, effect, now)]
        case decisions.ReleaseMail(delivery_id):
            deliveries.release_rechecked(session, [delivery_id], now)
        case decisions.CancelMails(because):
            deliveries.stop_enrollments(session, [here.row.id], because, now)
        case decisions.Enrolled(other):
            _enroll(session, here, other, now)
        case decisions.HandedOff():
            _hand_off(session, here, now)
        case decisions.Notified() | decisions.TaskAdded() | decisions.WebhookCalled():
            _tell(session, here, effect, now)
        case _:
            _change(session, here, effect, now)
    return []


def _change(session: Session, here: Here, effect: Effect, now: datetime) -> None:
    """What is different about the contact afterwards."""
    contact = here.contact
    author = Author("sequence", here.sequence.name)
    match effect:
        case decisions.Tagged(tag):
            tag_contact(session, contact.id, tag, now, author)
        case decisions.Untagged(tag):
            untag_contact(session, contact.id, tag, now, author)
        case decisions.FieldsSet(values):
            change_contact(session, contact, dict(values), now, author)
        case decisions.ListChanged(name, is_joining):
            (join_list if is_joining else leave_list)(session, name, [contact.id], now, author)
        case decisions.PointsGiven(key, points, because, half_life):
            give_points(session, contact.id, key=key, points=points, because=because, half_life=half_life, now=now)


def _tell(
    session: Session,
    here: Here,
    effect: decisions.Notified | decisions.TaskAdded | decisions.WebhookCalled,
    now: datetime,
) -> None:
    """What somebody else hears of it."""
    contact = here.contact
    match effect:
        case decisions.Notified(key, step):
            tasks.notify(session, key=key, contact=contact, to=step.to, subject=step.subject, text=step.text, now=now)
        case decisions.TaskAdded(key, step):
            because = f"sequence {here.sequence.name}, step {step.id}"
            tasks.add_task(
                session, key=key, contact=contact, to=step.to, what=step.what, due_after=step.due_after,
                because=because, now=now,
            )  # fmt: skip
        case decisions.WebhookCalled(key, step):
            _call(session, here, step, key, now)


def _call(session: Session, here: Here, step: CallWebhook, key: str, now: datetime) -> None:
    contact = here.contact
    owner = session.get(Operator, contact.owner_id) if contact.owner_id else None
    values = contacts.values_of(contact, owner)
    payload = {
        "sequence": here.sequence.name,
        "step": step.id,
        "occurred_at": now.isoformat(),
        "contact": {"id": str(contact.id), **{name: values.get(name) for name in step.send}},
    }
    queue_call(
        session, key=key, url=step.url, payload=payload, headers=dict(step.headers), contact_id=contact.id,
        enrollment_id=here.row.id, now=now,
    )  # fmt: skip


def _enroll(session: Session, here: Here, other: str, now: datetime) -> None:
    """Another sequence's own rules decide; where they say no there is nothing left to do."""
    because = f"sequence {here.sequence.name}"
    with contextlib.suppress(NotAllowed, NotFound):
        entries.enroll(session, here.language, other, here.contact, because=because, now=now)


def _mail(session: Session, here: Here, effect: decisions.QueueMail, now: datetime) -> Intention:
    contact, sequence = here.contact, here.sequence
    owner = session.get(Operator, contact.owner_id) if contact.owner_id else None
    zone = {"contact": str(zone_of(contact)), "owner": owner.timezone if owner else str(zone_of(contact))}
    return Intention(
        key=effect.key,
        purpose=Purpose.CAMPAIGN,
        campaign=f"sequence:{sequence.name}",
        version_id=here.row.version_id,
        mail=effect.step,
        kind=effect.kind,
        priority=Priority.SEQUENCE,
        due_at=now,
        contact_id=contact.id,
        domain=contact.domain,
        enrollment_id=here.row.id,
        topic=sequence.topic,
        sender=effect.sender,
        window=sequence.window.in_country(contact.country) if sequence.window else None,
        zone=zone.get(sequence.window_zone, sequence.window_zone),
        expires_at=effect.expires_at,
    )


def _hand_off(session: Session, here: Here, now: datetime) -> None:
    agreement = handoff.find(session, here.language)
    if agreement is not None:
        handoff.hand_off_once(session, agreement, here.contact, now)
