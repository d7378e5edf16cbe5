"""Sending windows as deliveries carry them, and when they are open. Pure.

A window is kept as it was when the mail was queued. Days on which the house sends nothing are not part of it: they are
given to whoever asks, so that days that are published today also hold what was queued yesterday.
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.timing import DaySpan, Window, find_zone

#: After so long a window that never opens is looked at again.
_NEVER_OPENS = timedelta(days=30)


def window_json(window: Window | None, zone: str) -> dict[str, Any] | None:
    """A window as it is kept on a delivery; None when it is always open."""
    if window is None or window.is_always_open:
        return None
    return {
        "days": sorted(window.days),
        "opens": window.opens.isoformat("minutes"),
        "closes": window.closes.isoformat("minutes"),
        "zone": zone,
        **({"holidays": list(window.holidays)} if window.holidays else {}),
    }


def opening_from(
    window: Mapping[str, Any] | None, at: datetime, blackout: tuple[DaySpan, ...] = ()
) -> tuple[datetime, datetime | None]:
    """From when to when a mail that is due `at` may leave; one without a window keeps to UTC in a blackout."""
    if window is None and not blackout:
        return at, None
    return opening_of(_window(window, blackout), at, zone_of_window(window), closes=window is not None)


def opening_of(
    window: Window, at: datetime, zone: ZoneInfo, *, closes: bool = True
) -> tuple[datetime, datetime | None]:
    """The same of a window that was read already; `closes` False: it is open but for the days of a blackout."""
    opening = window.find_opening(at, zone)
    if opening is None:
        # Closed for more than a year: nothing leaves, and it is looked at again when more of the calendar is known.
        return at + _NEVER_OPENS, at + _NEVER_OPENS
    return max(at, opening.opens_at), opening.closes_at if closes else None


def _window(window: Mapping[str, Any] | None, blackout: tuple[DaySpan, ...] = ()) -> Window:
    if window is None:
        return Window(blackout=blackout)
    return Window(
        frozenset(window["days"]),
        time.fromisoformat(window["opens"]),
        time.fromisoformat(window["closes"]),
        tuple(window.get("holidays", ())),
        blackout,
    )


def zone_of_window(window: Mapping[str, Any] | None) -> ZoneInfo:
    """Where its hours are read; UTC for a mail without a window."""
    return find_zone(window["zone"] if window else None) or ZoneInfo("UTC")
