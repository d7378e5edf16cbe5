"""How fast mail may leave: one number per second, spread evenly over all connections of this process. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """`next_at` is the earliest `elapsed()` second at which another mail may leave."""

    per_second: float
    next_at: float = 0.0

    def take(self, elapsed: float) -> tuple[float, "Pace"]:
        """Seconds to wait before the next mail, and the pace after it; no burst makes up for idle time."""
        if self.per_second <= 0:
            return 0.0, self
        leaves_at = max(elapsed, self.next_at)
        return leaves_at - elapsed, Pace(self.per_second, leaves_at + 1 / self.per_second)


@dataclass(frozen=True)
class Limit:
    """What a stretch of road takes; 0: no such limit."""

    at_once: int = 0
    per_second: float = 0
    per_hour: int = 0
    per_day: int = 0


@dataclass(frozen=True)
class Pacing:
    """All limits of the house."""

    house: Limit = Limit()


#: No limit at all.
FREE = Pacing()
