"""What an export says about permission, so that no opt-out is lost on the way to another system or back.

The columns and words are those that `consent.statements` reads: a file that comes back changes nobody.
"""

from collections.abc import Iterator, Mapping

from nurture.consent import store
from nurture.consent.rules import Basis
from nurture.consent.silence.store import pasts_of
from nurture.consent.store import Consent
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.exports import cells_of, headers_of
from nurture.contacts.fields import DeclaredField
from nurture.contacts.headers import PAST
from nurture.database.conditions import Clause
from nurture.database.engine import Session

_PAGE = 500

#: The strictest first: a status has room for one word.
_STATUS = {
    SuppressionReason.COMPLAINT: "complained",
    SuppressionReason.HARD_BOUNCE: "cleaned",
    SuppressionReason.OPT_OUT: "unsubscribed",
    SuppressionReason.MANUAL: "blocklisted",
}
_OPT_INS = {Basis.OPT_IN, Basis.DOUBLE_OPT_IN}


def export_headers(declared: Mapping[str, DeclaredField]) -> tuple[str, ...]:
    """The columns of `export_rows`."""
    return (*headers_of(declared), "status", "opted_in", "basis", "consent_on", *PAST)


def export_rows(
    session: Session,
    topic: str,
    declared: Mapping[str, DeclaredField],
    where: Clause | None = None,
) -> Iterator[list[object]]:
    """Every contact, or those the clause holds for, with what is known about their consent to one topic."""
    operators = contacts.list_operators(session)
    after = 0
    while page := contacts.page_of_contacts(session, after, _PAGE, where):
        ids = [contact.id for contact in page]
        tags = contacts.tags_of(session, ids)
        consents = store.consents_of(session, ids)
        known_past = pasts_of(session, ids)
        suppressed = suppressions_of(session, [contact.address_hash for contact in page])
        for contact in page:
            known = tags.get(contact.id, frozenset())
            reasons = suppressed.get(contact.address_hash, {})
            yield [
                *cells_of(contact, operators.get(contact.owner_id or 0), known, declared),
                next((word for reason, word in _STATUS.items() if reason in reasons), None),
                *_consent_cells(consents.get((contact.id, topic))),
                *(getattr(known_past.get(contact.id), name, None) for name in PAST),
            ]
        after = ids[-1]
        session.expunge_all()


def _consent_cells(consent: Consent | None) -> tuple[object, object, object]:
    """Opted in, basis, and since when."""
    if consent is None or consent.state == "none":
        return None, None, None
    if consent.state != "given":
        return False, None, None
    return consent.basis in _OPT_INS or None, consent.basis, consent.given_on
