"""What the lives of one simulation have in common: the sequence, the house, how people behave, and how fast mail leaves. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from nurture.conditions import Compare, Condition, Missing, OneOf, walk
from nurture.delivery.pacing.rules import Pace
from nurture.sequences.decisions import Passed
from nurture.sequences.program import Branch, Sequence, WaitFor
from nurture.sequences.simulation.habits import Behavior
from nurture.sequences.simulation.postbox import Pacer
from nurture.sequences.simulation.scorekeeping import has_steady_fit, may_fade_up
from nurture.sequences.simulation.world import World

#: What fades; a stage only ever rises with points.
_FADING = frozenset({"score", "fit"})


@dataclass
class Rehearsal:
    """What the lives of one simulation have in common."""

    program: Sequence
    world: World
    behavior: Behavior
    begins_at: datetime
    ends_at: datetime
    seed: int = 0
    winners: dict[str, str] = field(default_factory=dict)  # the arm that won, by split
    on_passed: Callable[[int, Passed], None] | None = None
    pacer: Pacer = field(init=False)
    has_steady_fit: bool = field(init=False)
    reads_score: bool = field(init=False)  # anywhere; and where somebody stands still
    rests_on_score: bool = field(init=False)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.begins_at, Pace(self.world.limits.per_second))
        steps = self.program.steps.values()
        at_rest = [one.when for one in self.program.exits] + [one.when for one in steps if isinstance(one, WaitFor)]
        model = self.world.model
        self.has_steady_fit = model is not None and has_steady_fit(model)
        self.rests_on_score = any(map(_reads_score, at_rest)) or (model is not None and may_fade_up(model))
        self.reads_score = self.rests_on_score or any(
            _reads_score(one.when) for one in steps if isinstance(one, Branch)
        )

    @property
    def days(self) -> int:
        return (self.ends_at - self.begins_at).days


def _reads_score(condition: Condition) -> bool:
    return any(part.field in _FADING for part in walk(condition) if isinstance(part, Compare | OneOf | Missing))
