"""Time zones by name, and what a clock on a wall in one of them means."""

import functools
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

from nurture.errors import BadInput, did_you_mean


@functools.cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@functools.lru_cache(maxsize=1024)  # ZoneInfo keeps eight, and reads the file of any other again
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


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a wall clock in `zone` shows `at` on `day`."""
    return datetime.combine(day, at, tzinfo=zone).replace(fold=0).astimezone(UTC)
