"""Durations, sending windows, weekly slots and working time: pure arithmetic on instants and zones.

Instants are aware and in UTC; a zone is only used to ask what a clock on a wall shows. A wall time that a DST change
skips counts as the same distance after the change (02:30 becomes 03:30); one that occurs twice is the first.
Sequences, newsletters, hand-off and delivery all count time through here.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from nurture.errors import BadInput, did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {
    "second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1),
    "day": timedelta(days=1), "week": timedelta(weeks=1),
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}  # fmt: skip
_DURATION = re.compile(r"(-?\d{1,9})\s*([a-z]+(?: [a-z]+)?)")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAYS = re.compile(r"([a-z]+)(?:\s*-\s*([a-z]+))?")
_FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")


@functools.cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def find_zone(name: str | None) -> ZoneInfo | None:
    """The time zone of that IANA name, or None."""
    return ZoneInfo(name) if name and name in _zone_names() else None


def get_zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name."""
    zone = find_zone(name)
    if zone is None:
        raise BadInput(
            f'"{name}" is not a time zone; write one such as "Europe/Berlin".{did_you_mean(name, _zone_names())}'
        )
    return zone


@dataclass(frozen=True)
class Duration:
    """A length of time: exact, or a number of working days (Monday to Friday), which only a zone makes exact."""

    exact: timedelta = timedelta(0)
    working_days: int = 0

    def after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """The instant this long after `at`, read on a wall clock in `zone` where days are meant."""
        if not self.working_days:
            return at + self.exact
        local = at.astimezone(zone)
        day, left = local.date(), self.working_days
        while left:
            day += timedelta(days=1)
            left -= day.weekday() < 5
        return local_instant(day, local.time(), zone)

    def __str__(self) -> str:
        if self.working_days:
            return _counted(self.working_days, "working day")
        for unit in ("week", "day", "hour", "minute"):
            number, rest = divmod(self.exact, _UNITS[unit])
            # "14 days" reads better than "2 weeks" next to other waits in days, so weeks are kept for long ones.
            if not rest and number and (unit != "week" or number > 8):
                return _counted(number, unit)
        return _counted(self.exact // _UNITS["second"], "second")


def parse_duration(text: str) -> Duration:
    """Read "3 days", "90 minutes", "5 working days", or the short "60d" of a command line."""
    match = _DURATION.fullmatch(text.strip().lower())
    word = match[2] if match else ""
    unit = word if word in _UNITS else word.removesuffix("s")
    if match and unit == "working day" and int(match[1]) >= 0:
        return Duration(working_days=int(match[1]))
    with contextlib.suppress(OverflowError):
        if match and unit in _UNITS:
            return Duration(exact=int(match[1]) * _UNITS[unit])
    raise BadInput(f'"{text}" is not a duration; write a number and a unit, such as "3 days".')


def parse_length(text: str) -> timedelta:
    """The same where no calendar is at hand that could say which days are worked."""
    duration = parse_duration(text)
    if duration.working_days:
        raise BadInput(f'"{text}" depends on a calendar, and none counts here; write days or hours, such as "3 days".')
    return duration.exact


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def in_words(length: timedelta) -> str:
    """`12 min`, `1 h 12 min`, `3 days`: about how long something takes."""
    minutes = max(0, round(length.total_seconds() / 60))
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min".removesuffix(" 0 min")
    return _counted(round(minutes / 1440), "day")


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a wall clock in `zone` shows `at` on `day`."""
    return datetime.combine(day, at, tzinfo=zone).replace(fold=0).astimezone(UTC)


@dataclass(frozen=True)
class Opening:
    """One stretch of time in which a window is open: `opens_at` <= t < `closes_at`."""

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True)
class Window:
    """Days of the week and hours of the day, in whatever zone they are asked for."""

    days: frozenset[int] = frozenset(range(7))
    opens: time = time(0)
    closes: time = time(0)  # midnight at the end of the day

    @property
    def is_always_open(self) -> bool:
        return len(self.days) == 7 and self.opens == self.closes == time(0)

    def opening(self, at: datetime, zone: ZoneInfo) -> Opening:
        """The opening that `at` falls into, else the next one."""
        return next(self.openings(at, zone))

    def openings(self, at: datetime, zone: ZoneInfo) -> Iterator[Opening]:
        """All openings that end after `at`, in order."""
        day = at.astimezone(zone).date() - timedelta(days=1)
        while True:
            if day.weekday() in self.days:
                opens_at = local_instant(day, self.opens, zone)
                end = day + timedelta(days=1) if self.closes == time(0) else day
                closes_at = local_instant(end, self.closes, zone)
                # A DST change can leave nothing of a short window; such a day is passed over.
                if opens_at < closes_at and closes_at > at:
                    yield Opening(opens_at, closes_at)
            day += timedelta(days=1)


def parse_days(text: str) -> frozenset[int]:
    """Read "mon-fri", "tue, thu" or "daily" as weekday numbers, Monday being 0."""
    days: set[int] = set()
    for part in ("mon-sun" if text.strip().lower() == "daily" else text.lower()).split(","):
        match = _DAYS.fullmatch(part.strip())
        numbers = [_weekday(name) for name in match.groups() if name] if match else [None]
        if None in numbers:
            raise BadInput(f'"{part.strip()}" is not a day; write days such as "mon-fri" or "tue, thu".')
        start, end = numbers[0] or 0, numbers[-1] or 0
        days.update(day % 7 for day in range(start, end + 1 + (7 if end < start else 0)))
    return frozenset(days)


def _weekday(name: str) -> int | None:
    """The number of "tue", "tuesday" and whatever lies between."""
    found = [number for number, full in enumerate(_FULL_DAYS) if len(name) > 2 and full.startswith(name)]
    return found[0] if found else None


def parse_time(text: str) -> time:
    """Read "09:00"."""
    match = _TIME.fullmatch(text.strip())
    if match and int(match[1]) < 24 and int(match[2]) < 60:
        return time(int(match[1]), int(match[2]))
    raise BadInput(f'"{text}" is not a time of day; write it as "09:00", in quotes.')


def parse_hours(text: str) -> tuple[time, time]:
    """Read "09:00-17:00"; a window ends on the day it began, at the latest at "24:00"."""
    match = _HOURS.fullmatch(text.strip())
    if match:
        start, end = (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))
        if start < end <= (24, 0) and start[1] < 60 and end[1] < 60:
            return time(*start), time(end[0] % 24, end[1])
    raise BadInput(f'"{text}" are not hours; write them as "09:00-17:00", the earlier one first.')


@dataclass(frozen=True)
class WeeklySlot:
    """One moment a week, in whatever zone it is asked for."""

    weekday: int
    at: time

    def from_(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The first slot at or after `instant`."""
        day = instant.astimezone(zone).date() - timedelta(days=1)
        while True:
            if day.weekday() == self.weekday and (slot := local_instant(day, self.at, zone)) >= instant:
                return slot
            day += timedelta(days=1)


def add_working_time(at: datetime, length: timedelta, hours: Window, zone: ZoneInfo) -> datetime:
    """The instant by which `length` of working time has passed since `at`; a deadline that nobody sleeps through."""
    for opening in hours.openings(at, zone):
        start = max(at, opening.opens_at)
        if length <= opening.closes_at - start:
            return start + length
        length -= opening.closes_at - start
    raise AssertionError("a window opens again and again")
