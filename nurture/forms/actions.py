"""What may be done with sign-ups: take one in, confirm it, remind of it once, forget it.

Nothing that was asked for happens before the owner of the address has confirmed it; until then an address nobody knew
is a newcomer, and what they typed stands on the sign-up. Whoever watches from outside cannot tell an address we know
from one we do not: the answer, the mail and the work are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.consent import store as consents
from nurture.consent.rules import Purpose, may_send
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.addresses import Address
from nurture.contacts.newcomers.store import (
    Newcomer,
    ensure_newcomer,
    find_newcomer,
    forget_newcomer,
    lock_newcomer,
)
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.notices import queue_letter
from nurture.delivery.store import adopt_mails, cancel_by_keys
from nurture.forms import store
from nurture.forms.effects import Request, carry_out, find_or_make
from nurture.forms.kind import KIND, load_form
from nurture.forms.rules import Entry, Form, State, Terms, may_act_at_once, next_look_at
from nurture.forms.stamps import confirm_token
from nurture.forms.store import SignUp
from nurture.tokens import AddressHasher, TokenKeys

_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
_AGAIN = ":again"


def _key(sign_up_id: int, again: str = "") -> str:
    """What the mail that asks is for."""
    return f"sign-up:{sign_up_id}{again}"


@dataclass(frozen=True)
class Desk:
    """What taking sign-ups in needs from the house."""

    keys: TokenKeys
    hasher: AddressHasher
    language: Language
    base_url: str
    terms: Terms

    def confirm_url(self, sign_up_id: int) -> str:
        return f"{self.base_url.rstrip('/')}/confirm/{confirm_token(self.keys, sign_up_id)}"


@dataclass(frozen=True)
class Came:
    """Where somebody came from."""

    page: str
    ip: str
    label: str = ""
    operator_id: int | None = None
    contact: Contact | None = None  # by a personal link
    delivery_id: int | None = None


class Outcome(StrEnum):
    """What became of a form that was sent."""

    ASKED = "asked"  # a mail asks the owner of the address, or nobody was told why not
    DONE = "done"
    TOO_MANY = "too many"


def find_form(session: Session, name: str) -> Form | None:
    """The published form of that name."""
    version_id = campaigns.find_current_version(session, KIND, name)
    return get_version(session, name, version_id) if version_id is not None else None


def get_version(session: Session, name: str, version_id: int) -> Form:
    """The form as it was published in that version."""
    return campaigns.derive(session, version_id, load_form, name, version_id)


def find_worded(session: Session, form: Form, shown: str, language: str) -> Form | None:
    """The version of a form that shows just these words to agree to: one on another site may be older than ours."""
    campaign = campaigns.find_campaign(session, KIND, form.name)
    every = campaigns.numbers_of(session, campaign.id) if campaign else {}
    for version_id in (form.version_id, *sorted(every, reverse=True)):
        known = get_version(session, form.name, version_id)
        if known.text("consent", language) and known.shown(language) == shown:
            return known
    return None


def known_fields(form: Form, contact: Contact) -> list[str]:
    """Fields of a form that need not be asked again."""
    columns = {name: getattr(contact, name) for name in contacts.COLUMN_FIELDS}
    values = {**contact.fields, **columns}
    return [one.name for one in form.questions if values.get(one.name) not in (None, "")]


def sign_up(session: Session, desk: Desk, form: Form, entry: Entry, came: Came, now: datetime) -> Outcome:
    """Take a form in: act at once where nobody has to be asked, else ask the owner of the address by a mail.

    Forms for one address are taken one after the other, so that together they are not more than one address is asked.
    """
    if came.ip and store.count_from_ip(session, came.ip, now - _HOUR) >= desk.terms.per_ip:
        return Outcome.TOO_MANY
    person = came.contact or _whom(session, desk, entry.address, now)
    if _is_asked_often(session, desk, person, now):
        # The same answer as ever: nobody learns whether somebody else signed this address up before.
        return Outcome.ASKED
    row = SignUp(
        form=form.name,
        version_id=form.version_id,
        newcomer_id=person.id if isinstance(person, Newcomer) else None,
        contact_id=person.id if isinstance(person, Contact) else None,
        address_hash=person.address_hash,
        language=entry.language,
        said=entry.to_json(),
        label=came.label,
        operator_id=came.operator_id,
        delivery_id=came.delivery_id,
        page=came.page,
        ip=came.ip,
        submitted_at=now,
        due_at=next_look_at(now, is_reminded=False, terms=desk.terms),
    )
    if came.contact is not None and may_act_at_once(
        is_personal=True,
        subscribed=_subscribed(session, came.contact, entry.topics, now),
        topics=entry.topics,
        wants_tracking=entry.wants_tracking,
    ):
        session.add(row)
        session.flush()
        _settle(session, desk, row, None, now, is_asked=False)
        return Outcome.DONE
    for twin in store.pending_twins(session, form.name, person.address_hash):
        # Whoever was reminded once is not reminded again because the form came twice.
        row.reminded_at = row.reminded_at or twin.reminded_at
        store.settle(session, twin.id, State.REPLACED, ip=twin.ip)
    if row.reminded_at is not None:
        row.due_at = next_look_at(now, is_reminded=True, terms=desk.terms)
    session.add(row)
    session.flush()
    _ask(session, desk, form, row, person, now)
    return Outcome.ASKED


def _whom(session: Session, desk: Desk, address: Address | None, now: datetime) -> Contact | Newcomer:
    assert address is not None  # only a personal link does without
    known = contacts.find_contact(session, address.key)
    if known is None:
        return ensure_newcomer(session, address, desk.hasher, now)
    contacts.lock_contacts(session, [known.id], exclusively=True)
    return known


def _is_asked_often(session: Session, desk: Desk, person: Contact | Newcomer, now: datetime) -> bool:
    """Whether a stranger may be filling a mailbox: too many in a day, however it is spelled, or day after day."""
    most, address_hash = desk.terms.per_address, person.address_hash
    return (
        store.count_of_address(session, address_hash, now - _DAY) >= most
        or store.count_of_mailbox(session, person.address_key, now - _DAY) >= most
        or store.count_of_address(session, address_hash, now - _WEEK) >= 2 * most
    )


def _subscribed(session: Session, contact: Contact, topics: Sequence[str], now: datetime) -> list[str]:
    standings = consents.all_standings(session, [contact.id], topics)[contact.id]
    return [topic for topic in topics if may_send(Purpose.CAMPAIGN, standings[topic], now).is_allowed]


def _ask(
    session: Session, desk: Desk, form: Form, row: SignUp, person: Contact | Newcomer, now: datetime, again: str = ""
) -> None:
    """The mail that asks: it says what was asked for and by which form, and nothing that a stranger may have typed."""
    ends_at = row.submitted_at + desk.terms.confirm_within
    topics = form.topics
    facts: dict[str, Any] = {
        "form": form.text("title", row.language),
        "topics": [topics[name]["label"] for name in row.said["topics"]],
        "url": desk.confirm_url(row.id),
        "days": max(1, round((ends_at - now) / _DAY)),
        "is_reminder": bool(again),
    }
    queue_letter(
        session, "confirm", key=_key(row.id, again), to=person, language=row.language, facts=facts, now=now,
        expires_at=ends_at,
    )  # fmt: skip


def is_open(desk: Desk, row: SignUp | None, now: datetime) -> bool:
    """Whether this sign-up can still be confirmed; of somebody who was erased meanwhile nothing is left to."""
    if row is None or row.state != State.PENDING or _has_ended(desk, row, now):
        return False
    return row.newcomer_id is not None or row.contact_id is not None


def _has_ended(desk: Desk, row: SignUp, now: datetime) -> bool:
    return row.submitted_at + desk.terms.confirm_within <= now


def confirm(session: Session, desk: Desk, sign_up_id: int, now: datetime) -> SignUp | None:
    """The owner of the address says yes; None when there is nothing to confirm any more. Twice is once."""
    row = store.find_sign_up(session, sign_up_id)
    if row is not None and row.newcomer_id is not None:
        # Whoever confirms two forms at once becomes one contact: the second press waits for the first.
        lock_newcomer(session, row.newcomer_id)
        session.refresh(row)
    if row is None or row.state == State.CONFIRMED:
        return row
    newcomer = find_newcomer(session, row.newcomer_id) if row.newcomer_id is not None else None
    if not is_open(desk, row, now) or (newcomer is None and row.contact_id is None):
        return None
    return row if _settle(session, desk, row, newcomer, now) else None


def _settle(
    session: Session, desk: Desk, row: SignUp, newcomer: Newcomer | None, now: datetime, *, is_asked: bool = True
) -> bool:
    """What was asked for happens, once; False when the contact is gone. `is_asked`: they confirmed it by a mail."""
    form = get_version(session, row.form, row.version_id)
    request = Request.of(row, is_confirmed_by_mail=is_asked)
    contact = session.get(Contact, row.contact_id) if newcomer is None else None
    if newcomer is None and contact is None:
        return False
    if not store.settle(session, row.id, State.CONFIRMED, confirmed_at=now):
        session.refresh(row)
        return row.state == State.CONFIRMED
    if contact is None:
        assert newcomer is not None
        contact = find_or_make(session, desk.hasher, request, newcomer, now)
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    carry_out(session, desk.language, form, request, contact, now)
    cancel_by_keys(session, [_key(row.id), _key(row.id, _AGAIN)], "confirmed meanwhile", now)
    if newcomer is not None:
        adopt_mails(session, newcomer.id, contact.id)
        store.hand_over(session, newcomer.id, contact.id)
        forget_newcomer(session, newcomer.id)
    store.empty_replaced(session, row.form, row.address_hash)
    session.refresh(row)
    row.contact_id = contact.id
    session.add(row)
    session.flush()
    return True


def look_after(session: Session, desk: Desk, now: datetime, limit: int = 50) -> int:
    """Remind, once, of what waits for a yes; forget what got none in time. How many."""
    due = store.list_due(session, now, limit)
    for row in due:
        if row.reminded_at is None and not _has_ended(desk, row, now):
            _remind(session, desk, row, now)
        else:
            _forget(session, row)
    session.flush()
    return len(due)


def _remind(session: Session, desk: Desk, row: SignUp, now: datetime) -> None:
    person: Contact | Newcomer | None = None
    if row.contact_id is not None:
        person = session.get(Contact, row.contact_id)
    elif row.newcomer_id is not None:
        person = find_newcomer(session, row.newcomer_id)
    row.reminded_at = now
    row.due_at = next_look_at(row.submitted_at, is_reminded=True, terms=desk.terms)
    session.add(row)
    # Whoever said no is asked once, since they may have changed their mind; nobody insists.
    if person is not None and not suppressions_of(session, [person.address_hash]):
        _ask(session, desk, get_version(session, row.form, row.version_id), row, person, now, again=_AGAIN)


def _forget(session: Session, row: SignUp) -> None:
    """Delete what was typed; that somebody sent the form is still counted."""
    newcomer_id, address_hash = row.newcomer_id, row.address_hash
    emptied = {"address_hash": "", "page": "", "contact_id": None, "delivery_id": None}
    if not store.settle(session, row.id, State.FORGOTTEN, **emptied):
        return
    store.empty_replaced(session, row.form, address_hash)
    if newcomer_id is not None and not store.waits_for_newcomer(session, newcomer_id):
        forget_newcomer(session, newcomer_id)
