"""Asks for each claimed delivery whether it may leave, at the last moment.

`exchange` is the heart of sending. In one transaction it stores how the last messages ended and moves one claimed row
for each waiting connection to `sending`, asking permission once more; only after its commit is a body written.
"""

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
from nurture.delivery import actions
from nurture.delivery import store as deliveries
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.daily import store as daily
from nurture.delivery.guard import rules as guard_rules
from nurture.delivery.guard.granting import Granted
from nurture.delivery.leaving import store
from nurture.delivery.openings import opening_from, zone_of_window
from nurture.delivery.pausing.store import find_pause
from nurture.delivery.rules import Circumstances, Kind, Priority, Status, Stop, find_stop, not_counting
from nurture.delivery.store import Delivery


def exchange(
    session: Session,
    worker: int,
    ended: Sequence[Ended],
    wanted: Sequence[Delivery],
    limits: Limits,
    now: datetime,
    *,
    coming: Mapping[int, datetime] = MappingProxyType({}),
    granted: Granted | None = None,
) -> dict[int, Stop | None]:
    """Store how tries ended, then ask for each wanted row whether its body may be written.

    1. every result moves its row out of `sending`;
    2. the contacts are locked, so that an opt-out is either seen here or waits until this commit;
    3. one statement per row moves it to `sending` if everything permits it; otherwise its stop is found and kept.

    `coming` says of contacts when a newsletter's mail that is not queued yet will be due to them, within a day;
    `granted` how many people more each campaign may mail, None where nobody guards.
    """
    actions.record_outcomes(session, worker, ended, limits, now)
    contacts.lock_contacts(session, sorted({one.contact_id for one in wanted if one.contact_id}), exclusively=True)
    answers: dict[int, Stop | None] = {}
    for one in wanted:
        issue_at = coming.get(one.contact_id or 0) if one.priority == Priority.SEQUENCE else None
        is_full = granted is not None and granted.is_used_up(one)
        is_counted = bool(limits.most_per_day) and one.purpose == Purpose.CAMPAIGN and not one.attempts
        full_until = daily.take_place(session, limits.most_per_day, now) if is_counted and not is_full else None
        may_begin = not is_full and full_until is None
        if may_begin and begin(session, worker, one, limits, now, is_issue_coming=issue_at is not None):
            answers[one.id] = None
            if granted is not None:
                granted.use(one)
            continue
        if is_counted and may_begin:
            daily.give_back(session, now)
        answers[one.id] = _stop(session, one, limits, now, issue_at=issue_at, is_full=is_full, full_until=full_until)
    return answers


def begin(
    session: Session, worker: int, delivery: Delivery, limits: Limits, now: datetime, *, is_issue_coming: bool = False
) -> bool:
    """Move one claimed row to `sending` if everything permits it: first the calendar, which nobody changes meanwhile."""
    if _is_blackout(delivery, limits, now) or _has_expired(delivery, limits, now):
        return False
    return store.begin_sending(
        session,
        worker,
        delivery,
        now,
        cap_per_day=limits.cap_per_day,
        cap_per_week=limits.cap_per_week,
        values_per_ask=limits.values_per_ask,
        is_issue_coming=is_issue_coming,
    )


def _is_blackout(delivery: Delivery, limits: Limits, now: datetime) -> bool:
    """Whether today is a day on which no campaign mails, where the mail's window is, else in UTC."""
    if delivery.purpose != Purpose.CAMPAIGN or not limits.blackout:
        return False
    today = now.astimezone(zone_of_window(delivery.window)).date()
    return any(today in span for span in limits.blackout)


def _expires_at(delivery: Delivery, limits: Limits) -> datetime | None:
    """When it is too late, not counting days on which it was not allowed to leave."""
    if delivery.expires_at is None or delivery.purpose != Purpose.CAMPAIGN:
        return delivery.expires_at
    return not_counting(limits.blackout, delivery.queued_at, delivery.expires_at, zone_of_window(delivery.window))


def _has_expired(delivery: Delivery, limits: Limits, now: datetime) -> bool:
    expires_at = _expires_at(delivery, limits)
    return expires_at is not None and expires_at <= now


def _stop(
    session: Session,
    delivery: Delivery,
    limits: Limits,
    now: datetime,
    *,
    issue_at: datetime | None = None,
    is_full: bool = False,
    full_until: datetime | None = None,
) -> Stop:
    """Find out why a row may not leave and move it where it belongs."""
    circumstances = _circumstances(session, delivery, limits, now, issue_at=issue_at)
    guarded = guard_rules.because(delivery.campaign) if is_full else ""
    stop = find_stop(replace(circumstances, guard=guarded, full_until=full_until), now)
    if stop is None:
        # Cancelled, held for a recheck or taken back between the claim and now: it is not ours any more.
        return Stop(Status.CANCELLED, "no longer claimed by this worker")
    if stop.status is Status.HELD:
        deliveries.move(session, [delivery.id], Status.HELD, now=now, because=stop.because, held_until=stop.until)
    elif deliveries.move(session, [delivery.id], stop.status, now=now, because=stop.because) and delivery.contact_id:
        mark_changed(session, [delivery.contact_id], now)
    return stop


def _circumstances(
    session: Session, delivery: Delivery, limits: Limits, now: datetime, *, issue_at: datetime | None = None
) -> Circumstances:
    permission = ALLOWED
    if delivery.purpose in {Purpose.CAMPAIGN, Purpose.SERVICE} and delivery.contact_id is not None:
        standing = consents.standings(session, [delivery.contact_id], delivery.topic).get(delivery.contact_id)
        permission = (
            may_send(Purpose(delivery.purpose), standing, now)
            if standing
            else Permission(False, "gone", "nobody knows this person any more")
        )
    if delivery.newcomer_id is not None:
        permission = actions.permission_of_newcomer(session, delivery.newcomer_id, Purpose(delivery.purpose), now)
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
