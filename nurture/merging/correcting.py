"""Corrects an address whose domain was mistyped: the person moves to the right one, or becomes one with who is there."""

from datetime import datetime

from nurture.consent.domains.actions import meet_domains
from nurture.consent.identity.actions import change_address
from nurture.contacts import store as contacts
from nurture.contacts.addresses import get_address
from nurture.contacts.history.rules import Author
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.claiming.store import readdress
from nurture.errors import BadInput, NotAllowed
from nurture.merging.actions import merge
from nurture.tokens import AddressHasher

_AUTHOR = Author("command line", "domains correct")


def get_right_domain(text: str) -> str:
    """A domain as it stands in addresses, or what is wrong with it."""
    try:
        return get_address(f"somebody@{text.strip()}").domain
    except BadInput:
        raise BadInput(f'"{text}" is no domain; write it as in an address, such as gmail.com.') from None


def correct_address(
    session: Session, language: Language, contact_id: int, domain: str, hasher: AddressHasher, now: datetime
) -> tuple[str, str]:
    """Move one contact to the same name at another domain: what was done (moved, merged, left) and who it is, or why not."""
    contact = session.get(Contact, contact_id)
    if contact is None:
        return "moved", "somebody who is gone"
    try:
        address = get_address(f"{contact.email.rpartition('@')[0]}@{domain}")
        known = contacts.find_contact(session, address.key)
        if known is not None:
            merge(session, language, known.email, contact.email, now, _AUTHOR)
            return "merged", known.email
        meet_domains(session, {domain}, now)
        change_address(session, contact, address, hasher, now, _AUTHOR)
        readdress(session, contact.id, contact.domain)
    except (NotAllowed, BadInput) as error:
        return "left", f"{contact.email}: {error}"
    return "moved", address.email
