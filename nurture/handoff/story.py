"""The story a rep gets with a lead: who, why now, what they read, how they came in, what they agreed to. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from nurture.handoff.rules import WORDS, Reason
from nurture.scoring.rules import Part


@dataclass(frozen=True)
class Read:
    """Something they did with a mail of ours."""

    what: str
    occurred_at: datetime


@dataclass(frozen=True)
class Story:
    """One line each, as the hand-off mail and `nurture leads` show them."""

    who: str
    headline: str  # the reason in a few words
    why_now: str
    reads: tuple[str, ...]
    points: tuple[str, ...]
    came_in: str
    agreed: str
    ability: str = ""  # whether they can buy, as far as somebody said so

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reads": list(self.reads), "points": list(self.points)}

    def lines(self) -> list[str]:
        return [self.who, self.why_now, *filter(None, [self.ability]), *self.reads, self.came_in, self.agreed]


_MOST_READS = 8


def tell(
    *,
    name: str,
    job_title: str | None,
    company: str | None,
    country: str | None,
    reason: Reason,
    because: str,
    score: float,
    fit: str | None,
    reads: Sequence[Read],
    parts: Sequence[Part],
    source: str | None,
    came_in_at: datetime,
    basis: str | None,
    basis_on: date | None,
    abilities: Mapping[str, str] = MappingProxyType({}),
) -> Story:
    """Put together what is known; what is not known is left out, never guessed."""
    work = " at ".join(part for part in (job_title, company) if part)
    who = ", ".join(part for part in (name, work, country) if part)
    said = f' They said: "{because}"' if because else ""
    return Story(
        who=who,
        headline=WORDS[reason],
        why_now=f"{WORDS[reason].capitalize()}: {score:g} points{f', fit {fit}' if fit else ''}.{said}",
        reads=tuple(
            f"{read.occurred_at:%-d %b}: {read.what}"
            for read in sorted(reads, key=lambda read: read.occurred_at, reverse=True)[:_MOST_READS]
        ),
        points=tuple(f"{part.points:+g}  {part.activity or part.rule}" for part in parts[:_MOST_READS]),
        came_in=f"Came in through {source or 'an unknown source'} on {came_in_at:%-d %B %Y}.",
        agreed=_agreed(basis, basis_on),
        ability=" ".join(f"{name.capitalize()}: {told}." for name, told in abilities.items()),
    )


def _agreed(basis: str | None, basis_on: date | None) -> str:
    if basis is None:
        return "We know of no basis to write to them about."
    return f"We may write to them as {basis}{f', since {basis_on:%-d %B %Y}' if basis_on else ''}."
