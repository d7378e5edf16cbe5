"""The line for an announcement: who heard from us most recently comes first.

Between being allowed to have the announcement and getting it everybody stands in line, in the order that
`consent.silence` gives: by days of silence, then those of whom no recent day is known, a few on the first day and twice
as many on each day after it. A bad list shows after fifty mails, not after all of them.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from nurture.consent import store as consents
from nurture.consent.silence import store as pasts
from nurture.consent.silence.rules import last_sign, turn_of, wave_of
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.newsletters import store


def line_up(session: Session, newsletter: str, topic: str, people: Sequence[Contact], now: datetime) -> None:
    """Give each of these a turn."""
    ids = [contact.id for contact in people]
    known, agreed = pasts.pasts_of(session, ids), consents.consents_of(session, ids)
    turns = {}
    for i in ids:
        consent = agreed.get((i, topic))
        days = (known[i].last_sign_on if i in known else None, consent.given_on if consent else None)
        turns[i] = turn_of(last_sign(days), now.date())
    store.get_in_line(session, newsletter, turns)


def room_today(session: Session, newsletter: str, now: datetime) -> int:
    """How many of whom no recent day is known may still get it today."""
    first, went = store.wave_so_far(session, newsletter, now.date())
    return max(0, _wave(first, now.date()) - went)


def _wave(first: date | None, today: date) -> int:
    return wave_of((today - first).days if first else 0)


def next_turn_at(session: Session, newsletter: str, now: datetime) -> datetime | None:
    """When the next one gets it: now, at the beginning of tomorrow's wave, or never when nobody waits."""
    if not store.is_anybody_in_line(session, newsletter):
        return None
    if store.next_turns(session, newsletter, room_today(session, newsletter, now), 1):
        return now
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)
