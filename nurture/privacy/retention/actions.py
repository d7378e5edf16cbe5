"""Lets go of what is older than settings.toml says: one page of one table per call, each table once a day.

A mark per term says how far it has got, so that what was emptied is not looked at again and a crash loses nothing. Called
by the engine as a recurring job, in the transaction of the job.
"""

from datetime import datetime

from nurture.database.claiming import get_mark, hold_lock, set_mark
from nurture.database.engine import Session
from nurture.database.journal import Journal
from nurture.delivery.pacing import actions as pacing
from nurture.privacy.retention import store
from nurture.privacy.retention.rules import Retention, Term, terms_of

_ROWS_AT_ONCE = 200
_JOB = "retention"


def due_at(session: Session, retention: Retention | None, now: datetime) -> datetime | None:
    """Nothing waits for midnight: the first look of a day finds it due. None without terms, and once it is done."""
    return None if retention is None or _is_done_for(session, now) else now


def _is_done_for(session: Session, now: datetime) -> bool:
    return get_mark(session, _JOB) == f"{now:%Y-%m-%d}"


def let_go_of_some(session: Session, retention: Retention | None, journal: Journal | None, now: datetime) -> int:
    """One page of the first term that is not done for today, what paced mail and the journal last; 0 when all are."""
    if retention is None or _is_done_for(session, now):
        return 0
    today = f"{now:%Y-%m-%d}"
    for term in terms_of(retention):
        job = f"{_JOB} {term.name}"
        hold_lock(session, job)
        day, _, after = get_mark(session, job).partition(":")
        if day != today:
            set_mark(session, job, f"{today}:{_page(session, term, _start(term, after), now)}")
            return 1
        if after.endswith("…"):
            set_mark(session, job, f"{today}:{_page(session, term, int(after[:-1]), now)}")
            return 1
    if pacing.forget_some(session, now):
        return 1
    if journal is not None and retention.journal:
        journal.forget(now - retention.journal)
    set_mark(session, _JOB, today)
    return 1


def _start(term: Term, after: str) -> int:
    """Where today's walk begins: people are all looked at again, of rows that go by age only those that follow."""
    return 0 if term.is_by_contact else int(after.rstrip("…") or 0)


def _page(session: Session, term: Term, after: int, now: datetime) -> str:
    """See to one page; how far that is, with a mark of going on if there may be more."""
    before = now - term.keep
    rows = store.page_of(session, term, after, _ROWS_AT_ONCE)
    old = [key for key, at in rows if term.is_by_contact or (at is not None and at < before)]
    if old:
        store.let_go(session, term, old, before)
    first_young = next(
        (n for n, (_, at) in enumerate(rows) if not term.is_by_contact and (at is None or at >= before)), None
    )
    passed = rows if first_young is None else rows[:first_young]
    reached = passed[-1][0] if passed else after
    return f"{reached}…" if first_young is None and len(rows) == _ROWS_AT_ONCE else str(reached)
