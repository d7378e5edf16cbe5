"""What happens when mail comes back: a way out by mail is taken, a reply is recorded and its sequence looks again."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from email.message import EmailMessage

from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.store import Contact
from nurture.contacts.zones import zone_of
from nurture.database.engine import Session
from nurture.delivery.doubts.actions import TAKEN, take_evidence
from nurture.delivery.notices import queue_notice
from nurture.delivery.relayed.store import find_by_relay_id
from nurture.delivery.store import Delivery, find_delivery, hold_for_recheck
from nurture.delivery.urls import CameBack, Complaint, OwnBox, OwnCheck, WayOut, read_local_part, read_message_id
from nurture.inbound import store
from nurture.inbound.absence import find_return
from nurture.inbound.replies import NOTHING_SAID, Reply, read_reply
from nurture.inbound.returned import failed_with, is_complaint, note_bounce, reader_of, take_complaint
from nurture.inbound.store import InboundMail
from nurture.inbound.touching import take_own_mail
from nurture.timing import local_instant
from nurture.tokens import TokenKeys
from nurture.tracking.actions import record_words
from nurture.tracking.rules import ActivityKind


@dataclass(frozen=True)
class Matched:
    """What an arriving mail is about: who wants out by its address, which of our mails it answers, whose own it is.

    `returned` are mails of ours that it came back for, `complained` those whose reader called them spam.
    """

    ways_out: Sequence[WayOut]
    deliveries: Sequence[Delivery]
    own: OwnBox | None = None
    returned: Sequence[Delivery] = ()
    complained: Sequence[Delivery] = ()
    check: OwnCheck | None = None


def receive(
    session: Session, keys: TokenKeys, recipients: Sequence[str], message: EmailMessage, content: bytes, now: datetime
) -> InboundMail | None:
    """Take in one mail; None when this very mail was handled before.

    A mail to a way out takes the person of the *token* off, whoever the sender claims to be (RFC 2369). What comes to a
    return path or a complaint address is about the mail of its token, and no reply. A reply belongs to the delivery named
    by the address it went to, else by what it quotes in its headers. Who says no is off before anything else is asked: a
    server may bring one mail to each of its recipients in turn, under one Message-ID.
    """
    matched = _match(session, keys, recipients, message)
    if matched.check is not None:
        return store.keep_check(session, matched.check.run, content, now)
    message_id = _name_of(message) or f"sha256:{hashlib.sha256(content).hexdigest()}"
    if matched.own is not None:
        _take_off(session, matched, NOTHING_SAID, now)
        return take_own_mail(session, matched.own.operator_id, message, message_id, now)
    if not matched.ways_out and not matched.deliveries:
        return _keep_unmatched(session, message_id, now)
    reply = read_reply(message) if matched.deliveries else NOTHING_SAID
    _take_as_evidence(session, matched, now)
    _take_off(session, matched, reply, now)
    bounce = _note_reports(session, matched, message, now)
    if store.is_known(session, message_id):
        return None
    delivery = next(iter(matched.deliveries), None)
    contact = session.get(Contact, delivery.contact_id) if delivery and delivery.contact_id else None
    mail = InboundMail(
        message_id=message_id,
        kind="unmatched",
        contact_id=contact.id if contact else None,
        delivery_id=delivery.id if delivery else None,
        text=reply.text,
        received_at=now,
    )
    answered = (delivery, contact) if delivery and contact and delivery.purpose == Purpose.CAMPAIGN else None
    _sort(session, mail, matched, answered, reply, bounce, now)
    session.add(mail)
    session.flush()
    return mail


def _sort(
    session: Session,
    mail: InboundMail,
    matched: Matched,
    answered: tuple[Delivery, Contact] | None,
    reply: Reply,
    bounce: str | None,
    now: datetime,
) -> None:
    """Say what kind of mail it is, and do what follows for a person's words and for their machine's."""
    if matched.complained:
        mail.kind, mail.text = "complaint", ""
    elif matched.ways_out:
        mail.kind = "way_out"
    elif bounce is not None:
        mail.kind, mail.text = "bounce", bounce
    elif reply.is_automatic or matched.returned:
        # Nobody answers to a return path; a machine that does not say that it is one is still one (RFC 5321, 4.5.5).
        mail.kind = "automatic"
        if answered and reply.is_automatic:
            _note_absence(session, answered[1], reply, now)
    elif answered:
        mail.kind = "reply"
        if not reply.wants_out:
            _take_words(session, answered[1], answered[0], reply, mail.message_id, now)
    else:
        mail.text = ""


def _note_reports(session: Session, matched: Matched, message: EmailMessage, now: datetime) -> str | None:
    """What a report says of the mails it is about; the status with which one failed, if it says so."""
    if is_complaint(message):
        for delivery in matched.complained:
            take_complaint(session, delivery, now)
    status = failed_with(message) if matched.returned else None
    if status is not None:
        for delivery in matched.returned:
            note_bounce(session, delivery, status, now)
    return status


def _take_as_evidence(session: Session, matched: Matched, now: datetime) -> None:
    """What can be answered, sent back or left by its own address has arrived; before a bounce settles it for good."""
    take_evidence(session, [one.id for one in matched.returned], "it was sent back to us", now, TAKEN)
    take_evidence(session, [one.delivery_id for one in matched.ways_out], "somebody left by its address", now)
    take_evidence(session, [one.id for one in matched.deliveries], "it was answered", now)


def _keep_unmatched(session: Session, message_id: str, now: datetime) -> InboundMail | None:
    """Anybody can send us this: that it came is kept, under a name that no mail to one of our people has."""
    name = f"unmatched:{hashlib.sha256(message_id.encode()).hexdigest()}"
    if store.is_known(session, name):
        return None
    mail = InboundMail(message_id=name, kind="unmatched", text="", received_at=now)
    session.add(mail)
    session.flush()
    return mail


def _take_off(session: Session, matched: Matched, reply: Reply, now: datetime) -> None:
    """Whoever the mail says no for, as often as it comes."""
    for way_out in matched.ways_out:
        delivery = find_delivery(session, way_out.delivery_id)
        if delivery is None or delivery.purpose != Purpose.TEST:
            opt_out(
                session,
                way_out.address_hash,
                how="a mail to the way out",
                now=now,
                delivery_id=delivery.id if delivery else None,
            )
    if not reply.wants_out or reply.is_automatic:
        return
    for delivery in matched.deliveries:
        # What went to an operator names the contact it is about, who did not write this.
        address_hash = reader_of(session, delivery)
        if address_hash is not None:
            opt_out(session, address_hash, how="a reply", now=now, delivery_id=delivery.id)


def _name_of(message: EmailMessage) -> str:
    """The Message-ID as it was written: what is none, such as a lone `<`, cannot be read by the library."""
    written = next((str(value) for name, value in message.raw_items() if name.lower() == "message-id"), "")
    return re.sub(r"[^!-~]", "", written)[:500]


def _match(session: Session, keys: TokenKeys, recipients: Sequence[str], message: EmailMessage) -> Matched:
    meanings = [read_local_part(keys, recipient.rpartition("@")[0]) for recipient in recipients]
    ways_out = [one for one in meanings if isinstance(one, WayOut)]
    own = next((one for one in meanings if isinstance(one, OwnBox)), None)
    if own is not None:
        # A colleague's own mail is nobody's answer, whatever it quotes.
        return Matched(ways_out, [], own)
    check = next((one for one in meanings if isinstance(one, OwnCheck)), None)
    if check is not None:
        return Matched([], [], check=check)
    returned = _found(session, [one.delivery_id for one in meanings if isinstance(one, CameBack)])
    complained = _found(session, [one.delivery_id for one in meanings if isinstance(one, Complaint)])
    ids = [one.delivery_id for one in ways_out] + [one for one in meanings if isinstance(one, int)]
    deliveries = _found(session, [*ids, *(one.id for one in (*complained, *returned))])
    if deliveries or ways_out:
        return Matched(ways_out, deliveries, returned=returned, complained=complained)
    quoted = f"{message.get('In-Reply-To', '')} {message.get('References', '')}".split()
    for message_id in quoted:
        # A relay may have put an id of its own in the place of ours.
        delivery_id = read_message_id(keys, message_id) or find_by_relay_id(session, message_id)
        if delivery_id is not None and (delivery := find_delivery(session, delivery_id)) is not None:
            return Matched([], [delivery])
    return Matched([], [])


def _found(session: Session, ids: Sequence[int]) -> list[Delivery]:
    found = [find_delivery(session, one) for one in dict.fromkeys(ids)]
    return [one for one in found if one is not None]


def _note_absence(session: Session, contact: Contact, reply: Reply, now: datetime) -> None:
    """Somebody's machine says when they are back: their sequences stand still until that morning where they live."""
    zone = zone_of(contact)
    day = None if reply.is_report else find_return(reply.text, now.astimezone(zone).date())
    if day is None:
        return
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    contact.away_until = local_instant(day, time(0), zone)
    contact.changed_at = now
    session.add(contact)
    # Nothing of a sequence leaves before `advance` has looked at it.
    hold_for_recheck(session, contact.id)
    mark_changed(session, [contact.id], now)


def _take_words(
    session: Session, contact: Contact, delivery: Delivery, reply: Reply, message_id: str, now: datetime
) -> None:
    record_words(session, contact.id, ActivityKind.REPLIED, what=reply.text, delivery=delivery, now=now)
    # Nothing of a sequence leaves before `advance` has looked at what they said.
    hold_for_recheck(session, contact.id)
    operator = contacts.list_operators(session).get(contact.owner_id or 0)
    if operator is None or not operator.is_declared:
        # Nobody here owns them, and they answered whoever wrote.
        operator = contacts.find_operator(session, (delivery.facts or {}).get("sender", {}).get("email", ""))
    if operator is None or not operator.is_declared:
        return
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part) or "Somebody"
    queue_notice(
        session,
        "reply",
        key=f"reply:{hashlib.sha256(message_id.encode()).hexdigest()[:32]}",
        operator=operator,
        facts={"name": name, "company": contact.company or "", "text": reply.text[:2000], "mail": delivery.mail},
        now=now,
        contact=contact,
    )
