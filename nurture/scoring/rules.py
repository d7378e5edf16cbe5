"""score = f(deeds, fields, now): a pure function that shows its working.

Each rule looks at each deed; what it gives halves with every half-life, and all it gives together stays under its cap.
Parts are rounded before they are summed, so that what `score explain` lists adds up to the score exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.conditions import Condition, Facts, Value, holds
from nurture.contacts.fields import FIT_GRADES
from nurture.tracking.rules import ANSWERED_BY, Deed, matches


@dataclass(frozen=True)
class ActivityRule:
    """Points for each deed that fits, halving every `half_life`; all of them together at most `cap`."""

    text: str
    when: Condition
    points: float
    half_life: timedelta | None = None
    cap: float | None = None


@dataclass(frozen=True)
class FitRule:
    """Points for being like the people we want."""

    text: str
    when: Condition
    points: float


@dataclass(frozen=True)
class Model:
    """The published scoring: rules, the points each grade begins at, and the line to cross."""

    activities: tuple[ActivityRule, ...] = ()
    fit: tuple[FitRule, ...] = ()
    grades: tuple[tuple[str, float], ...] = ()
    threshold_score: float = 60
    threshold_fit: str = "D"


@dataclass(frozen=True)
class Given:
    """Points that somebody or a sequence gave outright."""

    points: float
    because: str
    given_at: datetime
    half_life: timedelta | None = None


@dataclass(frozen=True)
class Part:
    """One contribution to a score or to the fit."""

    points: float
    rule: str
    activity: str = ""
    occurred_at: datetime | None = None


@dataclass(frozen=True)
class Result:
    """A score with its working: `parts` sum to `score`, `fit_parts` to `fit_points`."""

    score: float
    fit: str
    fit_points: float
    parts: tuple[Part, ...]
    fit_parts: tuple[Part, ...]


def compute(
    model: Model,
    deeds: Sequence[Deed],
    given: Sequence[Given],
    facts: Facts,
    now: datetime,
    *,
    fit_parts: tuple[Part, ...] | None = None,
) -> Result:
    """The score of one contact at `now`; `facts` answers for their fields, tags and lists.

    `fit_parts` is what made their fit before, for whoever knows that nothing it depends on has changed.
    """
    # The newest count first, so that what falls under a cap is what matters most now.
    done = sorted((deed for deed in deeds if deed.occurred_at <= now), key=lambda deed: deed.occurred_at, reverse=True)
    newest = [_DeedFacts(deed, facts, now) for deed in done]
    parts = [part for rule in model.activities for part in _parts(rule, newest, now)]
    parts += [_given_part(one, now) for one in given if one.given_at <= now]
    parts = [part for part in parts if part.points]
    if fit_parts is None:
        fit_parts = tuple(Part(rule.points, rule.text) for rule in model.fit if holds(rule.when, facts))
    fit_points = round(sum(part.points for part in fit_parts), 1)
    return Result(
        score=round(sum(part.points for part in parts), 1),
        fit=grade(dict(model.grades), fit_points),
        fit_points=fit_points,
        parts=tuple(sorted(parts, key=lambda part: (-part.points, part.rule))),
        fit_parts=fit_parts,
    )


def _parts(rule: ActivityRule, newest: Sequence["_DeedFacts"], now: datetime) -> list[Part]:
    left = rule.cap if rule.cap is not None else float("inf")
    parts = []
    for one in newest:
        if left <= 0 or not holds(rule.when, one):
            continue
        deed = one.deed
        points = round(min(decayed(rule.points, deed.occurred_at, rule.half_life, now), left), 1)
        left -= points
        what = deed.kind if not deed.place else f"{deed.kind} {deed.place}"
        parts.append(Part(points, rule.text, f"{what} {deed.link_path}".strip(), deed.occurred_at))
    return parts


def _given_part(one: Given, now: datetime) -> Part:
    return Part(round(decayed(one.points, one.given_at, one.half_life, now), 1), one.because, "given", one.given_at)


def decayed(points: float, since: datetime, half_life: timedelta | None, now: datetime) -> float:
    """What is left of `points` after the time since."""
    return points if half_life is None else points * 0.5 ** ((now - since) / half_life)


def grade(grades: Mapping[str, float], points: float) -> str:
    """The best grade these points reach; the lowest when they reach none."""
    reached = [name for name in FIT_GRADES if name in grades and points >= grades[name]]
    return reached[-1] if reached else FIT_GRADES[0]


def is_over_the_line(model: Model, score: float, fit: str | None) -> bool:
    """Whether somebody is engaged enough, and fits well enough, to be worth a rep's time."""
    rank = FIT_GRADES.index(fit) if fit in FIT_GRADES else 0
    return score >= model.threshold_score and rank >= FIT_GRADES.index(model.threshold_fit)


@dataclass(frozen=True)
class _DeedFacts:
    """One deed, seen together with the contact it belongs to."""

    deed: Deed
    contact: Facts
    now: datetime

    def value(self, name: str) -> Value | None:
        return self.contact.value(name)

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        if predicate in ANSWERED_BY:
            return matches(self.deed, predicate, arguments, self.now)
        return self.contact.answers(predicate, arguments)
