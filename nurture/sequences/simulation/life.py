"""One life in a simulation: a person on their way through a sequence, moved by the production `advance`. Pure.

Only what surrounds the engine is pretended: mails leave in the window, under the caps and as the relay lets them, hits
wait for their verdict, scores fade at midnight, whoever crosses the line is handed to a rep, and the person behaves as
`Behavior` says, with chance drawn from the seed by a hash, so that a replay tells the same story. `simulate` drives it.
"""

import hashlib
from dataclasses import replace
from datetime import datetime, time, timedelta

from nurture.consent.rules import ALLOWED, Permission, Purpose, may_send
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.fields import ASKS_US
from nurture.delivery.mailed.rules import Mailed
from nurture.delivery.rules import Status
from nurture.handoff.rules import WORDS, may_be_handed_off
from nurture.scoring.rules import Given, Part
from nurture.sequences import decisions, engine
from nurture.sequences.decisions import Enrollment, Note
from nurture.sequences.facts import PersonFacts
from nurture.sequences.program import Send
from nurture.sequences.simulation.habits import Habits
from nurture.sequences.simulation.postbox import Postbox
from nurture.sequences.simulation.reader import Act, Reader
from nurture.sequences.simulation.rehearsal import Rehearsal
from nurture.sequences.simulation.scorekeeping import changed_by, rescore
from nurture.sequences.simulation.world import WILLING, Did, Ending, Entry, Person, Sent
from nurture.timing import local_instant
from nurture.tracking.rules import ActivityKind

_DAY = timedelta(days=1)
_SAID = {"reply": "they answer", "book": "they choose a time", "wish": "they say what they want"}


class Life:
    """One person in a simulation. Whoever drives it calls `go` at `next_at`, never earlier."""

    def __init__(self, rehearsal: Rehearsal, person: Person, number: int = 0, *, is_told: bool = True) -> None:
        self.rehearsal, self.person, self.number = rehearsal, person, number
        self.is_told = is_told
        self.now = self.began_at = person.arrives_at or rehearsal.begins_at
        program, world = rehearsal.program, rehearsal.world
        id_ = person.enrollment_id or int(self.chance("enrollment") * 2**53) + 1
        self.enrollment = Enrollment(id_, id_, program.name, program.first, self.began_at, wake_at=self.began_at)
        self.contact, self.standing = person.contact, person.standing
        self.away_until = person.away_until
        self.tracked_since = self._tracked_since()
        group = rehearsal.behavior.group(self.chance("group"))
        habits = {
            step.id: _possible(step, rehearsal.behavior.habits(step.id, group))
            for step in program.steps.values()
            if isinstance(step, Send)
        }
        self.reader = Reader(
            program.name, id_, habits, world.links, self.chance, world.limits.settle_after,
            self.tracked_since is not None, tuple(person.deeds),
        )  # fmt: skip
        history = [(one.occurred_at, kind) for one, kind in person.mailed]
        self.post = Postbox(world.limits, world.outages, rehearsal.pacer, person.window_zone, history)
        self.given = list(person.given)
        self.mailed = [one for one, _ in person.mailed]
        self.enrolled_in = person.enrolled_in | {program.name}
        self._fit_parts: tuple[Part, ...] | None = None  # until something about the contact changes
        self.has_open = False  # a hand-off that waits for its verdict
        self.scored_at = self.changed_at = self.began_at
        self.ended_at: datetime | None = None
        self.sent: list[Sent] = []
        self.did: list[Did] = []
        self.reached: set[str] = set()
        self.timeline: list[Entry] = []
        self._told: tuple[Note, ...] = ()  # what the engine said last: it says again what it waits for
        self.note(program.first or "", "enrolled")
        self._score(self.began_at)

    def _tracked_since(self) -> datetime | None:
        share = self.rehearsal.behavior.tracked
        if share is None:
            return self.person.tracked_since
        return (self.person.tracked_since or self.began_at) if self.chance("tracked") < share else None

    def chance(self, about: str) -> float:
        """A number in [0, 1) that the seed, the person and what it is about determine."""
        text = f"{self.rehearsal.seed}:{self.person.email}:{self.number}:{about}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64

    @property
    def next_at(self) -> datetime | None:
        """When something happens next; None: never again. People go on to act when the sequence is over."""
        at = self.reader.next_at
        if self.enrollment.is_over:
            return at
        for other in (self.enrollment.wake_at, self.post.next_at, self._fades_at()):
            if other is not None and (at is None or other < at):
                at = other
        return at

    def _fades_at(self) -> datetime | None:
        """Points fade at midnight, and production looks then; here it matters only where somebody rests on a score."""
        if (
            not self.rehearsal.rests_on_score
            or self.rehearsal.world.model is None
            or not (self.reader.deeds or self.given)
        ):
            return None
        return _midnight(max(self.scored_at, self.now)) + _DAY

    def go(self, now: datetime) -> None:
        """Live through all that is due: what people did first, then what the engine makes of it, then the mail."""
        self.now = now
        acts = self.reader.live_through(now)
        for act in acts:
            self._take_in(act)
        has_news = bool(acts)
        if self._fades_at() is not None and self.scored_at < _midnight(now):
            has_news |= self._score(_midnight(now))
        while not self.enrollment.is_over:
            wake_at = self.enrollment.wake_at
            if has_news or (wake_at is not None and wake_at <= now):
                has_news = self._decide()
            elif (due_at := self.post.next_at) is not None and due_at <= now:
                has_news = self._try_mail()
            else:
                break

    def end(self) -> Ending:
        """What became of it so far."""
        if not self.enrollment.is_over:
            self.note(self.enrollment.step or "", "still on the way", f"the {self.rehearsal.days} days are over")
        if self.is_told:
            self._score(max(self.changed_at, _midnight(self.rehearsal.ends_at)))
        values = self.contact.values
        return Ending(
            self.person, self.began_at, self.ended_at, self.enrollment.status, self.enrollment.exit_reason,
            None if self.enrollment.is_over else self.enrollment.step, frozenset(self.reached), tuple(self.sent),
            tuple(self.did), self.contact.tags, str(values.get("stage") or ""), float(values.get("score") or 0),
            self.tracked_since is not None, tuple(self.timeline),
        )  # fmt: skip

    def note(self, step: str, what: str, why: str = "") -> None:
        if self.is_told:
            entry = Entry(self.now, step, what, why)
            if not self.timeline or self.timeline[-1] != entry:
                self.timeline.append(entry)

    # What the engine decides.

    def _decide(self) -> bool:
        """Ask the engine; whether it changed something that it would want to know of."""
        self._look_at_score()
        decision = engine.advance(self.rehearsal.program, self.enrollment, self.facts(), self.now)
        self.enrollment = decision.enrollment
        if self.is_told:
            for note in decision.notes if decision.notes != self._told else ():
                self.note(note.step, note.what, note.why)
            self._told = decision.notes
        for passed in decision.passed:
            self.reached.add(passed.step)
            if self.rehearsal.on_passed is not None:
                self.rehearsal.on_passed(self.number, passed)
        if self.enrollment.is_over:
            self.ended_at = self.now
            self.post.cancel()
        elif self.enrollment.step is not None:
            self.reached.add(self.enrollment.step)
        has_news = False
        for effect in decision.effects:
            has_news |= self._take_on(effect)
        return has_news

    def _look_at_score(self) -> None:
        """Before the engine may read it: as of the last change, or of midnight. A wait that goes on reads nothing."""
        waits_on = self.enrollment.wake_at is not None and self.enrollment.wake_at > self.now
        if not self.rehearsal.reads_score or (waits_on and not self.rehearsal.rests_on_score):
            return
        as_of = max(self.changed_at, _midnight(self.now))
        if self.scored_at < as_of and (self.reader.deeds or self.given):
            self._score(as_of)

    def facts(self) -> PersonFacts:
        """What is known about them now, as production gathers it."""
        person, open_at = self.person, self.reader.open_at
        return PersonFacts(
            contact=self.contact, now=self.now, zone=person.zone, window_zone=person.window_zone,
            sequence=self.rehearsal.program.name, enrollment_id=self.enrollment.id, permission=self._permission(),
            deeds=self.reader.deeds, mailed=tuple(self.mailed), tracked_since=self.tracked_since, mails=self.post.mails,
            enrolled_in=self.enrolled_in, finished=person.finished, first_open_question_at=open_at,
            verdicts_at=open_at + self.reader.settle_after if open_at else None, away_until=self.away_until,
            owner_has_agreed=person.owner_has_agreed, winners=self.rehearsal.winners,
        )  # fmt: skip

    def _permission(self) -> Permission:
        if self.standing is WILLING:
            return ALLOWED  # which every life of a file asks thousands of times
        return may_send(Purpose.CAMPAIGN, self.standing, self.now)

    def _take_on(self, effect: decisions.Effect) -> bool:
        """Do what a decision asks for; whether the contact is different now."""
        match effect:
            case decisions.QueueMail():
                self._queue(effect)
                return False
            case decisions.ReleaseMail():
                self.post.release()
                return False
            case decisions.PointsGiven(_, points, because, half_life):
                self.given.append(Given(points, because, self.now, half_life))
            case decisions.Enrolled(name):
                other = self.rehearsal.world.others.get(name)
                if other is None or not other.is_compatible_with(self.rehearsal.program):
                    return False  # it waits until this one is over
                self.enrolled_in |= {name}
            case decisions.HandedOff(step):
                self._hand_over(step)
            case _ if (changed := changed_by(effect, self.contact)) is not None:
                self.contact, self._fit_parts = changed, None
            case _:
                return False
        self._score(self.now)
        return True

    def _set(self, **values: str) -> None:
        self.contact = replace(self.contact, values={**self.contact.values, **values})

    # What scoring and hand-off make of them.

    def _hand_over(self, step: str) -> None:
        stage, is_mailable = str(self.contact.values.get("stage")), not self.standing.suppressions
        may_be = self.rehearsal.world.has_agreement and not self.person.is_colleague and not self.has_open
        if may_be and may_be_handed_off(stage, is_mailable=is_mailable):
            self._set(stage="sales_ready")
            self._is_sales_ready(step)

    def _is_sales_ready(self, step: str) -> None:
        self.has_open = True
        self.did.append(Did(self.now, "sales_ready", step))
        self.post.hold_for_recheck()

    def _score(self, at: datetime) -> bool:
        """What scoring makes of everything so far, and whether that is a reason to call a rep; whether it is new."""
        model = self.rehearsal.world.model
        self.changed_at, self.scored_at = max(self.changed_at, at), at
        if model is None or self.person.is_colleague:
            return False
        before = self.contact
        scored = rescore(
            model, before, self.reader.deeds, self.given, at,
            may_hand_off=self.rehearsal.world.has_agreement, is_mailable=not self.standing.suppressions,
            has_open=self.has_open, fit_parts=self._fit_parts,
        )  # fmt: skip
        self.contact = scored.contact
        self._fit_parts = scored.fit_parts if self.rehearsal.has_steady_fit else None
        if scored.reason is not None:
            values, step = scored.contact.values, self.enrollment.step or ""
            self.note(
                step, "handed to a rep", f"{WORDS[scored.reason]}: {values['score']:g} points, fit {values['fit']}"
            )
            self._is_sales_ready(step)
        return scored.contact is not before

    # What becomes of mail, and what they do with it.

    def _queue(self, effect: decisions.QueueMail) -> None:
        country = self.contact.values.get("country")
        window = self.rehearsal.program.window
        window = window.in_country(country if isinstance(country, str) else None) if window else None
        letter = self.post.queue(effect, window, self.now)
        if letter.due_at > self.now:
            self.note(effect.step, "waits for its window", f"until {letter.due_at:%a %Y-%m-%d %H:%M} UTC")

    def _try_mail(self) -> bool:
        """Try the mail that is due; whether it is settled."""
        has_asked_us = self.contact.values.get("interest") in ASKS_US
        letter, mail = self.post.try_to_send(
            self._permission(), self.now, has_asked_us=has_asked_us, bounces=self._bounces
        )
        step, at = letter.effect.step, letter.next_at
        if mail is None:
            if letter.waits_for and at is not None and at > self.now:
                self.note(step, letter.waits_for, f"until {at:%a %Y-%m-%d %H:%M} UTC")
            return False
        self.changed_at = self.now
        if mail.status is Status.SENT:
            self.note(step, "mail leaves")
            self.sent.append(Sent(self.now, step, letter.effect.kind, self._sender_domain(letter.effect.sender)))
            self.mailed.append(Mailed(f"{self.rehearsal.program.name}/{step}", self.now, self.enrollment.id))
            self.reader.get(step, f"{step}:{self.enrollment.visit}", self.now)
        elif mail.status is Status.FAILED:
            self.did.append(Did(self.now, "bounce", step))
        return True

    def _bounces(self, step: str) -> bool:
        habit = self.reader.habits[step].get("bounce")
        return habit is not None and self.chance(f"{step}:{self.enrollment.visit}:bounce") < habit.p

    def _sender_domain(self, sender: str) -> str:
        domains = self.rehearsal.world.sender_domains
        return (self.person.owner_domain if sender == "owner" else "") or domains.get(
            sender, domains.get("default", "")
        )

    def _take_in(self, act: Act) -> None:
        """Something they did or said; nothing leaves before the engine has looked at what they said."""
        self.changed_at = self.now
        if act.is_verdict:
            for deed in act.deeds:
                what = "they open it" if deed.kind is ActivityKind.OPENED else f"they click {deed.link_path}"
                self.note(act.step, what, f"at {deed.occurred_at:%H:%M:%S} UTC")
                self.did.append(Did(deed.occurred_at, deed.kind, act.step))
            if not act.deeds and act.because:
                self.note(act.step, "a machine fetches it", act.because)
        else:
            self._say(act)
        if act.deeds:
            self._score(self.now)

    def _say(self, act: Act) -> None:
        self.did.append(Did(self.now, act.what, act.step))
        if act.what == "opt_out":
            suppressions = {**self.standing.suppressions, SuppressionReason.OPT_OUT: self.now.date()}
            self.standing = replace(self.standing, suppressions=suppressions)
            self.note(act.step, "they opt out")
            return
        if act.what == "away" and act.habit is not None:
            day = (self.now.astimezone(self.person.zone) + act.habit.lasting).date()
            self.away_until = local_instant(day, time(0), self.person.zone)
            self.note(act.step, "they are out of office", f"until {self.away_until:%a %Y-%m-%d %H:%M} UTC")
        else:
            if act.what in {"wish", "book"} and act.habit is not None:
                self._want(act.habit.interest if act.what == "wish" else "demonstration", act.step)
            self.note(act.step, _SAID[act.what])
        self.post.hold_for_recheck()

    def _want(self, interest: str, step: str) -> None:
        if interest == "demonstration" and self.contact.values.get("interest") == "need":
            return  # a need is more, and stays what they said
        self._set(interest=interest)
        if interest in ASKS_US:
            self.did.append(Did(self.now, "asked", step))


def _possible(step: Send, habits: Habits) -> Habits:
    """Times can only be chosen where some are offered."""
    return habits if step.slots else {what: habit for what, habit in habits.items() if what != "book"}


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
