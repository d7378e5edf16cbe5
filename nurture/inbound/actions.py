"""What happens when mail comes back: a way out by mail is taken, a reply is recorded and its sequence looks again."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from nurture.consent.actions import opt_out
from nurture.consent.rules import Purpose
from nurture.contacts import store as contacts
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.notices import queue_notice
from nurture.delivery.store import Delivery, find_delivery, hold_for_recheck
from nurture.delivery.urls import WayOut, read_local_part, read_message_id
from nurture.inbound import store
from nurture.inbound.replies import Reply, read_reply
from nurture.inbound.store import InboundMail
from nurture.tokens import TokenKeys
from nurture.tracking.actions import record_words
from nurture.tracking.rules import ActivityKind


@dataclass(frozen=True)
class Matched:
    """What an arriving mail is about."""

    way_out: WayOut | None
    delivery: Delivery | None


def receive(
    session: Session, keys: TokenKeys, recipients: Sequence[str], message: EmailMessage, content: bytes, now: datetime
) -> InboundMail | None:
    """Take in one mail; None when this very mail was handled before.

    A mail to a way out takes the person of the *token* off, whoever the sender claims to be (RFC 2369). A reply belongs
    to the delivery named by the address it went to, else by what it quotes in its headers.
    """
    message_id = _name_of(message) or f"sha256:{hashlib.sha256(content).hexdigest()}"
    if store.is_known(session, message_id):
        return None
    matched = _match(session, keys, recipients, message)
    reply = read_reply(message)
    contact = session.get(Contact, matched.delivery.contact_id) if matched.delivery else None
    mail = InboundMail(
        message_id=message_id,
        kind="unmatched",
        contact_id=contact.id if contact else None,
        delivery_id=matched.delivery.id if matched.delivery else None,
        text=reply.text,
        received_at=now,
    )
    if matched.way_out is not None:
        mail.kind = "way_out"
        if matched.delivery is None or matched.delivery.purpose != Purpose.TEST:
            opt_out(
                session,
                matched.way_out.address_hash,
                how="a mail to the way out",
                now=now,
                delivery_id=mail.delivery_id,
            )
    elif reply.is_automatic:
        mail.kind = "automatic"
    elif matched.delivery is not None and contact is not None and matched.delivery.purpose == Purpose.CAMPAIGN:
        mail.kind = "reply"
        _take_reply(session, contact, matched.delivery, reply, message_id, now)
    session.add(mail)
    session.flush()
    return mail


def _name_of(message: EmailMessage) -> str:
    """The Message-ID as it was written: what is none, such as a lone `<`, cannot be read by the library."""
    written = next((str(value) for name, value in message.raw_items() if name.lower() == "message-id"), "")
    return re.sub(r"[^!-~]", "", written)[:500]


def _match(session: Session, keys: TokenKeys, recipients: Sequence[str], message: EmailMessage) -> Matched:
    for recipient in recipients:
        meaning = read_local_part(keys, recipient.rpartition("@")[0])
        if isinstance(meaning, WayOut):
            return Matched(meaning, find_delivery(session, meaning.delivery_id))
        if meaning is not None:
            return Matched(None, find_delivery(session, meaning))
    quoted = f"{message.get('In-Reply-To', '')} {message.get('References', '')}".split()
    for message_id in quoted:
        delivery_id = read_message_id(keys, message_id)
        if delivery_id is not None and (delivery := find_delivery(session, delivery_id)) is not None:
            return Matched(None, delivery)
    return Matched(None, None)


def _take_reply(
    session: Session, contact: Contact, delivery: Delivery, reply: Reply, message_id: str, now: datetime
) -> None:
    if reply.wants_out:
        opt_out(session, contact.address_hash, how="a reply", now=now, delivery_id=delivery.id)
        return
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
