"""Asking for what a mail must confirm, and taking the confirmation.

A page is reached by whoever holds the mail, and newsletters get forwarded. So what gives somebody's data away, deletes
it, or sends their mail elsewhere is done only after a press on a page whose link went to the address on file; for a new
address, and on one whose link went there too. A link is good for an hour and for one press.
"""

from datetime import datetime, timedelta

from nurture.consent.identity.actions import change_address
from nurture.contacts import store as contacts
from nurture.contacts.addresses import Address, mask, read_address
from nurture.contacts.history.rules import Author
from nurture.contacts.newcomers.store import ensure_newcomer, find_newcomer
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.claiming.store import readdress
from nurture.delivery.notices import queue_letter
from nurture.privacy.requests import store
from nurture.privacy.requests.rules import MOST_A_DAY, VALID_FOR, Kind, Side
from nurture.privacy.requests.store import PersonalRequest
from nurture.tokens import AddressHasher, TokenKeys, TokenPurpose

_LETTER = "request"


def ask(
    session: Session,
    keys: TokenKeys,
    hasher: AddressHasher,
    contact: Contact,
    kind: Kind,
    *,
    base_url: str,
    language: str,
    now: datetime,
    new_address: Address | None = None,
) -> bool:
    """Write to the address on file, and to the new one; False if that was done too often today."""
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    store.forget_old(session, now)
    if store.count_since(session, contact.id, now - timedelta(days=1)) >= MOST_A_DAY:
        return False
    newcomer = ensure_newcomer(session, new_address, hasher, now) if new_address is not None else None
    request = store.add_request(
        session, contact.id, kind, newcomer.id if newcomer else None, now, expires_at=now + VALID_FOR
    )
    for side, to in ((Side.ON_FILE, contact), (Side.NEW, newcomer)):
        if to is None:
            continue
        queue_letter(
            session,
            _LETTER,
            key=f"request:{request.id}:{side.value}",
            to=to,
            language=language,
            facts={
                "kind": str(kind),
                "url": f"{base_url.rstrip('/')}/request/{sign_request(keys, request.id, side)}",
                # Neither side learns the other's whole address from us.
                "address": mask(newcomer.email) if newcomer else "",
                "is_new": side is Side.NEW,
            },
            now=now,
            expires_at=request.expires_at,
        )
    return True


def sign_request(keys: TokenKeys, request_id: int, side: Side) -> str:
    """What stands in the link of the mail to that side."""
    return keys.sign(TokenPurpose.REQUEST, bytes([side]) + request_id.to_bytes(8))


def read_request(keys: TokenKeys, token: str) -> tuple[int, Side] | None:
    """The request a link is about, and which address it went to; None for anything we did not sign."""
    payload = keys.read(TokenPurpose.REQUEST, token)
    if payload is None or len(payload) != 9 or payload[0] not in set(Side):
        return None
    return int.from_bytes(payload[1:]), Side(payload[0])


def confirm(session: Session, request: PersonalRequest, side: Side, now: datetime) -> bool:
    """Take the yes of one side; whether nobody else's is missing. The caller has locked the contact and looked."""
    if side is Side.ON_FILE:
        request.confirmed_at = now
    else:
        request.confirmed_new_at = now
    session.add(request)
    session.flush()
    return request.asked.is_confirmed


def move_to_new_address(
    session: Session, hasher: AddressHasher, contact: Contact, request: PersonalRequest, now: datetime
) -> None:
    """Give them the address both sides agreed to. Raises `NotAllowed` if it is somebody else's by now."""
    newcomer = find_newcomer(session, request.newcomer_id) if request.newcomer_id is not None else None
    if newcomer is None:
        return
    author = Author("page", "preferences, confirmed at both addresses")
    change_address(session, contact, read_address(newcomer.email), hasher, now, author)
    readdress(session, contact.id, contact.domain)
    request.newcomer_id = None
    session.add(request)
    session.flush()
    store.forget_typed(session, [newcomer.id])
