"""Moves an enrollment through its sequence: pure, no clock, no I/O.

`advance` is handed the sequence, where somebody stands in it, what is known about them and the present instant, and
answers with where they stand now, what is to be done, and when to look again. Production, `simulate` and the tests run
this one function. A send step has two halves: it asks once, then stands still until the mail is settled; the next wait
counts from when the mail really left, so that an outage never releases two at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from nurture.conditions import Asks, Condition, holds, walk
from nurture.delivery.rules import SETTLED, HeldBecause, Status
from nurture.sequences.facts import PersonFacts
from nurture.timing import Duration, Window
from nurture.tracking.rules import ANSWERED_BY

#: No file can make an enrollment pass more steps than this at one instant.
MAX_STEPS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Send:
    """Ask for a mail, wait until it is settled."""

    id: str
    next: str | None
    kind: str = "value"
    on_failure: str = "exit"  # or "next"


@dataclass(frozen=True)
class Wait:
    id: str
    next: str | None
    length: Duration


@dataclass(frozen=True)
class Branch:
    id: str
    when: Condition
    text: str
    then: str | None
    otherwise: str | None


@dataclass(frozen=True)
class AddTag:
    id: str
    next: str | None
    tag: str


@dataclass(frozen=True)
class SetFields:
    id: str
    next: str | None
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class GivePoints:
    id: str
    next: str | None
    points: float
    because: str
    half_life: timedelta | None = None


@dataclass(frozen=True)
class HandOver:
    id: str
    next: str | None


@dataclass(frozen=True)
class End:
    id: str
    reason: str


Step: TypeAlias = Send | Wait | Branch | AddTag | SetFields | GivePoints | HandOver | End


@dataclass(frozen=True)
class Exit:
    """A condition that ends the sequence wherever somebody stands in it."""

    when: Condition
    text: str
    reason: str


@dataclass(frozen=True)
class Late:
    """How late a mail may still be sent, and what happens to a later one: `skip` it, or `exit`."""

    within: timedelta
    otherwise: str = "skip"


@dataclass(frozen=True)
class Sequence:
    """A published sequence, ready to run."""

    name: str
    topic: str
    sender: str
    first: str | None
    steps: Mapping[str, Step]
    exits: tuple[Exit, ...] = ()
    window: Window | None = None
    window_zone: str = "contact"  # or "owner", or the name of a time zone
    late: Late | None = None


@dataclass(frozen=True)
class Enrollment:
    """One person's way through a sequence. `since` is when the clock of the present step began to run."""

    id: int
    contact_id: int
    sequence: str
    step: str | None
    since: datetime
    visit: int = 1
    status: str = "active"
    exit_reason: str = ""
    wake_at: datetime | None = None
    revision: int = 0

    @property
    def is_over(self) -> bool:
        return self.status in {"finished", "exited"}


@dataclass(frozen=True)
class QueueMail:
    """Ask for the mail of a step; it may leave from now on, and is not worth sending after `expires_at`."""

    step: str
    key: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class ReleaseMail:
    """A mail that was held for a second look may go."""

    delivery_id: int


@dataclass(frozen=True)
class CancelMails:
    """The enrollment ended: what it still asked for is not sent."""

    because: str


@dataclass(frozen=True)
class Tagged:
    tag: str


@dataclass(frozen=True)
class FieldsSet:
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class PointsGiven:
    key: str
    points: float
    because: str
    half_life: timedelta | None


@dataclass(frozen=True)
class HandedOff:
    step: str


Effect: TypeAlias = QueueMail | ReleaseMail | CancelMails | Tagged | FieldsSet | PointsGiven | HandedOff


@dataclass(frozen=True)
class Note:
    """What happened at a step and why, for the timeline."""

    step: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Decision:
    """Where the enrollment stands now, what is to be done, and the notes about it."""

    enrollment: Enrollment
    effects: tuple[Effect, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def wake_at(self) -> datetime | None:
        return self.enrollment.wake_at


def advance(sequence: Sequence, enrollment: Enrollment, facts: PersonFacts, now: datetime) -> Decision:
    """Move one enrollment as far as it can go at `now`."""
    if enrollment.is_over:
        return Decision(enrollment)
    return _Walk(sequence, enrollment, facts, now).walk()


def mail_key(enrollment: Enrollment, step: str) -> str:
    """What a step's mail is for; asking twice with one key is asking once."""
    return f"sequence:{enrollment.id}:{step}:{enrollment.visit}"


@dataclass
class _Walk:
    """The state of one `advance`; nothing of it is kept."""

    sequence: Sequence
    enrollment: Enrollment
    facts: PersonFacts
    now: datetime
    effects: list[Effect] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def walk(self) -> Decision:
        if not self.facts.permission.is_allowed:
            return self._exit(self.facts.permission.reason, self.facts.permission.because)
        for exit_ in self.sequence.exits:
            if holds(exit_.when, self.facts):
                return self._exit(exit_.reason, exit_.text)
        for _ in range(MAX_STEPS_AT_ONCE):
            if self.enrollment.step is None:
                return self._finish("every step is done")
            step = self.sequence.steps[self.enrollment.step]
            decision = self._take(step)
            if decision is not None:
                return decision
        raise RuntimeError(f"{self.sequence.name} never comes to rest at {self.enrollment.step}")

    def _take(self, step: Step) -> Decision | None:
        """Take one step; a decision means to stand still there."""
        match step:
            case Send():
                return self._send(step)
            case Wait():
                return self._wait(step)
            case Branch():
                return self._branch(step)
            case AddTag(tag=tag):
                self.effects.append(Tagged(tag))
                self.facts = self.facts.with_tag(tag)
                self._go(step.next, step.id, f'tagged "{tag}"')
            case SetFields(values=values):
                self.effects.append(FieldsSet(values))
                self.facts = self.facts.with_values(dict(values))
                self._go(step.next, step.id, "set " + ", ".join(f"{name} = {value}" for name, value in values))
            case GivePoints():
                key = f"{self.enrollment.id}:{step.id}:{self.enrollment.visit}"
                self.effects.append(PointsGiven(key, step.points, step.because, step.half_life))
                self.facts = self.facts.with_points(step.points)
                self._go(step.next, step.id, f"{step.points:+g} points", step.because)
            case HandOver():
                self.effects.append(HandedOff(step.id))
                self._go(step.next, step.id, "handed to a rep")
            case End():
                return self._finish(step.reason)
        return None

    def _go(self, to: str | None, at: str, what: str, why: str = "", since: datetime | None = None) -> None:
        self.notes.append(Note(at, what, why))
        self.enrollment = replace(self.enrollment, step=to, since=since or self.enrollment.since)

    def _rest(self, wake_at: datetime | None, note: Note | None = None) -> Decision:
        if note is not None:
            self.notes.append(note)
        enrollment = replace(self.enrollment, status="waiting", wake_at=wake_at, revision=self.enrollment.revision + 1)
        return Decision(enrollment, tuple(self.effects), tuple(self.notes))

    def _finish(self, why: str) -> Decision:
        return self._end("finished", "", Note(self.enrollment.step or "", "finished", why))

    def _exit(self, reason: str, why: str) -> Decision:
        self.effects.append(CancelMails(why))
        return self._end("exited", reason, Note(self.enrollment.step or "", f"exited as {reason}", why))

    def _end(self, status: str, reason: str, note: Note) -> Decision:
        self.notes.append(note)
        ended = replace(
            self.enrollment,
            status=status, exit_reason=reason, wake_at=None, revision=self.enrollment.revision + 1,
        )  # fmt: skip
        return Decision(ended, tuple(self.effects), tuple(self.notes))

    def _wait(self, step: Wait) -> Decision | None:
        due_at = step.length.after(self.enrollment.since, self.facts.zone)
        if due_at > self.now:
            return self._rest(due_at, Note(step.id, f"waits {step.length}", f"until {due_at:%a %Y-%m-%d %H:%M} UTC"))
        self._go(step.next, step.id, f"waited {step.length}", since=due_at)
        return None

    def _branch(self, step: Branch) -> Decision | None:
        open_at = self.facts.first_open_question_at
        if _asks_about_deeds(step.when) and open_at is not None and open_at <= self.enrollment.since:
            # A hit that occurred before this step's time had come may still turn out to be a person's.
            settled_at = max(self.facts.verdicts_at or self.now, self.now + timedelta(seconds=1))
            return self._rest(settled_at, Note(step.id, "waits for a verdict", "was that a person?"))
        is_true = holds(step.when, self.facts)
        self._go(step.then if is_true else step.otherwise, step.id, "yes" if is_true else "no", step.text)
        return None

    def _send(self, step: Send) -> Decision | None:
        key = mail_key(self.enrollment, step.id)
        mail = self.facts.mails.get(key)
        if mail is None:
            return self._ask(step, key)
        if mail.status in {Status.SENT, Status.UNCERTAIN, Status.BOUNCED, Status.COMPLAINED}:
            self._go(step.next, step.id, f"mail {mail.status}", mail.because, since=mail.attempted_at)
            return None
        if mail.status == Status.EXPIRED:
            return self._too_late(step, mail.because)
        if mail.status in SETTLED:
            return self._not_sent(step, mail.status, mail.because)
        if mail.status == Status.HELD and mail.because == HeldBecause.RECHECK:
            # We have just looked: no exit applies.
            self.effects.append(ReleaseMail(mail.id))
            return self._rest(None, Note(step.id, "mail released", "nothing ended the sequence"))
        return self._rest(None)

    def _ask(self, step: Send, key: str) -> Decision | None:
        expires_at = self._expires_at()
        if expires_at is not None and expires_at <= self.now:
            return self._too_late(step, "the system was not running when it was due")
        self.effects.append(QueueMail(step.id, key, expires_at))
        return self._rest(None, Note(step.id, "mail queued", f"a mail of {step.kind}"))

    def _expires_at(self) -> datetime | None:
        """Counted from when the mail should have left: the first opening after its time had come."""
        if self.sequence.late is None:
            return None
        due_at = self.enrollment.since
        if self.sequence.window is not None:
            due_at = max(due_at, self.sequence.window.opening(due_at, self.facts.window_zone).opens_at)
        return due_at + self.sequence.late.within

    def _too_late(self, step: Send, why: str) -> Decision | None:
        if self.sequence.late is not None and self.sequence.late.otherwise == "exit":
            return self._exit("too late", why)
        self._go(step.next, step.id, "mail skipped", why, since=self.now)
        return None

    def _not_sent(self, step: Send, status: str, because: str) -> Decision | None:
        if step.on_failure == "next" and status == Status.FAILED:
            self._go(step.next, step.id, "mail failed", because, since=self.now)
            return None
        return self._exit(status, because)


def _asks_about_deeds(condition: Condition) -> bool:
    return any(isinstance(part, Asks) and part.predicate in ANSWERED_BY for part in walk(condition))
