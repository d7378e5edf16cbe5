"""Where a sender's time goes: by the clocks around its stages, and by the functions its profile names."""

import pstats
from collections import Counter
from collections.abc import Sequence

from benchmarks.sending.scene import Sent

_Place = tuple[str, int, str]


def print_stages(clocked: Sent, profiled: Sequence[pstats.Stats]) -> None:
    """µs of the processor for a message."""
    print(f"\n{1e6 * clocked.processor / clocked.messages:.0f} µs of the processor for a message:")
    for stage, seconds in sorted(clocked.stages.items(), key=lambda one: -one[1]):
        print(f"  {stage:28}{1e6 * seconds / clocked.messages:>8.1f} µs")
    costs: Counter[str] = Counter()
    for stats in profiled:
        for place, (_, _, seconds, _, callers) in stats.stats.items():  # type: ignore[attr-defined]  # typeshed has none
            if "nurture" in place[0] or not callers:
                costs[_short(place)] += seconds
                continue
            # Of C, of the standard library and of SQLAlchemy: for whoever called it.
            for caller, (_, _, its_seconds, _) in callers.items():
                costs[f"{_short(place)} for {_short(caller)}"] += its_seconds
    total = sum(costs.values()) or 1.0
    print("the costliest functions, in percent of what a profile of both threads saw:")
    for place, seconds in costs.most_common(20):
        print(f"  {100 * seconds / total:>5.1f} %  {place}")


def _short(place: _Place) -> str:
    path, line, name = place
    return name if path == "~" else f"{'/'.join(path.split('/')[-2:])}:{line} {name}"
