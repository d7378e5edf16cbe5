"""How the roads of a claim stand: what others took of them, and what is left."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from nurture.database.engine import Session
from nurture.delivery.claimed import Row
from nurture.delivery.pacing import store, warming
from nurture.delivery.pacing.lanes import Pacing, Span
from nurture.delivery.pacing.rules import Road, bucket, counted_after, free_at
from nurture.delivery.resting.rules import Rest
from nurture.delivery.resting.store import list_rests
from nurture.delivery.rules import HeldBecause


def fill_roads(
    session: Session,
    pacing: Pacing,
    roads: Mapping[str, Road],
    resting: Mapping[str, Rest],
    claimed: Iterable[Row],
    now: datetime,
) -> None:
    """Lock the lanes of these roads, then look what is left in them."""
    if not roads:
        return
    for key, lane in store.lock_lanes(session, sorted(roads)).items():
        road = roads[key]
        road.waits_to = lane.waits_to
        if road.lane.limit.per_second:
            road.next_in = lane.next_in
    for span in (Span.HOUR, Span.DAY):
        _count(session, roads, span, now)
    _warm(session, pacing, roads, now)
    backs = {name: back for name in resting if (back := roads.get(f"rest:{name}")) is not None}
    # Anew, now that nobody else comes back to them: another worker may just have let one go, or been refused.
    found = list_rests(session, now) if backs else {}
    for name, back in backs.items():
        rest = found.get(name)
        if rest is not None and not rest.is_free(now):
            back.room, back.opens_at, back.because = rest.room(now), rest.opens_at(now), rest.because
            back.is_for_all = back.is_doubling = True
    if any(road.lane.limit.at_once for road in roads.values()):
        _count_hands(session, pacing, roads, claimed)


def _count(session: Session, roads: Mapping[str, Road], span: Span, now: datetime) -> None:
    limited = {key: most for key, road in roads.items() if (most := road.lane.limit.most_in(span))}
    if not limited:
        return
    after = counted_after(span, now)
    found = store.counted(session, sorted(limited), span, after, now + (now - after))
    for key, most in limited.items():
        mails, begins_at = found.get(key, (0, now))
        road = roads[key]
        if most - mails < road.room:
            road.room, road.opens_at = most - mails, free_at(span, begins_at)


def _warm(session: Session, pacing: Pacing, roads: Mapping[str, Road], now: datetime) -> None:
    lanes = [key for key in roads if key.startswith("warm-up:")]
    if not lanes:
        return
    today = bucket(Span.DATE, now)
    for key, days in store.days_of(session, lanes, today, today - warming.LOOK_BACK).items():
        allowance = pacing.warm_up.allowance(days.busiest)
        road = roads[key]
        road.because = f"{HeldBecause.WARM_UP}: {road.lane.words} has sent what it may today"
        if allowance is not None:
            road.room, road.opens_at = allowance - days.today, today + warming.A_DAY


def _count_hands(session: Session, pacing: Pacing, roads: Mapping[str, Road], claimed: Iterable[Row]) -> None:
    """What other claims have in their hands; the mails of this one are asked about just now."""
    hands: Counter[str] = Counter()
    for domain, sender, mails in store.in_hand(session):
        hands.update({lane.key: mails for lane in pacing.lanes_of(pacing.address_of(sender, None), domain, "")})
    for one in claimed:
        hands.subtract(lane.key for lane in pacing.lanes_of(pacing.address_of(one.sender, None), one.domain, ""))
    for key, road in roads.items():
        if road.lane.limit.at_once:
            road.hands = road.lane.limit.at_once - hands[key]
