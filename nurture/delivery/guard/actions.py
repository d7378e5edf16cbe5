"""Saying yes to a campaign that is about to mail far more people than it ever did."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.campaigns.naming import find_named
from nurture.database.engine import Session
from nurture.delivery.guard import store
from nurture.delivery.guard.store import Allowance
from nurture.errors import BadInput

_MOST = 100_000_000


@dataclass(frozen=True)
class Yes:
    """What was said, and how many mails had waited for it."""

    campaign: str
    people: int
    until: datetime
    released: int


def allow(session: Session, campaign: str, people: int, length: timedelta, *, allowed_by: str, now: datetime) -> Yes:
    """Let a campaign, named with its kind or without, mail up to so many people a day for a while."""
    if not 1 <= people <= _MOST:
        raise BadInput(f"--people {people}: write a number from 1 to {_MOST:,}, as many as you mean to mail in a day.")
    if length <= timedelta(0):
        raise BadInput("--for: write how long the yes holds, such as 3d.")
    name = find_named(session, campaign)
    store.wait_in_line(session, name)
    until = now + length
    session.add(Allowance(campaign=name, people=people, allowed_by=allowed_by, allowed_at=now, until=until))
    return Yes(name, people, until, store.release(session, name, now))
