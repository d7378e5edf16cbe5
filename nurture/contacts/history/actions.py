"""Writes the history. Whoever changes a contact calls `note` in the same transaction; many at once call it once.

    history.note(session, history.rows_of(contact_id, changes, Author("import", "customers.csv, line 7"), now))

Nothing is written before the commit, and then everything in one statement, so that a chunk of an import pays for one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.contacts.history import store
from nurture.contacts.history.rules import CREATED, Author, Change
from nurture.database.columns import new_id
from nurture.database.engine import Session


def rows_of(contact_id: int, changes: Iterable[Change], author: Author, now: datetime) -> list[dict[str, Any]]:
    """One row for each change of one contact."""
    return [
        {
            "contact_id": contact_id, "id": new_id(), "field": one.field, "before": one.before, "after": one.after,
            "by": author.by, "how": author.how, "changed_at": now,
        }
        for one in changes
    ]  # fmt: skip


def created(contact_id: int, author: Author, now: datetime) -> list[dict[str, Any]]:
    """The one row of a new contact; what they came with is not told field by field."""
    return rows_of(contact_id, [Change(CREATED, None, None)], author, now)


def note(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write these down with the transaction."""
    store.add_changes(session, rows)
