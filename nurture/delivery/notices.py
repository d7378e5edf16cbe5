"""Mails of the house itself are queued here: notes to operators, and letters to people about what they just asked for.

What they say is made from templates/service/ and published like everything else (`kind`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.consent.rules import Purpose
from nurture.contacts import store as contacts
from nurture.contacts.newcomers.store import Newcomer
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.rules import Priority

KIND = "service"


def queue_letter(
    session: Session,
    name: str,
    *,
    key: str,
    to: Contact | Newcomer,
    language: str,
    facts: Mapping[str, Any],
    now: datetime,
    expires_at: datetime | None = None,
) -> None:
    """Write to somebody what they just asked for, once per key, in their language if the letter stands there in it."""
    current = campaigns.find_current(session, KIND, name)
    if current is None:
        return
    version_id, content = current
    own = f"{name}.{language.partition('-')[0].lower()}"
    letter = Intention(
        key=key,
        purpose=Purpose.SERVICE,
        campaign=f"{KIND}:{name}",
        version_id=version_id,
        mail=own if own in content["mails"] else name,
        priority=Priority.SERVICE,
        due_at=now,
        contact_id=to.id if isinstance(to, Contact) else None,
        newcomer_id=to.id if isinstance(to, Newcomer) else None,
        domain=to.domain,
        expires_at=expires_at,
        mail_facts=facts,
    )
    queue_deliveries(session, [letter], now)


def queue_notice(
    session: Session,
    name: str,
    *,
    key: str,
    operator: Operator,
    facts: Mapping[str, Any],
    now: datetime,
    contact: Contact | None = None,
) -> None:
    """Write to an operator, once per key; `contact` is whom it is about."""
    current = campaigns.find_current(session, KIND, name)
    if current is None:
        return
    note = Intention(
        key=key,
        purpose=Purpose.INTERNAL,
        campaign=f"{KIND}:{name}",
        version_id=current[0],
        mail=name,
        priority=Priority.INTERNAL,
        due_at=now,
        contact_id=contact.id if contact else None,
        operator_id=operator.id,
        domain=operator.email.rpartition("@")[2].lower(),
        mail_facts={"first_name": operator.name.split()[0], **facts},
    )
    queue_deliveries(session, [note], now)


def tell_caretakers(session: Session, name: str, *, key: str, facts: Mapping[str, Any], now: datetime) -> None:
    """Write to everybody who looks after sending: marketing and admins, or all operators if there are none."""
    declared = [one for one in contacts.list_operators(session).values() if one.is_declared]
    caretakers = [one for one in declared if one.role in {"marketing", "admin"}]
    for operator in caretakers or declared:
        queue_notice(session, name, key=f"{key}:{operator.id}", operator=operator, facts=facts, now=now)
