"""The table of recurring jobs: what keeps the house running, in which order, and when each is next due.

A job does one small chunk of work per transaction and says how much it did; 0 means that nothing is due. `rounds` runs
them until all of them rest. Each takes a named lock in the database, so that several processes may run the table at once.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from nurture.campaigns import store as campaigns
from nurture.consent import store as consents
from nurture.consent.actions import forget_opens_not_allowed, judge_again
from nurture.consent.definition import get_table
from nurture.consent.holds import store as holds
from nurture.contacts import store as contacts
from nurture.contacts.assignment.actions import assign_owners
from nurture.contacts.segments import Language
from nurture.database.chunks import ChunkSize
from nurture.database.claiming import get_mark, set_mark
from nurture.database.engine import Database, Session
from nurture.delivery import actions as delivery
from nurture.delivery import store as deliveries
from nurture.delivery.holds import follow_holds
from nurture.delivery.pausing import actions as pausing_actions
from nurture.delivery.pausing import store as pausing
from nurture.engines.stopping import Stopping
from nurture.forms import store as sign_ups
from nurture.forms.actions import Desk, look_after
from nurture.handoff import actions as handoff
from nurture.handoff import store as hand_offs
from nurture.newsletters import actions as newsletters
from nurture.newsletters.queueing.actions import Stint
from nurture.privacy.retention import actions as retention
from nurture.privacy.retention.rules import Retention
from nurture.scoring import store as scores
from nurture.scoring.actions import rescore
from nurture.scoring.definition import find_model
from nurture.sequences import actions as sequences
from nurture.sequences import entries, experiments
from nurture.sequences import store as enrollments
from nurture.sequences.actions import Surroundings
from nurture.sequences.moving import actions as moving
from nurture.sequences.moving.store import first_move_at
from nurture.tracking import actions as tracking
from nurture.tracking import store as activities

#: People in a chunk of a job. How many fit is learned: what is done about each differs from house to house, and what a chunk
#: costs by itself is that of fifty.
_FEWEST, _MOST = 50, 500
_DAY = timedelta(days=1)


def _chunk_size() -> ChunkSize:
    return ChunkSize(first=_FEWEST, fewest=_FEWEST, most=_MOST)


@dataclass(frozen=True)
class Bench:
    """What the jobs work with."""

    database: Database
    worker: int
    language: Language
    settle_after: timedelta
    resend_uncertain: bool = False
    retention: Retention | None = None
    desk: Desk | None = None  # without one nobody looks after sign-ups
    stint: Stint = field(default_factory=Stint)  # of queueing a newsletter's mail
    stopping: Stopping = field(default_factory=Stopping)  # looked at between two chunks
    chunks: defaultdict[str, ChunkSize] = field(default_factory=lambda: defaultdict(_chunk_size))  # of each job

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(self.language, self.settle_after)


Answers = Mapping[str, datetime | None]


@dataclass(frozen=True)
class Job:
    """One recurring job.

    `due_at` says when it is next due, from what the database answered to `QUESTIONS` or from looking itself.
    `counts` is under which word its work is reported, if it is.
    """

    name: str
    run: Callable[[Session, Bench, datetime], int]
    due_at: Callable[[Session, Bench, Answers, datetime], datetime | None]
    counts: str = ""


#: What decides when jobs are due, asked in one statement: most of the time the answer is "not yet".
QUESTIONS = sa.select(
    holds.next_hold_end_at().label("hold"),
    deliveries.next_release_at().label("release"),
    pausing.to_set_aside_at().label("set_aside"),
    pausing.to_release_at().label("resumed"),
    activities.oldest_unsettled_at().label("unsettled"),
    hand_offs.next_recycle_at().label("recycle"),
    scores.oldest_scored_at().label("scored"),
    enrollments.next_wake_at().label("wake"),
    first_move_at().label("follow"),
    sign_ups.next_due_at().label("sign_ups"),
    *(contacts.first_changed_at(reader).label(reader) for reader in contacts.READERS),
    deliveries.is_any_in_hand().label("in_hand"),
)


def _sweep(session: Session, bench: Bench, now: datetime) -> int:
    """After a publish every reader of changes looks at every contact once."""
    published = _published(session)
    seen, _, after = get_mark(session, "sweep").partition(":")
    if seen == published and after == "done":
        return 0
    start = int(after) if seen == published else 0
    with bench.chunks["sweep"].learning(session) as chunk:
        ids = contacts.page_of_ids(session, start, chunk.rows, contacts.everybody())
        contacts.add_changed(session, ids, now)
        judge_again(session, get_table(session), consents.list_to_judge(session, ids), now)
        forget_opens_not_allowed(session, ids)
        chunk.rows = len(ids)
    set_mark(session, "sweep", f"{published}:{ids[-1]}" if ids else f"{published}:done")
    return len(ids) or 1


def _sweep_due(session: Session, bench: Bench, answers: Answers, now: datetime) -> datetime | None:
    published = _published(session)
    return None if not published or get_mark(session, "sweep") == f"{published}:done" else now


def _published(session: Session) -> str:
    """Names the state of everything published; empty before the first publish."""
    versions = campaigns.all_current(session)
    return hashlib.sha256(repr(versions).encode()).hexdigest()[:16] if versions else ""


def _score(session: Session, bench: Bench, now: datetime) -> int:
    """Look at contacts that changed, then at those whose points faded over night.

    Whoever belongs to nobody is given to somebody before: who becomes sales-ready goes to their owner.
    """
    with bench.chunks["score"].learning(session) as chunk:
        changed = contacts.list_changed(session, "scoring", chunk.rows)
        assign_owners(session, bench.language, list(changed), now)
        ids = list(changed) or scores.list_stale(session, _midnight(now), chunk.rows)
        model = find_model(session, bench.language)
        if model is not None and ids:
            scored = rescore(session, model, ids, now)
            agreement = handoff.find(session, bench.language)
            if agreement is not None:
                handoff.promote(session, agreement, model, scored, now)
        contacts.drop_changed(session, "scoring", changed)
        chunk.rows = len(ids)
    return len(ids)


def _for_changed(
    name: str, reader: str, look_at: Callable[[Session, Bench, list[int], datetime], int]
) -> Callable[[Session, Bench, datetime], int]:
    """A job that looks at the contacts that changed for a reader, once each: what it did, or else how many it looked at."""

    def run(session: Session, bench: Bench, now: datetime) -> int:
        with bench.chunks[name].learning(session) as chunk:
            changed = contacts.list_changed(session, reader, chunk.rows)
            chunk.rows = len(changed)
            if not changed:
                return 0
            done = look_at(session, bench, list(changed), now)
            contacts.drop_changed(session, reader, changed)
        return done or -len(changed)

    return run


def _enroll(session: Session, bench: Bench, changed: list[int], now: datetime) -> int:
    """Enroll those who come in, and wake what they are on already."""
    entered = entries.enroll_entrants(session, bench.language, changed, now)
    enrollments.wake(session, changed, now)
    return entered


def _enroll_as_time_passes(session: Session, bench: Bench, now: datetime) -> int:
    """Once a day everybody, for the sequences whose entrants need not have changed: only time has to pass."""
    today = f"{now:%Y-%m-%d}"
    day, _, after = get_mark(session, "entries").partition(":")
    with bench.chunks["entries"].learning(session) as chunk:
        ids = contacts.page_of_ids(session, int(after) if day == today else 0, chunk.rows, contacts.everybody())
        entries.enroll_entrants(session, bench.language, ids, now, only_time=True)
        chunk.rows = len(ids)
    set_mark(session, "entries", f"{today}:{ids[-1]}" if ids else f"{today}:done")
    return len(ids) or 1


def _entries_due(session: Session, bench: Bench, answers: Answers, now: datetime) -> datetime | None:
    if not entries.asks_as_time_passes(session, bench.language):
        return None
    return now if get_mark(session, "entries") != f"{now:%Y-%m-%d}:done" else _midnight(now) + _DAY


def _end_tests(session: Session, bench: Bench, now: datetime) -> int:
    """Once an hour, so that a test ends soon and nobody counts all day."""
    experiments.end_tests(session, bench.language, now)
    set_mark(session, "tests", f"{now:%Y-%m-%dT%H}")
    return 1


def _tests_due(session: Session, bench: Bench, answers: Answers, now: datetime) -> datetime | None:
    if not experiments.list_running(session, bench.language):
        return None
    hour = now.replace(minute=0, second=0, microsecond=0)
    return now if get_mark(session, "tests") != f"{now:%Y-%m-%dT%H}" else hour + timedelta(hours=1)


def _advance(session: Session, bench: Bench, now: datetime) -> int:
    with bench.chunks["advance"].learning(session) as chunk:
        due = enrollments.list_due(session, now, chunk.rows)
        chunk.rows = len(due)
        if not due:
            return 0
        decided = sequences.advance_all(session, due, bench.surroundings, now)
        return sequences.record(session, decided, bench.surroundings, now) or -len(due)


def _line_up(session: Session, bench: Bench, changed: list[int], now: datetime) -> int:
    return newsletters.look_at_changed(session, bench.language, changed, now)


def _announce_due(session: Session, bench: Bench, answers: Answers, now: datetime) -> datetime | None:
    """Once everybody who changed is in line, and not before: the most recently in touch go first."""
    if answers["newsletters"] is not None or _sweep_due(session, bench, answers, now) is not None:
        return None
    return newsletters.announce_next_at(session, now)


def _midnight(at: datetime) -> datetime:
    """When the UTC day of that instant began.

    Points fade by the day, all at midnight: full chunks, rather than a transaction for each contact at the minute of
    its last click.
    """
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _next_midnight(at: datetime | None) -> datetime | None:
    return _midnight(at) + _DAY if at is not None else None


def _later(at: datetime | None, length: timedelta) -> datetime | None:
    return at + length if at is not None else None


def _soonest(*dates: datetime | None) -> datetime | None:
    return min((at for at in dates if at is not None), default=None)


#: In this order: what came back is settled before it is scored, scored before sequences read it, and everything is
#: decided before anything is sent.
JOBS: tuple[Job, ...] = (
    Job("sweep", _sweep, _sweep_due),
    Job(
        "holds",
        lambda session, bench, now: follow_holds(session, now),
        lambda session, bench, answers, now: answers["hold"],
    ),
    Job(
        "release",
        lambda session, bench, now: pausing_actions.set_some_aside(session, now) + delivery.release_held(session, now),
        lambda session, bench, answers, now: answers["set_aside"] or answers["resumed"] or answers["release"],
    ),
    Job(
        "settle",
        lambda session, bench, now: tracking.settle_hits(session, now, after=bench.settle_after),
        lambda session, bench, answers, now: _later(answers["unsettled"], bench.settle_after),
    ),
    Job(
        "recycle",
        lambda session, bench, now: handoff.recycle(session, now),
        lambda session, bench, answers, now: answers["recycle"],
    ),
    Job(
        "score",
        _score,
        lambda session, bench, answers, now: _soonest(answers["scoring"], _next_midnight(answers["scored"])),
    ),
    Job(
        "enroll",
        _for_changed("enroll", "sequences", _enroll),
        lambda session, bench, answers, now: answers["sequences"],
        counts="enrolled",
    ),
    Job("entries", _enroll_as_time_passes, _entries_due),
    Job("tests", _end_tests, _tests_due),
    Job(
        "follow",
        lambda session, bench, now: moving.carry_on(session, now),
        lambda session, bench, answers, now: answers["follow"],
    ),
    Job(
        "sign-ups",
        lambda session, bench, now: look_after(session, bench.desk, now) if bench.desk else 0,
        lambda session, bench, answers, now: answers["sign_ups"] if bench.desk else None,
    ),
    Job("advance", _advance, lambda session, bench, answers, now: answers["wake"], counts="advanced"),
    Job(
        "line up",
        _for_changed("line up", "newsletters", _line_up),
        lambda session, bench, answers, now: answers["newsletters"],
    ),
    Job(
        "announce",
        lambda session, bench, now: newsletters.announce(session, bench.language, now, bench.stint),
        _announce_due,
    ),
    Job(
        "issues",
        lambda session, bench, now: newsletters.keep_schedule(session, bench.language, now, bench.stint),
        lambda session, bench, answers, now: newsletters.next_due_at(session),
    ),
    Job(
        "retention",
        lambda session, bench, now: retention.let_go_of_some(session, bench.retention, bench.database.journal, now),
        lambda session, bench, answers, now: retention.due_at(session, bench.retention, now),
    ),
)
