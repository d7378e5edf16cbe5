"""What mail servers report about our mails: that one could not be delivered (RFC 3464), that its reader complained (RFC 5965).

A report is believed because of the address it came to, whose token only that mail carried: a forged one is about nothing.
A bounce changes what is known of the mail and suppresses nobody yet, for most of them are not about a dead address. A
complaint is a no, for good. Called by `inbound.actions`.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage, Message

from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.newcomers.store import find_newcomer
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery, move
from nurture.delivery.waves import actions as waves

#: Reports that are no complaint (RFC 5965, 7.3, and RFC 6591): somebody took theirs back, or a check of ours failed.
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def failed_with(message: EmailMessage) -> str | None:
    """With which status (RFC 3463) a mail failed for good; None if this says nothing of the kind.

    What is delayed, relayed or delivered has not failed (RFC 3464, 2.3.3).
    """
    for block in _blocks(message, "message/delivery-status"):
        if _word(block, "Action") == "failed":
            found = _STATUS.match(_word(block, "Status"))
            return found[0] if found else "no status"
    return None


def is_complaint(message: EmailMessage) -> bool:
    """Whether a mail to a complaint address is one: anything but a report that says that it is none."""
    kinds = [_word(block, "Feedback-Type") for block in _blocks(message, "message/feedback-report")]
    return not any(kind in _NO_COMPLAINT for kind in kinds)


def note_bounce(session: Session, delivery: Delivery, status: str, now: datetime) -> None:
    """The mail did not arrive; that one in doubt was handed over is known by that too."""
    _settle_doubt(session, delivery, now)
    move(session, [delivery.id], Status.BOUNCED, now=now, because=f"bounced: {status}")


def take_complaint(session: Session, delivery: Delivery, now: datetime) -> None:
    """Whoever calls a mail spam gets no other one, under any of their addresses."""
    address_hash = reader_of(session, delivery)
    if address_hash is not None:
        suppress(
            session,
            address_hash,
            SuppressionReason.COMPLAINT,
            how="a report to the complaint address",
            now=now,
            delivery_id=delivery.id,
        )
    _settle_doubt(session, delivery, now)
    if move(session, [delivery.id], Status.COMPLAINED, now=now, because="a complaint") and (
        delivery.purpose == Purpose.CAMPAIGN
    ):
        waves.take_complaint(session, delivery.campaign, now)


def reader_of(session: Session, delivery: Delivery) -> str | None:
    """The hash of whom the mail went to; nobody for a test, and for what went to one of us."""
    if delivery.purpose == Purpose.TEST or delivery.operator_id is not None:
        return None
    if delivery.newcomer_id is not None:
        newcomer = find_newcomer(session, delivery.newcomer_id)
        return newcomer.address_hash if newcomer else None
    contact = session.get(Contact, delivery.contact_id) if delivery.contact_id else None
    return contact.address_hash if contact else None


def _settle_doubt(session: Session, delivery: Delivery, now: datetime) -> None:
    if delivery.status == Status.UNCERTAIN:
        move(session, [delivery.id], Status.SENT, now=now, because="a report about it came back")


def _blocks(message: EmailMessage, kind: str) -> Iterator[Message]:
    """The groups of fields in the parts of a report that machines read."""
    for part in message.walk():
        if part.get_content_type() == kind:
            payload = part.get_payload()
            if isinstance(payload, list):
                yield from (one for one in payload if isinstance(one, Message))


def _word(block: Message, name: str) -> str:
    return str(block.get(name, "")).partition(";")[0].partition("(")[0].strip().lower()
