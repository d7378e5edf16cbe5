"""Grants a worker how many people of each campaign it may mail, before it does: one question for a whole claim.

What is granted is counted at once, so that two workers cannot both take the last of it; what was not used is given
back, for a worker that died when its mails are taken back (`store.take_off_unused`). Two that ask at the very same instant
may be granted one claim too much.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from nurture.consent.rules import Purpose
from nurture.database.engine import Session
from nurture.delivery.claimed import Row
from nurture.delivery.guard import store
from nurture.delivery.guard.rules import room


@dataclass(frozen=True)
class Granted:
    """People who may still be mailed, by campaign."""

    at: datetime
    left: Counter[str]
    in_hand: Counter[str] = field(default_factory=Counter)  # claimed, and nobody has asked yet whether they may leave

    def copy(self) -> "Granted":
        """For one transaction: it takes the place of this one when that is committed, and only then."""
        return Granted(self.at, self.left.copy(), self.in_hand.copy())

    def is_used_up(self, delivery: Row) -> bool:
        return _is_counted(delivery) and self.left[delivery.campaign] <= 0

    def has_room(self, delivery: Row, besides: int) -> bool:
        """Whether it may still be mailed if so many others of its campaign are."""
        return not _is_counted(delivery) or self.left[delivery.campaign] > besides

    def has_room_for_all(self, deliveries: Iterable[Row]) -> bool:
        """Whether all of these may still be mailed."""
        left = self.left
        return all(people <= left[campaign] for campaign, people in _people(deliveries).items())

    def let_go(self, *deliveries: Row) -> None:
        """They were asked about, or are not in this worker's hands any more."""
        self.in_hand.subtract(_people(deliveries))

    def use(self, *deliveries: Row) -> None:
        """They are being mailed."""
        self.left.subtract(_people(deliveries))


def _people(deliveries: Iterable[Row]) -> Counter[str]:
    """How many people these are, by campaign."""
    # As `_is_counted` has it; a call for each would cost more than all the rest.
    return Counter([one.campaign for one in deliveries if one.purpose == Purpose.CAMPAIGN and not one.attempts])


def _is_counted(delivery: Row) -> bool:
    """Whether the guard counts it: a campaign's mail; another try of the same was counted already."""
    return delivery.purpose == Purpose.CAMPAIGN and not delivery.attempts


def grant(
    session: Session,
    worker: int,
    claimed: Iterable[Row],
    always_fine: int,
    now: datetime,
    before: Granted | None = None,
) -> Granted | None:
    """Count the people these deliveries go to, as far as each campaign may mail them; None when nobody guards.

    A worker that claims while it still has mails of the claim before in its hands is granted places for both.
    """
    give_back(session, worker, before)
    if not always_fine:
        return None
    wanted = _people(claimed)
    if before is not None:
        wanted += before.in_hand
    left: Counter[str] = Counter()
    for campaign in sorted(wanted):
        left[campaign] = max(0, min(wanted[campaign], room(store.traffic(session, campaign, now), always_fine)))
        store.add_people(session, campaign, worker, left[campaign], now, short=wanted[campaign] - left[campaign])
    return Granted(now, left, wanted)


def give_back(session: Session, worker: int, granted: Granted | None) -> None:
    """Take off the count again whom nobody mailed after all; once that is committed, nothing of it counts any more."""
    if granted is None:
        return
    for campaign, people in granted.left.items():
        store.add_people(session, campaign, worker, -people, granted.at)
