"""What may be done about who somebody is: give them a new address, make two contacts one.

Whoever said no said it, not their address, so a no goes along to the new one; what was said about the new one before
counts as well. A hard bounce stays with the address that bounced. What they agreed to stays as it is.
"""

from datetime import datetime

from nurture.consent.actions import choose_topic, judge_again
from nurture.consent.definition import get_table
from nurture.consent.ledger.store import noes_of_nobody
from nurture.consent.rules import ConsentPurpose
from nurture.consent.store import list_to_judge
from nurture.consent.suppressions import actions as suppressions
from nurture.consent.suppressions import store
from nurture.consent.suppressions.rules import SAID_BY_A_PERSON, SuppressionReason
from nurture.contacts import actions as contacts
from nurture.contacts.addresses import Address
from nurture.contacts.history.rules import Author
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.tokens import AddressHasher


def change_address(
    session: Session, contact: Contact, address: Address, hasher: AddressHasher, now: datetime, author: Author
) -> bool:
    """Give a contact another address, which they asked for; False if it is theirs already.

    Raises `NotAllowed` if it is another contact's: two contacts are made one by somebody who works here.
    """
    former = contact.address_hash
    if not contacts.change_address(session, contact, address, hasher, now, author):
        return False
    carry_over(session, former, contact.address_hash, "said for an earlier address of theirs", now)
    # Nor shall a file that brings the old address again bring back who said no for the new one.
    carry_over(session, contact.address_hash, former, "said for a later address of theirs", now)
    # Whoever had it may have left a topic, and be no contact any more, or not yet again.
    for topic, purpose in noes_of_nobody(session, contact.address_hash).get(contact.address_hash, {}):
        if purpose == ConsentPurpose.MAIL:
            choose_topic(session, contact, topic, wanted=False, how="said for this address before", now=now)
    # The law may treat an address at a free provider otherwise than a company's.
    judge_again(session, get_table(session), list_to_judge(session, [contact.id]), now)
    session.flush()
    return True


def carry_over(session: Session, former: str, address_hash: str, how: str, now: datetime) -> list[str]:
    """Let every no that a person said for one address hold for another one; the reasons that are new there."""
    reasons = sorted(SAID_BY_A_PERSON.intersection(store.suppressions_of(session, [former]).get(former, {})))
    return [
        reason
        for reason in reasons
        if suppressions.suppress(
            session, address_hash, SuppressionReason(reason), how=how, now=now, what=_WHAT.get(reason, "suppressed")
        )
    ]


_WHAT = {SuppressionReason.OPT_OUT: "opted_out"}
