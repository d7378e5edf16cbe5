"""What follows when a hold is over: what it kept back is looked at again, and so is everybody it was about."""

from datetime import datetime

from nurture.consent.holds import store as holds
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.database.claiming import get_mark, set_mark
from nurture.database.engine import Session
from nurture.delivery import store

#: The job remembers under its own name.
_MARK = "holds"
_CHUNK = 200


def follow_holds(session: Session, now: datetime) -> int:
    """One chunk of the people of a hold that was lifted or ran out; how many, 0 when there is none.

    It remembers how far it came, for a company may have as many people as it likes.
    """
    ended = next(iter(holds.list_ended_holds(session, now, 1)), None)
    if ended is None:
        return 0
    named, _, after = get_mark(session, _MARK).partition(":")
    start = int(after) if named == str(ended.id) else 0
    ids = [ended.contact_id] if ended.contact_id is not None else []
    if ended.domain is not None:
        ids = contacts.page_of_ids(session, start, _CHUNK, contacts.works_at(ended.domain))
    mark_changed(session, ids, now)
    store.release_from_hold(session, ids, now)
    if ended.domain is None or len(ids) < _CHUNK:
        ended.followed_at = now
        session.add(ended)
        session.flush()
    else:
        set_mark(session, _MARK, f"{ended.id}:{ids[-1]}")
    return len(ids) or 1
