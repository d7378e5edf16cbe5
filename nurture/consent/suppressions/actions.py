"""What may be done about suppression: opt out, take that back, put an address or a domain on the list, lift an entry.

An opt-out suppresses the address and leaves what was agreed per topic untouched, so that undoing it restores exactly
what there was. Every action leaves a row in the ledger and locks the contact, so that nothing is sent in between.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from nurture.consent import store as consents
from nurture.consent.ledger.store import left_through
from nurture.consent.rules import Proof, proof_of
from nurture.consent.suppressions import store
from nurture.consent.suppressions.rules import LIFTED_BY_OPT_IN, SAID_BY_A_PERSON, SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.database.engine import Session
from nurture.database.journal import note, note_later
from nurture.errors import NotAllowed

UNDO_WITHIN = timedelta(days=30)

#: What the journal calls what happens to a domain.
DOMAIN_CLOSED, DOMAIN_OPENED = "domain closed", "domain opened"
#: So many people at a domain are looked at again at once; the others when they next change.
_MARKED_AT_ONCE = 2000


def opt_out(
    session: Session, address_hash: str, *, how: Proof | str, now: datetime, delivery_id: int | None = None
) -> bool:
    """End all marketing for an address, known contact or not; False when it had already ended.

    Said once more elsewhere, it is written down once more: the mail through which they left first no longer undoes it.
    """
    if suppress(
        session, address_hash, SuppressionReason.OPT_OUT, how=how, now=now, delivery_id=delivery_id, what="opted_out"
    ):
        return True
    contact = contacts.find_by_any_hash(session, address_hash)
    theirs = {address_hash, *(contacts.hashes_of(session, contact) if contact else ())}
    for one, reasons in store.suppressions_of(session, theirs).items():
        left_at = reasons.get(SuppressionReason.OPT_OUT)
        if left_at is not None and delivery_id not in left_through(session, one, left_at):
            _note(session, contact, one, "opted_out", how, now, delivery_id=delivery_id)
    return False


def suppress(
    session: Session,
    address_hash: str,
    reason: SuppressionReason,
    *,
    how: Proof | str,
    now: datetime,
    delivery_id: int | None = None,
    what: str = "suppressed",
) -> bool:
    """Put an address on the suppression list; False when it was there for this reason.

    What a person said for one of their addresses holds for those they had before and the one they have now, so that no
    file brings them back under another one.
    """
    contact = contacts.find_by_any_hash(session, address_hash)
    hashes = [address_hash]
    if contact is not None:
        contacts.lock_contacts(session, [contact.id], exclusively=True)
        if reason in SAID_BY_A_PERSON:
            hashes += [one for one in contacts.hashes_of(session, contact) if one != address_hash]
    new = [
        one
        for one in hashes
        if store.suppress(
            session, [{"address_hash": one, "reason": reason, "created_at": now, "how": proof_of(how).how}]
        )
    ]
    for one in new:
        basis = None if what == "opted_out" else reason
        _note(session, contact, one, what, how, now, basis=basis, delivery_id=delivery_id)
    if contact is not None and new:
        mark_changed(session, [contact.id], now)
    return bool(new)


def suppress_domain(session: Session, domain: str, *, how: str, now: datetime) -> bool:
    """Nobody at this domain, or at any below it, is mailed from now on; False when it was so."""
    if not store.suppress_domain(session, domain, how, now):
        return False
    note(session, DOMAIN_CLOSED, now, domain=domain, how=how)
    _look_again_at(session, domain, now)
    return True


def lift_domain(session: Session, domain: str, *, now: datetime) -> bool:
    """Mail to this domain is possible again; False when it was not on the list."""
    if not store.lift_domain(session, domain, now):
        return False
    note_later(session, DOMAIN_OPENED, now, domain=domain)
    _look_again_at(session, domain, now)
    return True


def _look_again_at(session: Session, domain: str, now: datetime) -> None:
    mark_changed(session, contacts.page_of_ids(session, 0, _MARKED_AT_ONCE, store.at_or_below(domain)), now)


def lift(
    session: Session, address_hash: str, reasons: Collection[str], *, how: Proof | str, now: datetime
) -> list[SuppressionReason]:
    """Take an address off the list for these reasons; those for which it stood there. What they agreed to holds again.

    Only an operator with a reason may ask for all of them; who signs up anew themselves, for `LIFTED_BY_OPT_IN`.
    """
    contact = contacts.find_by_hash(session, address_hash)
    if contact is not None:
        contacts.lock_contacts(session, [contact.id], exclusively=True)
    asked = [one for one in SuppressionReason if one in reasons]
    lifted = [one for one in asked if store.lift_suppression(session, address_hash, one, now)]
    for one in lifted:
        _note(session, contact, address_hash, "lifted", how, now, basis=one)
    if contact is not None and lifted:
        mark_changed(session, [contact.id], now)
    return lifted


def come_back(session: Session, address_hash: str, *, how: Proof | str, now: datetime) -> bool:
    """They signed up and confirmed it from their own mailbox: an earlier no of theirs, or ours for them, is over.

    False if there was none. No confirmation reaches an address that bounced, complained or was erased; that stands until
    an operator lifts it.
    """
    return bool(lift(session, address_hash, LIFTED_BY_OPT_IN, how=how, now=now))


def undo_until(session: Session, address_hash: str, delivery_id: int | None) -> datetime | None:
    """Until when an opt-out may be taken back on the pages of that mail; None if it was not only there that they left.

    Newsletters get forwarded: whoever holds an old one shall not undo what somebody else said elsewhere, or told us.
    """
    left_at = store.suppressions_of(session, [address_hash]).get(address_hash, {}).get(SuppressionReason.OPT_OUT)
    if left_at is None or left_through(session, address_hash, left_at) != {delivery_id}:
        return None
    return left_at + UNDO_WITHIN


def undo_opt_out(
    session: Session, address_hash: str, *, how: Proof | str, now: datetime, delivery_id: int | None = None
) -> bool:
    """Take an opt-out back, as `undo_until` allows; lifts nothing else. False if there is none."""
    if SuppressionReason.OPT_OUT not in store.suppressions_of(session, [address_hash]).get(address_hash, {}):
        return False
    last = undo_until(session, address_hash, delivery_id)
    if last is None:
        raise NotAllowed("That was not done here; sign up again to hear from us.")
    if now > last:
        raise NotAllowed("That was more than 30 days ago; sign up again to hear from us.")
    contact = contacts.find_by_any_hash(session, address_hash)
    if contact is not None:
        _undo_elsewhere(session, contact, address_hash, now)
    store.lift_suppression(session, address_hash, SuppressionReason.OPT_OUT, now)
    _note(session, contact, address_hash, "undone", how, now)
    if contact is not None:
        mark_changed(session, [contact.id], now)
    return True


def _undo_elsewhere(session: Session, contact: contacts.Contact, address_hash: str, now: datetime) -> None:
    """Lift for their other addresses what the same click put there."""
    theirs = contacts.hashes_of(session, contact)
    known = store.suppressions_of(session, [address_hash, *theirs])
    said_at = known.get(address_hash, {}).get(SuppressionReason.OPT_OUT)
    for one in theirs:
        if one != address_hash and known.get(one, {}).get(SuppressionReason.OPT_OUT) == said_at:
            store.lift_suppression(session, one, SuppressionReason.OPT_OUT, now)


def _note(
    session: Session,
    contact: contacts.Contact | None,
    address_hash: str,
    what: str,
    how: Proof | str,
    now: datetime,
    *,
    basis: str | None = None,
    delivery_id: int | None = None,
) -> None:
    consents.add_event(
        session,
        proof_of(how),
        contact_id=contact.id if contact else None,
        address_hash=address_hash,
        what=what,
        basis=basis,
        delivery_id=delivery_id,
        recorded_at=now,
    )
