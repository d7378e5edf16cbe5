"""Runs the table of jobs, round after round, until nothing is due: called by `local`, the demo and tests.

Between two chunks it looks whether it should stop, and it gives way to mail that is leaving: as long as senders have mails
in hand, a chunk is followed by a rest as long as itself. Without it a job that goes over everybody has SQLite's lock, and
the interpreter where it shares that with the sender, nearly all the time: of 200,000 people 600 mails a second left
instead of thousands. Nothing is lost by a rest, for the sender's work is done in it.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from nurture import clock
from nurture.database.claiming import beat, has_missed_beats, hold_lock
from nurture.database.memory import settle_memory
from nurture.database.statements import ask_together
from nurture.delivery import actions as delivery
from nurture.delivery import store as deliveries
from nurture.delivery.rules import Status
from nurture.engines.jobs import JOBS, QUESTIONS, Bench, Job
from nurture.figures import counted
from nurture.outgoing import actions as outgoing
from nurture.privacy import erasing


@dataclass(frozen=True)
class Rest:
    """Nothing is due any more, or somebody asked to stop: what was done until then, by its word, and when the next job is due."""

    done: Counter[str]
    next_due_at: datetime | None


@dataclass(frozen=True)
class TakenBack:
    """What workers that died had in their hands, by what became of it."""

    queued: int = 0
    in_doubt: int = 0
    calls: int = 0

    def __bool__(self) -> bool:
        return bool(self.queued or self.in_doubt or self.calls)

    def __str__(self) -> str:
        parts = {
            "queued again": counted(self.queued, "mail") if self.queued else "",
            "in doubt (`nurture deliveries uncertain`)": counted(self.in_doubt, "mail") if self.in_doubt else "",
            "to be made again": counted(self.calls, "call") if self.calls else "",
        }
        return "taken back from a worker that died: " + ", ".join(f"{n} {what}" for what, n in parts.items() if n)


def run_due(bench: Bench, now: datetime) -> Rest:
    """Run every job until nothing is due at `now`."""
    settle_memory()
    done: Counter[str] = Counter()
    erasing.finish(bench.database, now, until=lambda: bench.stopping.is_asked)
    while True:
        with bench.database.reading() as session:
            answers = ask_together(session, QUESTIONS)
            dates = {job.name: job.due_at(session, bench, answers, now) for job in JOBS}
        due = [job for job in JOBS if _is_due(dates[job.name], now)]
        if not _run_round(bench, due, now, done, gives_way=answers["in_hand"]):
            return Rest(done, min((at for at in dates.values() if at is not None and at > now), default=None))


def next_mail_at(bench: Bench) -> datetime | None:
    """When the sender next has something to do."""
    with bench.database.reading() as session:
        return deliveries.next_due_at(session)


def take_back(bench: Bench, now: datetime) -> TakenBack:
    """Settle what workers that died left behind; at the start, and every few seconds of real time."""
    with bench.database.writing(durable=True) as session:
        if has_missed_beats(session, bench.worker):
            # The database was away, or the machine slept: the others live as we do, and still know what relays told them.
            beat(session, bench.worker)
            return TakenBack()
        mails = delivery.take_back(session, now, resend_uncertain=bench.resend_uncertain)
        in_doubt = deliveries.count_settled_since(session, now, Status.UNCERTAIN) if mails else 0
        return TakenBack(mails - in_doubt, in_doubt, outgoing.take_back(session))


def _is_due(due_at: datetime | None, now: datetime) -> bool:
    return due_at is not None and due_at <= now


def _run_round(bench: Bench, due: list[Job], now: datetime, done: Counter[str], *, gives_way: bool) -> bool:
    """A chunk of each; whether any of them found something to do."""
    has_worked = False
    for job in due:
        if bench.stopping.is_asked:
            return False
        began = clock.real_seconds()
        has_worked |= _run_job(bench, job, now, done)
        if gives_way:
            bench.stopping.wait(clock.real_seconds() - began)
    return has_worked


def _run_job(bench: Bench, job: Job, now: datetime, done: Counter[str]) -> bool:
    """Do one chunk of a job; False when there was nothing, or another process has it.

    Only one: whether there is more is asked for all jobs together, which is cheaper than a transaction that finds none.
    """
    with bench.database.writing() as session:
        count = job.run(session, bench, now) if hold_lock(session, job.name) else 0
    if job.counts:
        # A negative count is work that changed nothing anybody is told about.
        done[job.counts] += max(count, 0)
    return count != 0
