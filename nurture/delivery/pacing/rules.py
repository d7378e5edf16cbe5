"""How fast mail may leave, and how much of it in an hour and a day. Pure.

A *lane* is what some mails share and what takes only so many of them: the house, a relay, what one sender writes, what
one domain gets. A mail travels in all its lanes at once and leaves when each of them has room.

- Within any hour and any 24 hours no more is granted than a lane's limit, however many workers ask: they count in the
  database before anything leaves, a little in advance. What is granted leaves within `LEASE` and `LATE`, or is given back.
- Within a second mails keep their distance; no burst makes up for idle time.
- A mail that would wait longer than `MOMENT` for a lane of its own is held, so that others pass it. In a lane that every
  mail takes nobody passes anybody: there it goes back into the queue.
- What a person just asked for, notes to colleagues and tests are counted and wait for no hour and no day: they are few,
  and a confirmation that comes tomorrow is a reader lost. They do wait for seconds, and for a domain that rests.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from nurture.delivery.pacing.providers import group_of
from nurture.delivery.pacing.warming import NO_PLAN, WarmUp
from nurture.delivery.pacing.warming import lanes_of as warm_lanes_of
from nurture.delivery.rules import HeldBecause

#: So many seconds a mail waits in the worker's hands; what takes longer is held.
MOMENT = 2.0
#: So long a worker may give out places that it counted beforehand.
LEASE = timedelta(minutes=1)
#: So long after it was given a place a mail may still begin to leave.
LATE = timedelta(minutes=1)
#: Nobody is held for longer without being looked at again.
_LOOK_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Pace:
    """The distance that mails of one lane keep; `next_at` is the earliest second at which another may leave."""

    per_second: float
    next_at: float = 0.0

    def take(self, elapsed: float) -> tuple[float, "Pace"]:
        """Seconds to wait before the next mail, and the pace after it; no burst makes up for idle time."""
        if self.per_second <= 0:
            return 0.0, self
        leaves_at = max(elapsed, self.next_at)
        return leaves_at - elapsed, Pace(self.per_second, leaves_at + 1 / self.per_second)


class Span(StrEnum):
    """A stretch of time over which mails are counted."""

    HOUR = "hour"
    DAY = "day"  # any 24 hours
    DATE = "date"  # a day of the calendar, in UTC


#: Mails are counted in buckets of this length; a bucket counts until it lies back whole.
_STEPS = {Span.HOUR: timedelta(minutes=1), Span.DAY: timedelta(minutes=5), Span.DATE: timedelta(days=1)}
_LENGTHS = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}


#: From so many a second on a lane is fast; of such a lane this share is given out, and so many workers may share it.
_FAST, _SHARE_GIVEN, MOST_WORKERS = 500.0, 0.9, 10
#: A worker takes one part in so many of an hour or a day in advance, and no more than that.
_PARTS, _MOST_AHEAD = 50, 5000


@dataclass(frozen=True)
class Limit:
    """What a lane takes; 0: no such limit."""

    at_once: int = 0
    per_second: float = 0
    per_hour: int = 0
    per_day: int = 0

    def most_in(self, span: Span) -> int:
        return {Span.HOUR: self.per_hour, Span.DAY: self.per_day}.get(span, 0)

    @property
    def is_fast(self) -> bool:
        """Whether so many leave in a second that a worker may take some of them in advance."""
        return self.per_second >= _FAST

    @property
    def rate(self) -> float:
        """Places of a second that are given out; what a fast lane keeps back covers those that were taken in advance."""
        return _SHARE_GIVEN * self.per_second if self.is_fast else self.per_second

    @property
    def ahead(self) -> int:
        """How many places one worker may take in advance: few enough that nothing is exceeded when all use theirs at once."""
        parts = [most // _PARTS for most in (self.per_hour, self.per_day) if most]
        if self.per_second:
            parts.append(int((1 - _SHARE_GIVEN) * self.per_second / MOST_WORKERS) if self.is_fast else 0)
        return min([_MOST_AHEAD, *parts]) if parts and not self.at_once else 0

    @property
    def is_any(self) -> bool:
        return bool(self.at_once or self.per_second or self.per_hour or self.per_day)


@dataclass(frozen=True)
class Rule:
    """A limit for some mail: to these domains and from these senders; empty: whoever. "*": each by itself."""

    name: str
    limit: Limit
    to: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()


class Lane(NamedTuple):
    """A lane by the key under which it is counted; `words` say in the outbox what a mail waits for."""

    key: str
    limit: Limit
    words: str
    is_shared: bool = False  # every mail takes it


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of a mail, with their keys at hand: a claim looks up four of them for each of its mails."""

    lanes: tuple[Lane, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, lanes: Iterable[Lane]) -> "Lanes":
        made = tuple(lanes)
        return cls(made, tuple([lane.key for lane in made]))

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.lanes)


@dataclass(frozen=True, eq=False)
class Pacing:
    """All limits of the house."""

    house: Limit = Limit()
    relays: Mapping[str, Limit] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    warm_up: WarmUp = NO_PLAN
    first_wave: int = 0
    senders: Mapping[str, str] = field(default_factory=dict)  # name → address, "default" among them
    _known: dict[tuple[str, str, str], Lanes] = field(default_factory=dict, repr=False)

    @property
    def is_any(self) -> bool:
        """Whether there is any limit at all."""
        limits = (self.house, *self.relays.values())
        return bool(self.rules or self.warm_up.senders) or any(limit.is_any for limit in limits)

    def address_of(self, sender: str, facts: Mapping[str, Any] | None) -> str:
        """The address a mail comes from: what it was written with, else that of the sender it names, else the house's."""
        written = facts.get("sender") if facts else None
        return written["email"] if written else self.senders.get(sender) or self.senders.get("default", "")

    def lanes_of(self, sender: str, domain: str, relay: str) -> Lanes:
        """The lanes of a mail from this address to this domain over this relay."""
        key = (sender, domain, relay) if self._tells_domains else ("", "", relay)
        lanes = self._known.get(key)
        if lanes is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            lanes = self._known[key] = Lanes.of(self._find(sender.lower(), domain.lower(), relay))
        return lanes

    @cached_property
    def _tells_domains(self) -> bool:
        """Whether the lanes of a mail depend on who writes it to whom."""
        return bool(self.rules or self.warm_up.senders)

    def _find(self, sender: str, domain: str, relay: str) -> list[Lane]:
        lanes = [Lane("house", self.house, "sending.per_second", is_shared=True)] if self.house.is_any else []
        limit = self.relays.get(relay)
        if limit is not None and limit.is_any:
            lanes.append(Lane(f"relay:{relay}", limit, f"relay {relay}", is_shared=len(self.relays) == 1))
        named = frozenset(one for rule in self.rules for one in rule.to)
        for rule in self.rules:
            to, sent_by = _place(rule.to, (domain,), group_of(domain), named), _place(
                rule.senders, (sender, sender.rpartition("@")[2]), sender.rpartition("@")[2], frozenset()
            )  # fmt: skip
            if to is not None and sent_by is not None:
                place = " ".join(word for word in (rule.name, to, sent_by) if word)
                lanes.append(Lane(f"limit:{place}", rule.limit, f"limit {place}"))
        warm_up = warm_lanes_of(self.warm_up, sender.rpartition("@")[2], domain)
        return [*lanes, *(Lane(key, _NO_LIMIT, key.removeprefix("warm-up:")) for key in warm_up)]


_MOST_KNOWN = 50_000
_NO_LIMIT = Limit()


def _place(meant: frozenset[str], names: Sequence[str], group: str, named: frozenset[str]) -> str | None:
    """How a lane of a rule is told from others of it: not at all, or by the group it is for; None: not meant."""
    if not meant or any(name in meant for name in names):
        return ""
    return group if "*" in meant and not any(name in named for name in names) else None


#: No limit at all.
FREE = Pacing()


def bucket(span: Span, at: datetime) -> datetime:
    """The beginning of the bucket in which a mail of that instant is counted."""
    if span is Span.DATE:
        return at.replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = int(_STEPS[span].total_seconds()) // 60
    return at.replace(minute=at.minute - at.minute % minutes, second=0, microsecond=0)


def counted_after(span: Span, now: datetime) -> datetime:
    """Buckets that begin after this instant still count: something of them may have left within the span."""
    return now - _LENGTHS[span] - LEASE - LATE - _STEPS[span]


def free_at(span: Span, begins_at: datetime) -> datetime:
    """When a bucket stops counting."""
    return begins_at + _LENGTHS[span] + LEASE + LATE + _STEPS[span]


class Wait(NamedTuple):
    """Why a mail does not leave now, and until when at least."""

    because: str
    until: datetime


@dataclass(slots=True)
class Road:
    """One lane as it stands in the moment of a claim, and what the claim makes of it."""

    lane: Lane
    now: datetime
    room: float = float("inf")  # mails it still takes within its spans
    hands: float = float("inf")  # mails that may be in workers' hands beside those that are
    next_in: float = 0.0  # seconds until its next place
    opens_at: datetime | None = None  # when there is room again, if there is none
    waits_to: datetime | None = None  # until when those are held who wait already
    is_for_all: bool = False  # what people asked for waits here too
    is_doubling: bool = False  # it comes back little by little: twice as many in each minute
    because: str = ""
    taken: int = 0
    has_moved: bool = False

    def objection(self, *, is_patient: bool) -> datetime | None:
        """When one more mail may be looked at again; None: it has a place."""
        if self.room < 1 and (is_patient or self.is_for_all):
            return self._queue_up(self.opens_at or self.now)
        if self.hands < 1:
            # Others pass, and it is looked at again as soon as they have.
            return self.now
        if self.next_in > MOMENT and not self.lane.is_shared:
            return self._queue_up(self.now + timedelta(seconds=self.next_in))
        return None

    def _queue_up(self, opens_at: datetime) -> datetime:
        """Stand behind those who wait already, so that not all of them are looked at again at once."""
        at = max(self.waits_to or opens_at, opens_at)
        latest = self.now + _LOOK_AGAIN_AFTER
        if at >= latest:
            return max(latest, opens_at)
        self.waits_to, self.has_moved = at + self._distance(at - opens_at), True
        return at

    def _distance(self, behind: timedelta) -> timedelta:
        limit = self.lane.limit
        if self.is_doubling:
            return timedelta(seconds=60.0 / 2 ** min(int(behind.total_seconds() // 60), 20))
        lengths = ((limit.per_second, 1.0), (limit.per_hour, 3600.0), (limit.per_day, 86400.0))
        return timedelta(seconds=max((length / most for most, length in lengths if most), default=0.0))

    def take(self, starts_in: float) -> None:
        """One mail has its place here, and leaves after so many seconds."""
        self.taken += 1
        self.room -= 1
        self.hands -= 1
        if self.lane.limit.per_second and not self.lane.is_shared:
            self.next_in = max(self.next_in, starts_in) + 1 / self.lane.limit.rate
            self.has_moved = True

    def leave(self) -> None:
        """One that had a place goes back into the queue."""
        self.taken -= 1
        self.room += 1
        self.hands += 1

    @property
    def why(self) -> str:
        return self.because or f"{HeldBecause.PACE}: {self.lane.words}"


class Asking(NamedTuple):
    """One claimed mail and its roads; `is_patient`: it may wait for an hour or a day."""

    id: int
    roads: tuple[Road, ...]
    is_patient: bool = True


class Shares(NamedTuple):
    """What a claim gets: seconds until each mail leaves, who is held, who goes back into the queue."""

    leaves_in: dict[int, float]
    held: dict[int, Wait]
    back: list[int]


def share(mails: Sequence[Asking]) -> Shares:
    """Give the mails of a claim their places, in their order; the roads know afterwards what was taken."""
    held: dict[int, Wait] = {}
    placed: list[tuple[float, Asking]] = []
    for mail in mails:
        starts_in = 0.0
        for road in mail.roads:
            until = road.objection(is_patient=mail.is_patient)
            if until is not None and (mail.id not in held or held[mail.id].until < until):
                held[mail.id] = Wait(road.why, until)
            if not road.lane.is_shared and road.next_in > starts_in:
                starts_in = road.next_in
        if mail.id in held:
            continue
        for road in mail.roads:
            road.take(starts_in)
        placed.append((starts_in, mail))
    if any(starts_in for starts_in, _ in placed):
        placed.sort(key=_starts_in)
    leaves_in, back = _line_up(placed)
    return Shares(leaves_in, held, back)


def _starts_in(one: tuple[float, Asking]) -> float:
    return one[0]


def _line_up(placed: Sequence[tuple[float, Asking]]) -> tuple[dict[int, float], list[int]]:
    """Let those into the lanes of all mail first who are ready first; whoever would wait too long goes back."""
    leaves_in: dict[int, float] = {}
    back: list[int] = []
    spaced: dict[int, list[Road]] = {}
    for starts_in, mail in placed:
        shared = spaced.get(id(mail.roads))
        if shared is None:
            shared = [road for road in mail.roads if road.lane.is_shared and road.lane.limit.per_second]
            spaced[id(mail.roads)] = shared
        starts = starts_in
        for road in shared:
            starts = max(starts, road.next_in)
        # The first one waits in any case: else nobody would ever leave a lane that is slower than a moment.
        if starts > MOMENT and leaves_in:
            for road in mail.roads:
                road.leave()
            back.append(mail.id)
            continue
        for road in shared:
            road.next_in, road.has_moved = starts + 1 / road.lane.limit.rate, True
        leaves_in[mail.id] = starts
    return leaves_in, back
