"""When an A/B test is over: the rule by which one arm of a split wins. Pure.

Whoever looks at a running test again and again finds a winner where there is none (Armitage, McPherson and Rowe, 1969).
So a test is looked at only when every arm has had `at_least` people, then twice as many, four times as many, and each
look may be wrong with half the chance of the one before: all looks together stay within 100 − `confidence` percent.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist

from nurture.sequences.program import WinnerRule


@dataclass(frozen=True)
class Score:
    """What an arm has shown: of how many people how many reached the goal."""

    people: int
    hits: int
    not_tracked: int | None = None  # left out of `people`, when the goal is one that only tracked people can reach

    @property
    def share(self) -> float:
        return self.hits / self.people if self.people else 0.0


@dataclass(frozen=True)
class Ended:
    """How a test ended: the arm that won, or None for a draw, and why."""

    arm: str | None
    because: str


def judge(rule: WinnerRule, arms: Mapping[str, Score], *, running_for: timedelta, looks_done: int) -> Ended | None:
    """The end of a test, None while it goes on. `looks_done` is how many looks found no winner before."""
    fewest = min(score.people for score in arms.values())
    if fewest >= rule.at_least * 2**looks_done:
        best, *others = sorted(arms, key=lambda name: -arms[name].share)
        wrong = (1 - rule.confidence / 100) / 2 ** (looks_done + 1) / len(others)
        if all(chance_of_luck(arms[best], arms[other]) <= wrong for other in others):
            return Ended(best, f"{_told(best, arms)} against {', '.join(_told(other, arms) for other in others)}")
    if rule.up_to is not None and running_for >= rule.up_to:
        return Ended(None, f"no arm was better for sure: {', '.join(_told(name, arms) for name in arms)}")
    return None


def looks(rule: WinnerRule, fewest: int) -> int:
    """How many looks a test has had once its smallest arm has so many people."""
    return 0 if fewest < rule.at_least else int(math.log2(fewest / rule.at_least)) + 1


def chance_of_luck(better: Score, other: Score) -> float:
    """How likely the better one is ahead so far by luck alone: the two-proportion z-test, two-sided."""
    if not better.people or not other.people:
        return 1.0
    pooled = (better.hits + other.hits) / (better.people + other.people)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / better.people + 1 / other.people))
    if spread == 0:
        return 1.0
    return 2 * (1 - NormalDist().cdf(abs(better.share - other.share) / spread))


def _told(name: str, arms: Mapping[str, Score]) -> str:
    arm = arms[name]
    whom = "" if arm.not_tracked is None else f" tracked readers ({arm.not_tracked:,} are not tracked)"
    return f'"{name}" {100 * arm.share:.1f} % of {arm.people:,}{whom}'
