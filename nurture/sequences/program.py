"""What a sequence is when it runs: steps that know where they lead, exits, the window. Frozen values, no behavior.

`building` makes it from a file, `engine` walks through it, `graph` draws it. A step is found by its id; `next` None is
the end of the sequence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeAlias

from nurture.conditions import Asks, Condition, walk
from nurture.timing import Duration, Moment, Window
from nurture.tracking.rules import RECORDED


@dataclass(frozen=True)
class Late:
    """How late a mail may still be sent, and what happens to a later one: `skip` it, or `exit`."""

    within: timedelta
    otherwise: str = "skip"


@dataclass(frozen=True)
class Send:
    """Ask for a mail, wait until it is settled. With `slots` the mail offers so many times for a meeting."""

    id: str
    next: str | None
    kind: str = "value"
    on_failure: str = "exit"  # or "next"
    late: Late | None = None
    slots: int = 0


@dataclass(frozen=True)
class Wait:
    """Stand still for a length of time, counted from when the clock of this step began to run."""

    id: str
    next: str | None
    length: Duration


@dataclass(frozen=True)
class WaitUntil:
    """Stand still until a date, a day of the week, or a date that is a field of the contact."""

    id: str
    next: str | None
    moment: Moment
    text: str
    if_missing: str = "exit"  # or "next"


@dataclass(frozen=True)
class Branch:
    """Go one way or the other."""

    id: str
    when: Condition
    text: str
    then: str | None
    otherwise: str | None


@dataclass(frozen=True)
class WaitFor:
    """Stand still until something holds, at most for `up_to`."""

    id: str
    when: Condition
    text: str
    up_to: Duration
    then: str | None
    otherwise: str | None


@dataclass(frozen=True)
class Arm:
    """One way of a split, taken by `weight` of the sum of all weights."""

    name: str
    weight: float
    first: str | None


@dataclass(frozen=True)
class WinnerRule:
    """When an A/B test stops: enough people per arm had `after` to reach the goal, and one arm is better for sure.

    `confidence` is in percent; `up_to` ends the test without a winner, each arm keeping its weight.
    """

    goal: Condition
    text: str
    after: timedelta
    at_least: int = 100
    confidence: float = 95
    up_to: timedelta | None = None

    @property
    def reads_recorded(self) -> bool:
        """Whether the goal reads opens and clicks: then only those count of whom we would know."""
        return any(isinstance(part, Asks) and part.predicate in RECORDED for part in walk(self.goal))


@dataclass(frozen=True)
class Split:
    """Go one of several ways by chance, which is a hash: the same person always goes the same way."""

    id: str
    arms: tuple[Arm, ...]
    winner: WinnerRule | None = None

    @property
    def signature(self) -> str:
        """Names the arms: a test whose arms were edited is another test."""
        return "|".join(f"{arm.name}={arm.weight:g}" for arm in self.arms)


@dataclass(frozen=True)
class AddTag:
    id: str
    next: str | None
    tag: str


@dataclass(frozen=True)
class RemoveTag:
    id: str
    next: str | None
    tag: str


@dataclass(frozen=True)
class SetFields:
    id: str
    next: str | None
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class ChangeList:
    """Join a list, or leave it."""

    id: str
    next: str | None
    list: str
    is_joining: bool = True


@dataclass(frozen=True)
class GivePoints:
    id: str
    next: str | None
    points: float
    because: str
    half_life: timedelta | None = None


@dataclass(frozen=True)
class Notify:
    """Tell somebody who works here: `to` is "owner" or an operator's address."""

    id: str
    next: str | None
    to: str
    subject: str
    text: str = ""


@dataclass(frozen=True)
class AddTask:
    """Give somebody who works here something to do."""

    id: str
    next: str | None
    to: str
    what: str
    due_after: Duration


@dataclass(frozen=True)
class CallWebhook:
    """Tell another system; `send` names the fields of the contact that go along."""

    id: str
    next: str | None
    url: str
    send: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class EnrollIn:
    """Put the contact at the start of another sequence."""

    id: str
    next: str | None
    sequence: str


@dataclass(frozen=True)
class HandOver:
    id: str
    next: str | None


@dataclass(frozen=True)
class GoTo:
    """Go back, at most so many times; after that, on to `next`."""

    id: str
    next: str | None
    to: str
    at_most: int | None = None


@dataclass(frozen=True)
class End:
    id: str
    reason: str


Step: TypeAlias = (
    Send
    | Wait
    | WaitUntil
    | Branch
    | WaitFor
    | Split
    | AddTag
    | RemoveTag
    | SetFields
    | ChangeList
    | GivePoints
    | Notify
    | AddTask
    | CallWebhook
    | EnrollIn
    | HandOver
    | GoTo
    | End
)


@dataclass(frozen=True)
class Exit:
    """A condition that ends the sequence wherever somebody stands in it."""

    when: Condition
    text: str
    reason: str


@dataclass(frozen=True)
class Sequence:
    """A published sequence, ready to run."""

    name: str
    topic: str
    sender: str
    first: str | None
    steps: Mapping[str, Step]
    exits: tuple[Exit, ...] = ()
    window: Window | None = None
    window_zone: str = "contact"  # or "owner", or the name of a time zone
    late: Late | None = None
    #: For `sender` "owner": whose name the mails carry until the owner agreed to them; "wait" for nobody's.
    until_agreed: str = "default"
    priority: int = 50
    compatible_with: frozenset[str] = frozenset()  # "all" stands for every other sequence
    if_busy: str = "wait"  # or "skip", "replace"

    @cached_property
    def questions(self) -> frozenset[str]:
        """What its conditions ask of a person who is on it; the rest need not be gathered."""
        asked = [step.when for step in self.steps.values() if isinstance(step, Branch | WaitFor)]
        asked += [one.when for one in self.exits]
        return frozenset(part.predicate for when in asked for part in walk(when) if isinstance(part, Asks))

    def is_compatible_with(self, other: "Sequence") -> bool:
        """Whether one person may be on both: one of them has to say so."""
        return any(one.compatible_with & {"all", another.name} for one, another in ((self, other), (other, self)))


def ways_from(step: Step) -> Iterator[tuple[str, str | None]]:
    """Every way on from a step: what it is called, and where it leads; None is the end."""
    match step:
        case Branch(then=then, otherwise=otherwise):
            yield "yes", then
            yield "no", otherwise
        case WaitFor(then=then, otherwise=otherwise):
            yield "in time", then
            yield "too late", otherwise
        case Split(arms=arms):
            for arm in arms:
                yield arm.name, arm.first
        case GoTo(to=to, next=following, at_most=at_most):
            yield "again", to
            if at_most is not None:
                yield "enough", following
        case End():
            return
        case _:
            yield "", step.next
