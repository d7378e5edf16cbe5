"""What may be done about consent: give it, take it back, look again when the table changes.

Every action leaves a row in the ledger and locks the contact, so that nothing is sent in between. Opting out is the
matter of `consent.suppressions`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from nurture.consent import store
from nurture.consent.holds import store as holds
from nurture.consent.holds.store import Hold
from nurture.consent.law.rules import ConsentTable, Who, end_of, rule, who_at
from nurture.consent.ledger import store as ledger
from nurture.consent.recording.rules import STATES, Mode
from nurture.consent.recording.store import forget_opens, last_opens_of
from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rhythms.store import find_rhythm, save_rhythm
from nurture.consent.rules import (
    NO_BASIS,
    STRENGTH,
    Basis,
    ConsentPurpose,
    Pile,
    Proof,
    Purpose,
    may_send,
    proof_of,
)
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.errors import BadInput, NotAllowed

LONGEST_PAUSE = timedelta(days=366)


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
    how: Proof | str
    domain: str = ""  # of their address; empty counts as a private person's

    @property
    def who(self) -> Who:
        return who_at(self.domain)


def record(session: Session, table: ConsentTable, said: Sequence[Said], now: datetime) -> None:
    """Write down what people said, in the ledger and as what holds now."""
    contacts.lock_contacts(session, sorted({one.contact_id for one in said}), exclusively=True)
    store.save_consents(session, [consent_row(table, one, now) for one in said])
    store.insert_events(session, [event_row(table, one, now) for one in said if one.state != "none"])
    mark_changed(session, [one.contact_id for one in said], now)


def event_row(table: ConsentTable, said: Said, now: datetime) -> dict[str, Any]:
    """The entry of the ledger about what somebody said."""
    ends_on = rule(table, said.country, said.basis, said.given_on, said.who).until if said.basis else None
    return {
        "id": new_id(), "contact_id": said.contact_id, "address_hash": said.address_hash, "topic": said.topic,
        "purpose": ConsentPurpose.MAIL, "what": said.state, "basis": said.basis, "given_on": said.given_on,
        "expires_at": end_of(ends_on), "recorded_at": now, **store.proof_columns(proof_of(said.how)),
    }  # fmt: skip


def consent_row(table: ConsentTable, said: Said, now: datetime) -> dict[str, Any]:
    """What holds from now on for what somebody said."""
    ruling = rule(table, said.country, said.basis or NO_BASIS, said.given_on, said.who)
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


def give(
    session: Session,
    table: ConsentTable,
    contact: contacts.Contact,
    topic: str,
    basis: Basis,
    given_on: date,
    *,
    how: Proof | str,
    now: datetime,
) -> None:
    """One of us writes down that somebody agreed; a no, and a better basis that still holds, give way to nothing."""
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    standing = store.standings(session, [contact.id], topic)[contact.id]
    if standing.suppressions or standing.state in {"refused", "withdrawn"}:
        no = may_send(Purpose.CAMPAIGN, standing, now).because
        raise NotAllowed(
            f"{contact.email}: {no}. Nobody but they can take that back: on the page behind their mails, or by signing up."
        )
    if standing.state is None and (topic, ConsentPurpose.MAIL) in ledger.noes_of_nobody(
        session, contact.address_hash
    ).get(contact.address_hash, {}):
        raise NotAllowed(f"{contact.email}: left this topic before; they may sign up again themselves.")
    kept = Basis(standing.basis) if standing.basis is not None and not standing.has_expired(now) else None
    if kept is not None and STRENGTH.index(kept) < STRENGTH.index(basis):
        raise NotAllowed(f"{contact.email} has a better basis already: {kept}. Nothing was changed.")
    said = Said(
        contact.id, contact.address_hash, contact.country, topic, "given", basis, given_on, how, domain=contact.domain
    )  # fmt: skip
    record(session, table, [said], now)


def judge_again(
    session: Session, table: ConsentTable, consents: Sequence[tuple[store.Consent, str | None, str]], now: datetime
) -> int:
    """Hold consents against the table anew, each with its contact's country and domain; how many came out differently."""
    differing = 0
    for consent, country, domain in consents:
        ruling = rule(table, country, consent.basis or NO_BASIS, consent.given_on, who_at(domain))
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


def choose_topic(
    session: Session, contact: contacts.Contact, topic: str, *, wanted: bool, how: Proof | str, now: datetime
) -> bool:
    """Leave one topic, or come back to one left before; False when that changes nothing.

    Coming back restores the basis that was there, since only its owner can take a "no" back.
    """
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    consent = store.consents_of(session, [contact.id]).get((contact.id, topic))
    # Somebody nobody had a basis for, or never asked, may leave as well: no basis that is found later brings them back.
    if consent is None and not wanted:
        consent = store.Consent(
            contact_id=contact.id, topic=topic, purpose=ConsentPurpose.MAIL, state="none", changed_at=now
        )
    before, after = ({"withdrawn"}, "given") if wanted else ({"given", "none"}, "withdrawn")
    if consent is None or consent.state not in before or (wanted and consent.basis is None):
        return False
    consent.state = after
    consent.changed_at = now
    session.add(consent)
    session.flush()
    _note(session, contact, topic, ConsentPurpose.MAIL, after, how, now)
    mark_changed(session, [contact.id], now)
    return True


def choose_tracking(
    session: Session,
    contact: contacts.Contact,
    *,
    wanted: bool | Mode,
    how: Proof | str,
    now: datetime,
    topic: str = store.EVERY_TOPIC,
) -> None:
    """How much of what this person does with our mails may be recorded: all, nothing, or what a mode says.

    It is their word for one topic or for all; acts on mails already sent.
    """
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    mode = wanted if isinstance(wanted, Mode) else Mode.FULL if wanted else Mode.NONE
    store.save_consents(
        session,
        [
            {
                "contact_id": contact.id, "topic": topic, "purpose": ConsentPurpose.TRACKING,
                "state": STATES[mode], "basis": None, "given_on": now.date(), "pile": Pile.NEVER, "expires_at": None,
                "afterwards": Pile.NEVER, "law": "", "changed_at": now,
            }
        ],
    )  # fmt: skip
    if mode is Mode.NONE and topic == store.EVERY_TOPIC:
        forget_opens(session, [contact.id])
    _note(session, contact, topic, ConsentPurpose.TRACKING, STATES[mode], how, now)
    mark_changed(session, [contact.id], now)


def forget_opens_not_allowed(session: Session, contact_ids: Sequence[int]) -> int:
    """What was published may let us record less than before: of how many contacts the day of the last open went."""
    kept = contacts.list_contacts(session, last_opens_of(session, contact_ids))
    modes = store.recording_modes(session, kept, store.EVERY_TOPIC)
    return forget_opens(session, [contact_id for contact_id, mode in modes.items() if mode is Mode.NONE])


def choose_frequency(
    session: Session, contact: contacts.Contact, at_most: AtMost | None, *, how: Proof | str, now: datetime
) -> bool:
    """Less often: at most one mail a week or a month, from all campaigns together; None: as it comes. False if it was so."""
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    if find_rhythm(session, contact.id) == at_most:
        return False
    save_rhythm(session, contact.id, at_most, now)
    what = f"at most one a {at_most}" if at_most else "as it comes"
    _note(session, contact, store.EVERY_TOPIC, ConsentPurpose.MAIL, what, how, now)
    mark_changed(session, [contact.id], now)
    return True


def choose_pause(
    session: Session, contact: contacts.Contact, until: datetime | None, *, how: Proof | str, now: datetime
) -> bool:
    """No mail before `until`, instead of what they chose before; None: go on at once. False if nothing changes.

    Issues that come out meanwhile are not sent later; a sequence stands still and goes on after it.
    """
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    earlier = holds.pauses_of(session, now, contact.id)
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise BadInput("a pause ends some time within a year; whoever wants longer opts out.")
    if [one.until for one in earlier] == ([until] if until else []):
        return False
    for one in earlier:
        one.lifted_at = now
        session.add(one)
    if until is not None:
        session.add(Hold(contact_id=contact.id, until=until, because="they asked for a pause", placed_at=now))
    session.flush()
    what = f"paused until {until:%Y-%m-%d}" if until else "pause ended"
    _note(session, contact, store.EVERY_TOPIC, ConsentPurpose.MAIL, what, how, now)
    mark_changed(session, [contact.id], now)
    return True


def _note(
    session: Session,
    contact: contacts.Contact,
    topic: str,
    purpose: ConsentPurpose,
    what: str,
    how: Proof | str,
    now: datetime,
) -> None:
    store.add_event(
        session,
        proof_of(how),
        contact_id=contact.id,
        address_hash=contact.address_hash,
        topic=topic,
        purpose=purpose,
        what=what,
        recorded_at=now,
    )
