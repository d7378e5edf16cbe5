"""An owner's yes: a sequence with `sender: owner` mails in somebody's name only once they said yes to its mails.

The yes is to the mails as they read, not to a version: as long as no mail changes it stays, whatever else is published.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nurture.campaigns import store
from nurture.campaigns.store import OwnerAgreement
from nurture.database.engine import Session

_KNOWN = "agreements"


def mails_hash(content: Mapping[str, Any]) -> str:
    """Names the mails of a version: the same mails, the same name."""
    return hashlib.sha256(json.dumps(content["mails"], sort_keys=True).encode()).hexdigest()


def who_agreed(session: Session, sequence: str, content: Mapping[str, Any]) -> frozenset[int]:
    """The operators in whose name these mails may go out; asked once per transaction and version."""
    known: dict[tuple[str, int], tuple[Mapping[str, Any], frozenset[int]]] = session.info.setdefault(_KNOWN, {})
    # The content is kept beside the answer, so that no other can take its place in memory.
    key = (sequence, id(content))
    if key not in known:
        known[key] = (content, store.operators_who_agreed(session, sequence, mails_hash(content)))
    return known[key][1]


def agree(
    session: Session, operator_id: int, sequence: str, content: Mapping[str, Any], *, by: str, now: datetime
) -> bool:
    """Take down a yes to the mails of a version; False when it was there already."""
    digest = mails_hash(content)
    found = store.find_agreement(session, sequence, digest, operator_id)
    if found is not None and found.withdrawn_at is None:
        return False
    found = found or OwnerAgreement(
        sequence=sequence, mails_hash=digest, operator_id=operator_id, agreed_at=now, agreed_by=by
    )
    found.agreed_at, found.agreed_by, found.withdrawn_at = now, by, None
    session.add(found)
    _forget(session)
    return True


def withdraw(session: Session, operator_id: int, sequence: str, content: Mapping[str, Any], *, now: datetime) -> bool:
    """Take a yes back; False when there is none."""
    found = store.find_agreement(session, sequence, mails_hash(content), operator_id)
    if found is None or found.withdrawn_at is not None:
        return False
    found.withdrawn_at = now
    session.add(found)
    _forget(session)
    return True


def _forget(session: Session) -> None:
    session.flush()
    session.info.pop(_KNOWN, None)
