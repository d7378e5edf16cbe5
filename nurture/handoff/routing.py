"""Who takes something that is about a contact: their owner, somebody named, or whoever the agreement falls back to."""

from nurture.contacts import store as contacts
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.handoff.definition import find_agreement

OWNER = "owner"


def find_taker(session: Session, contact: Contact, wanted: str = OWNER) -> Operator | None:
    """`wanted` is "owner" or an operator's address; whoever no longer works here is stood in for.

    1. who was wanted; 2. the fallback of handoff.yaml; 3. the first who works here; None when nobody does.
    """
    owner = session.get(Operator, contact.owner_id) if contact.owner_id else None
    chosen = owner if wanted == OWNER else contacts.find_operator(session, wanted)
    if chosen is not None and chosen.is_declared:
        return chosen
    agreement = find_agreement(session)
    fallback = contacts.find_operator(session, agreement[0].fallback) if agreement else None
    if fallback is not None and fallback.is_declared:
        return fallback
    known = contacts.list_operators(session)
    return next((known[number] for number in sorted(known) if known[number].is_declared), None)
