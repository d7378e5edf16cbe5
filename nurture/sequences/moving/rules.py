"""Where people in flight land when they go from one version of a sequence to another: pure.

Whoever moves goes on at the step they stand on. If the new version has no such step, they go on to the next one, in the
order of the old file, that they would have come by and that is still there; if there is none, they have come to the
end. A step inside a branch they never entered is never landed on: they land on the branch, which decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

#: Which way of which step: ("interested", "then").
Way = tuple[str, str]


@dataclass(frozen=True)
class Outline:
    """A sequence as far as landing depends on it: every step in the order of the file, with the ways around it."""

    around: Mapping[str, tuple[Way, ...]]
    goes_back: Mapping[str, str] = field(default_factory=dict)  # from a goto to its target

    @property
    def first(self) -> str | None:
        return next(iter(self.around), None)

    def after(self, step: str) -> Iterator[str]:
        """The steps behind this one in the file, those of the other ways at a branch left out."""
        order = list(self.around)
        taken = dict(self.around[step])
        for other in order[order.index(step) + 1 :]:
            if all(taken.get(branch, way) == way for branch, way in self.around[other]):
                yield other

    def still_to_come(self, step: str) -> frozenset[str]:
        """What somebody who stands here may yet come by, in loops too."""
        found: set[str] = set()
        waiting = [step] if step in self.around else []
        while waiting:
            for one in (here := waiting.pop(), *self.after(here)):
                if one in found:
                    continue
                found.add(one)
                if one in self.goes_back:
                    waiting.append(self.goes_back[one])
        return frozenset(found)


def land(old: Outline, new: Outline, step: str | None) -> str | None:
    """The step of the new version on which somebody goes on who stands on this one of the old; None is the end."""
    if step is None or step in new.around:
        return step
    if step not in old.around:
        return None
    here = set(old.around[step])
    for following in old.after(step):
        if following not in new.around:
            continue
        # Behind it in the file, but inside a branch: only from outside, unless the branch is gone.
        if here.issuperset(old.around[following]) or here.issuperset(new.around[following]):
            return next((branch for branch, way in new.around[following] if (branch, way) not in here), following)
    return None
