"""What is going to happen, in order of time."""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

Act = Callable[[], None]


class Agenda:
    """Acts with the instants at which they are due; those of one instant happen in the order they were noted."""

    def __init__(self) -> None:
        self._acts: list[tuple[datetime, int, Act]] = []
        self._order = count()

    def note(self, at: datetime, act: Act) -> None:
        heapq.heappush(self._acts, (at, next(self._order), act))

    def next_at(self) -> datetime | None:
        return self._acts[0][0] if self._acts else None

    def act_until(self, now: datetime) -> int:
        """Do all that is due by `now`; how many acts that was."""
        done = 0
        while self._acts and self._acts[0][0] <= now:
            heapq.heappop(self._acts)[2]()
            done += 1
        return done
