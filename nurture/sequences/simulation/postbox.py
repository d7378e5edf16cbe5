"""The outbox of one simulated life: at most one mail waits in it, and the rules of production say when it leaves. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nurture.consent.rules import Permission
from nurture.delivery.openings import opening_of
from nurture.delivery.pacing.rules import Pace
from nurture.delivery.rules import (
    Circumstances,
    Heard,
    HeldBecause,
    Kind,
    Outcome,
    Status,
    Stop,
    find_stop,
    not_counting,
    settle,
)
from nurture.sequences.decisions import QueueMail
from nurture.sequences.facts import Mail
from nurture.sequences.simulation.world import Limits, Outage
from nurture.timing import DaySpan, Window

_WEEK = timedelta(days=7)
_UTC = ZoneInfo("UTC")
_ACCEPTED, _REJECTED, _DEFERRED = (Outcome(one) for one in (Heard.ACCEPTED, Heard.REJECTED, Heard.DEFERRED))
_BECAUSE = {Heard.REJECTED: "the relay refused it", Heard.DEFERRED: "put off too long"}

#: How a timeline says what a mail waits for.
WAITS_FOR = {
    HeldBecause.WINDOW: "waits for its window",
    HeldBecause.CAP: "waits for the cap",
    HeldBecause.BLACKOUT: "waits for the end of a blackout",
    HeldBecause.ASK_BUDGET: "waits until the ask is earned",
}


@dataclass
class Pacer:
    """How fast the whole house sends; all lives share one."""

    begins_at: datetime
    pace: Pace

    def slot(self, at: datetime) -> datetime:
        """When a mail that could leave `at` has its turn."""
        pause, self.pace = self.pace.take((at - self.begins_at).total_seconds())
        return at + timedelta(seconds=pause)


@dataclass(frozen=True)
class Hours:
    """When a mail may leave: its window and where that is read; None is always open, and read in UTC."""

    window: Window | None
    zone: ZoneInfo

    def opening_from(self, at: datetime, blackout: tuple[DaySpan, ...] = ()) -> tuple[datetime, datetime | None]:
        if self.window is None and not blackout:
            return at, None
        window = self.window or Window()
        window = replace(window, blackout=blackout) if blackout else window
        return opening_of(window, at, self.zone, closes=self.window is not None)


@dataclass
class Letter:
    """The mail that waits."""

    effect: QueueMail
    queued_at: datetime
    hours: Hours
    due_at: datetime
    closes_at: datetime | None = None
    attempts: int = 0
    put_off_since: datetime | None = None
    held_until: datetime | None = None
    waits_for: str = ""
    is_rechecked: bool = False  # it stands still until `advance` has looked
    has_slot: bool = False

    @property
    def next_at(self) -> datetime | None:
        return None if self.is_rechecked else self.held_until or self.due_at

    def reopen(self, at: datetime) -> None:
        """Into the first opening from then on."""
        self.due_at, self.closes_at = self.hours.opening_from(max(self.due_at, at))
        self.held_until = None


@dataclass
class Postbox:
    """What was asked for and what became of it, under the limits of the house."""

    limits: Limits
    outages: Sequence[Outage]
    pacer: Pacer
    zone: ZoneInfo
    history: list[tuple[datetime, str]]  # marketing mails with their kind, oldest first
    mails: dict[str, Mail] = field(default_factory=dict)
    letter: Letter | None = None

    @property
    def next_at(self) -> datetime | None:
        return self.letter.next_at if self.letter is not None else None

    def queue(self, effect: QueueMail, window: Window | None, now: datetime) -> Letter:
        """Take in what a step asked for."""
        is_open = window is None or window.is_always_open
        hours = Hours(None, _UTC) if is_open else Hours(window, self.zone)
        self.letter = Letter(effect, now, hours, *hours.opening_from(now))
        self.mails = {**self.mails, effect.key: Mail(1, Status.QUEUED)}
        return self.letter

    def hold_for_recheck(self) -> None:
        """Something happened that may end the sequence: nothing leaves before `advance` has looked."""
        if self.letter is not None:
            self.letter.is_rechecked, self.letter.held_until = True, None
            self._put(self.letter, Mail(1, Status.HELD, HeldBecause.RECHECK))

    def release(self) -> None:
        """`advance` has looked, and it may go."""
        if self.letter is not None:
            self.letter.is_rechecked = False
            self._put(self.letter, Mail(1, Status.QUEUED))

    def cancel(self) -> None:
        """The sequence ended."""
        self.letter = None

    def try_to_send(
        self, permission: Permission, now: datetime, *, has_asked_us: bool, bounces: Callable[[str], bool]
    ) -> tuple[Letter, Mail | None]:
        """Try the mail that is due: what became of it, or None while it waits on."""
        letter = self.letter
        assert letter is not None  # something was due
        if letter.held_until is not None:
            letter.reopen(now)
        if (out := self._outage(now, defers=False)) is not None:
            letter.due_at, letter.waits_for = out.ends_at, "waits for the relay"
        elif not letter.has_slot and (slot := self.pacer.slot(now)) > now:
            letter.due_at, letter.has_slot = slot, True
        if letter.due_at > now:
            return letter, None
        letter.has_slot = False
        stop = self._stop(letter, permission, now, has_asked_us=has_asked_us)
        if stop is not None:
            return letter, self._stopped(letter, stop, now)
        return letter, self._hand_over(letter, now, bounces=bounces(letter.effect.step))

    def _stopped(self, letter: Letter, stop: Stop, now: datetime) -> Mail | None:
        if stop.status is not Status.HELD:
            return self._settled(letter, Mail(1, stop.status, stop.because, now))
        letter.held_until = stop.until
        letter.waits_for = WAITS_FOR.get(stop.because, stop.because)  # type: ignore[call-overload]  # a text that may be one of them
        return None

    def _hand_over(self, letter: Letter, now: datetime, *, bounces: bool) -> Mail | None:
        letter.attempts += 1
        outcome = _REJECTED if bounces else _DEFERRED if self._outage(now, defers=True) else _ACCEPTED
        settling = settle(
            outcome,
            attempts=letter.attempts,
            put_off_since=letter.put_off_since or now,
            now=now,
            give_up_after=self.limits.give_up_after,
        )
        if outcome.heard is Heard.DEFERRED and letter.put_off_since is None:
            letter.put_off_since = now
        if settling.due_at is not None:
            letter.due_at, letter.closes_at = letter.hours.opening_from(settling.due_at)
            letter.waits_for = "is put off by the relay"
            return None
        if settling.status is Status.SENT:
            self.history.append((now, letter.effect.kind))
        return self._settled(letter, Mail(1, settling.status, _BECAUSE.get(outcome.heard, ""), now))

    def _settled(self, letter: Letter, mail: Mail) -> Mail:
        self._put(letter, mail)
        self.letter = None
        return mail

    def _put(self, letter: Letter, mail: Mail) -> None:
        # A new mapping each time: what `advance` was handed before stays what it was.
        self.mails = {**self.mails, letter.effect.key: mail}

    def _outage(self, now: datetime, *, defers: bool) -> Outage | None:
        return next((one for one in self.outages if one.defers == defers and one.begins_at <= now < one.ends_at), None)

    def _stop(self, letter: Letter, permission: Permission, now: datetime, *, has_asked_us: bool) -> Stop | None:
        """What keeps it from leaving, asked as production asks."""
        limits, effect = self.limits, letter.effect
        here = Circumstances(
            permission,
            closes_at=letter.closes_at,
            expires_at=effect.expires_at,
            recent_at=[at for at, _ in self.history if at > now - _WEEK],
            cap_per_day=limits.cap_per_day,
            cap_per_week=limits.cap_per_week,
            kind=effect.kind,
            queued_at=letter.queued_at,
            values_per_ask=limits.values_per_ask,
            values_since_ask=self._values_since_ask() if effect.kind == Kind.ASK else 0,
            has_asked_us=has_asked_us,
        )
        is_blackout = False
        if limits.blackout:
            zone = letter.hours.zone
            is_blackout = any(now.astimezone(zone).date() in span for span in limits.blackout)
            if effect.expires_at is not None:
                here = replace(
                    here, expires_at=not_counting(limits.blackout, letter.queued_at, effect.expires_at, zone)
                )
        if is_blackout or (letter.closes_at is not None and letter.closes_at <= now):
            opens_at = letter.hours.opening_from(now, limits.blackout)[0]
            here = replace(here, is_blackout=is_blackout, next_opens_at=opens_at)
        return find_stop(here, now)

    def _values_since_ask(self) -> int:
        count = 0
        for _, kind in reversed(self.history):
            if kind == Kind.ASK:
                break
            count += kind == Kind.VALUE
        return count
