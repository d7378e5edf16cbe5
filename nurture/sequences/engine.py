"""Moves an enrollment through its sequence: pure, no clock, no I/O.

`advance` is handed the sequence, where somebody stands in it, what is known about them and the present instant, and
answers with where they stand now, what is to be done, and when to look again. Production, `simulate` and the tests run
this one function. A send step has two halves: it asks once, then stands still until the mail is settled; the next wait
counts from when the mail really left, so that an outage never releases two at once.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from nurture.conditions import Asks, Condition, depends_on_time, holds, walk
from nurture.delivery.rules import SETTLED, HeldBecause, Status
from nurture.sequences.decisions import (
    CancelMails,
    Decision,
    Effect,
    Enrolled,
    Enrollment,
    FieldsSet,
    HandedOff,
    ListChanged,
    Note,
    Notified,
    Passed,
    PointsGiven,
    QueueMail,
    ReleaseMail,
    State,
    Tagged,
    TaskAdded,
    Untagged,
    WebhookCalled,
    effect_key,
    mail_key,
)
from nurture.sequences.facts import Mail, PersonFacts
from nurture.sequences.program import (
    AddTag,
    AddTask,
    Branch,
    CallWebhook,
    ChangeList,
    End,
    EnrollIn,
    GivePoints,
    GoTo,
    HandOver,
    Late,
    Notify,
    RemoveTag,
    Send,
    Sequence,
    SetFields,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitUntil,
    ways_from,
)
from nurture.timing import Window
from nurture.tracking.rules import ANSWERED_BY

#: No file can make an enrollment pass more steps than this at one instant.
MAX_STEPS_AT_ONCE = 1_000

_DAY = timedelta(days=1)
_LEFT = frozenset({Status.SENT, Status.UNCERTAIN, Status.BOUNCED, Status.COMPLAINED})


def advance(sequence: Sequence, enrollment: Enrollment, facts: PersonFacts, now: datetime) -> Decision:
    """Move one enrollment as far as it can go at `now`."""
    if enrollment.is_over:
        return Decision(enrollment)
    return _Walk(sequence, enrollment, facts, now).walk()


def draw(enrollment_id: int, step: str) -> float:
    """Chance is a hash, in [0, 1): a replay takes the same path."""
    return int.from_bytes(hashlib.blake2b(f"{enrollment_id}:{step}".encode(), digest_size=8).digest()) / 2**64


@dataclass
class _Walk:
    """The state of one `advance`; nothing of it is kept."""

    sequence: Sequence
    enrollment: Enrollment
    facts: PersonFacts
    now: datetime
    effects: list[Effect] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)

    @cached_property
    def window(self) -> Window | None:
        """When mail may leave, with the holidays that hold where this person is."""
        country = self.facts.value("country")
        window = self.sequence.window
        return window.in_country(country if isinstance(country, str) else None) if window is not None else None

    @property
    def holidays(self) -> tuple[str, ...]:
        """Days that are no working days here, beside Saturdays and Sundays."""
        return self.window.holidays if self.window is not None else ()

    def walk(self) -> Decision:
        permission = self.facts.permission
        if not permission.is_allowed and permission.until is None:
            return self._exit(permission.reason, permission.because)
        for exit_ in self.sequence.exits:
            if holds(exit_.when, self.facts):
                return self._exit(exit_.reason, exit_.text)
        if not permission.is_allowed:
            return self._pause(permission.until, permission.because)
        away_until = self.facts.away_until
        if away_until is not None and away_until > self.now:
            return self._pause(away_until, "they are out of office")
        quiet_until = self.facts.quiet_until
        if quiet_until is not None and quiet_until > self.now:
            return self._pause(quiet_until, "a colleague is in touch with them")
        for _ in range(MAX_STEPS_AT_ONCE):
            if self.enrollment.step is None:
                return self._finish("every step is done")
            decision = self._take(self.sequence.steps[self.enrollment.step])
            if decision is not None:
                return decision
        return self._exit("in circles", f"{MAX_STEPS_AT_ONCE:,} steps at one instant")

    def _take(self, step: Step) -> Decision | None:
        """Take one step; a decision means to stand still there."""
        way = self.facts.taken.get((step.id, self.enrollment.visit))
        if way is not None and self._pass_again(step, way):
            return None
        match step:
            case Send():
                return self._send(step)
            case Wait():
                due_at = step.length.after(self.enrollment.since, self.facts.zone, self.holidays)
                return self._wait(step, due_at, str(step.length))
            case WaitUntil():
                return self._wait_until(step)
            case Branch():
                return self._branch(step)
            case WaitFor():
                return self._wait_for(step)
            case End():
                return self._finish(step.reason)
            case Split():
                self._split(step)
            case GoTo():
                self._go_back(step)
            case _:
                self._do(step)
        return None

    def _pass_again(self, step: Step, way: str) -> bool:
        """Pass a step that an older version of this enrollment has passed: its way is kept, its effect not repeated."""
        ways = dict(ways_from(step))
        match step:
            case Wait() | WaitUntil() | GoTo() | End():
                return False  # time is counted anew, from what really happened
            case Branch() | WaitFor() | Split() if way not in ways:
                return False
        mail = self.facts.mails.get(mail_key(self.enrollment, step.id))
        if isinstance(step, Send) and mail is not None and mail.status not in SETTLED:
            return False
        since = mail.attempted_at if mail is not None else None
        on = ways[way] if way in ways else next(iter(ways.values()))
        self._go(on, step.id, "passed before", way=way, since=since)
        return True

    def _do(self, step: Step) -> None:  # noqa: C901 — one case for each kind of step
        """The steps that change something and go on at once."""
        key = effect_key(self.enrollment, step.id)
        match step:
            case AddTag(tag=tag):
                self._note_effect(step, Tagged(tag), f'tagged "{tag}"')
                self.facts = self.facts.with_tag(tag)
            case RemoveTag(tag=tag):
                self._note_effect(step, Untagged(tag), f'no longer tagged "{tag}"')
                self.facts = self.facts.without_tag(tag)
            case SetFields(values=values):
                told = ", ".join(f"{name} = {value}" for name, value in values)
                self._note_effect(step, FieldsSet(values), f"set {told}")
                self.facts = self.facts.with_values(dict(values))
            case ChangeList(list=name, is_joining=is_joining):
                told = f'{"joins" if is_joining else "leaves"} the list "{name}"'
                self._note_effect(step, ListChanged(name, is_joining), told)
                self.facts = self.facts.with_list(name, is_joining=is_joining)
            case GivePoints():
                effect = PointsGiven(key, step.points, step.because, step.half_life)
                self._note_effect(step, effect, f"{step.points:+g} points", step.because)
                self.facts = self.facts.with_points(step.points)
            case Notify():
                self._note_effect(step, Notified(key, step), f"{step.to} is told", step.subject)
            case AddTask():
                self._note_effect(step, TaskAdded(key, step), f"a task for {step.to}", step.what)
            case CallWebhook():
                self._note_effect(step, WebhookCalled(key, step), "webhook called")
            case EnrollIn(sequence=name):
                self._note_effect(step, Enrolled(name), f'enrolled in "{name}"')
            case HandOver():
                self._note_effect(step, HandedOff(step.id), "handed to a rep")

    def _note_effect(self, step: Step, effect: Effect, what: str, why: str = "") -> None:
        self.effects.append(effect)
        ((_, following),) = ways_from(step)
        self._go(following, step.id, what, why)

    def _go(
        self, to: str | None, at: str, what: str, why: str = "", *, way: str = "", since: datetime | None = None
    ) -> None:
        """Step on; the clock of the next step runs from `since`, or goes on running."""
        self.notes.append(Note(at, what, why))
        self.passed.append(Passed(at, self.enrollment.visit, way))
        runs_since = max(self.enrollment.since, since) if since is not None else self.enrollment.since
        self.enrollment = replace(self.enrollment, step=to, since=runs_since)

    def _rest(self, wake_at: datetime | None, note: Note | None = None, *, looks_daily: bool = False) -> Decision:
        return self._stand(State.WAITING, wake_at, note, looks_daily=looks_daily)

    def _pause(self, until: datetime | None, why: str) -> Decision:
        return self._stand(State.PAUSED, until, Note(self.enrollment.step or "", "paused", why))

    def _stand(
        self, status: State, wake_at: datetime | None, note: Note | None, *, looks_daily: bool = False
    ) -> Decision:
        if note is not None:
            self.notes.append(note)
        if looks_daily or any(depends_on_time(one.when) for one in self.sequence.exits):
            # Nothing tells us of time that only passes: such a condition is asked once a day.
            tomorrow = self.now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
            wake_at = min(wake_at, tomorrow) if wake_at is not None else tomorrow
        return self._decide(replace(self.enrollment, status=status, wake_at=wake_at))

    def _finish(self, why: str) -> Decision:
        return self._end(State.FINISHED, "", Note(self.enrollment.step or "", "finished", why))

    def _exit(self, reason: str, why: str) -> Decision:
        self.effects.append(CancelMails(why))
        return self._end(State.EXITED, reason, Note(self.enrollment.step or "", f"exited as {reason}", why))

    def _end(self, status: State, reason: str, note: Note) -> Decision:
        self.notes.append(note)
        return self._decide(replace(self.enrollment, status=status, exit_reason=reason, wake_at=None))

    def _decide(self, enrollment: Enrollment) -> Decision:
        after = replace(enrollment, revision=enrollment.revision + 1)
        return Decision(after, tuple(self.effects), tuple(self.notes), tuple(self.passed))

    def _wait(self, step: Wait | WaitUntil, due_at: datetime, what: str) -> Decision | None:
        if due_at > self.now:
            return self._rest(due_at, Note(step.id, f"waits {what}", f"until {due_at:%a %Y-%m-%d %H:%M} UTC"))
        self._go(step.next, step.id, f"waited {what}", since=due_at)
        return None

    def _wait_until(self, step: WaitUntil) -> Decision | None:
        given = self.facts.value(step.moment.field) if step.moment.field else None
        due_at = step.moment.instant(
            self.enrollment.since, self.facts.window_zone, given if isinstance(given, str) else None
        )
        if due_at is not None:
            return self._wait(step, due_at, f"until {step.text}")
        why = f"{step.moment.field} has no date"
        if step.if_missing == "exit":
            return self._exit("no date", why)
        self._go(step.next, step.id, "does not wait", why)
        return None

    def _branch(self, step: Branch) -> Decision | None:
        open_at = self.facts.first_open_question_at
        if _asks_about_deeds(step.when) and open_at is not None and open_at <= self.enrollment.since:
            # A hit that occurred before this step's time had come may still turn out to be a person's.
            return self._wait_for_verdict(step.id)
        is_true = holds(step.when, self.facts)
        way, to = ("yes", step.then) if is_true else ("no", step.otherwise)
        self._go(to, step.id, way, step.text, way=way)
        return None

    def _wait_for(self, step: WaitFor) -> Decision | None:
        """Decided by what had occurred by the deadline, however late anybody looks."""
        due_at = step.up_to.after(self.enrollment.since, self.facts.zone, self.holidays)
        open_at = self.facts.first_open_question_at
        if holds(step.when, self.facts.as_of(min(due_at, self.now))):
            self._go(step.then, step.id, "in time", step.text, way="in time", since=min(due_at, self.now))
            return None
        if due_at > self.now:
            note = Note(step.id, f"waits for {step.text}", f"at most until {due_at:%a %Y-%m-%d %H:%M} UTC")
            return self._rest(due_at, note, looks_daily=depends_on_time(step.when))
        if _asks_about_deeds(step.when) and open_at is not None and open_at <= due_at:
            return self._wait_for_verdict(step.id)
        self._go(step.otherwise, step.id, "too late", step.text, way="too late", since=due_at)
        return None

    def _wait_for_verdict(self, at: str) -> Decision:
        settled_at = max(self.facts.verdicts_at or self.now, self.now + timedelta(seconds=1))
        return self._rest(settled_at, Note(at, "waits for a verdict", "was that a person?"))

    def _split(self, step: Split) -> None:
        ways = {arm.name: arm.first for arm in step.arms}
        winner = self.facts.winners.get(step.id)
        if winner in ways:
            self._go(ways[winner], step.id, f'goes "{winner}"', "it won the test", way=winner)
            return
        left = draw(self.enrollment.id, step.id) * sum(arm.weight for arm in step.arms)
        taken = step.arms[-1]
        for arm in step.arms:
            if left < arm.weight:
                taken = arm
                break
            left -= arm.weight
        self._go(taken.first, step.id, f'goes "{taken.name}"', "by lot", way=taken.name)

    def _go_back(self, step: GoTo) -> None:
        if step.at_most is not None and self.enrollment.visit > step.at_most:
            self._go(step.next, step.id, "goes on", f"went back {step.at_most} times", way="enough")
            return
        self._go(step.to, step.id, f"back to {step.to}", way="again")
        self.enrollment = replace(self.enrollment, visit=self.enrollment.visit + 1)

    def _send(self, step: Send) -> Decision | None:
        key = mail_key(self.enrollment, step.id)
        mail = self.facts.mails.get(key)
        if mail is None:
            return self._ask(step, key)
        if mail.status in _LEFT:
            self._go(step.next, step.id, f"mail {mail.status}", mail.because, way="sent", since=mail.attempted_at)
            return None
        if mail.status == Status.EXPIRED:
            return self._too_late(step, mail.because)
        if mail.status in SETTLED:
            return self._not_sent(step, mail)
        if mail.status == Status.HELD and mail.because == HeldBecause.RECHECK:
            # We have just looked: no exit applies.
            self.effects.append(ReleaseMail(mail.id))
            return self._rest(None, Note(step.id, "mail released", "nothing ended the sequence"))
        return self._rest(None)

    def _ask(self, step: Send, key: str) -> Decision | None:
        sender = self._sender()
        if sender is None:
            return self._pause(None, "the owner has not agreed to these mails yet")
        late = step.late or self.sequence.late
        expires_at = self._expires_at(late)
        if expires_at is not None and expires_at <= self.now:
            return self._too_late(step, "the system was not running when it was due")
        self.effects.append(QueueMail(step.id, key, step.kind, sender, expires_at))
        return self._rest(None, Note(step.id, "mail queued", f"a mail of {step.kind}"))

    def _sender(self) -> str | None:
        """Whose name the mail carries; None while it must not leave in anybody's."""
        if self.sequence.sender != "owner" or self.facts.owner_has_agreed:
            return self.sequence.sender
        return None if self.sequence.until_agreed == "wait" else self.sequence.until_agreed

    def _expires_at(self, late: Late | None) -> datetime | None:
        """Counted from when the mail should have left: the first opening after its time had come."""
        if late is None:
            return None
        due_at = self.enrollment.since
        if self.window is not None:
            due_at = max(due_at, self.window.opening(due_at, self.facts.window_zone).opens_at)
        return due_at + late.within

    def _too_late(self, step: Send, why: str) -> Decision | None:
        late = step.late or self.sequence.late
        if late is not None and late.otherwise == "exit":
            return self._exit("too late", why)
        self._go(step.next, step.id, "mail skipped", why, way="skipped", since=self.now)
        return None

    def _not_sent(self, step: Send, mail: Mail) -> Decision | None:
        if step.on_failure == "next" and mail.status in {Status.FAILED, Status.CANCELLED}:
            self._go(step.next, step.id, f"mail {mail.status}", mail.because, way="failed", since=self.now)
            return None
        return self._exit(mail.status, mail.because)


def _asks_about_deeds(condition: Condition) -> bool:
    return any(isinstance(part, Asks) and part.predicate in ANSWERED_BY for part in walk(condition))
