"""Simulates a sequence beforehand: one person or thousands, on a clock that jumps from one due instant to the next. Pure.

Each life is moved by the production `advance` (`life`). Where something couples lives they are stepped together, in the
order of time: how fast the house sends, and A/B tests, whose winner the people after it get. Else each is lived alone,
which comes to the same and is faster.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nurture.conditions import holds
from nurture.sequences.decisions import Passed
from nurture.sequences.facts import from_outside
from nurture.sequences.program import Sequence as Program
from nurture.sequences.program import Split, WinnerRule
from nurture.sequences.simulation.habits import Behavior
from nurture.sequences.simulation.life import Life
from nurture.sequences.simulation.rehearsal import Rehearsal
from nurture.sequences.simulation.world import Ending, Person, World
from nurture.sequences.splits import Ended, Score, judge, looks

_HOUR = timedelta(hours=1)


def simulate(
    program: Program,
    person: Person,
    behavior: Behavior,
    world: World,
    *,
    start: datetime,
    length: timedelta,
    seed: int = 0,
) -> Ending:
    """Live through a sequence alone from `start`, at most for `length`, with everything told."""
    [ending] = simulate_all(program, [person], behavior, world, start=start, length=length, seed=seed).endings
    return ending


@dataclass(frozen=True)
class Simulated:
    """What became of everybody, in the order in which they were given, and how A/B tests ended."""

    endings: tuple[Ending, ...]
    tests: dict[str, Ended]


def simulate_all(
    program: Program,
    people: Sequence[Person],
    behavior: Behavior,
    world: World,
    *,
    start: datetime,
    length: timedelta,
    seed: int = 0,
    is_told: Callable[[Person], bool] = lambda _: True,
) -> Simulated:
    """Let everybody live through a sequence; `is_told` says whose timeline is kept."""
    rehearsal = Rehearsal(program, world, behavior, start, start + length, seed)
    tests = {
        step.id: Trial(step, step.winner) for step in program.steps.values() if isinstance(step, Split) and step.winner
    }

    def note(number: int, passed: Passed) -> None:
        if passed.step in tests:
            tests[passed.step].enter(lives[number], passed.way)

    if not tests and not world.limits.per_second:
        alone = (Life(rehearsal, person, number, is_told=is_told(person)) for number, person in enumerate(people))
        return Simulated(tuple(map(_live_alone, alone)), {})
    rehearsal.on_passed = note
    lives = [Life(rehearsal, person, number, is_told=is_told(person)) for number, person in enumerate(people)]
    _live_together(rehearsal, lives, list(tests.values()))
    ended = {name: test.ended for name, test in tests.items() if test.ended is not None}
    return Simulated(tuple(life.end() for life in lives), ended)


def _live_alone(life: Life) -> Ending:
    while (at := life.next_at) is not None and at <= life.rehearsal.ends_at:
        life.go(at)
    return life.end()


def _live_together(rehearsal: Rehearsal, lives: Sequence[Life], tests: Sequence["Trial"]) -> None:
    """Step from due instant to due instant over all lives; tests are looked at each hour, before whoever is due then."""
    ahead = [(at, number) for number, life in enumerate(lives) if (at := life.next_at) is not None]
    heapq.heapify(ahead)
    if tests:
        heapq.heappush(ahead, (_next_hour(rehearsal.begins_at), -1))
    while ahead and ahead[0][0] <= rehearsal.ends_at:
        now, number = ahead[0]
        if number < 0:
            for test in tests:
                test.look(rehearsal, now)
            is_running = any(test.ended is None for test in tests) and len(ahead) > 1
            following = now + _HOUR if is_running else None
        else:
            lives[number].go(now)
            following = lives[number].next_at
        if following is None:
            heapq.heappop(ahead)
        else:
            heapq.heapreplace(ahead, (following, number))


@dataclass
class Trial:
    """An A/B test that runs: who went which way, looked at once an hour as in production."""

    split: Split
    rule: WinnerRule
    ended: Ended | None = None
    looks_done: int = 0
    _entered: list[tuple[datetime, str, Life]] = field(default_factory=list)

    def enter(self, life: Life, arm: str) -> None:
        self._entered.append((life.now, arm, life))

    def look(self, rehearsal: Rehearsal, now: datetime) -> None:
        """End it if its rule says so; everybody who comes later gets the winner."""
        if self.ended is not None or not self._entered:
            return
        counted = [(arm, life) for at, arm, life in self._entered if at <= now - self.rule.after]
        untracked = Counter(arm for arm, life in counted if life.tracked_since is None)
        if self.rule.reads_recorded:
            counted = [(arm, life) for arm, life in counted if life.tracked_since is not None]
        people = {arm.name: sum(taken == arm.name for taken, _ in counted) for arm in self.split.arms}
        fewest, running_for = min(people.values()), now - self._entered[0][0]
        is_decided_now = fewest >= self.rule.at_least * 2**self.looks_done
        if not is_decided_now and (self.rule.up_to is None or running_for < self.rule.up_to):
            return
        others = untracked if self.rule.reads_recorded else None
        arms = {
            arm: Score(count, self._hits(arm, counted, rehearsal, now), others[arm] if others is not None else None)
            for arm, count in people.items()
        }
        self.ended = judge(self.rule, arms, running_for=running_for, looks_done=self.looks_done)
        self.looks_done = max(self.looks_done, looks(self.rule, fewest))
        if self.ended is not None and self.ended.arm is not None:
            rehearsal.winners[self.split.id] = self.ended.arm

    def _hits(self, arm: str, counted: Sequence[tuple[str, Life]], rehearsal: Rehearsal, now: datetime) -> int:
        goal = from_outside(self.rule.goal, rehearsal.program.name)
        people = (life.facts() for taken, life in counted if taken == arm)
        return sum(holds(goal, replace(facts, enrollment_id=None, now=now)) for facts in people)


def _next_hour(at: datetime) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if hour == at else hour + _HOUR
