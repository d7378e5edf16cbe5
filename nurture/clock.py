"""The only place that reads the time.

`now()` is business time: waits, windows, retries, decay, deadlines and Date headers. `elapsed()` is real and monotonic:
socket timeouts, pacing per second. Everyone else is handed `now` as a parameter. The stepped clock stands still until
somebody moves it, which is how the demo, `simulate` and the tests live through eight weeks in seconds with the
production rules.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Business time and real time."""

    def now(self) -> datetime:
        """Business time, aware, in UTC."""

    def elapsed(self) -> float:
        """Real seconds since some fixed moment; never goes back."""


class SystemClock:
    """The machine's time, moved by a fixed offset when somebody rehearses the future."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def elapsed(self) -> float:
        return time.monotonic()


class SteppedClock:
    """Stands still while anything is in progress and is stepped to the next due instant by its owner."""

    def __init__(self, start: datetime) -> None:
        self._now: datetime | None = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now or datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    def step_to(self, instant: datetime) -> None:
        """Jump to `instant`; a clock that would go back stays where it is."""
        with self._lock:
            if self._now is not None:
                self._now = max(self._now, instant.astimezone(UTC))

    def go_on_in_real_time(self) -> None:
        """Stop standing still: from here on the machine's own time counts."""
        with self._lock:
            self._now = None


def wall_milliseconds() -> int:
    """Milliseconds of the machine's own clock since 1970, for making identifiers; never business time."""
    return time.time_ns() // 1_000_000


def real_seconds() -> float:
    """What every clock says has elapsed, for whoever only learns how long its own work takes."""
    return time.monotonic()
