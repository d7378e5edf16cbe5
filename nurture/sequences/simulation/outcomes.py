"""What a simulated population tells: mails per day and person, time to finish, where people stand, who becomes sales-ready.

Pure. Shares carry the Wilson interval of `figures`. Means carry an interval of their own: what the mean of so many people
could have come out as by chance, from the normal distribution; it says nothing about behavior that is believed wrongly.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean, median, stdev

from nurture.delivery.guard import rules as guard
from nurture.figures import Rate, rate
from nurture.sequences.decisions import State
from nurture.sequences.simulation.world import Ending

_Z = 1.959964
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval, from so many people."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True)
class Day:
    """One day of the simulation, in UTC: mails that leave, and people who come in and are done."""

    on: date
    mails: int
    asks: int
    came_in: int
    finished: int


@dataclass(frozen=True)
class Finish:
    """How long people take until they are done, in days: half of them, nine of ten, all; None: nobody is done."""

    median: float | None
    ninth: float | None
    longest: float | None
    still_on: int


@dataclass(frozen=True)
class GuardStop:
    """The day on which the blast guard would stop the sequence until somebody says yes."""

    on: date
    people: int
    room: int


@dataclass(frozen=True)
class Outcome:
    """Everything that is told about a population."""

    people: int
    tracked: int
    came_in_over: timedelta  # from the first to the last
    days: tuple[Day, ...]
    mails: Mean  # per person
    most_in_a_week: int
    by_sender: Mapping[str, int]
    by_recipient: Mapping[str, int]  # the busiest domains
    by_end: Mapping[str, Rate]  # finished, each reason to leave, and who is still on the way
    by_step: Mapping[str, int]  # of those who are
    reached: Mapping[str, Rate]  # by mail: who got it, down to those that nobody gets
    finish: Finish
    sales_ready: Rate  # of those who were not before
    sales_ready_before: int
    opted_out: Rate
    guard: GuardStop | None

    @property
    def busiest(self) -> Day | None:
        return max(self.days, key=lambda day: day.mails, default=None)


def outcome(
    endings: Sequence[Ending], *, start: datetime, length: timedelta, mails_of: Iterable[str] = (), blast_guard: int = 0
) -> Outcome:
    """Count everything once; `mails_of` are the steps that mail somebody, so that those which nobody gets are told too."""
    people = len(endings)
    sent = [(one.at.date(), one, ending) for ending in endings for one in ending.sent]
    mails, asks = Counter(day for day, _, _ in sent), Counter(day for day, one, _ in sent if one.kind == "ask")
    came_in = Counter(ending.began_at.date() for ending in endings)
    done = Counter(ending.ended_at.date() for ending in endings if ending.ended_at)
    ends = Counter(_end_of(ending) for ending in endings)
    got = Counter(step for ending in endings for step in {one.step for one in ending.sent})
    got.update(dict.fromkeys(mails_of, 0))
    came_in_at = sorted(ending.began_at for ending in endings)
    before = sum(ending.was_sales_ready for ending in endings)
    ready = sum(ending.has("sales_ready") and not ending.was_sales_ready for ending in endings)
    busy = Counter(ending.person.domain for _, _, ending in sent)
    every = [
        start.date() + number * _DAY
        for number in range((start + length).date().toordinal() - start.date().toordinal() + 1)
    ]
    return Outcome(
        people=people,
        tracked=sum(ending.is_tracked for ending in endings),
        came_in_over=came_in_at[-1] - came_in_at[0] if came_in_at else timedelta(0),
        days=tuple(Day(day, mails[day], asks[day], came_in[day], done[day]) for day in every),
        mails=_mean([len(ending.sent) for ending in endings]),
        most_in_a_week=max((_most_within(ending, 7 * _DAY) for ending in endings), default=0),
        by_sender=dict(Counter(one.sender_domain for _, one, _ in sent).most_common()),
        by_recipient=dict(busy.most_common(10)),
        by_end={name: rate(count, people) for name, count in ends.most_common()},
        by_step=dict(Counter(ending.step for ending in endings if ending.step).most_common()),
        reached={step: rate(count, people) for step, count in got.most_common()},
        finish=_finish(endings),
        sales_ready=rate(ready, people - before),
        sales_ready_before=before,
        opted_out=rate(sum(ending.has("opt_out") for ending in endings), people),
        guard=_guard(endings, blast_guard),
    )


def _end_of(ending: Ending) -> str:
    if ending.ended_at is None:
        return "still on the way"
    if ending.status == State.FINISHED:
        return ending.status
    how = ending.reason or ending.status
    is_over_at_once = ending.ended_at == ending.began_at and not ending.sent
    return f"{how}, sales-ready before they came in" if ending.was_sales_ready and is_over_at_once else how


def _mean(values: Sequence[float]) -> Mean:
    if not values:
        return Mean(0, 0, 0, 0)
    mean = fmean(values)
    spread = _Z * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0
    return Mean(mean, max(0.0, mean - spread), mean + spread, len(values))


def _most_within(ending: Ending, length: timedelta) -> int:
    most = first = 0
    for last, one in enumerate(ending.sent):
        while ending.sent[first].at <= one.at - length:
            first += 1
        most = max(most, last - first + 1)
    return most


def _finish(endings: Sequence[Ending]) -> Finish:
    took = sorted((one.ended_at - one.began_at) / _DAY for one in endings if one.ended_at)
    still_on = len(endings) - len(took)
    if not took:
        return Finish(None, None, None, still_on)
    return Finish(median(took), took[math.ceil(0.9 * len(took)) - 1], took[-1], still_on)


def _guard(endings: Sequence[Ending], always_fine: int) -> GuardStop | None:
    """The figures go on as if somebody said yes at once; this says when they would have had to."""
    if not always_fine:
        return None
    by_day = Counter(one.at.date() for ending in endings for one in ending.sent)
    busiest = 0
    for day, people in sorted(by_day.items()):
        room = guard.room(guard.Traffic(busiest=busiest), always_fine)
        if people > room:
            return GuardStop(day, people, room)
        busiest = max(busiest, people)
    return None
