"""The blast guard: how many people one campaign may mail on one day before somebody has to say yes. Pure.

A condition that suddenly holds for everybody, an import with the wrong list, a loop: they look like ordinary mail, one
by one. What gives them away is their number. Up to a limit of the house nothing is asked; beyond it, up to twice as many
as on the busiest of the last days, which is how a campaign grows; and up to what a person allowed. Whoever is over that
waits until somebody says yes, however many days that takes. Days are those of UTC.
"""

from dataclasses import dataclass
from datetime import timedelta

from nurture.delivery.rules import HeldBecause

#: So far back is looked for what is normal: a newsletter that skips an issue is no surprise when it comes again.
LOOK_BACK = timedelta(days=30)
_GROWTH = 2


@dataclass(frozen=True)
class Traffic:
    """What is known about the people one campaign mails."""

    today: int = 0
    busiest: int = 0  # of the days before, as far as `LOOK_BACK`
    allowed: int = 0  # by a person, for a day
    is_stopped: bool = False  # mails of it stand still because of the guard


def room(traffic: Traffic, always_fine: int) -> int:
    """How many people more the campaign may mail today; 0 or less stops it. `always_fine` 0 switches the guard off."""
    if traffic.is_stopped and traffic.allowed <= traffic.today:
        return 0
    return max(always_fine, _GROWTH * traffic.busiest, traffic.allowed) - traffic.today


def because(campaign: str) -> str:
    """Why a mail stands still; the same words for the whole campaign, so that its mails are found by them."""
    return (
        f"{HeldBecause.GUARD}: {campaign} is about to mail far more people in a day than it ever did; "
        f"if that is meant, type `nurture allow {campaign} --people N`"
    )
