"""Who is written to first, last, slowly, or not at all, by the day of their last sign of life. Pure.

A sign of life is an open, a click, a reply, a contact, or the day of a basis. Up to a year old it puts them in the
order of the announcement, the most recent first; between one and two years they go last. Who was silent for longer when
they came in is not written to, and nobody whose address was bought: such addresses bounce, complain, or are traps. Of
whom no recent day is known, a few are written to at a time. The person's own new yes ends all of it.

Silence is counted up to the day somebody came in and no further: who reads our mails without being tracked must not be
cut off for never having been seen to.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

#: After so many months without a sign of life somebody goes last; after so many they are not written to.
LAST_AFTER_MONTHS = 12
NEVER_AFTER_MONTHS = 24
#: So many of whom no recent day is known get the announcement on the first day, twice as many on each day after it.
FIRST_WAVE = 50
#: The turn of those of whom no recent day is known; the turn of everybody else is their silence in days.
UNDATED = 1_000_000

BOUGHT = "purchased"


class KeptBack(StrEnum):
    """Why somebody with a basis is not written to all the same."""

    SILENT = "silent"
    PURCHASED = "purchased"


def is_older(day: date, months: int, today: date) -> bool:
    """Whether more than so many months have passed since that day."""
    return (today.year * 12 + today.month - months, today.day) > (day.year * 12 + day.month, day.day)


def oldest_recent_day(today: date) -> date:
    """The first day that is not older than what counts as known."""
    year, month = divmod(today.year * 12 + today.month - 1 - NEVER_AFTER_MONTHS, 12)
    # 29 February is 1 March in a year that has none: `is_older` says so of 28 February already.
    return date(year, month + 1, today.day) if (today.month, today.day) != (2, 29) else date(year, 3, 1)


def last_sign(days: Iterable[date | None]) -> date | None:
    """The most recent of these days."""
    return max((day for day in days if day is not None), default=None)


def keep_back(last_seen_on: date | None, last_sign_on: date | None, today: date) -> KeptBack | None:
    """Whether somebody who comes in today was silent for too long.

    `last_seen_on` is when they last did something, `last_sign_on` the same or the day of their basis if that is later. An
    old basis alone says nothing about what they did since.
    """
    if last_seen_on is None or last_sign_on is None or not is_older(last_sign_on, NEVER_AFTER_MONTHS, today):
        return None
    return KeptBack.SILENT


def turn_of(last_sign_on: date | None, today: date) -> int:
    """The place in the order of an announcement, the lowest first."""
    if last_sign_on is None or is_older(last_sign_on, NEVER_AFTER_MONTHS, today):
        return UNDATED
    return max(0, (today - last_sign_on).days)


def wave_of(days_since_first: int, first: int = FIRST_WAVE) -> int:
    """How many of whom no recent day is known may get the announcement on that day; the first is day 0."""
    return first << min(days_since_first, 40)


def why_kept_back(reason: str, last_sign_on: date | None) -> str:
    """The reason as a sentence for people."""
    if reason == KeptBack.PURCHASED:
        return "the address was bought (source purchased), which nobody agreed to; their own sign-up ends this"
    since = f"since {last_sign_on}" if last_sign_on else "for years"
    return f"silent {since}, more than two years before they came in; their own sign-up ends this"
