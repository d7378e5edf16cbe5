"""How long a domain rests that refuses us, and how it comes back. Pure.

The first refusal stops all mail to it for a quarter of an hour, the next one for an hour, then for four, then for a day
each time. When a rest is over, one mail goes; a minute later as many as went since, and so on, until it is free. Another
refusal is another, longer rest. A day after the end of a rest without one, everything is forgotten. What a domain says
while it rests, about mails that were on their way, changes nothing: a rest always ends.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nurture.delivery.rules import MOST_AHEAD, HeldBecause

PAUSES = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
FORGOTTEN_AFTER = timedelta(days=1)
#: Between two steps of coming back.
STEP = timedelta(minutes=1)
#: After so many the domain is free again.
_FREE_AFTER = 64


@dataclass(frozen=True)
class Rest:
    """A domain, or all of a provider, that rests or comes back."""

    name: str
    code: str  # what it said, as an enhanced status code
    reply: str
    began_at: datetime
    until: datetime
    times: int = 1  # how often it has rested without being free for a day
    tried: int = 0  # mails that went since the rest was over
    tried_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.until <= now or self.is_forgotten(now)

    def is_forgotten(self, now: datetime) -> bool:
        return self.until + FORGOTTEN_AFTER <= now or self.began_at > now + MOST_AHEAD

    def is_free(self, now: datetime) -> bool:
        """Whether as many may go there as before."""
        return self.is_forgotten(now) or (self.is_over(now) and self.tried >= _FREE_AFTER)

    def room(self, now: datetime) -> int:
        """How many may go there now, unless it is free."""
        if not self.is_over(now) or (self.tried_at is not None and abs(now - self.tried_at) < STEP):
            return 0
        return max(1, self.tried)

    def opens_at(self, now: datetime) -> datetime:
        """When the next one may go there."""
        if not self.is_over(now):
            return self.until
        return now if self.room(now) else (self.tried_at or now) + STEP

    def after(self, count: int, now: datetime) -> "Rest":
        """The rest after so many more were let go."""
        return replace(self, tried=self.tried + count, tried_at=now)

    @property
    def because(self) -> str:
        """Why a mail stands still; the same words for all that wait for it."""
        return f"{HeldBecause.RESTING}: {self.name} refused our mail ({self.code})"


def refuse(known: Rest | None, name: str, code: str, reply: str, now: datetime) -> Rest | None:
    """The rest that follows from a refusal at `now`; None when the domain rests already."""
    if known is not None and not known.is_over(now):
        return None
    times = 1 if known is None or known.is_forgotten(now) else known.times + 1
    pause = PAUSES[min(times, len(PAUSES)) - 1]
    return Rest(name, code, reply, now, now + pause, times)
