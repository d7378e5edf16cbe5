"""Records touches. One that is a conversation makes the contact's sequences stand still for a week, at once."""

from datetime import datetime

from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.store import Contact, Operator
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.delivery.store import hold_for_recheck
from nurture.errors import BadInput
from nurture.tracking.touches import store
from nurture.tracking.touches.rules import TouchKind, quiet_until


def record_touch(
    session: Session,
    contact: Contact,
    kind: TouchKind,
    note: str,
    by: Operator,
    *,
    occurred_at: datetime,
    now: datetime,
    key: str = "",
    through: Contact | None = None,
    is_quiet: bool | None = None,
) -> datetime | None:
    """Write down what a colleague did; until when sequences stand still because of it.

    `key` names what left it, so that it counts once. `is_quiet` overrules what is usual for this kind of touch.
    """
    if occurred_at > now:
        raise BadInput(f"{occurred_at:%Y-%m-%d %H:%M} UTC has not been yet; a touch is something that was done.")
    number = new_id()
    until = quiet_until(kind, occurred_at, is_wanted=is_quiet)
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    is_new = store.insert_touch(
        session,
        {
            "id": number, "key": key or f"by hand:{number}", "contact_id": contact.id, "operator_id": by.id, "kind": kind,
            "note": note, "through_id": through.id if through else None, "occurred_at": occurred_at, "recorded_at": now,
            "quiet_until": until,
        },
    )  # fmt: skip
    if not is_new or until is None or until <= now:
        return None
    # What is queued stands still until `advance` has looked, which pauses the sequence.
    hold_for_recheck(session, contact.id)
    mark_changed(session, [contact.id], now)
    return until
