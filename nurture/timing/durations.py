"""Lengths of time as people write them: "3 days", "5 working days"."""

import contextlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nurture.errors import BadInput
from nurture.timing.closed_days import is_holiday
from nurture.timing.zones import local_instant

_UNITS = {
    "second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1),
    "day": timedelta(days=1), "week": timedelta(weeks=1),
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}  # fmt: skip
_LONGEST = timedelta(days=36525)  # a hundred years: further on calendars end, and nobody waits
_DURATION = re.compile(r"(-?\d{1,9})\s*([a-z]+(?: [a-z]+)?)")


@dataclass(frozen=True)
class Duration:
    """A length of time: exact, or a number of working days (Monday to Friday), which only a calendar makes exact."""

    exact: timedelta = timedelta(0)
    working_days: int = 0

    def after(self, at: datetime, zone: ZoneInfo, holidays: tuple[str, ...] = ()) -> datetime:
        """The instant this long after `at`, or before it if negative, read on a wall clock in `zone` where days are meant.

        The public holidays of `holidays` are no working days.
        """
        if not self.working_days:
            return at + self.exact
        local = at.astimezone(zone)
        day, left = local.date(), abs(self.working_days)
        while left:
            day += timedelta(days=1 if self.working_days > 0 else -1)
            left -= day.weekday() < 5 and not is_holiday(day, holidays)
        return local_instant(day, local.time(), zone)

    def __neg__(self) -> "Duration":
        return Duration(-self.exact, -self.working_days)

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
    found = None
    if match and unit == "working day" and int(match[1]) >= 0:
        found = Duration(working_days=int(match[1]))
    elif match and unit in _UNITS:
        found = Duration(exact=_LONGEST * 2)
        with contextlib.suppress(OverflowError):
            found = Duration(exact=int(match[1]) * _UNITS[unit])
    if found and (abs(found.exact) > _LONGEST or found.working_days > _LONGEST.days):
        raise BadInput(f'"{text}" is longer than a hundred years; write less, such as "3 days".')
    if found:
        return found
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
