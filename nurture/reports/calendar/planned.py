"""All planned mail, day by day in UTC: what waits in the outbox, issues that are ready, and what sequences would send. Pure.

Numbers of people are as certain as their source: the outbox is counted, an issue's readers are counted as permission
holds now, and sequences are told beforehand for some of the people on them and scaled, with an interval.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from nurture.figures import rate
from nurture.sequences.simulation.world import Sent
from nurture.timing import DaySpan, is_holiday

_DAY = timedelta(days=1)


class Source(StrEnum):
    """Where a number comes from."""

    OUTBOX = "outbox"
    NEWSLETTER = "newsletter"
    SEQUENCE = "sequence"


@dataclass(frozen=True)
class Planned:
    """One mail on one day, to about so many people; nobody: nothing is ready for that moment."""

    on: date
    what: str
    source: Source
    people: int
    low: int
    high: int
    note: str = ""

    @property
    def count(self) -> str:
        """`1,240 (1,100–1,390)`, or the number alone where nothing was estimated."""
        if not self.high:
            return "nobody"
        if self.low == self.high == self.people:
            return f"{self.people:,}"
        return f"{self.people:,} ({self.low:,}–{self.high:,})"


@dataclass(frozen=True)
class Day:
    """One day, what is planned on it, and why nothing might leave."""

    on: date
    planned: tuple[Planned, ...]
    notes: tuple[str, ...] = ()

    @property
    def mails(self) -> int:
        return sum(one.people for one in self.planned)

    @property
    def low(self) -> int:
        return sum(one.low for one in self.planned)

    @property
    def high(self) -> int:
        return sum(one.high for one in self.planned)


def counted(on: date, what: str, source: Source, people: int, note: str = "") -> Planned:
    """A number that was counted, not estimated."""
    return Planned(on, what, source, people, people, people, note)


def days_of(first: date, length: timedelta) -> list[date]:
    return [first + number * _DAY for number in range(max(1, -(-length // _DAY)))]


def bounds_of(days: Sequence[date]) -> list[datetime]:
    """The midnights between which the days lie."""
    return [datetime.combine(day, time(0), UTC) for day in (*days, days[-1] + _DAY)]


def scale(title: str, mails: Sequence[Sequence[Sent]], people: int, *, is_certain: bool) -> list[Planned]:
    """What people on one sequence would get, from what those who were looked at would; `is_certain`: all of them were."""
    by_day = Counter((day, step) for sent in mails for day, step in {(one.at.date(), one.step) for one in sent})
    found = []
    for (day, step), hits in sorted(by_day.items()):
        share = rate(hits, len(mails))
        bounds = (hits, hits) if is_certain else (round(people * share.low), round(people * share.high))
        found.append(Planned(day, f"{title}: {step}", Source.SEQUENCE, round(people * share.share), *bounds))
    return found


def by_day(
    days: Sequence[date], planned: Iterable[Planned], *, blackout: Sequence[DaySpan], holidays: Sequence[str]
) -> list[Day]:
    """Everything on its day; what falls on no day of these is left out."""
    on: dict[date, list[Planned]] = {day: [] for day in days}
    for one in planned:
        if one.on in on:
            on[one.on].append(one)
    return [
        Day(
            day, tuple(sorted(on[day], key=lambda one: (-one.people, one.what))), tuple(_notes(day, blackout, holidays))
        )
        for day in days
    ]


def _notes(day: date, blackout: Sequence[DaySpan], holidays: Sequence[str]) -> Iterable[str]:
    if any(day in span for span in blackout):
        yield "blackout: no marketing mail leaves"
    closed = [code for code in holidays if is_holiday(day, (code,))]
    if closed:
        yield f"public holiday: {', '.join(closed)}"
