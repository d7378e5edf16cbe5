"""The first waves of a campaign, and when it stops by itself. Pure.

Who never got a mail from here, of whatever kind, gets the first one in waves: so many on the first day, those first who
were most recently in touch, and twice as many in each wave after it. A wave begins a day after the one before, so that
its bounces have come back; if less than half of one was needed, the next is no bigger. What people asked for themselves
and confirmed is no first mail: the mail that asked them was.

The first thousand mails tell what a list is worth. If too many of them go to addresses that nobody has, if too many of
their readers leave or any two complain, the campaign stops and says why. Later only complaints count: receivers expect
less than 3 in 1,000, and block who has more (https://support.google.com/a/answer/81126). Once stopped and let go on, it
is judged by what happened since.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isqrt

from nurture.consent.silence.rules import UNDATED, wave_of
from nurture.delivery.rules import MOST_AHEAD, HeldBecause

WAVE_WAITS = timedelta(days=1)
#: Whoever lines up for a first wave does so within this: the longer silent, the later.
LINE_UP_WITHIN = timedelta(minutes=15)
#: How often a campaign that sends is looked at.
LOOK_EVERY = timedelta(minutes=1)
#: So many mails are looked at closely,
FIRST = 1000
#: and that is after so many of them at the latest: a fast sender is through with all of them in less than a minute.
LOOK_AFTER = 100


@dataclass(frozen=True)
class Wave:
    """Where a campaign is with people never mailed before; number 0: they have only lined up."""

    campaign: str
    number: int = 0
    began_at: datetime | None = None
    people: int = 0
    lined_up_at: datetime | None = None
    looked_at: datetime | None = None
    judged_from: datetime | None = None  # it was stopped then
    mailed_before: int = 0  # when it was stopped
    warned_at: datetime | None = None

    def now(self, first: int, at: datetime) -> "Wave":
        """The wave that `at` falls into."""
        if self.began_at is None or self.number == 0:
            return replace(self, number=1, began_at=at, people=0)
        if self.began_at > at + MOST_AHEAD:
            return replace(self, began_at=at)
        if at < self.began_at + WAVE_WAITS:
            return self
        grown = self.people * 2 >= size_of(self.number, first)
        return replace(self, number=self.number + 1 if grown else self.number, began_at=at, people=0)

    def room(self, first: int) -> int:
        """How many more people it takes."""
        return max(0, size_of(self.number, first) - self.people)

    def ends_at(self, at: datetime) -> datetime:
        """When the next wave may begin."""
        return (self.began_at or at) + WAVE_WAITS

    def lines_up_until(self, turn: int, at: datetime) -> datetime | None:
        """Until when somebody of this turn (`consent.silence`) stands in line; None: no longer."""
        if self.lined_up_at is None:
            return None
        until = self.lined_up_at + place_of(turn)
        return until if at < until <= at + LINE_UP_WITHIN + MOST_AHEAD else None

    def is_to_be_looked_at(self, at: datetime) -> bool:
        return self.looked_at is None or not self.looked_at <= at < self.looked_at + LOOK_EVERY

    @property
    def because(self) -> str:
        """Why a mail stands still; the same words for all of the campaign."""
        return f"{HeldBecause.FIRST_WAVE}: {self.campaign} reaches people never mailed from here a few at a time"


def size_of(number: int, first: int) -> int:
    """How many people the wave of this number takes, if the first takes `first`: as the line for an announcement grows."""
    return wave_of(max(0, number - 1), first)


def place_of(turn: int) -> timedelta:
    """A place in the line by days of silence, the last one for whom no day is known.

    In whole minutes, which are closer together for the first weeks: a house on a stepped clock stops at each.
    """
    return LINE_UP_WITHIN if turn >= UNDATED else min(timedelta(minutes=isqrt(turn) // 2), LINE_UP_WITHIN)


@dataclass(frozen=True)
class Record:
    """What became of a campaign's mails so far, or since it was stopped."""

    mailed: int
    bounced: int = 0  # to addresses that nobody has
    opted_out: int = 0
    complained: int = 0


def find_stop(record: Record) -> str | None:
    """Why the campaign must stop now, as the end of a sentence; None if it need not."""
    mailed, which = record.mailed, "its first" if record.mailed <= FIRST else "its"
    if not mailed:
        return None
    if mailed <= FIRST:
        if record.bounced >= 3 and record.bounced * 100 >= 3 * mailed:
            return f"{record.bounced:,} of {which} {mailed:,} mails went to addresses that nobody has ({_share(record.bounced, mailed)})"
        if record.opted_out >= 10 and record.opted_out * 100 >= 8 * mailed:
            return f"{record.opted_out:,} readers of {which} {mailed:,} mails left ({_share(record.opted_out, mailed)})"
        if record.complained >= 2:
            return f"{record.complained:,} readers of {which} {mailed:,} mails complained"
    elif record.complained >= 3 and record.complained * 1000 >= 3 * mailed:
        return f"{record.complained:,} readers of {which} {mailed:,} mails complained ({_share(record.complained, mailed)})"
    return None


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"
