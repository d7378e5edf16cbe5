"""How often somebody wants to hear from us at most, and what is too soon then. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum


class AtMost(StrEnum):
    """One mail in so long, counting every campaign; who chose nothing gets what the caps of the house allow."""

    WEEK = "week"
    MONTH = "month"


#: A day less than the word says: an issue leaves at about the same hour each week, and would miss every second one.
LENGTHS: Mapping[AtMost, timedelta] = {AtMost.WEEK: timedelta(days=6), AtMost.MONTH: timedelta(days=27)}


def too_soon_until(at_most: AtMost | None, last_at: datetime | None, now: datetime) -> datetime | None:
    """When the next mail may leave after one that may have arrived at `last_at`; None: it may now."""
    if at_most is None or last_at is None:
        return None
    until = last_at + LENGTHS[at_most]
    return until if until > now else None
