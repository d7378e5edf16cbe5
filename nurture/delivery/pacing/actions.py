"""What the sender does about limits: ask for a claim's share, give back what it did not need, tell what it heard."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nurture.consent.rules import Purpose
from nurture.database.engine import Session
from nurture.delivery.actions import Ended
from nurture.delivery.claimed import Row
from nurture.delivery.pacing import store
from nurture.delivery.pacing.granting import PaceGrant, Place, good_until
from nurture.delivery.pacing.meeting import Meeting, meet
from nurture.delivery.pacing.providers import group_of
from nurture.delivery.pacing.rules import FREE, Asking, Lane, Limit, Pacing, Road, Shares, Span, bucket, share
from nurture.delivery.pacing.standing import fill_roads
from nurture.delivery.pacing.warming import lanes_of as lanes_of_warm_up
from nurture.delivery.resting import actions as resting
from nurture.delivery.resting import store as rests
from nurture.delivery.resting.rules import Rest
from nurture.delivery.rules import Heard
from nurture.delivery.waves import store as waves

_NO_LIMIT = Limit()


@dataclass
class _Claim:
    """The mails of one claim with the roads they take."""

    now: datetime
    pacing: Pacing
    resting: dict[str, Rest]
    roads: dict[str, Road] = field(default_factory=dict)
    places: dict[str, tuple[Place, ...]] = field(default_factory=dict)
    _known: dict[tuple[str, str, str], tuple[tuple[Road, ...], tuple[Place, ...]]] = field(default_factory=dict)

    def roads_of(self, sender: str, domain: str, relay: str) -> tuple[tuple[Road, ...], tuple[Place, ...]]:
        """The roads of a mail, and where it is counted when it takes them."""
        found = self._known.get((sender, domain, relay))
        if found is None:
            lanes = [*self._rest(domain), *self.pacing.lanes_of(sender, domain, relay), *self._warm_up(sender, domain)]
            roads = tuple(self._road(lane) for lane in lanes)
            places = tuple(place for lane in lanes for place in self.places[lane.key])
            found = self._known[sender, domain, relay] = roads, places
        return found

    def _rest(self, domain: str) -> list[Lane]:
        name = group_of(domain)
        return [Lane(f"rest:{name}", _NO_LIMIT, name)] if name in self.resting else []

    def _warm_up(self, sender: str, domain: str) -> list[Lane]:
        keys = lanes_of_warm_up(self.pacing.warm_up, sender.rpartition("@")[2].lower(), domain)
        return [Lane(key, _NO_LIMIT, key.removeprefix("warm-up:")) for key in keys]

    def _road(self, lane: Lane) -> Road:
        if lane.key not in self.roads:
            self.roads[lane.key] = Road(lane, self.now)
            spans = [span for span in (Span.HOUR, Span.DAY) if lane.limit.most_in(span)]
            if lane.key.startswith("warm-up:"):
                spans.append(Span.DATE)
            self.places[lane.key] = tuple(Place(lane.key, span, bucket(span, self.now)) for span in spans)
        return self.roads[lane.key]


def grant(
    session: Session,
    worker: int,
    claimed: Sequence[Row],
    now: datetime,
    elapsed: float,
    *,
    pacing: Pacing = FREE,
    relay_of: Callable[[Row], str] = lambda _: "default",
) -> PaceGrant:
    """Which of these mails may leave, and when; the others are held or put back into the queue, in this transaction.

    Called once per claim, in its transaction, after `give_back` of the grant before. Whoever is in `kept` is not this
    worker's any more. `relay_of` names the relay a mail goes to.
    """
    meeting = meet(session, claimed, pacing.first_wave, now)
    is_resting = {name: rest for name, rest in rests.list_rests(session, now).items() if not rest.is_free(now)}
    if not (pacing.is_any or is_resting or meeting.is_any):
        return PaceGrant()
    claim = _Claim(now, pacing, is_resting)
    asking, places = [], {}
    for one in meeting.in_order(claimed):
        if one.id in meeting.in_line:
            continue
        roads, counted = claim.roads_of(pacing.address_of(one.sender, one.facts), one.domain, relay_of(one))
        if one.id in meeting.first_mails:
            road, place = meeting.first_mails[one.id]
            roads, counted = (*roads, road), (*counted, place)
        asking.append(Asking(one.id, roads, one.purpose == Purpose.CAMPAIGN))
        places[one.id] = counted
    fill_roads(session, pacing, claim.roads, is_resting, claimed, now)
    shares = share(asking)
    _keep(session, claim, meeting, shares, now)
    kept = {**meeting.in_line, **meeting.spread(shares.held), **dict.fromkeys(shares.back)}
    store.hold(session, {i: wait for i, wait in kept.items() if wait is not None})
    store.put_back(session, shares.back)
    return PaceGrant(
        good_until(elapsed),
        kept,
        {i: elapsed + starts_in for i, starts_in in shares.leaves_in.items() if starts_in},
        {i: places[i] for i in shares.leaves_in if places[i]},
    )


def _keep(session: Session, claim: _Claim, meeting: Meeting, shares: Shares, now: datetime) -> None:
    """Write down what was taken, before anything leaves."""
    store.add(
        session,
        {
            (place.lane, place.span, place.begins_at): road.taken
            for key, road in claim.roads.items()
            for place in claim.places[key]
            if place.span is not None
        },
    )
    store.move_lanes(
        session,
        [
            (key, bool(road.lane.limit.per_second), road.next_in, road.waits_to)
            for key, road in sorted(claim.roads.items())
            if road.has_moved
        ],
    )
    for name, rest in claim.resting.items():
        road = claim.roads.get(f"rest:{name}")
        if road is not None and road.taken:
            rests.save(session, rest.after(road.taken, now))
    meeting.keep(session)


def give_back(session: Session, granted: PaceGrant | None) -> None:
    """Take off the counts again what was granted and never began; call it before the next grant and at the end."""
    if granted is None or not granted.unused:
        return
    counts = Counter(place for places in granted.unused.values() for place in places)
    store.add(
        session,
        {
            (place.lane, place.span, place.begins_at): -mails
            for place, mails in counts.items()
            if place.span is not None
        },
    )
    for place, people in counts.items():
        if place.span is None:
            waves.give_back(session, place.lane, place.begins_at, people)
    granted.unused.clear()


def note(session: Session, ended: Iterable[Ended], now: datetime) -> None:
    """In the transaction that stores how tries ended: a domain that refuses us by its policy rests from here on.

    Nothing is asked of the database when no try was put off or refused.
    """
    refused = [(one.delivery, one.outcome) for one in ended if one.outcome.heard in {Heard.DEFERRED, Heard.REJECTED}]
    if refused:
        resting.note(session, refused, now)
