"""Grants a worker how many people of each campaign it may mail, before it does: one question for a whole claim.

What is granted is counted at once, so that two workers cannot both take the last of it; what was not used is given
back, for a worker that died when its mails are taken back (`store.take_off_unused`). Two that ask at the very same instant
may be granted one claim too much.
"""

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
    left: dict[str, int]
    in_hand: dict[str, int] = field(default_factory=dict)  # claimed, and nobody has asked yet whether they may leave

    def copy(self) -> "Granted":
        """For one transaction: it takes the place of this one when that is committed, and only then."""
        return Granted(self.at, self.left.copy(), self.in_hand.copy())

    def is_used_up(self, delivery: Row) -> bool:
        return _is_counted(delivery) and self.left.get(delivery.campaign, 0) <= 0

    def has_room(self, delivery: Row, besides: int) -> bool:
        """Whether it may still be mailed if so many others of its campaign are."""
        return not _is_counted(delivery) or self.left.get(delivery.campaign, 0) > besides

    def has_room_for_all(self, deliveries: Iterable[Row]) -> bool:
        """Whether all of these may still be mailed."""
        left = self.left
        return all(people <= left.get(campaign, 0) for campaign, people in _people(deliveries).items())

    def let_go(self, *deliveries: Row) -> None:
        """They were asked about, or are not in this worker's hands any more."""
        _take_off(self.in_hand, deliveries)

    def use(self, *deliveries: Row) -> None:
        """They are being mailed."""
        _take_off(self.left, deliveries)


def _take_off(places: dict[str, int], deliveries: Iterable[Row]) -> None:
    for campaign, people in _people(deliveries).items():
        places[campaign] = places.get(campaign, 0) - people


def _people(deliveries: Iterable[Row]) -> dict[str, int]:
    """How many people these are, by campaign."""
    # Asked several times for each commit: a Counter takes longer to make than this takes for twenty mails.
    found: dict[str, int] = {}
    for one in deliveries:
        # As `_is_counted` has it; a call for each would cost more than all the rest.
        if one.purpose == Purpose.CAMPAIGN and not one.attempts:
            found[one.campaign] = found.get(one.campaign, 0) + 1
    return found


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
        for campaign, people in before.in_hand.items():
            wanted[campaign] = wanted.get(campaign, 0) + people
        wanted = {campaign: people for campaign, people in wanted.items() if people > 0}
    left: dict[str, int] = {}
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
