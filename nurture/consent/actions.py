"""What may be done about consent: give it, take it back, opt out, undo, look again when the table changes.

An opt-out suppresses the address and leaves what was agreed per topic untouched, so that undoing it restores exactly
what there was. Every action leaves a row in the ledger and locks the contact, so that nothing is sent in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from nurture.consent import store
from nurture.consent.rules import (
    NO_BASIS,
    Basis,
    ConsentPurpose,
    ConsentTable,
    Pile,
    SuppressionReason,
    end_of,
    rule,
)
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.errors import NotAllowed

UNDO_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Said:
    """What somebody said about one topic: a basis with its date, or no, or nothing."""

    contact_id: int
    address_hash: str
    country: str | None
    topic: str
    state: str  # given, refused or none
    basis: Basis | None
    given_on: date | None
    how: str


def record(session: Session, table: ConsentTable, said: Sequence[Said], now: datetime) -> None:
    """Write down what people said, in the ledger and as what holds now."""
    contacts.lock_contacts(session, sorted({one.contact_id for one in said}), exclusively=True)
    store.save_consents(session, [_consent_row(table, one, now) for one in said])
    store.insert_events(
        session,
        [
            {
                "id": new_id(), "contact_id": one.contact_id, "address_hash": one.address_hash, "topic": one.topic,
                "purpose": ConsentPurpose.MAIL, "what": one.state, "basis": one.basis, "given_on": one.given_on,
                "how": one.how, "recorded_at": now,
            }
            for one in said
            if one.state != "none"
        ],
    )  # fmt: skip
    mark_changed(session, [one.contact_id for one in said], now)


def _consent_row(table: ConsentTable, said: Said, now: datetime) -> dict[str, Any]:
    ruling = rule(table, said.country, said.basis or NO_BASIS, said.given_on)
    is_no = said.state == "refused"
    return {
        "contact_id": said.contact_id,
        "topic": said.topic,
        "purpose": ConsentPurpose.MAIL,
        "state": said.state,
        "basis": said.basis,
        "given_on": said.given_on,
        "pile": Pile.NEVER if is_no else ruling.pile,
        "expires_at": end_of(ruling.until),
        "afterwards": ruling.afterwards,
        "law": ruling.law,
        "changed_at": now,
    }


def judge_again(
    session: Session, table: ConsentTable, consents: Sequence[tuple[store.Consent, str | None]], now: datetime
) -> int:
    """Hold consents against the table anew, each with its contact's country; how many came out differently."""
    differing = 0
    for consent, country in consents:
        ruling = rule(table, country, consent.basis or NO_BASIS, consent.given_on)
        fresh = (ruling.pile, end_of(ruling.until), ruling.afterwards, ruling.law)
        if consent.state in {"given", "none"} and fresh != (
            consent.pile, consent.expires_at, consent.afterwards, consent.law,
        ):  # fmt: skip
            consent.pile, consent.expires_at, consent.afterwards, consent.law = fresh
            consent.changed_at = now
            session.add(consent)
            mark_changed(session, [consent.contact_id], now)
            differing += 1
    return differing


def opt_out(session: Session, address_hash: str, *, how: str, now: datetime, delivery_id: int | None = None) -> bool:
    """End all marketing for an address, known contact or not; False when it had already ended."""
    return suppress(
        session, address_hash, SuppressionReason.OPT_OUT, how=how, now=now, delivery_id=delivery_id, what="opted_out"
    )


def suppress(
    session: Session,
    address_hash: str,
    reason: SuppressionReason,
    *,
    how: str,
    now: datetime,
    delivery_id: int | None = None,
    what: str = "suppressed",
) -> bool:
    """Put an address on the suppression list; False when it was there for this reason."""
    contact = contacts.find_by_hash(session, address_hash)
    if contact is not None:
        contacts.lock_contacts(session, [contact.id], exclusively=True)
    row = {"address_hash": address_hash, "reason": reason, "created_at": now, "how": how}
    if not store.suppress(session, [row]):
        return False
    store.add_event(
        session,
        contact_id=contact.id if contact else None,
        address_hash=address_hash,
        what=what,
        basis=None if what == "opted_out" else reason,
        how=how,
        delivery_id=delivery_id,
        recorded_at=now,
    )
    if contact is not None:
        mark_changed(session, [contact.id], now)
    return True


def undo_until(session: Session, address_hash: str, delivery_id: int | None) -> datetime | None:
    """Until when an opt-out may be taken back on the pages of that mail; None if it was not there that they left.

    Newsletters get forwarded: whoever holds an old one shall not undo what somebody else said elsewhere, or told us.
    """
    left_at = store.suppressions_of(session, [address_hash]).get(address_hash, {}).get(SuppressionReason.OPT_OUT)
    event = store.last_event(session, address_hash, "opted_out")
    if left_at is None or event is None or event.delivery_id != delivery_id:
        return None
    return left_at + UNDO_WITHIN


def undo_opt_out(
    session: Session, address_hash: str, *, how: str, now: datetime, delivery_id: int | None = None
) -> bool:
    """Take an opt-out back, as `undo_until` allows; lifts nothing else. False if there is none."""
    if SuppressionReason.OPT_OUT not in store.suppressions_of(session, [address_hash]).get(address_hash, {}):
        return False
    last = undo_until(session, address_hash, delivery_id)
    if last is None:
        raise NotAllowed("That was not done here; sign up again to hear from us.")
    if now > last:
        raise NotAllowed("That was more than 30 days ago; sign up again to hear from us.")
    contact = contacts.find_by_hash(session, address_hash)
    store.lift_suppression(session, address_hash, SuppressionReason.OPT_OUT, now)
    store.add_event(
        session,
        contact_id=contact.id if contact else None,
        address_hash=address_hash,
        what="undone",
        how=how,
        recorded_at=now,
    )
    if contact is not None:
        mark_changed(session, [contact.id], now)
    return True


def choose_topic(
    session: Session, contact: contacts.Contact, topic: str, *, wanted: bool, how: str, now: datetime
) -> bool:
    """Leave one topic, or come back to one left before; False when that changes nothing.

    Coming back restores the basis that was there, since only its owner can take a "no" back.
    """
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    consent = store.consents_of(session, [contact.id]).get((contact.id, topic))
    # Somebody nobody had a basis for may leave as well: no basis that is found later brings them back.
    before, after = ({"withdrawn"}, "given") if wanted else ({"given", "none"}, "withdrawn")
    if consent is None or consent.state not in before or (wanted and consent.basis is None):
        return False
    consent.state = after
    consent.changed_at = now
    session.add(consent)
    _note(session, contact, topic, ConsentPurpose.MAIL, after, how, now)
    mark_changed(session, [contact.id], now)
    return True


def choose_tracking(session: Session, contact: contacts.Contact, *, wanted: bool, how: str, now: datetime) -> None:
    """Whether this person's opens and clicks may be recorded, for all topics; acts on mails already sent."""
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    state = "given" if wanted else "withdrawn"
    store.save_consents(
        session,
        [
            {
                "contact_id": contact.id, "topic": store.EVERY_TOPIC, "purpose": ConsentPurpose.TRACKING,
                "state": state, "basis": None, "given_on": now.date(), "pile": Pile.NEVER, "expires_at": None,
                "afterwards": Pile.NEVER, "law": "", "changed_at": now,
            }
        ],
    )  # fmt: skip
    _note(session, contact, store.EVERY_TOPIC, ConsentPurpose.TRACKING, state, how, now)
    mark_changed(session, [contact.id], now)


def _note(
    session: Session,
    contact: contacts.Contact,
    topic: str,
    purpose: ConsentPurpose,
    what: str,
    how: str,
    now: datetime,
) -> None:
    store.add_event(
        session,
        contact_id=contact.id,
        address_hash=contact.address_hash,
        topic=topic,
        purpose=purpose,
        what=what,
        how=how,
        recorded_at=now,
    )
