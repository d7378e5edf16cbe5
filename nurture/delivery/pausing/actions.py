"""Pause one campaign, let it go on, or cancel what waits of it; and count what became of its mails.

Whatever is done, at whatever moment and by whom, each mail of a campaign is counted once: `Counts` adds up to its audience.
Pausing and cancelling hold from one commit on. What follows it goes in chunks, so that a million mails keep nobody waiting;
if that is interrupted, nothing leaves all the same, and the same command goes on with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from nurture.contacts.actions import mark_changed
from nurture.database.engine import Database, Session
from nurture.delivery.pausing import store
from nurture.delivery.pausing.rules import Counts, count_of

_CHUNK = 500


@dataclass(frozen=True)
class Stopped:
    """A campaign that stands still: its mails as they are, and how many of them were set aside or cancelled now."""

    campaign: str
    was_new: bool
    counts: Counts
    moved: int
    because: str  # as whoever paused it first said; empty if it goes on


def pause(database: Database, campaign: str, *, because: str, by: str, now: datetime) -> Stopped:
    """Stop one campaign: what is on the wire is finished, everything else waits until it goes on."""
    with database.writing(durable=True) as session:
        was_new = store.pause(session, campaign, because, by, now)
    held = _in_chunks(database, lambda session: store.set_aside(session, campaign, _CHUNK))
    return _stopped(database, campaign, was_new, held)


def go_on(database: Database, campaign: str, now: datetime) -> Stopped:
    """Let a paused campaign go on: what waited leaves in its next opening."""
    with database.writing(durable=True) as session:
        if (paused := store.find_pause(session, campaign)) is not None:
            _cancel_late(session, paused, now)
        was_new = store.go_on(session, campaign)
    moved = _in_chunks(database, lambda session: store.bring_forward(session, campaign, now, _CHUNK))
    return _stopped(database, campaign, was_new, moved)


def cancel(
    database: Database,
    campaign: str,
    *,
    by: str,
    now: datetime,
    stop_queueing: Callable[[Session], None] = lambda _: None,
) -> Stopped:
    """Take back whatever has not left, for good. The campaign stays paused, so that nothing follows unseen.

    What is on the wire is finished; if a relay puts it off, it is taken back with the next look of the house, or when the
    campaign goes on. `stop_queueing` ends what would queue more of it, once the pause holds.
    """
    because = f"cancelled by {by}"
    with database.writing(durable=True) as session:
        was_new = store.pause(session, campaign, because, by, now)
        store.mark_cancelled(session, campaign, now)
    with database.writing() as session:
        stop_queueing(session)
    moved = _in_chunks(database, lambda session: _cancel_some(session, campaign, because, now))
    return _stopped(database, campaign, was_new, moved)


def set_some_aside(session: Session, now: datetime) -> int:
    """Hold what is queued of campaigns that stand still, whoever paused them, and take back what was cancelled; how many."""
    paused = store.list_paused(session)
    late = sum(_cancel_late(session, one, now) for one in paused)
    return late + sum(store.set_aside(session, one.campaign, _CHUNK) for one in paused)


def _cancel_late(session: Session, paused: store.PausedCampaign, now: datetime) -> int:
    """Take back what was on the wire when its campaign was cancelled, and came back; how many."""
    if paused.cancelled_at is None:
        return 0
    because = "cancelled while it was on its way, and put off"
    return _cancel_some(session, paused.campaign, because, now, queued_by=paused.cancelled_at)


def _cancel_some(
    session: Session, campaign: str, because: str, now: datetime, *, queued_by: datetime | None = None
) -> int:
    contacts = store.cancel_some(session, campaign, because, now, _CHUNK, queued_by=queued_by)
    mark_changed(session, [one for one in contacts if one is not None], now)
    return len(contacts)


def counts_of(session: Session, campaign: str) -> Counts:
    """What became of every mail of a campaign, at one instant."""
    return count_of(store.count_by_status(session, campaign))


def _stopped(database: Database, campaign: str, was_new: bool, moved: int) -> Stopped:  # noqa: FBT001 — as the value has it
    with database.reading() as session:
        paused = store.find_pause(session, campaign)
        return Stopped(campaign, was_new, counts_of(session, campaign), moved, paused.because if paused else "")


def _in_chunks(database: Database, work: Callable[[Session], int]) -> int:
    total = 0
    while True:
        with database.writing() as session:
            count = work(session)
        total += count
        if not count:
            return total
