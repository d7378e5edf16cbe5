"""Days on which nothing leaves: the public holidays of a country, and spans of days that the house names itself.

A holiday is written as a country, "DE", or a part of one, "DE-BY", by the codes of ISO 3166. "contact" stands for the
country of whoever is written to and is resolved by whoever knows it.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from nurture.errors import BadInput, did_you_mean

CONTACT = "contact"
_SPAN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s*\.\.\s*(\d{4}-\d{2}-\d{2}))?")


@dataclass(frozen=True)
class DaySpan:
    """From one day to another, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def parse_day_span(text: str) -> DaySpan:
    """Read "2027-05-01", or "2026-12-24..2027-01-01" with both ends included."""
    match = _SPAN.fullmatch(text.strip())
    try:
        first, last = (
            (date.fromisoformat(match[1]), date.fromisoformat(match[2] or match[1])) if match else (None, None)
        )
    except ValueError:
        first = last = None
    if first is None or last is None or last < first:
        raise BadInput(
            f'"{text}" names no days; write one such as "2027-05-01", or the first and the last: "2026-12-24..2027-01-01".'
        )
    return DaySpan(first, last)


def parse_holidays(written: str | Sequence[str]) -> tuple[str, ...]:
    """Read "DE", ["DE-BY", "AT"] or "contact": codes as they are known, each once."""
    return tuple(dict.fromkeys(_known(code) for code in ([written] if isinstance(written, str) else written)))


def _known(code: str) -> str:
    word = code.strip().casefold()
    if word == CONTACT:
        return CONTACT
    if word not in _codes():
        country = _codes().get(re.split(r"[^a-z]", word)[0], "")
        near = [
            CONTACT,
            *(known for known in _codes().values() if known.partition("-")[0] == country or "-" not in known),
        ]
        word = word.upper() if country else word
        raise BadInput(
            f'"{code}" is no country whose holidays are known; write one such as "DE", a part of one such as "DE-BY", '
            f'or "contact".{did_you_mean(word, near)}'
        )
    return _codes()[word]


@functools.cache
def _codes() -> dict[str, str]:
    """How each code is spelt, by the code in small letters."""
    # Late, because it takes longer than the rest of the command line and most commands need no calendar.
    from holidays import list_supported_countries

    countries = list_supported_countries()
    codes = [*countries, *(f"{country}-{part}" for country, parts in countries.items() for part in parts)]
    return {code.casefold(): code for code in codes}


def is_holiday(day: date, codes: Iterable[str]) -> bool:
    """Whether the day is a public holiday by one of these codes.

    Codes were checked when they were read. One that means nothing here, such as a "contact" of no known country, has no
    holidays: a published window must go on to work whatever a later version of the calendar calls its countries.
    """
    return any(day in _holidays(code, day.year) for code in codes)


@functools.lru_cache(maxsize=4096)
def _holidays(code: str, year: int) -> frozenset[date]:
    if code == CONTACT or code.casefold() not in _codes():
        return frozenset()
    from holidays import country_holidays

    country, _, part = _codes()[code.casefold()].partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))
