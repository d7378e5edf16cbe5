"""One contact's way through a sequence, told beforehand: the production `advance` on a clock that jumps. Pure.

Only what surrounds the engine is pretended here: mails leave in the window and under the caps, scores fade at midnight,
whoever crosses the line is handed to a rep, and the person behaves as `Behavior` says, with chance drawn from the seed by
a hash, so that a replay tells the same story.
"""

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from nurture.consent.rules import Permission, SuppressionReason
from nurture.contacts.facts import ContactFacts
from nurture.contacts.fields import STAGES
from nurture.delivery.rules import Circumstances, Status, Stop, find_stop
from nurture.handoff.rules import may_be_handed_off
from nurture.scoring.rules import Given, Model, compute, is_over_the_line
from nurture.sequences import decisions, engine
from nurture.sequences.decisions import Decision, Enrollment
from nurture.sequences.facts import Mail, PersonFacts
from nurture.sequences.program import Sequence as Program
from nurture.tracking.rules import ActivityKind, Deed


@dataclass(frozen=True)
class Habit:
    """How likely somebody does something with a mail, and how long after it arrived."""

    p: float = 0.0
    after: timedelta = timedelta(hours=2)
    link: str = ""


@dataclass(frozen=True)
class Behavior:
    """What people do with mails, by default and per step; keys are open, click, reply and opt_out."""

    default: Mapping[str, Habit] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, Habit]] = field(default_factory=dict)

    def habits(self, step: str) -> dict[str, Habit]:
        return {**self.default, **self.steps.get(step, {})}


@dataclass(frozen=True)
class Entry:
    """One line of a timeline."""

    at: datetime
    step: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Person:
    """Whom the simulation is about, and what surrounds them."""

    contact: ContactFacts
    zone: ZoneInfo
    window_zone: ZoneInfo
    permission: Permission
    #: Label and path of each link, by step: what a click can be on.
    links: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    # What came before, and the caps that mails of all campaigns count under.
    deeds: Sequence[Deed] = ()
    given: Sequence[Given] = ()
    mailed_at: Sequence[datetime] = ()
    cap_per_day: int = 1
    cap_per_week: int = 2


@dataclass(frozen=True)
class Ending:
    """Where the simulation left the person."""

    timeline: tuple[Entry, ...]
    status: str
    reason: str
    mails: int
    score: float


_KINDS = {"open": ActivityKind.OPENED, "click": ActivityKind.CLICKED, "reply": ActivityKind.REPLIED}


def simulate(
    sequence: Program,
    person: Person,
    behavior: Behavior,
    *,
    start: datetime,
    length: timedelta,
    seed: int = 0,
    model: Model | None = None,
) -> Ending:
    """Live through a sequence from `start`, at most for `length`."""
    return _Life(sequence, person, behavior, start, start + length, seed, model).live()


class _Life:
    def __init__(
        self,
        sequence: Program,
        person: Person,
        behavior: Behavior,
        start: datetime,
        end: datetime,
        seed: int,
        model: Model | None,
    ) -> None:
        self.sequence = sequence
        self.person = person
        self.behavior = behavior
        self.end = end
        self.seed = seed
        self.model = model
        self.now = start
        self.enrollment = Enrollment(1, 1, sequence.name, sequence.first, start)
        self.contact = person.contact
        self.permission = person.permission
        self.mails: dict[str, Mail] = {}
        self.expires_at: dict[str, datetime | None] = {}
        self.mailed_at = sorted(person.mailed_at)
        self.deeds = list(person.deeds)
        self.given = list(person.given)
        self.scored_at = start
        self.timeline: list[Entry] = [Entry(start, sequence.first or "", "enrolled")]
        self._order = count()
        self._ahead: list[tuple[datetime, int, str, str, Habit | None]] = []

    def live(self) -> Ending:
        while not self.enrollment.is_over:
            self._decide()
            upcoming = [at for at in (self.enrollment.wake_at, *self._next_event()) if at is not None]
            if not upcoming:
                break
            if min(upcoming) > self.end:
                self._note(self.enrollment.step or "", "still on the way", f"the {self._length} are over")
                break
            self.now = max(self.now, min(upcoming))
            self._live_through_events()
        return Ending(
            tuple(self.timeline),
            self.enrollment.status,
            self.enrollment.exit_reason,
            sum(mail.status == Status.SENT for mail in self.mails.values()),
            float(self.contact.values.get("score") or 0),
        )

    @property
    def _length(self) -> str:
        return f"{(self.end - self.timeline[0].at).days} days"

    def _decide(self) -> None:
        midnight = datetime.combine(self.now.date(), time(), self.now.tzinfo)
        if self.scored_at < midnight:
            self._score(midnight)
        decision: Decision = engine.advance(self.sequence, self.enrollment, self._facts(), self.now)
        self.enrollment = decision.enrollment
        for note in decision.notes:
            if self.timeline[-1] != Entry(self.now, note.step, note.what, note.why):
                self._note(note.step, note.what, note.why)
        for effect in decision.effects:
            self._take_on(effect)

    def _facts(self) -> PersonFacts:
        return PersonFacts(
            contact=self.contact,
            now=self.now,
            zone=self.person.zone,
            window_zone=self.person.window_zone,
            sequence=self.sequence.name,
            enrollment_id=self.enrollment.id,
            permission=self.permission,
            deeds=tuple(self.deeds),
            mails=self.mails,
            enrolled_in=frozenset({self.sequence.name}),
        )

    def _take_on(self, effect: decisions.Effect) -> None:
        match effect:
            case decisions.QueueMail(step=step, key=key, expires_at=expires_at):
                self._queue(step, key, expires_at)
            case decisions.Tagged(tag):
                self.contact = replace(self.contact, tags=self.contact.tags | {tag})
            case decisions.FieldsSet(values):
                self._set(dict(values))
            case decisions.PointsGiven(_, points, because, half_life):
                self.given.append(Given(points, because, self.now, half_life))
                if self.model is None:
                    self._set({"score": float(self.contact.values.get("score") or 0) + points})
                self._score(self.now)
            case decisions.HandedOff():
                self._set({"stage": "sales_ready"})

    def _set(self, values: Mapping[str, str | int | float | bool | None]) -> None:
        self.contact = replace(self.contact, values={**self.contact.values, **values})

    def _score(self, at: datetime) -> None:
        """What scoring makes of everything so far, and whether that is a reason to call a rep."""
        if self.model is None:
            return
        self.scored_at = at
        result = compute(self.model, self.deeds, self.given, self.contact, at)
        self._set({"score": result.score, "fit": result.fit})
        stage = str(self.contact.values.get("stage") or STAGES[0])
        if result.score > 0 and stage == STAGES[0]:
            stage = "lead"
        is_engaged = is_over_the_line(self.model, result.score, result.fit)
        is_mailable = self.permission.reason not in set(SuppressionReason)
        if is_engaged and stage != "recycled" and may_be_handed_off(stage, is_mailable=is_mailable):
            stage = "sales_ready"
            self._note(self.enrollment.step or "", "handed to a rep", f"{result.score:g} points, fit {result.fit}")
        elif stage in {STAGES[0], "lead"} and result.score >= self.model.threshold_score:
            stage = "marketing_qualified"
        self._set({"stage": stage})

    def _queue(self, step: str, key: str, expires_at: datetime | None) -> None:
        self.mails[key] = Mail(1, Status.QUEUED)
        self.expires_at[key] = expires_at
        self._plan(step, key, self.now, "waits for its window")

    def _plan(self, step: str, key: str, at: datetime, waiting: str) -> None:
        """Let a mail leave in the first opening at or after `at`; if it is too late by then, it turns out then."""
        leaves_at, expires_at = at, self.expires_at[key]
        if self.sequence.window is not None:
            leaves_at = max(at, self.sequence.window.opening(at, self.person.window_zone).opens_at)
        is_late = expires_at is not None and leaves_at >= expires_at
        self._expect(leaves_at, "expire" if is_late else "leave", key)
        if leaves_at > self.now:
            self._note(step, waiting, f"until {leaves_at:%a %Y-%m-%d %H:%M} UTC")

    def _expect(self, at: datetime, what: str, key: str, habit: Habit | None = None) -> None:
        heapq.heappush(self._ahead, (at, next(self._order), what, key, habit))

    def _next_event(self) -> Iterator[datetime]:
        if self._ahead:
            yield self._ahead[0][0]

    def _live_through_events(self) -> None:
        while self._ahead and self._ahead[0][0] <= self.now:
            at, _, what, key, habit = heapq.heappop(self._ahead)
            step = key.split(":")[2]
            match what:
                case "leave":
                    self._leave(step, key, at)
                case "expire":
                    self.mails[key] = replace(self.mails[key], status=Status.EXPIRED, attempted_at=at)
                case "opt_out":
                    self.permission = Permission(False, "opt_out", f"opted out on {at.date()}")
                    self._note(step, "they opt out")
                case _ if habit is not None:
                    self._do(step, what, habit)

    def _leave(self, step: str, key: str, at: datetime) -> None:
        if key not in self.mails or self.enrollment.is_over:
            return
        stop = self._stop(at)
        if stop is not None and stop.until is not None:
            self._plan(step, key, stop.until, "waits for the cap")
            return
        self.mailed_at.append(at)
        self.mails[key] = replace(self.mails[key], status=Status.SENT, attempted_at=at)
        self._note(step, "mail leaves")
        for what, habit in self.behavior.habits(step).items():
            if self._chance(key, what) < habit.p:
                self._expect(at + habit.after, what, key, habit)

    def _stop(self, at: datetime) -> Stop | None:
        recent = [one for one in self.mailed_at if one > at - timedelta(days=7)]
        return find_stop(
            Circumstances(
                self.permission,
                recent_at=recent,
                cap_per_day=self.person.cap_per_day,
                cap_per_week=self.person.cap_per_week,
            ),
            at,
        )

    def _do(self, step: str, what: str, habit: Habit) -> None:
        links = self.person.links.get(step, ())
        wanted = [link for link in links if habit.link in {"", *link}]
        label, path = wanted[0] if what == "click" and wanted else ("", "")
        if what == "click" and not wanted:
            return
        place = f"{self.sequence.name}/{step}"
        self.deeds.append(Deed(_KINDS[what], self.now, place, self.enrollment.id, label, path))
        verbs = {"open": "they open it", "click": f"they click {path or label}", "reply": "they answer"}
        self._note(step, verbs[what])
        self._score(self.now)

    def _note(self, step: str, what: str, why: str = "") -> None:
        self.timeline.append(Entry(self.now, step, what, why))

    def _chance(self, key: str, what: str) -> float:
        """A number in [0, 1) that the seed, the mail and the deed determine."""
        digest = hashlib.blake2b(f"{self.seed}:{key}:{what}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
