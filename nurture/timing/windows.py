"""Sending windows, weekly slots and working time, in whatever zone they are asked for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nurture.errors import BadInput
from nurture.timing.closed_days import CONTACT, DaySpan, is_holiday
from nurture.timing.zones import local_instant

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAYS = re.compile(r"([a-z]+)(?:\s*-\s*([a-z]+))?")
_FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_PATIENCE = 400  # closed days in a row after which a window is said never to open: no year has so many


@dataclass(frozen=True)
class Opening:
    """One stretch of time in which a window is open: `opens_at` <= t < `closes_at`."""

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True)
class Window:
    """Days of the week and hours of the day, except for public holidays and for days that the house keeps free.

    `holidays` are codes such as "DE-BY". "contact" among them means a country that `in_country` writes down; until
    then, and for one nobody knows, it closes no day.
    """

    days: frozenset[int] = frozenset(range(7))
    opens: time = time(0)
    closes: time = time(0)  # midnight at the end of the day
    holidays: tuple[str, ...] = ()
    blackout: tuple[DaySpan, ...] = ()

    @property
    def is_always_open(self) -> bool:
        is_open_all_week = len(self.days) == 7 and self.opens == self.closes == time(0)
        return is_open_all_week and not self.holidays and not self.blackout

    def in_country(self, country: str | None) -> "Window":
        """The window of a contact there: "contact" becomes the country, or nothing if it is unknown."""
        if CONTACT not in self.holidays:
            return self
        codes = (country if code == CONTACT else code for code in self.holidays)
        return replace(self, holidays=tuple(dict.fromkeys(code for code in codes if code)))

    @property
    def length(self) -> timedelta:
        """How long it is open on a day."""
        end = (
            timedelta(days=1)
            if self.closes == time(0)
            else timedelta(hours=self.closes.hour, minutes=self.closes.minute)
        )
        return end - timedelta(hours=self.opens.hour, minutes=self.opens.minute)

    def closed_on(self, days: Sequence[DaySpan]) -> "Window":
        """The same window, closed on further days."""
        return replace(self, blackout=(*self.blackout, *days))

    def lost_days(self, since: date, zone: ZoneInfo) -> Iterator[date]:
        """Days of the next 400 that it is meant to open, and on which a change of the clocks leaves nothing of it."""
        for number in range(_PATIENCE):
            day = since + timedelta(days=number)
            if self.is_open_on(day) and self._opening_on(day, zone) is None:
                yield day

    def _opening_on(self, day: date, zone: ZoneInfo) -> Opening | None:
        """What is left of it on a day of its own; a change of the clocks can leave nothing of a short one."""
        opens_at = local_instant(day, self.opens, zone)
        end = day + timedelta(days=1) if self.closes == time(0) else day
        closes_at = local_instant(end, self.closes, zone)
        return Opening(opens_at, closes_at) if opens_at < closes_at else None

    def is_open_on(self, day: date) -> bool:
        """Whether any hour of this day may belong to it."""
        is_closed = is_holiday(day, self.holidays) or any(day in span for span in self.blackout)
        return day.weekday() in self.days and not is_closed

    def opens_ever(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether it opens within 400 days of `at`."""
        return self.find_opening(at, zone) is not None

    def find_opening(self, at: datetime, zone: ZoneInfo) -> Opening | None:
        """The opening that `at` falls into, else the next one; None when it stays closed for 400 days."""
        return next(self.openings(at, zone), None)

    def opening(self, at: datetime, zone: ZoneInfo) -> Opening:
        """The same where a window that never opens is a mistake."""
        found = self.find_opening(at, zone)
        if found is None:
            raise BadInput(
                f"a window never opens in the {_PATIENCE} days after {at:%Y-%m-%d}; give it a day that is free."
            )
        return found

    def openings(self, at: datetime, zone: ZoneInfo) -> Iterator[Opening]:
        """All openings that end after `at`, in order, until the window stays closed for 400 days."""
        day = at.astimezone(zone).date() - timedelta(days=1)
        closed = 0
        while closed < _PATIENCE:
            closed += 1
            found = self._opening_on(day, zone) if self.is_open_on(day) else None
            if found is not None and found.closes_at > at:
                closed = 0
                yield found
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
    raise BadInput(f"there is no working time in the {_PATIENCE} days after {at:%Y-%m-%d}; give them hours that open.")
