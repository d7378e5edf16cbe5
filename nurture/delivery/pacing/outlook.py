"""What warm-up and first waves let leave from now on, for whoever plans a mailing."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from nurture.database.engine import Session
from nurture.delivery.pacing import store
from nurture.delivery.pacing.lanes import Pacing, Span
from nurture.delivery.pacing.rules import bucket
from nurture.delivery.pacing.store import Days
from nurture.delivery.pacing.warming import LOOK_BACK
from nurture.delivery.waves.rules import Wave, size_of
from nurture.delivery.waves.store import list_waves


@dataclass(frozen=True)
class WarmLane:
    """A sender domain, as a whole or with one provider; `allowance` None: its warm-up is over."""

    sender: str
    provider: str
    days: Days
    allowance: int | None

    def as_document(self) -> dict[str, Any]:
        return {
            "sender": self.sender, "provider": self.provider or None, "since": self.days.since,
            "today": self.days.today, "allowance": self.allowance, "busiest": self.days.busiest,
        }  # fmt: skip


@dataclass(frozen=True)
class WaveNow:
    """The wave of a campaign that runs or was the last."""

    campaign: str
    number: int
    people: int
    size: int
    began_at: datetime | None

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Outlook:
    """How far the warm-ups and waves are, and on how many days a mailing leaves."""

    senders: frozenset[str]
    lanes: tuple[WarmLane, ...]
    waves: tuple[WaveNow, ...]
    days: int


def look_ahead(session: Session, pacing: Pacing, people: int, now: datetime) -> Outlook:
    """The warm-ups and waves as they stand, and how long a mailing to so many people takes with the plan.

    The slowest sender domain counts; a domain that sent nothing yet begins with its first day. Whoever was never mailed
    before takes no less than their waves need.
    """
    today = bucket(Span.DATE, now)
    keys = [key for key in store.lanes_with_dates(session) if key.startswith("warm-up:")]
    lanes = []
    for key, days in store.days_of(session, keys, today, today - LOOK_BACK).items():
        sender, _, provider = key.removeprefix("warm-up:").partition(" ")
        if pacing.warm_up.is_for(sender):
            lanes.append(WarmLane(sender, provider, days, pacing.warm_up.allowance(days.busiest)))
    whole = [one.days for one in lanes if not one.provider] or [Days()] * bool(pacing.warm_up.senders)
    warm = max((pacing.warm_up.days_for(people, one.busiest, one.today) for one in whole), default=1)
    waves = tuple(_wave(one, pacing.first_wave) for one in list_waves(session)) if pacing.first_wave else ()
    return Outlook(pacing.warm_up.senders, tuple(lanes), waves, max(warm, _days_of_waves(people, pacing.first_wave)))


def _wave(wave: Wave, first: int) -> WaveNow:
    return WaveNow(wave.campaign, wave.number, wave.people, size_of(wave.number, first), wave.began_at)


def _days_of_waves(people: int, first: int) -> int:
    """On how many days a campaign meets so many people for the first time."""
    days, left = 0, people
    while first and left > 0:
        days += 1
        left -= size_of(days, first)
    return max(1, days)
