"""Moments that a wait can wait until: a date, a contact's date field, a day of the week; each at a time of day."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nurture.errors import BadInput
from nurture.timing.durations import Duration, parse_duration
from nurture.timing.windows import parse_days
from nurture.timing.zones import local_instant

_FIELD = re.compile(r"([a-z_][a-z0-9_]*)(?:\s*([+-])\s*(\d.*))?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_AS_IT_IS = Duration()


@dataclass(frozen=True)
class Moment:
    """One of three: the day `on`, the date in the contact's `field` moved by `offset`, the next of `days`."""

    at: time
    on: date | None = None
    field: str | None = None
    offset: Duration = _AS_IT_IS
    days: frozenset[int] = frozenset()

    def instant(
        self, since: datetime, zone: ZoneInfo, field_value: str | None = None, holidays: tuple[str, ...] = ()
    ) -> datetime | None:
        """When it comes, read on a wall clock in `zone`; None when the field holds no date.

        A day of the week is the next one: always after `since`, so that a loop that waits for it comes round once a
        day at most. A date is what it is, and may have passed.
        """
        try:
            if self.days:
                return self._next_day(since, zone)
            day = self.on or _date_of(field_value)
            if day is None:
                return None
            # Whole days are counted on the calendar, so that 09:00 stays 09:00 across a DST change.
            days, rest = timedelta(days=self.offset.exact.days), timedelta(seconds=self.offset.exact.seconds)
            counted = Duration(rest, self.offset.working_days)
            return counted.after(local_instant(day + days, self.at, zone), zone, holidays)
        except OverflowError:
            # A date so far off that no calendar has it will not come.
            return None

    def _next_day(self, since: datetime, zone: ZoneInfo) -> datetime:
        day = since.astimezone(zone).date() - timedelta(days=1)
        while True:
            if day.weekday() in self.days and (instant := local_instant(day, self.at, zone)) > since:
                return instant
            day += timedelta(days=1)


def _date_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


_NO_MOMENT = (
    "{} is nothing to wait until; write a date such as 2027-03-01, a date field such as "
    '"renewal_on - 30 days", or days such as "tue, thu".'
)


def parse_moment(written: object, at: time) -> Moment:
    """Read a date, "renewal_on - 30 days" or "tue, thu"; `at` is the time of day."""
    if isinstance(written, datetime):
        raise BadInput(f'"{written}" is a date with a time; write the date alone, and the time beside it: at: "09:00".')
    if isinstance(written, date):
        return Moment(at, on=written)
    if not isinstance(written, str):
        raise BadInput(_NO_MOMENT.format("this"))
    text = written.strip()
    if _DATE.fullmatch(text):
        day = _date_of(text)
        if day is None:
            raise BadInput(f'"{text}" is not in the calendar; write a date such as 2027-03-01.')
        return Moment(at, on=day)
    try:
        return Moment(at, days=parse_days(text))
    except BadInput:
        match = _FIELD.fullmatch(text)
    if match is None:
        raise BadInput(_NO_MOMENT.format(f'"{text}"'))
    offset = parse_duration(match[3]) if match[3] else _AS_IT_IS
    return Moment(at, field=match[1], offset=-offset if match[2] == "-" else offset)
