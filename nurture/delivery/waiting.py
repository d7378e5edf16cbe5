"""Mail that would leave and may not yet: how many, why, and until when at the earliest."""

from dataclasses import dataclass
from datetime import datetime

from nurture.database.engine import Session
from nurture.delivery import store
from nurture.delivery.openings import opening_from
from nurture.delivery.rules import HeldBecause


@dataclass(frozen=True)
class Waiting:
    """Mails that wait for one reason; `until` None: nobody knows."""

    because: str
    count: int
    until: datetime | None

    def __str__(self) -> str:
        until = f", until {self.until:%Y-%m-%d %H:%M} UTC at the earliest" if self.until else ""
        return f"{self.count:,} held: {self.because}{until}."


def list_waiting(session: Session, now: datetime) -> list[Waiting]:
    """What is held, and what was queued for the next opening of a window that is closed at `now`, by reason."""
    found = {because: Waiting(because, count, until) for because, count, until in store.held_by_reason(session)}
    for window, count, due_at in store.queued_by_window(session, now):
        if opening_from(window, now)[0] <= now:
            continue  # it is open: another try, or something that was meant for later
        known = found.get(HeldBecause.WINDOW, Waiting(HeldBecause.WINDOW, 0, None))
        until = min(known.until or due_at, due_at)
        found[HeldBecause.WINDOW] = Waiting(HeldBecause.WINDOW, known.count + count, until)
    return sorted(found.values(), key=lambda one: one.because)
