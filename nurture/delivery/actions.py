"""What may be done with the outbox: queue, claim, exchange results for permission, take back, release, resolve.

Whether a claimed one may leave is asked in `leaving`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from nurture.campaigns import store as campaigns
from nurture.consent import store as consents
from nurture.consent.domains.actions import meet_domains
from nurture.consent.rules import ALLOWED, Permission, Purpose, may_send
from nurture.contacts.actions import mark_changed
from nurture.database.claiming import bury_dead_workers
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.delivery import store
from nurture.delivery.claimed import Row
from nurture.delivery.guard import store as guard
from nurture.delivery.left_behind import store as left_behind
from nurture.delivery.openings import opening_from, window_json
from nurture.delivery.pausing import store as pausing
from nurture.delivery.remembered import actions as remembered
from nurture.delivery.rules import (
    SETTLED,
    Circumstances,
    HeldBecause,
    Outcome,
    Status,
    find_stop,
)
from nurture.delivery.store import Delivery
from nurture.delivery.waves import store as waves
from nurture.errors import BadInput, NotFound
from nurture.timing import DaySpan, Window

#: The name servers are asked about a new domain within so long, unless they cannot be.
_ASKED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Intention:
    """A mail somebody decided on. `key` says what it is for; two intentions with one key are one mail."""

    key: str
    purpose: Purpose
    campaign: str
    version_id: int
    mail: str
    priority: int
    due_at: datetime
    contact_id: int | None = None
    operator_id: int | None = None
    newcomer_id: int | None = None
    test_address: str | None = None
    domain: str = ""
    enrollment_id: int | None = None
    issue_id: int | None = None
    topic: str = ""
    kind: str = ""  # value or ask; what is neither counts for no budget
    sender: str = "default"
    window: Window | None = None
    zone: str = "UTC"
    expires_at: datetime | None = None
    mail_facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What sending is held to."""

    cap_per_day: int
    cap_per_week: int
    give_up_after: timedelta
    resend_uncertain: bool = False
    values_per_ask: int = 3
    blackout: tuple[DaySpan, ...] = ()
    most_per_day: int = 0  # marketing mails of the whole house in 24 hours; 0: as many as there are
    blast_guard: int = 0  # people a day and campaign that nobody has to allow; 0: no guard


class Ended(NamedTuple):
    """How one try of one delivery ended."""

    delivery: Row
    outcome: Outcome


def queue_deliveries(session: Session, intentions: Sequence[Intention], now: datetime) -> dict[str, Status]:
    """Put mails into the outbox; what became of each key that is new: queued, held or refused with its reason kept."""
    permissions = _permissions(session, intentions, now)
    rows = [row_of(one, permissions[one.key], now) for one in intentions]
    # What the person got before the database was restored to an earlier state is not sent once more.
    recalled = remembered.recall(session, [(one.key, one.contact_id, one.campaign, one.mail) for one in intentions])
    rows = [row | recalled.values(row["key"], now) if row["key"] in recalled else row for row in rows]
    fresh = store.insert_deliveries(session, rows)
    remembered.forget(session, recalled, fresh)
    settled = [row for row in rows if row["key"] in fresh and row["settled_at"] is not None]
    # A mail of a sequence that is settled at once: the enrollment must look at it.
    mark_changed(session, [row["contact_id"] for row in settled if row["enrollment_id"]], now)
    return {row["key"]: Status(row["status"]) for row in rows if row["key"] in fresh}


def _permissions(session: Session, intentions: Sequence[Intention], now: datetime) -> dict[str, Permission]:
    by_topic: dict[str, list[int]] = {}
    for one in intentions:
        if one.contact_id is not None and one.purpose in {Purpose.CAMPAIGN, Purpose.SERVICE}:
            by_topic.setdefault(one.topic, []).append(one.contact_id)
    standings = {topic: consents.standings(session, ids, topic) for topic, ids in by_topic.items()}
    gone = Permission(False, "gone", "nobody knows this person any more")
    permissions = {}
    for one in intentions:
        known = standings.get(one.topic, {}).get(one.contact_id or 0)
        if one.purpose in {Purpose.INTERNAL, Purpose.TEST}:
            permissions[one.key] = ALLOWED
        elif one.newcomer_id is not None:
            permissions[one.key] = permission_of_newcomer(session, one.newcomer_id, one.purpose, now)
        else:
            permissions[one.key] = may_send(one.purpose, known, now) if known else gone
    return permissions


def permission_of_newcomer(session: Session, newcomer_id: int, purpose: Purpose, now: datetime) -> Permission:
    """Whether somebody who has not confirmed anything may be written to: a service mail, if nothing stops those."""
    standing = consents.standing_of_newcomer(session, newcomer_id)
    if standing is None:
        return Permission(False, "gone", "nobody knows this person any more")
    return may_send(purpose, standing, now)


def row_of(one: Intention, permission: Permission, now: datetime) -> dict[str, Any]:
    """The row of a mail somebody decided on, under what is permitted now."""
    window = window_json(one.window, one.zone)
    due_at, closes_at = opening_from(window, max(one.due_at, now))
    # Only what permits it or forbids it for now is asked here; everything else when it is about to leave.
    stop = find_stop(Circumstances(permission=permission, is_issue=one.issue_id is not None), now)
    status = stop.status if stop else Status.QUEUED
    return {
        "id": new_id(),
        "key": one.key,
        "purpose": one.purpose,
        "campaign": one.campaign,
        "version_id": one.version_id,
        "mail": one.mail,
        "kind": one.kind,
        "priority": one.priority,
        "contact_id": one.contact_id,
        "operator_id": one.operator_id,
        "newcomer_id": one.newcomer_id,
        "test_address": one.test_address,
        "domain": one.domain,
        "enrollment_id": one.enrollment_id,
        "issue_id": one.issue_id,
        "topic": one.topic,
        "sender": one.sender,
        "status": status,
        "because": stop.because if stop else "",
        "held_until": stop.until if stop else None,
        "queued_at": now,
        "due_at": due_at,
        "window": window,
        "closes_at": closes_at,
        "expires_at": one.expires_at,
        "attempts": 0,
        "attempted_at": None,
        "reply": "",
        "settled_at": now if status in SETTLED else None,
        "facts": {"mail": dict(one.mail_facts)} if one.mail_facts else None,
    }


def fail_unsendable(session: Session, delivery: Row, because: str, now: datetime) -> None:
    """A mail that cannot be made: it fails alone and says why, and nothing behind it waits."""
    has_failed = store.put_down(session, delivery.id, Status.FAILED, now=now, because=because)
    if has_failed and delivery.contact_id:
        mark_changed(session, [delivery.contact_id], now)


def hold_at_boundary(session: Session, delivery: Row, because: str, now: datetime) -> None:
    """Real mail is not switched on for this recipient; look again in an hour."""
    until = now + timedelta(hours=1)
    because = f"{HeldBecause.BOUNDARY}: {because}"
    store.put_down(session, delivery.id, Status.HELD, now=now, because=because, held_until=until)


def hold_until_asked(session: Session, delivery: Row, domain: str, now: datetime) -> None:
    """Keep a campaign's mail until the name servers were asked about its domain."""
    meet_domains(session, {domain}, now)
    until = now + _ASKED_WITHIN
    store.put_down(session, delivery.id, Status.HELD, now=now, because=HeldBecause.DOMAIN, held_until=until)


def let_pass(session: Session, delivery: Row, due_at: datetime, now: datetime) -> None:
    """Its relay has plenty, or is down: it goes back behind what is due before that, so that others leave meanwhile."""
    store.put_down(session, delivery.id, Status.QUEUED, now=now, due_at=due_at)


def take_back(session: Session, now: datetime, *, resend_uncertain: bool = False) -> int:
    """Settle what dead workers left behind: the unsaid goes back into the queue, the rest is uncertain."""
    bury_dead_workers(session)
    left_behind.assume_sending(session, now)
    guard.take_off_unused(session)
    waves.take_off_unused(session)
    freed = left_behind.take_back_unsent(session)
    in_doubt = left_behind.take_back_in_doubt(session, now)
    if resend_uncertain:
        store.move(session, in_doubt, Status.QUEUED, now=now, because="", settled_at=None)
    mark_changed(session, [contact for contact in in_doubt.values() if contact is not None], now)
    return freed + len(in_doubt)


def release_held(session: Session, now: datetime, limit: int = 500) -> int:
    """Put held deliveries whose reason has passed back into the queue, in their next opening; how many."""
    released = 0
    found = {
        one.id: one for one in store.list_releasable(session, now, limit) + pausing.list_to_release(session, limit)
    }
    for delivery in list(found.values())[:limit]:
        values = _reopened(delivery, max(delivery.due_at, now))
        released += len(
            store.move(session, [delivery.id], Status.QUEUED, now=now, because="", held_until=None, **values)
        )
    return released


def _reopened(delivery: Delivery, at: datetime) -> dict[str, Any]:
    due_at, closes_at = opening_from(delivery.window, at)
    return {"due_at": due_at, "closes_at": closes_at}


def check_verdict(verdict: str) -> Status:
    """What a mail becomes of which a person says this; an error if nobody can say so."""
    targets = {"sent": Status.SENT, "failed": Status.FAILED, "resend": Status.QUEUED}
    if verdict not in targets:
        raise BadInput(f'"{verdict}" is no verdict; say sent, failed or resend.')
    return targets[verdict]


def resolve(session: Session, delivery_id: int, verdict: str, now: datetime) -> Delivery:
    """What a person found out about an uncertain delivery: `sent`, `failed`, or to be sent again.

    A mail that failed before any relay heard of it, since it could not be rendered, may be sent again too: as it is
    published now.
    """
    delivery = store.find_delivery(session, delivery_id)
    if delivery is None:
        raise NotFound(f"there is no delivery {delivery_id}; `nurture deliveries` lists them.")
    target = check_verdict(verdict)
    session.refresh(delivery, with_for_update=True)  # a late answer of the relay may be settling it right now
    was_never_tried = delivery.status == Status.FAILED and not delivery.attempts and delivery.enrollment_id is None
    if delivery.status != Status.UNCERTAIN and not (was_never_tried and verdict == "resend"):
        raise BadInput(
            f"delivery {delivery_id} is {delivery.status}; only an uncertain one is resolved. One that failed because it "
            "could not be rendered can be sent again, with --as resend."
        )
    values: dict[str, Any] = {"because": "resolved by hand"}
    if verdict == "resend":
        values |= {**_reopened(delivery, now), "settled_at": None}
    if was_never_tried:
        # What a note to an operator says was given when it was queued; everything else is taken anew.
        given = {"mail": (delivery.facts or {}).get("mail", {})} if delivery.purpose == Purpose.INTERNAL else None
        values |= {"version_id": campaigns.version_of_now(session, delivery.version_id), "facts": given}
    store.move(session, [delivery_id], target, now=now, **values)
    session.refresh(delivery)
    if delivery.contact_id:
        mark_changed(session, [delivery.contact_id], now)
    return delivery
