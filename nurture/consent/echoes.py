"""What the ledger writes into the journal beside the database, so that no "no" is lost with it.

Every entry of the ledger that takes permission away goes there before its commit; one that gives it back follows the
commit, so that the journal is never more permissive than what was promised. `consent.replaying` reads them back.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.database.engine import Session
from nurture.database.journal import note, note_all, note_later

#: What an entry of the journal is called.
SAID = "said"
#: In the ledger: permission is given, or given back.
_YES = frozenset({"given", "undone", "lifted", "pause ended", "as it comes"})


def is_no(what: str) -> bool:
    """Whether an entry of the ledger takes permission away."""
    return what not in _YES


def keep_beside(session: Session, events: Sequence[Mapping[str, Any]]) -> None:
    """Note entries of the ledger for the journal."""
    for event in events:
        write = note if is_no(event["what"]) else note_later
        write(session, SAID, event["recorded_at"], **facts_of(event))


def keep_noes_beside(session: Session, at: datetime, many: Iterable[Mapping[str, Any]]) -> None:
    """The same of many entries that take permission away, written down at once, by `facts_of` them."""
    note_all(session, SAID, at, many)


def facts_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal keeps of an entry of the ledger."""
    kept = {
        "said": event["what"], "event": event["id"], "hash": event["address_hash"], "contact": event.get("contact_id"),
        "topic": event.get("topic") or None, "purpose": event.get("purpose"), "basis": event.get("basis"),
        "how": event["how"] if "@" not in event["how"] else None,  # a file may be named after somebody
        "delivery": event.get("delivery_id"),
    }  # fmt: skip
    return {name: value for name, value in kept.items() if value is not None}
