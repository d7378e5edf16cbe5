"""The book of a campaign: one page that holds everything somebody has to see before they say yes to it.

It stands alone: no script, no font, no picture from anywhere, and a content security policy that says so. Mails are
shown as they are, each in a frame that may do nothing, with its text beside it.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nurture.campaigns.reading import Problem
from nurture.campaigns.silencing import Silenced
from nurture.figures import Rate, counted
from nurture.reports.terms import Ruling, Term
from nurture.sequences.simulation.expectations import Judgement
from nurture.sequences.simulation.outcomes import Outcome
from nurture.sequences.simulation.world import Ending

_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
#: A link in a frame asks for a window of its own, which the frame may not open: nothing is ever followed.
_NOWHERE = '<base target="_blank">'
_IN_THE_DARK = re.compile(r"prefers-color-scheme:\s*dark", re.IGNORECASE)
_ADDRESS = re.compile(r"<[a-z]+:[^>\s]*>")
_LINE, _GAP, _AROUND = 28, 18, 200
_LETTERS, _LETTERS_ON_PHONES = 48, 30  # of a line


@dataclass(frozen=True)
class Page:
    """One mail of the campaign."""

    name: str
    subject: str
    preheader: str
    kind: str
    sender: str
    html: str
    text: str
    links: tuple[tuple[str, str], ...]
    note: str = ""

    @property
    def framed(self) -> str:
        """Its HTML in the light, with links that lead nowhere."""
        html = _IN_THE_DARK.sub("max-width: 0", self.html)
        return _HEAD.sub(lambda match: match[0] + _NOWHERE, html, count=1)

    @property
    def height(self) -> int:
        """About how tall it is, in pixels: nobody can measure a frame without a script, so rather more."""
        return self._height(_LETTERS)

    @property
    def height_on_phones(self) -> int:
        return self._height(_LETTERS_ON_PHONES)

    def _height(self, letters: int) -> int:
        lines = _ADDRESS.sub("", self.text).splitlines()
        return _AROUND + sum(_LINE * math.ceil(len(line) / letters) if line.strip() else _GAP for line in lines)


@dataclass(frozen=True)
class Bar:
    """Mails on one day after people came in; the day they came in is day 0."""

    day: int
    mails: int
    width: float
    what: str


@dataclass(frozen=True)
class Reach:
    """Who gets a mail, and how many days after they came in: half of them, nine of ten."""

    mail: str
    share: Rate
    half: float
    ninth: float


@dataclass(frozen=True)
class Rehearsed:
    """What a simulation told beforehand."""

    who: str
    found: Outcome
    judged: tuple[Judgement, ...]
    bars: tuple[Bar, ...]
    reaches: tuple[Reach, ...]


@dataclass(frozen=True)
class Book:
    """Everything in it; what a campaign does not have is empty."""

    kind: str
    name: str
    title: str
    facts: tuple[tuple[str, str], ...]
    lead: str
    pages: tuple[Page, ...]
    terms: tuple[Term, ...]
    topic: str
    rulings: tuple[Ruling, ...]
    tracking: str
    problems: tuple[Problem, ...]
    silenced: tuple[Silenced, ...]
    changes: tuple[str, ...]
    since: str
    plan: str  # what names exactly these files
    made_at: datetime
    graph: Markup | None = None
    is_tall: bool = False  # too tall for one sheet of paper: it goes on on the next
    people: str = ""
    rehearsed: Rehearsed | None = None
    slots: tuple[tuple[str, str], ...] = field(default=())

    @property
    def errors(self) -> int:
        return sum(one.severity == "error" for one in self.problems)


def write_book(book: Book) -> str:
    """The page."""
    return _JINJA.get_template("book.html").render(book=book)


def rehearse(
    who: str, endings: Sequence[Ending], found: Outcome, judged: Sequence[Judgement], order: Sequence[str]
) -> Rehearsed:
    """What lives tell, counted in days since each began; `order` is that of the mails."""
    by_mail: dict[str, list[float]] = {name: [] for name in order}
    by_day: dict[int, Counter[str]] = {}
    for ending in endings:
        first: dict[str, float] = {}
        for one in ending.sent:
            days = (one.at - ending.began_at).total_seconds() / 86_400
            first.setdefault(one.step, days)
            by_day.setdefault(int(days), Counter())[one.step] += 1
        for step, days in first.items():
            by_mail.setdefault(step, []).append(days)
    most = max((sum(one.values()) for one in by_day.values()), default=1)
    bars = tuple(
        Bar(day, sum(one.values()), round(100 * sum(one.values()) / most, 1), _told(one))
        for day, one in sorted(by_day.items())
    )
    reaches = tuple(
        Reach(mail, found.reached[mail], median(took), sorted(took)[math.ceil(0.9 * len(took)) - 1])
        for mail, took in by_mail.items()
        if took
    )
    return Rehearsed(who, found, tuple(judged), bars, reaches)


def _told(mails: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(mails.items(), key=lambda one: -one[1]))


_JINJA = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    loader=PackageLoader("nurture.reports", "pages"),
)  # fmt: skip
_JINJA.filters["counted"] = counted
_JINJA.filters["number"] = lambda value: f"{value:,}"
