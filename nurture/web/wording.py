"""What the public pages say, in the languages they speak: every sentence stands in `words/LANGUAGE/PAGE.toml`.

A page speaks the language its visitor chose on it (`?language=de`, a plain link), else the one known of the contact,
else what the browser asks for, else English. The texts are ours and may hold markup; what is filled in is escaped. All
languages have the same keys with the same placeholders, which a test keeps.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from nurture.web.visits import Visit

ENGLISH = "en"
#: Each by its own name, in the order in which pages offer them.
LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Tongue:
    """A language as a page offers it: where its link leads, and whether the page speaks it already."""

    code: str
    name: str
    link: str
    is_spoken: bool


@dataclass(frozen=True)
class Wording:
    """The words of one page for one visitor."""

    language: str = ENGLISH
    offered: tuple[Tongue, ...] = ()

    def say(self, key: str, **values: Any) -> Markup:
        """The text `page.key` of words/, with `values` filled in and escaped."""
        return Markup(texts_of(self.language)[key]).format(**values)  # noqa: S704 — our own files; `format` escapes values

    def day(self, value: date) -> str:
        """`10 March 2026`: no reader takes it for another day."""
        month = self.say(f"dates.{_MONTHS[value.month - 1]}")
        key = "dates.first" if value.day == 1 else "dates.day"
        return self.say(key, day=value.day, month=month, year=value.year)

    def time(self, at: datetime, zone: ZoneInfo) -> str:
        """`Tuesday 10 March, 14:30 (Berlin time)`, as somebody in `zone` reads it."""
        local = at.astimezone(zone)
        return self.say(
            "dates.time",
            weekday=self.say(f"dates.{_WEEKDAYS[local.weekday()]}"),
            day=local.day,
            month=self.say(f"dates.{_MONTHS[local.month - 1]}"),
            time=f"{local:%H:%M}",
            zone="UTC"
            if zone.key == "UTC"
            else self.say("dates.zone", city=zone.key.rpartition("/")[2].replace("_", " ")),
        )


def wording_for(visit: Visit, language: str | None = None) -> Wording:
    """The words for one visit; `language` is the contact's, such as `de-AT`, where one is known."""
    asked = visit.asked.get("language", "")
    code = asked if asked in LANGUAGES else _known(language) or _preferred(visit.accept_language) or ENGLISH
    offered = tuple(
        Tongue(one, name, f"?{urlencode({**visit.asked, 'language': one})}", one == code)
        for one, name in LANGUAGES.items()
    )
    return Wording(code, offered)


@cache
def texts_of(language: str) -> dict[str, str]:
    """Every text of a language under `page.key`."""
    folder = files("nurture.web").joinpath("words", language)
    return {
        f"{file.name.removesuffix('.toml')}.{key}": text
        for file in folder.iterdir()
        if file.name.endswith(".toml")
        for key, text in tomllib.loads(file.read_text("utf-8")).items()
    }


def _known(language: str | None) -> str | None:
    code = (language or "").partition("-")[0].strip().lower()
    return code if code in LANGUAGES else None


def _preferred(header: str) -> str | None:
    """The language of ours that an Accept-Language header likes best (RFC 9110, 12.5.4)."""
    liked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:20]):
        name, _, rest = part.partition(";")
        code = _known(name)
        weight = _weight(rest)
        if code and weight > 0:
            liked.append((-weight, place, code))
    return min(liked)[2] if liked else None


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
