"""What the sender does about limits: ask for a claim's share, give back what it did not need, tell what it heard."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from nurture.consent.rules import Purpose
from nurture.database.engine import Session
from nurture.delivery.actions import Ended
from nurture.delivery.claimed import Row
from nurture.delivery.pacing import store
from nurture.delivery.pacing.granting import Memory, PaceGrant, Place, good_until
from nurture.delivery.pacing.journey import Journey
from nurture.delivery.pacing.lanes import FREE, Pacing
from nurture.delivery.pacing.meeting import meet
from nurture.delivery.pacing.providers import group_of
from nurture.delivery.pacing.rules import Asking, Wait, share
from nurture.delivery.pacing.standing import fill_roads
from nurture.delivery.resting import actions as resting
from nurture.delivery.resting import store as rests
from nurture.delivery.resting.rules import Rest
from nurture.delivery.rules import Heard
from nurture.delivery.waves import store as waves

_ASK_FOR_RESTS_EVERY_SECONDS = 1.0
#: Longer than any bucket of an hour or of 24 hours counts, whatever the clocks of the workers say.
_COUNTED_AT_MOST = timedelta(days=2)
_FORGOTTEN_AT_ONCE = 1000
_ANY_RELAY: Mapping[int, str] = MappingProxyType({})


def grant(
    session: Session,
    worker: int,
    claimed: Sequence[Row],
    now: datetime,
    elapsed: float,
    *,
    pacing: Pacing = FREE,
    relays: Mapping[int, str] = _ANY_RELAY,
    memory: Memory | None = None,
) -> PaceGrant:
    """Which of these mails may leave, and when; the others are held or put back into the queue, in this transaction.

    Called once per claim, in its transaction. Whoever is in `kept` is not this worker's any more. `relays` names the
    relay each mail goes to. With a `memory` more is taken than this claim needs, for those that follow; once the
    transaction is committed the grant has to `take_effect` in it, and at the end `give_back` takes what is left.
    """
    meeting = meet(session, claimed, pacing.first_wave, now, memory)
    is_resting = _rests(session, memory, now, elapsed)
    if not (pacing.is_any or is_resting or meeting.is_any):
        return PaceGrant()
    journey = Journey(pacing, is_resting, now, elapsed, memory)
    mails = [one for one in meeting.in_order(claimed) if one.id not in meeting.in_line]
    lanes_of = {one.id: journey.lanes_for(one, relays.get(one.id, "default")) for one in mails}
    roads = journey.find_roads(lanes_of.values())
    fill_roads(session, pacing, roads, is_resting, claimed, now)
    if not meeting.is_any and journey.take_roads():
        # Nobody waits. Where enough of everything was in stock, the database was not even asked.
        fresh = journey.take(session)
        journey.use_leases()
        return PaceGrant(good_until(elapsed), unused=lanes_of, leases=journey.leases, fresh=fresh)
    asking = []
    for one in mails:
        taken = journey.roads_of(lanes_of[one.id])
        if one.id in meeting.first_mails:
            taken = (*taken, meeting.first_mails[one.id][0])
        asking.append(Asking(one.id, taken, one.purpose == Purpose.CAMPAIGN))
    shares = share(asking)
    fresh = journey.take(session)
    meeting.keep(session)
    unused = {i: lanes for i, lanes in lanes_of.items() if i in shares.leaves_in}
    for lanes in unused.values():
        for key in lanes.keys:
            if key in journey.leases:
                journey.leases[key].left -= 1
    waves = {i: place for i, (_, place) in meeting.first_mails.items() if i in unused}
    kept = {**meeting.in_line, **meeting.spread(shares.held), **dict.fromkeys(shares.back)}
    store.hold(session, worker, {i: wait for i, wait in kept.items() if wait is not None})
    store.put_back(session, worker, shares.back)
    leaves = {i: elapsed + starts_in for i, starts_in in shares.leaves_in.items() if starts_in}
    return PaceGrant(good_until(elapsed), kept, leaves, unused, journey.leases, waves, fresh)


def _rests(session: Session, memory: Memory | None, now: datetime, elapsed: float) -> dict[str, Rest]:
    """The domains that rest or come back; that there is one is heard of within a second."""
    if memory is not None and memory.knows_no_rest_until is not None:
        known_at, until = memory.knows_no_rest_until
        if elapsed <= until and abs((now - known_at).total_seconds()) <= _ASK_FOR_RESTS_EVERY_SECONDS:
            return {}
    found = {name: rest for name, rest in rests.list_rests(session, now).items() if not rest.is_free(now)}
    if memory is not None:
        memory.knows_no_rest_until = None if found else (now, elapsed + _ASK_FOR_RESTS_EVERY_SECONDS)
    return found


def give_back(
    session: Session,
    grants: Iterable[PaceGrant] = (),
    spare: Iterable[Place] = (),
    memory: Memory | None = None,
    *,
    worker: int | None = None,
) -> None:
    """Take off the counts again what was granted and never began, single places, and what is in stock.

    Whoever declared this `worker` dead has given back its places in waves already.

    Only once that is committed may the grants be forgotten, and the memory `let_go` of its stock.
    """
    counts = Counter(spare)
    for granted in grants:
        for delivery, lanes in granted.unused.items():
            counts.update(granted.places_of(delivery, lanes))
    for lease in memory.leases.values() if memory is not None else ():
        counts.update(dict.fromkeys(lease.places, lease.left))
    _give_back(session, counts, worker)


def _give_back(session: Session, counts: Counter[Place], worker: int | None) -> None:
    # Waves first, as whoever grants holds them: so nobody waits for the other.
    for place, people in sorted(counts.items(), key=lambda one: one[0].lane):
        if place.span is None:
            waves.give_back(session, place.lane, place.begins_at, people, worker)
    store.add(
        session,
        {
            (place.lane, place.span, place.begins_at): -mails
            for place, mails in counts.items()
            if place.span is not None
        },
    )


def note(session: Session, ended: Iterable[Ended], now: datetime, memory: Memory | None = None) -> None:
    """In the transaction that stores how tries ended: a domain that refuses us by its policy rests from here on.

    Nothing is asked of the database when no try was put off or refused.
    """
    refused = [(one.delivery, one.outcome) for one in ended if one.outcome.heard in {Heard.DEFERRED, Heard.REJECTED}]
    found = resting.note(session, refused, now) if refused else {}
    if found and memory is not None:
        memory.resting.update(found)
        memory.knows_no_rest_until = None


def forget_some(session: Session, now: datetime) -> int:
    """Let go of some of what counts in no lane any more; how much. Called once a day, until nothing is left."""
    return store.forget_some(session, now - _COUNTED_AT_MOST, _FORGOTTEN_AT_ONCE)


def keep_back(session: Session, worker: int, rows: Iterable[Row], now: datetime, memory: Memory) -> dict[int, Wait]:
    """Hold those of these mails, which are in this worker's hands, whose domain began to rest since they were claimed."""
    if not memory.resting:
        return {}
    memory.resting = {name: rest for name, rest in memory.resting.items() if not rest.is_over(now)}
    kept = {
        one.id: Wait(rest.because, rest.until)
        for one in rows
        if (rest := memory.resting.get(group_of(one.domain))) is not None
    }
    store.hold(session, worker, kept)
    return kept
