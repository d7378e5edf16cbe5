"""Asks for each claimed delivery whether it may leave, at the last moment.

`exchange` is the heart of sending. In one transaction it stores how the last messages ended and moves one claimed row
for each waiting connection to `sending`, asking permission once more; only after its commit is a body written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from nurture.consent import store as consents
from nurture.consent.rhythms.store import find_rhythm
from nurture.consent.rules import ALLOWED, Permission, Purpose, may_send
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.fields import ASKS_US
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.database.installation import get_pause
from nurture.database.prepared import Filled, run_together
from nurture.delivery import actions
from nurture.delivery import store as deliveries
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.claimed import Row
from nurture.delivery.claiming.store import keep_in_hand
from nurture.delivery.daily import store as daily
from nurture.delivery.guard import rules as guard_rules
from nurture.delivery.guard import store as guard
from nurture.delivery.guard.granting import Granted
from nurture.delivery.leaving import store
from nurture.delivery.mailed.store import Interest
from nurture.delivery.openings import opening_from, zone_of_window
from nurture.delivery.outcomes.actions import mark, recording
from nurture.delivery.pausing.store import find_pause
from nurture.delivery.rules import Circumstances, Kind, Priority, Status, Stop, find_stop, not_counting

#: What is said of a mail that is not in this worker's hands any more: cancelled, held for a recheck or taken back.
NOT_OURS = Stop(Status.CANCELLED, "no longer claimed by this worker")
_GONE = Permission(False, "gone", "nobody knows this person any more")


def exchange(
    session: Session,
    worker: int,
    ended: Sequence[Ended],
    wanted: Sequence[Row],
    limits: Limits,
    now: datetime,
    *,
    coming: Mapping[int, datetime] = MappingProxyType({}),
    granted: Granted | None = None,
    interest: Interest | None = None,
) -> dict[int, Stop | None]:
    """Store how tries ended, then ask for each wanted row whether its body may be written.

    1. every result moves its row out of `sending`;
    2. the contacts are locked, so that an opt-out is either seen here or waits until this commit;
    3. one statement moves those to `sending` that everything permits; of each of the others the stop is found and kept.

    `coming` says of contacts when a newsletter's mail that is not queued yet will be due to them, within a day;
    `granted` how many people more each campaign may mail, None where nobody guards; `interest` knows whether any
    condition asks for `mailed(…)`, and so has to look at whoever got something.
    """
    before = interest.asking(session) if interest is not None and ended else []
    before += recording(session, worker, ended, limits, now)
    people = sorted({one.contact_id for one in wanted if one.contact_id})
    before += contacts.locking(session, people, exclusively=True)
    begun: set[int] = set()
    full_until: dict[int, datetime] = {}
    rest: Sequence[Row] = [one for one in wanted if not _is_too_late(one, limits, now)]
    while rest:
        round_, rest = _next_round(rest, limits, granted)
        if not round_:
            break  # nobody of the rest may be mailed: the guard stops their campaigns
        left = _begin_round(session, worker, round_, limits, now, coming, full_until, before)
        begun |= left
        if granted is not None:
            granted.use(*[one for one in round_ if one.id in left])
    run_together(session, before)
    if ended:
        is_asked = interest is None or interest.is_there(session)
        mark(session, [one.delivery for one in ended], now, is_mailed_asked=is_asked)
    if granted is not None:
        granted.let_go(*wanted)
    answers: dict[int, Stop | None] = dict.fromkeys([one.id for one in wanted])
    if len(begun) < len(wanted):
        others = [one.id for one in wanted if one.id not in begun]
        answers |= dict.fromkeys(others, NOT_OURS)
        mine = keep_in_hand(session, worker, others)
        stopped = [one for one in wanted if one.id in mine]
        permissions = _permissions(session, stopped, now)
        full = {one.id: one.campaign for one in stopped if granted is not None and granted.is_used_up(one)}
        with_room = _with_room(session, worker, set(full.values()), limits, now)
        for one in stopped:
            answers[one.id] = _stop(
                session,
                one,
                permissions[one.id],
                limits,
                now,
                issue_at=_issue_at(one, coming),
                is_full=one.id in full,
                has_room=one.campaign in with_room,
                full_until=full_until.get(one.id),
            )
    return answers


def turn_away(session: Session, doubtful: Sequence[Row], now: datetime) -> dict[int, Stop]:
    """Stop those of these claimed rows that may not leave for good, before anything is said about them to a relay.

    `exchange` would refuse them as well; by then their envelope may be with the relay, and the connection is given up.
    """
    permissions = _permissions(session, doubtful, now)
    refused: dict[Stop, list[Row]] = {}
    for one in doubtful:
        permission = permissions[one.id]
        stop = find_stop(Circumstances(permission=permission), now) if not permission.is_allowed else None
        if stop is not None and permission.until is None:
            refused.setdefault(stop, []).append(one)
    for stop, rows in refused.items():
        _put_aside(session, rows, stop, now)
    return {one.id: stop for stop, rows in refused.items() for one in rows}


def _next_round(rest: Sequence[Row], limits: Limits, granted: Granted | None) -> tuple[Sequence[Row], Sequence[Row]]:
    """Those who can be asked about together, and those who come after: who shares a contact, or a place, with them."""
    is_single = len({one.contact_id or -one.id for one in rest}) == len(rest)
    if is_single and not limits.most_per_day and (granted is None or granted.has_room_for_all(rest)):
        return rest, ()
    together: list[Row] = []
    later: list[Row] = []
    people: set[int] = set()
    places: Counter[str] = Counter()
    for one in rest:
        is_double = (one.contact_id or -one.id) in people
        is_waiting = granted is not None and not granted.has_room(one, besides=places[one.campaign])
        # Where the house counts its mails, each is asked about alone: who may not be mailed takes nobody's place.
        if is_double or is_waiting or (limits.most_per_day and together):
            later.append(one)
            continue
        together.append(one)
        places[one.campaign] += 1
        people.add(one.contact_id or -one.id)
    return together, later


def _begin_round(
    session: Session,
    worker: int,
    together: Sequence[Row],
    limits: Limits,
    now: datetime,
    coming: Mapping[int, datetime],
    full_until: dict[int, datetime],
    before: list[Filled],
) -> set[int]:
    """Move those of them to `sending` that may leave; one statement for all that are asked the same.

    The first of these takes with it what has to be done `before`.
    """
    [first, *others] = together
    is_counted = bool(limits.most_per_day) and first.purpose == Purpose.CAMPAIGN and not first.attempts
    if is_counted:
        run_together(session, before)  # whoever waits for a place of the day has locked their contacts
        before.clear()
    if is_counted and not others and (until := daily.take_place(session, limits.most_per_day, now)) is not None:
        full_until[first.id] = until
        return set()
    sorts: dict[tuple[store.Sort, bool], list[Row]] = {}
    for one in together:
        sorts.setdefault((store.sort_of(one), _issue_at(one, coming) is not None), []).append(one)
    begun: set[int] = set()
    for (sort, is_issue_coming), alike in sorts.items():
        begun |= store.begin_sending(
            session,
            worker,
            alike,
            sort,
            now,
            cap_per_day=limits.cap_per_day,
            cap_per_week=limits.cap_per_week,
            values_per_ask=limits.values_per_ask,
            is_issue_coming=is_issue_coming,
            before=before,
        )
        before.clear()
    if is_counted and not begun:
        daily.give_back(session, now)
    return begun


def _issue_at(delivery: Row, coming: Mapping[int, datetime]) -> datetime | None:
    return coming.get(delivery.contact_id or 0) if coming and delivery.priority == Priority.SEQUENCE else None


def _is_too_late(delivery: Row, limits: Limits, now: datetime) -> bool:
    """Whether the calendar keeps it: a day off, or its time is over."""
    if delivery.expires_at is None and not limits.blackout:
        return False
    return _is_blackout(delivery, limits, now) or _has_expired(delivery, limits, now)


def _is_blackout(delivery: Row, limits: Limits, now: datetime) -> bool:
    """Whether today is a day on which no campaign mails, where the mail's window is, else in UTC."""
    if delivery.purpose != Purpose.CAMPAIGN or not limits.blackout:
        return False
    today = now.astimezone(zone_of_window(delivery.window)).date()
    return any(today in span for span in limits.blackout)


def _expires_at(delivery: Row, limits: Limits) -> datetime | None:
    """When it is too late, not counting days on which it was not allowed to leave."""
    if delivery.expires_at is None or delivery.purpose != Purpose.CAMPAIGN:
        return delivery.expires_at
    return not_counting(limits.blackout, delivery.queued_at, delivery.expires_at, zone_of_window(delivery.window))


def _has_expired(delivery: Row, limits: Limits, now: datetime) -> bool:
    expires_at = _expires_at(delivery, limits)
    return expires_at is not None and expires_at <= now


def _permissions(session: Session, stopped: Sequence[Row], now: datetime) -> dict[int, Permission]:
    """Whether their readers may have them, asked about all at once: when many left, most stops are theirs."""
    asked = [one for one in stopped if one.purpose in {Purpose.CAMPAIGN, Purpose.SERVICE} and one.contact_id]
    by_topic: dict[str, list[int]] = {}
    for one in asked:
        by_topic.setdefault(one.topic, []).append(one.contact_id or 0)
    standings = {topic: consents.standings(session, ids, topic) for topic, ids in by_topic.items()}
    found = dict.fromkeys((one.id for one in stopped), ALLOWED)
    for one in asked:
        standing = standings[one.topic].get(one.contact_id or 0)
        found[one.id] = may_send(Purpose(one.purpose), standing, now) if standing else _GONE
    for one in stopped:
        if one.newcomer_id is not None:
            found[one.id] = actions.permission_of_newcomer(session, one.newcomer_id, Purpose(one.purpose), now)
    return found


def _with_room(session: Session, worker: int, campaigns: set[str], limits: Limits, now: datetime) -> set[str]:
    """Those of these campaigns that may mail more people by now: somebody said yes since their mails were claimed."""
    for one in sorted(campaigns):
        guard.wait_in_line(session, one, worker)
    return {one for one in campaigns if guard_rules.room(guard.traffic(session, one, now), limits.blast_guard) > 0}


def _stop(
    session: Session,
    delivery: Row,
    permission: Permission,
    limits: Limits,
    now: datetime,
    *,
    issue_at: datetime | None = None,
    is_full: bool = False,
    has_room: bool = False,
    full_until: datetime | None = None,
) -> Stop:
    """Find out why a row may not leave and move it where it belongs."""
    circumstances = _circumstances(session, delivery, permission, limits, now, issue_at=issue_at)
    guarded = guard_rules.because(delivery.campaign) if is_full else ""
    # Where there is room by now it is claimed anew, and granted a place; held without an end it would stop all the rest.
    guard_until = now if has_room else None
    known = replace(circumstances, guard=guarded, guard_until=guard_until, full_until=full_until)
    stop = find_stop(known, now)
    if stop is None:
        # This worker was declared dead, or what stood in the way has gone this very moment.
        return NOT_OURS
    _put_aside(session, [delivery], stop, now)
    return stop


def _put_aside(session: Session, stopped: Sequence[Row], stop: Stop, now: datetime) -> None:
    """Move claimed rows where their stop says; whoever loses a mail for good is looked at again."""
    count = store.put_aside(session, [one.id for one in stopped], stop, now)
    if count and stop.status is not Status.HELD:
        mark_changed(session, [one.contact_id for one in stopped if one.contact_id], now)


def _circumstances(
    session: Session,
    delivery: Row,
    permission: Permission,
    limits: Limits,
    now: datetime,
    *,
    issue_at: datetime | None = None,
) -> Circumstances:
    if not permission.is_allowed and permission.until is None:
        return Circumstances(permission=permission)  # a no for good comes before everything else
    here = Circumstances(
        permission=permission,
        is_paused=get_pause(session) is not None,
        closes_at=delivery.closes_at,
        next_opens_at=opening_from(delivery.window, now)[0],
        expires_at=_expires_at(delivery, limits),
        is_issue=delivery.issue_id is not None,
    )
    if delivery.purpose != Purpose.CAMPAIGN or delivery.contact_id is None:
        return here
    contact = session.get(Contact, delivery.contact_id)
    is_step, is_ask = delivery.priority == Priority.SEQUENCE, delivery.kind == Kind.ASK
    at_most = find_rhythm(session, delivery.contact_id)
    queued_issue_at = store.first_issue_at(session, delivery.contact_id, now) if is_step else None
    return replace(
        here,
        next_opens_at=opening_from(delivery.window, now, limits.blackout)[0],
        is_campaign_paused=find_pause(session, delivery.campaign) is not None,
        is_blackout=_is_blackout(delivery, limits, now),
        recent_at=deliveries.recent_attempts(session, delivery.contact_id, now - timedelta(days=7)),
        at_most=at_most,
        last_at=store.last_attempt_at(session, delivery.contact_id) if at_most else None,
        cap_per_day=limits.cap_per_day,
        cap_per_week=limits.cap_per_week,
        issue_due_at=min((at for at in (queued_issue_at, issue_at) if at is not None), default=None),
        kind=delivery.kind,
        queued_at=delivery.queued_at,
        values_per_ask=limits.values_per_ask,
        values_since_ask=store.count_values_since_ask(session, delivery.contact_id) if is_ask else 0,
        has_asked_us=contact is not None and contact.interest in ASKS_US,
    )
