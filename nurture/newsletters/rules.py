"""When a newsletter goes to whom: the pure rules.

A newsletter begins with one announcement to everybody it may be announced to. A reader's first issue is the next one
due after their announcement and the waiting time; from then on one issue goes out at each slot, if one is ready. If
none is, the owner is reminded and nothing is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nurture.timing import Duration, WeeklySlot, local_instant

#: The earliest and the latest place on earth begin a day this far from UTC.
EARLIEST_ZONE = timedelta(hours=14)
REMIND_BEFORE = timedelta(days=2)


@dataclass(frozen=True)
class Schedule:
    """One slot a week, on the sender's clock or on each reader's own."""

    slot: WeeklySlot
    zone: ZoneInfo
    is_readers_time: bool = False

    def slot_from(self, at: datetime) -> datetime:
        """The first slot at or after `at`, on the sender's clock."""
        return self.slot.from_(at, self.zone)

    def queue_at(self, slot_at: datetime) -> datetime:
        """When the issue of a slot is queued: for readers' time, when the slot comes to the first of them."""
        if not self.is_readers_time:
            return slot_at
        day = slot_at.astimezone(self.zone).date()
        return local_instant(day, self.slot.at, ZoneInfo("UTC")) - EARLIEST_ZONE

    def due_for(self, slot_at: datetime, reader: ZoneInfo) -> datetime:
        """When the issue of a slot is due for one reader."""
        if not self.is_readers_time:
            return slot_at
        return local_instant(slot_at.astimezone(self.zone).date(), self.slot.at, reader)


def first_issue_from(announced_at: datetime, wait_after: Duration, zone: ZoneInfo) -> datetime:
    """From when on somebody who got the announcement gets issues."""
    return wait_after.after(announced_at, zone)


@dataclass(frozen=True)
class Issue:
    """An edition as far as scheduling knows it."""

    id: int
    number: int
    is_ready: bool
    is_closed: bool


def next_issue(issues: Sequence[Issue]) -> Issue | None:
    """The one that goes out at the next slot: the lowest number that is ready and has not gone out."""
    waiting = [issue for issue in issues if issue.is_ready and not issue.is_closed]
    return min(waiting, key=lambda issue: issue.number, default=None)
