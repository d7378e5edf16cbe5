"""How fast mail may leave, and how much of it in an hour and a day. Pure.

A mail travels in all its lanes at once (see `lanes`) and leaves when each of them has room.

- Within any hour and any 24 hours no more is granted than a lane's limit, however many workers ask: they count in the
  database before anything leaves, a little in advance. What is granted leaves within `LEASE` and `LATE`, or is given back.
- Within a second mails keep their distance; no burst makes up for idle time.
- A mail that would wait longer than `MOMENT` for a lane of its own is held, so that others pass it. In a lane that every
  mail takes nobody passes anybody: there it goes back into the queue.
- What a person just asked for, notes to colleagues and tests are counted and wait for no hour and no day: they are few,
  and a confirmation that comes tomorrow is a reader lost. They do wait for seconds, and for a domain that rests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from nurture.delivery.pacing.lanes import Lane, Span
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


#: Mails are counted in buckets of this length; a bucket counts until it lies back whole.
_STEPS = {Span.HOUR: timedelta(minutes=1), Span.DAY: timedelta(minutes=5), Span.DATE: timedelta(days=1)}
_LENGTHS = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}


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

    def has_room_for(self, mails: int) -> bool:
        """Whether so many more have a place at once, whoever they are."""
        return self.room >= mails and self.hands >= mails and not self.next_in and not self.lane.limit.per_second

    def take_all(self, mails: int) -> None:
        """So many mails have their place here, and leave at once: `has_room_for` them was asked."""
        self.taken += mails
        self.room -= mails
        self.hands -= mails

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
