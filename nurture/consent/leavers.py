"""Those of an imported file who unsubscribed, complained or bounced elsewhere: they go on the suppression list.

`consent.arrivals` calls it for each chunk. Most people have one address, and many leave at once, so theirs is written in
bulk; what a person said who had others before holds for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.consent import store as consents
from nurture.consent.statements import Statement
from nurture.consent.suppressions import store
from nurture.consent.suppressions.actions import suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.terms import Terms
from nurture.contacts.store import ids_with_former
from nurture.database.columns import new_id
from nurture.database.engine import Session


@dataclass(frozen=True)
class Leaver:
    """Somebody with the reasons that are new; `contact_id` is whoever has the address, or had it before."""

    line: int
    statement: Statement
    address_hash: str
    contact_id: int | None
    reasons: frozenset[SuppressionReason]


def let_leave(session: Session, leavers: Sequence[Leaver], terms: Terms, now: datetime) -> None:
    """Put them on the list, with a line in the ledger for each reason."""
    several = ids_with_former(session, {one.contact_id for one in leavers if one.contact_id})
    for one in leavers:
        for reason in sorted(one.reasons) if one.contact_id in several else ():
            how = terms.proof(one.line, one.statement)
            suppress(session, one.address_hash, reason, how=how, now=now, what=_what(reason))
    ended = [(one, reason) for one in leavers if one.contact_id not in several for reason in sorted(one.reasons)]
    store.suppress(
        session,
        [
            {"address_hash": one.address_hash, "reason": reason, "created_at": now, "how": terms.how(one.line)}
            for one, reason in ended
        ],
    )
    consents.insert_events(
        session,
        [
            {
                "id": new_id(),
                "contact_id": one.contact_id,
                "address_hash": one.address_hash,
                "what": _what(reason),
                "basis": None if reason is SuppressionReason.OPT_OUT else reason,
                "how": terms.how(one.line),
                "recorded_at": now,
            }
            for one, reason in ended
        ],
    )


def _what(reason: SuppressionReason) -> str:
    return "opted_out" if reason is SuppressionReason.OPT_OUT else "suppressed"
