"""The statement that moves a delivery to `sending`, and what its pure twin `rules.find_stop` asks one by one.

It holds every condition that permission depends on, so that an opt-out, a pause or a cancellation committed before it
always wins. A property test holds the two equal.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from nurture.consent.rhythms.rules import LENGTHS
from nurture.consent.rhythms.store import Rhythm
from nurture.consent.rules import Purpose
from nurture.consent.store import may_be_mailed, newcomer_may_be_served
from nurture.contacts.newcomers.store import Newcomer
from nurture.contacts.store import Contact, has_asked_us
from nurture.database.claiming import is_alive
from nurture.database.columns import Instant
from nurture.database.engine import Session
from nurture.database.installation import is_running
from nurture.database.prepared import Filled, Prepared, is_among, not_by_index, packed, run_together
from nurture.delivery.claimed import Row
from nurture.delivery.pausing.store import is_campaign_going
from nurture.delivery.rules import (
    ARROWS,
    ISSUE_GOES_FIRST,
    MAY_HAVE_ARRIVED,
    HeldBecause,
    Kind,
    Priority,
    Status,
    Stop,
)
from nurture.delivery.store import Delivery

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def begin_sending(
    session: Session,
    worker: int,
    deliveries: Sequence[Row],
    sort: "Sort",
    now: datetime,
    *,
    cap_per_day: int,
    cap_per_week: int,
    values_per_ask: int = 0,
    is_issue_coming: bool = False,
    before: Sequence[Filled] = (),
) -> set[int]:
    """Move claimed rows to `sending` where everything still permits it, in one statement; which were moved.

    They are of one sort, and to as many contacts: of two to the same one neither would see the other. What has to be
    done `before` is run with it.
    """
    ids = [one.id for one in deliveries]
    begin = _BEGIN_SENDING[sort].filled(
        deliveries=ids,
        worker=worker,
        now=now,
        a_day_ago=now - timedelta(days=1),
        a_week_ago=now - timedelta(days=7),
        **{f"too_soon_for_{at_most}": now - length for at_most, length in LENGTHS.items()},
        in_a_day=now + ISSUE_GOES_FIRST,
        cap_per_day=cap_per_day,
        cap_per_week=cap_per_week,
        values_per_ask=values_per_ask,
        is_issue_coming=is_issue_coming,
    )
    count = run_together(session, [*before, begin])[-1]
    if count == len(ids):
        return set(ids)  # nearly always, and then nobody has to ask which
    begun = {delivery for (delivery,) in _BEGUN.unpacked(session, deliveries=ids, worker=worker)}
    if len(begun) != count:
        raise RuntimeError(f"{count} mails may leave, and {len(begun)} of those that were asked about are leaving")
    return begun


def put_aside(session: Session, ids: Sequence[int], stop: Stop, now: datetime) -> int:
    """Move claimed rows where their stop says, with why; how many were still somebody's."""
    given = {"because": stop.because, "until": stop.until} if stop.status is Status.HELD else {"because": stop.because}
    return _PUT_ASIDE[stop.status].change(session, deliveries=ids, now=now, **given)


class Sort(NamedTuple):
    """What of a mail decides which questions are asked about it."""

    purpose: str
    is_step: bool
    is_ask: bool


def sort_of(delivery: Row) -> Sort:
    return _sort(delivery.purpose, delivery.priority, delivery.kind)


@cache
def _sort(purpose: str, priority: int, kind: str) -> Sort:
    return Sort(purpose, priority == Priority.SEQUENCE, kind == Kind.ASK)


def _among(column: Any, words: Iterable[str]) -> ColumnElement[bool]:
    """Clause: one of these words of ours, written out.

    A list of parameters would be spelled anew for every mail, and SQLite would plan the statement anew: the value of a
    parameter decides whether a partial index may be used.
    """
    found: ColumnElement[bool] = column.in_([sa.literal_column(f"'{word}'") for word in words])
    return found


def _recent_count(since: ColumnElement[datetime]) -> ColumnElement[int]:
    """How many marketing mails the contact of a delivery may have got after `since`."""
    other = aliased(Delivery)
    return (
        sa.select(sa.func.count())
        .where(
            col(other.contact_id) == col(Delivery.contact_id),
            col(other.attempted_at) > since,
            col(other.purpose) == Purpose.CAMPAIGN,
            _among(other.status, MAY_HAVE_ARRIVED),
        )
        .correlate(Delivery)
        .scalar_subquery()
    )


def _is_too_often() -> ColumnElement[bool]:
    """Clause: this person asked for fewer mails, and had one lately. `consent.rhythms.rules` in SQL."""
    other = aliased(Delivery)
    since = sa.case(
        {at_most: sa.bindparam(f"too_soon_for_{at_most}", type_=Instant) for at_most in LENGTHS},
        value=col(Rhythm.at_most),
    )
    lately = sa.exists().where(
        col(other.contact_id) == col(Rhythm.contact_id),
        col(other.attempted_at) > since,
        col(other.purpose) == Purpose.CAMPAIGN,
        _among(other.status, MAY_HAVE_ARRIVED),
    )
    theirs = col(Rhythm.contact_id) == col(Delivery.contact_id)
    return sa.exists().where(theirs, lately.correlate_except(other)).correlate_except(Rhythm)


def last_attempt_at(session: Session, contact_id: int) -> datetime | None:
    """When the contact may have got the last marketing mail."""
    statement = sa.select(sa.func.max(col(Delivery.attempted_at))).where(
        col(Delivery.contact_id) == contact_id,
        col(Delivery.purpose) == Purpose.CAMPAIGN,
        col(Delivery.status).in_(MAY_HAVE_ARRIVED),
    )
    return session.scalar(statement)


def _first_issue_at(contact: Any, within: Any) -> ColumnElement[Any]:
    """When the first mail of a newsletter to this contact leaves that is about to, and goes before a sequence's."""
    other = aliased(Delivery)
    is_queued = sa.and_(_among(other.status, (Status.QUEUED, Status.CLAIMED)), col(other.due_at) <= within)
    # One that is held for another reason may stand still for long; a step does not wait for that.
    is_held_shortly = sa.and_(
        _among(other.status, (Status.HELD,)),
        _among(other.because, (HeldBecause.CAP, HeldBecause.WINDOW)),
        col(other.held_until) <= within,
    )
    first = sa.select(sa.func.min(sa.func.coalesce(col(other.held_until), col(other.due_at)))).where(
        col(other.contact_id) == contact,
        col(other.priority) == Priority.NEWSLETTER,
        col(other.purpose) == Purpose.CAMPAIGN,
        sa.or_(is_queued, is_held_shortly),
    )
    return first.correlate(Delivery).scalar_subquery()


def _values_since_ask(contact: Any) -> ColumnElement[int]:
    """How many mails of value the contact may have got since the last ask, from any campaign."""
    value, ask = aliased(Delivery), aliased(Delivery)
    last_ask = (
        sa.select(sa.func.max(col(ask.attempted_at)))
        .where(col(ask.contact_id) == contact, col(ask.kind) == Kind.ASK, _among(ask.status, MAY_HAVE_ARRIVED))
        .correlate(Delivery)
        .scalar_subquery()
    )
    values = sa.select(sa.func.count()).where(
        col(value.contact_id) == contact,
        col(value.attempted_at) > sa.func.coalesce(last_ask, sa.literal(_LONG_AGO, Instant)),
        col(value.kind) == Kind.VALUE,
        _among(value.status, MAY_HAVE_ARRIVED),
    )
    return values.correlate(Delivery).scalar_subquery()


def first_issue_at(session: Session, contact_id: int, now: datetime) -> datetime | None:
    """When the newsletter's mail leaves that goes before a step of a sequence to this contact."""
    return session.scalar(sa.select(_first_issue_at(contact_id, now + ISSUE_GOES_FIRST)))


def count_values_since_ask(session: Session, contact_id: int) -> int:
    """How many mails of value the contact may have got since the last ask."""
    return session.scalar(sa.select(_values_since_ask(contact_id))) or 0


def _may_leave(purpose: Purpose, *, is_step: bool, is_ask: bool) -> ColumnElement[bool]:
    """Clause on `delivery`: `rules.find_stop` finds nothing that somebody else could have changed meanwhile.

    What only the calendar decides, a day of a blackout and too late, `actions` asks beforehand. What the mail is never
    changes, so only a step of a sequence asks for newsletters, and only an ask whether it is earned.
    """
    now = sa.bindparam("now", type_=Instant)
    clauses = [
        is_running(),
        sa.or_(col(Delivery.closes_at).is_(None), col(Delivery.closes_at) > now),
    ]
    if purpose in {Purpose.CAMPAIGN, Purpose.SERVICE}:
        allowed = may_be_mailed(purpose, col(Delivery.topic), now)
        is_allowed: ColumnElement[bool] = sa.exists().where(col(Contact.id) == col(Delivery.contact_id), allowed)
        if purpose is Purpose.SERVICE:
            is_newcomer = col(Newcomer.id) == col(Delivery.newcomer_id)
            is_allowed = sa.or_(is_allowed, sa.exists().where(is_newcomer, newcomer_may_be_served()))
        clauses.append(is_allowed)
    if purpose is Purpose.CAMPAIGN:
        clauses += [is_campaign_going(col(Delivery.campaign)), *_within_caps(), ~_is_too_often()]
    if purpose is Purpose.CAMPAIGN and is_step:
        is_coming = sa.bindparam("is_issue_coming", type_=sa.Boolean)
        issue_at = _first_issue_at(col(Delivery.contact_id), sa.bindparam("in_a_day", type_=Instant))
        has_no_issue = sa.and_(~is_coming, issue_at.is_(None))
        clauses.append(sa.or_(has_no_issue, sa.and_(*_within_caps(besides=1))))
    if purpose is Purpose.CAMPAIGN and is_ask:
        has_asked = sa.exists().where(col(Contact.id) == col(Delivery.contact_id), has_asked_us())
        is_earned = _values_since_ask(col(Delivery.contact_id)) >= sa.bindparam("values_per_ask", type_=sa.Integer)
        clauses.append(sa.or_(has_asked, is_earned))
    return sa.and_(*clauses)


def _within_caps(*, besides: int = 0) -> list[ColumnElement[bool]]:
    """Clauses: one more mail fits, and `besides` so many others."""
    return [
        _recent_count(sa.bindparam(since, type_=Instant)) < sa.bindparam(cap, type_=sa.Integer) - besides
        for since, cap in (("a_day_ago", "cap_per_day"), ("a_week_ago", "cap_per_week"))
    ]


def _begin_sending(sort: Sort) -> Prepared:
    """The statement in whose WHERE every permission stands."""
    worker = sa.bindparam("worker", type_=sa.BigInteger)
    table: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it

    def make(*, is_sqlite: bool) -> Any:
        begin = sa.update(table).where(
            is_among(table.c.id, "deliveries", is_sqlite=is_sqlite),
            not_by_index(table.c.status) == Status.CLAIMED,
            not_by_index(table.c.worker_id) == worker,
            is_alive(worker),
            _may_leave(Purpose(sort.purpose), is_step=sort.is_step, is_ask=sort.is_ask),
        )
        attempt = {"attempts": table.c.attempts + 1, "attempted_at": sa.bindparam("now", type_=Instant)}
        return begin.values(status=Status.SENDING, **attempt)

    return Prepared(make)


def _begun(*, is_sqlite: bool) -> Any:
    table: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    asked = is_among(table.c.id, "deliveries", is_sqlite=is_sqlite)
    theirs = table.c.worker_id == sa.bindparam("worker", type_=sa.BigInteger)
    return packed(sa.select(table.c.id).where(asked, theirs, table.c.status == Status.SENDING), is_sqlite=is_sqlite)


_BEGUN = Prepared(_begun)
_BEGIN_SENDING = {
    sort: _begin_sending(sort) for sort in (Sort(*each) for each in product(Purpose, (False, True), (False, True)))
}


def _put_aside(to: Status) -> Prepared:
    table: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    values: dict[str, Any] = {"status": to, "worker_id": None, "because": sa.bindparam("because", type_=sa.Text)}
    if to is Status.HELD:
        values["held_until"] = sa.bindparam("until", type_=Instant)
    else:
        values["settled_at"] = sa.bindparam("now", type_=Instant)
    sources = [status for status, targets in ARROWS.items() if to in targets]

    def make(*, is_sqlite: bool) -> Any:
        theirs = is_among(table.c.id, "deliveries", is_sqlite=is_sqlite)
        return sa.update(table).where(theirs, _among(table.c.status, sources)).values(**values)

    return Prepared(make)


_PUT_ASIDE = {to: _put_aside(to) for to in (Status.HELD, Status.REFUSED, Status.CANCELLED, Status.EXPIRED)}
