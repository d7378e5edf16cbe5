"""The lanes that the mails of one claim take: which are known to have room, and which the database is asked about."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain

from nurture.database.engine import Session
from nurture.delivery.claimed import Row
from nurture.delivery.pacing import store
from nurture.delivery.pacing.granting import Lease, Memory, Place
from nurture.delivery.pacing.lanes import Lane, Lanes, Limit, Pacing, Span
from nurture.delivery.pacing.providers import group_of
from nurture.delivery.pacing.rules import LEASE, Road, bucket
from nurture.delivery.resting import store as rests
from nurture.delivery.resting.rules import Rest

_NO_LIMIT = Limit()
_SPANS = (Span.HOUR, Span.DAY)


class Journey:
    """One claim on its way through the lanes.

    A lane of which enough is in stock is open: nobody is asked. The others become
    roads. What is taken of them is counted, and more is put in stock if there is room.
    """

    def __init__(
        self, pacing: Pacing, resting: Mapping[str, Rest], now: datetime, elapsed: float, memory: Memory | None
    ) -> None:
        self._pacing = pacing
        self._resting = resting
        self._now = now
        self._elapsed = elapsed
        self._memory = memory
        self._buckets = {span: bucket(span, now) for span in Span}
        self._needs: Counter[str] = Counter()
        self._roads: dict[str, Road] = {}
        self._roads_of: dict[int, tuple[Road, ...]] = {}
        #: Where mails are counted, by lane.
        self.leases: dict[str, Lease] = {}

    def lanes_for(self, one: Row, relay: str) -> Lanes:
        """The lanes of a mail of this claim."""
        lanes = self._pacing.lanes_of(self._pacing.address_of(one.sender, one.facts), one.domain, relay)
        if self._resting and (name := group_of(one.domain)) in self._resting:
            lanes = Lanes.of((Lane(f"rest:{name}", _NO_LIMIT, name), *lanes))
        return lanes

    def find_roads(self, taken: Iterable[Lanes]) -> dict[str, Road]:
        """Tell the open lanes of the claim's mails from those that have to be asked about."""
        taken = list(taken)
        stock = self._memory.leases if self._memory is not None else {}
        self._needs.update(chain.from_iterable([lanes.keys for lanes in taken]))
        now, elapsed, oldest = self._now, self._elapsed, self._now - LEASE
        for key, need in self._needs.items():
            lease = stock.get(key)
            # By both clocks: the house's, which may be set, and the one that only goes on.
            if (
                lease is not None
                and lease.left >= need
                and elapsed <= lease.good_until
                and oldest <= lease.taken_at <= now
            ):
                self.leases[key] = lease
        if len(self.leases) < len(self._needs):
            asked = {lane.key: lane for lanes in taken for lane in lanes if lane.key not in self.leases}
            self._roads = {key: Road(lane, self._now) for key, lane in asked.items()}
        return self._roads

    def take_roads(self) -> bool:
        """Take a place on its roads for every mail of the claim, if all of them find one at once."""
        needs = self._needs
        if not all(road.has_room_for(needs[key]) for key, road in self._roads.items()):
            return False
        for key, road in self._roads.items():
            road.take_all(needs[key])
        return True

    def use_leases(self) -> None:
        """Every mail of the claim leaves."""
        for key, lease in self.leases.items():
            lease.left -= self._needs[key]

    def roads_of(self, lanes: Lanes) -> tuple[Road, ...]:
        """The roads among these lanes, which the caller keeps: mails with the same lanes share them."""
        found = self._roads_of.get(id(lanes))
        if found is None:
            roads = self._roads
            found = self._roads_of[id(lanes)] = tuple([roads[key] for key in lanes.keys if key in roads])
        return found

    def take(self, session: Session) -> dict[str, Lease]:
        """Write down what was taken, before anything leaves; what was counted now, by lane."""
        fresh: dict[str, Lease] = {}
        counts: dict[tuple[str, Span, datetime], int] = {}
        for key, road in self._roads.items():
            places, more = self._places(road.lane), self._more(road)
            if not road.taken or not (places or more):
                continue
            if road.lane.limit.per_second:
                road.next_in += more / road.lane.limit.rate
            lease = Lease(places, road.taken + more, self._now, self._elapsed + LEASE.total_seconds())
            fresh[key] = self.leases[key] = lease
            counts.update({(place.lane, place.span, place.begins_at): lease.left for place in places if place.span})
            self._return_rest(key, counts)
        store.add(session, counts)
        store.move_lanes(
            session,
            [
                (key, bool(road.lane.limit.per_second), road.next_in, road.waits_to)
                for key, road in sorted(self._roads.items())
                if road.has_moved
            ],
        )
        for name, rest in self._resting.items():
            back = self._roads.get(f"rest:{name}")
            if back is not None and back.taken:
                rests.let_go(session, rest, back.taken, self._now)
        return fresh

    def _places(self, lane: Lane) -> tuple[Place, ...]:
        spans = [span for span in _SPANS if lane.limit.most_in(span)]
        if lane.key.startswith("warm-up:"):
            spans.append(Span.DATE)
        return tuple([Place(lane.key, span, self._buckets[span]) for span in spans])

    def _more(self, road: Road) -> int:
        """How many places beyond those of this claim are put in stock: few enough that others find some."""
        return int(max(0, min(road.lane.limit.ahead, road.room))) if self._memory is not None else 0

    def _return_rest(self, key: str, counts: dict[tuple[str, Span, datetime], int]) -> None:
        """What is left of the lease before goes back."""
        old = self._memory.leases.pop(key, None) if self._memory is not None else None
        for place in old.places if old is not None and old.left > 0 else ():
            if place.span is not None and old is not None:
                where = (place.lane, place.span, place.begins_at)
                counts[where] = counts.get(where, 0) - old.left
