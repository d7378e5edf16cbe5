"""A rep's own mail, with their own address of ours in BCC: each contact it went to is touched, and their sequences wait.

The address names the operator and is signed, so nobody makes one up; the mail must also come from that operator, and from
a person. Of the mail its subject is kept and nothing else: what two people write to each other is theirs. Whoever it went
to and is no contact stays none, for a mail of ours is no word of theirs; the rep is told when nobody was known.
"""

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.utils import getaddresses

from nurture.campaigns.declared import colleague_domains
from nurture.contacts import store as contacts
from nurture.contacts.addresses import read_address
from nurture.contacts.cells import clean
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.delivery.notices import queue_notice
from nurture.errors import BadInput
from nurture.inbound import store
from nurture.inbound.replies import is_automatic
from nurture.inbound.store import InboundMail
from nurture.tracking.touches.actions import record_touch
from nurture.tracking.touches.rules import LONGEST_NOTE, TouchKind

_MOST_RECIPIENTS = 50


def take_own_mail(
    session: Session, operator_id: int, message: EmailMessage, message_id: str, now: datetime
) -> InboundMail | None:
    """Note a rep's own mail; None when this very mail was noted before."""
    name = hashlib.sha256(message_id.encode()).hexdigest()
    if store.is_known(session, f"own:{name}"):
        return None
    rep = session.get(Operator, operator_id)
    mail = InboundMail(message_id=f"own:{name}", kind="unmatched", text="", received_at=now)
    if rep is not None and rep.is_declared and _is_from(message, rep) and not is_automatic(message):
        mail.kind = "touch"
        _note(session, rep, message, name, now)
    session.add(mail)
    session.flush()
    return mail


def _is_from(message: EmailMessage, rep: Operator) -> bool:
    senders = [address.lower() for _, address in _addresses(message, "From")]
    return senders == [rep.email.lower()]


def _note(session: Session, rep: Operator, message: EmailMessage, name: str, now: datetime) -> None:
    subject = clean(str(message.get("Subject", "")))[:LONGEST_NOTE]
    outside = _people_outside(session, message)
    known = [contact for contact in outside if contact is not None]
    for contact in known:
        record_touch(
            session,
            contact,
            TouchKind.MAIL,
            subject,
            rep,
            occurred_at=now,
            now=now,
            key=f"mail:{name[:32]}:{contact.id}",
        )
    if outside and not known:
        facts = {"subject": subject or "(no subject)"}
        queue_notice(session, "touch", key=f"touch:{name[:32]}", operator=rep, facts=facts, now=now)


def _people_outside(session: Session, message: EmailMessage) -> list[Contact | None]:
    """Whom the mail went to, colleagues aside; None stands for somebody who is no contact."""
    ours = colleague_domains(session)
    colleagues = {one.email.lower() for one in contacts.list_operators(session).values()}
    found: dict[str, Contact | None] = {}
    for _, text in _addresses(message, "To", "Cc")[:_MOST_RECIPIENTS]:
        try:
            address = read_address(text)
        except BadInput:
            continue
        if address.domain not in ours and address.key not in colleagues:
            found[address.key] = contacts.find_contact(session, address.key)
    return list(found.values())


def _addresses(message: EmailMessage, *headers: str) -> list[tuple[str, str]]:
    return getaddresses([str(value) for header in headers for value in message.get_all(header, [])])
