"""Times to meet that a mail offers: which ones, what their reader sees of them, and where its links lead.

They are chosen when the mail is first rendered and kept with its facts, so that the page behind the links shows the very
same ones. Nobody's calendar is asked: they lie in the working hours of whoever would be met, from tomorrow on, each on
another day, and at a civil hour where the reader is if there is one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from nurture.contacts.store import Operator
from nurture.timing import Window, find_zone, parse_days, parse_hours

_LENGTH = timedelta(minutes=30)
#: Nobody reads a mail and is ready at once.
_NOTICE = timedelta(hours=12)
_DAYS_AHEAD = 30
#: Where in the day each time lies, so that who has no mornings finds an afternoon.
_PLACES = (0.25, 0.75, 0.5)
_CIVIL = Window(frozenset(range(5)), *parse_hours("08:00-18:00"))

#: What `mail.meeting` is in a mail that offers times, as a check and a preview show it.
SAMPLE_MEETING: Mapping[str, Any] = {
    "url": "https://news.example/meet/sample",
    "slots": [
        {"label": "Tuesday 10 March, 11:00 (Berlin time)", "url": "https://news.example/meet/sample?slot=1"},
        {"label": "Wednesday 11 March, 15:00 (Berlin time)", "url": "https://news.example/meet/sample?slot=2"},
        {"label": "Thursday 12 March, 13:00 (Berlin time)", "url": "https://news.example/meet/sample?slot=3"},
    ],
}


@dataclass(frozen=True)
class Offer:
    """The times of one mail, numbered from 1, and whom one would meet."""

    operator_id: int
    zone: ZoneInfo  # the reader's
    times: tuple[datetime, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "operator": str(self.operator_id),
            "zone": self.zone.key,
            "times": [at.isoformat() for at in self.times],
        }


def read_offer(facts: Mapping[str, Any] | None) -> Offer | None:
    """The offer that was kept with a mail; None for a mail that offers none."""
    kept = (facts or {}).get("meeting")
    if kept is None:
        return None
    zone = find_zone(kept["zone"]) or ZoneInfo("UTC")
    return Offer(int(kept["operator"]), zone, tuple(datetime.fromisoformat(at) for at in kept["times"]))


def make_offer(operator: Operator, zone: ZoneInfo, count: int, now: datetime) -> Offer:
    """The next times of this operator for a reader in `zone`."""
    hours = Window(parse_days(operator.days), *parse_hours(operator.hours))
    theirs = find_zone(operator.timezone) or ZoneInfo("UTC")
    return Offer(operator.id, zone, choose_times(hours, theirs, zone, count, now))


def choose_times(
    hours: Window, zone: ZoneInfo, reader_zone: ZoneInfo, count: int, now: datetime
) -> tuple[datetime, ...]:
    """At most `count` half hours within `hours` in `zone`, one a day, at a civil hour of the reader's if any is."""
    days = [list(half_hours) for half_hours in _days(hours, zone, now)]
    civil = [[at for at in half_hours if _is_civil(at, reader_zone)] for half_hours in days]
    # Berlin and Los Angeles share no civil hour; then the reader decides what is early.
    chosen = [half_hours for half_hours in (civil if any(civil) else days) if half_hours][:count]
    return tuple(
        half_hours[int(len(half_hours) * _PLACES[number % len(_PLACES)])] for number, half_hours in enumerate(chosen)
    )


def _days(hours: Window, zone: ZoneInfo, now: datetime) -> Iterator[Iterator[datetime]]:
    today = now.astimezone(zone).date()
    for opening in islice(hours.openings(now, zone), _DAYS_AHEAD):
        if opening.opens_at.astimezone(zone).date() > today:
            yield _half_hours(max(opening.opens_at, now + _NOTICE), opening.closes_at)


def _half_hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """Every full and half hour from which a meeting ends in time."""
    past = timedelta(minutes=start.minute % 30, seconds=start.second, microseconds=start.microsecond)
    at = start - past + (_LENGTH if past else timedelta(0))
    while at + _LENGTH <= end:
        yield at
        at += _LENGTH


def _is_civil(at: datetime, zone: ZoneInfo) -> bool:
    opening = _CIVIL.opening(at, zone)
    return opening.opens_at <= at and at + _LENGTH <= opening.closes_at


def label_of(at: datetime, zone: ZoneInfo) -> str:
    """`Tuesday 10 March, 11:00 (Berlin time)`: as the reader's own clock has it."""
    place = zone.key.rpartition("/")[2].replace("_", " ")
    return f"{at.astimezone(zone):%A %-d %B, %H:%M} ({place if place == 'UTC' else f'{place} time'})"


def addresses_of(offer: Offer, url: str) -> dict[str, Any]:
    """What `mail.meeting` is in the mail whose page to pick a time is `url`."""
    return {
        "url": url,
        "slots": [
            {"label": label_of(at, offer.zone), "url": f"{url}?slot={number}"}
            for number, at in enumerate(offer.times, start=1)
        ],
    }


def mails_of(offer: Offer, write: Callable[[str], str]) -> dict[str, Any]:
    """The same where no page can be reached: `write` makes the mail that picks a time, or another one."""
    slots = [{"label": label, "url": write(label)} for label in (label_of(at, offer.zone) for at in offer.times)]
    return {"url": write(""), "slots": slots}
