"""The questions that need several rooms at once, answered in frozen values. All SQL that reads across rooms is here.

Opens and clicks count people: a hit whose verdict is proxy or scanner is counted apart, one that still waits for its
verdict not at all. Rates of opens and clicks have the tracked mails as their base, for of the others nobody can know.
Colleagues are left out wherever people or what they did are counted; what is queued counts everybody it goes to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from nurture.campaigns.declared import colleague_domains
from nurture.consent.rules import Purpose
from nurture.consent.store import ConsentEvent, may_be_mailed
from nurture.contacts.store import Contact, Operator, works_elsewhere
from nurture.database.engine import Session
from nurture.delivery.rules import MAY_HAVE_ARRIVED, Status
from nurture.delivery.store import Delivery
from nurture.figures import Rate, rate
from nurture.handoff.rules import WORDS, Reason
from nurture.handoff.store import WAITING, HandOff
from nurture.newsletters.store import ANNOUNCEMENT, Reader
from nurture.sequences.store import EnrollmentRow
from nurture.timing import local_instant
from nurture.tracking.rules import ActivityKind, Actor
from nurture.tracking.store import Activity

_MOST_LEADS = 50


@dataclass(frozen=True)
class WaitingLead:
    """A hand-off that waits for its rep."""

    id: int
    name: str
    work: str  # job title and company
    why: str
    because: str  # their own words
    score: float
    fit: str | None
    operator: str
    due_at: datetime


@dataclass(frozen=True)
class Trouble:
    """Deliveries that stand still or went wrong, by state and reason."""

    status: str
    because: str
    count: int
    until: datetime | None  # when the first of them is tried again


@dataclass(frozen=True)
class Stretch:
    """What happened between two instants: marketing mail and what people did with it."""

    since: datetime
    until: datetime
    mails: int
    people: int
    tracked: int
    opened: int  # tracked mails that a person opened
    clicked: int
    left: int  # people mailed in this time who opted out in it
    machine_opens: int
    machine_clicks: int
    unsettled: int

    @property
    def open_rate(self) -> Rate:
        return rate(self.opened, self.tracked)

    @property
    def click_rate(self) -> Rate:
        return rate(self.clicked, self.tracked)

    @property
    def leave_rate(self) -> Rate:
        return rate(self.left, self.people)


@dataclass(frozen=True)
class Week:
    """Mails and clicks by people in one calendar week; `begins_on` is its Monday."""

    begins_on: date
    mails: int
    clicks: int


def count_waiting_leads(session: Session) -> int:
    """How many hand-offs wait for a rep."""
    return session.scalar(sa.select(sa.func.count()).where(col(HandOff.verdict) == WAITING)) or 0


def list_waiting_leads(session: Session, limit: int = _MOST_LEADS) -> list[WaitingLead]:
    """Hand-offs that wait for a rep, the most urgent first."""
    statement = (
        sa.select(HandOff, Contact, col(Operator.name))
        .join(Contact, col(Contact.id) == col(HandOff.contact_id))
        .join(Operator, col(Operator.id) == col(HandOff.operator_id))
        .where(col(HandOff.verdict) == WAITING)
        .order_by(col(HandOff.due_at), col(HandOff.id))
        .limit(limit)
    )
    return [
        WaitingLead(
            id=lead.id,
            name=" ".join(part for part in (contact.first_name, contact.last_name) if part)
            or "Somebody without a name",
            work=", ".join(part for part in (contact.job_title, contact.company) if part),
            why=WORDS[Reason(lead.reason)],
            because=lead.because,
            score=lead.score,
            fit=lead.fit,
            operator=operator,
            due_at=lead.due_at,
        )
        for lead, contact, operator in session.execute(statement)
    ]


def stretch(session: Session, since: datetime, until: datetime) -> Stretch:
    """What happened from `since` up to `until`."""
    sent = _sent(since, until) & is_to_others(session)
    is_tracked = col(Delivery.facts)["is_tracked"].as_boolean()
    mails, people, tracked = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.distinct(col(Delivery.contact_id))),
            sa.func.coalesce(sa.func.sum(sa.case((is_tracked.is_(True), 1), else_=0)), 0),
        ).where(sent)
    ).one()
    return Stretch(
        since=since,
        until=until,
        mails=mails,
        people=people,
        tracked=int(tracked),
        opened=_count_mails_with(session, ActivityKind.OPENED, sent, is_tracked),
        clicked=_count_mails_with(session, ActivityKind.CLICKED, sent, is_tracked),
        left=_count_left(session, since, until, sent),
        machine_opens=_count_hits(session, since, until, (Actor.PROXY, Actor.SCANNER), ActivityKind.OPENED),
        machine_clicks=_count_hits(session, since, until, (Actor.PROXY, Actor.SCANNER), ActivityKind.CLICKED),
        unsettled=_count_hits(session, since, until, (Actor.UNSETTLED,)),
    )


def _sent(since: datetime, until: datetime) -> ColumnElement[bool]:
    """Clause on `delivery`: marketing mail that left in this time and may have arrived."""
    return sa.and_(
        col(Delivery.purpose) == Purpose.CAMPAIGN,
        col(Delivery.status).in_([status for status in MAY_HAVE_ARRIVED if status is not Status.SENDING]),
        col(Delivery.attempted_at) >= since,
        col(Delivery.attempted_at) < until,
    )


def is_to_others(session: Session) -> ColumnElement[bool]:
    """Clause on `delivery`: it does not go to a colleague."""
    return col(Delivery.domain).not_in(colleague_domains(session))


def is_others(session: Session, contact_id: Any) -> ColumnElement[bool]:
    """Clause on a column that names contacts: they do not work here."""
    return works_elsewhere(contact_id, colleague_domains(session))


def _count_mails_with(session: Session, kind: ActivityKind, *clauses: ColumnElement[bool]) -> int:
    """How many tracked mails have at least one such hit by a person."""
    sent, is_tracked = clauses
    hit = sa.exists().where(
        col(Activity.delivery_id) == col(Delivery.id), col(Activity.kind) == kind, col(Activity.actor) == Actor.PERSON
    )
    return session.scalar(sa.select(sa.func.count()).select_from(Delivery).where(sent, is_tracked.is_(True), hit)) or 0


def _count_hits(
    session: Session, since: datetime, until: datetime, actors: Sequence[Actor], kind: ActivityKind | None = None
) -> int:
    statement = sa.select(sa.func.count()).select_from(Activity)
    statement = statement.where(
        col(Activity.actor).in_(actors),
        col(Activity.kind).in_((kind,) if kind else (ActivityKind.OPENED, ActivityKind.CLICKED)),
        col(Activity.occurred_at) >= since,
        col(Activity.occurred_at) < until,
        is_others(session, Activity.contact_id),
    )
    return session.scalar(statement) or 0


def _count_left(session: Session, since: datetime, until: datetime, sent: ColumnElement[bool]) -> int:
    """People mailed in this time who opted out in it."""
    mailed = sa.exists().where(col(Delivery.contact_id) == col(ConsentEvent.contact_id), sent)
    statement = sa.select(sa.func.count(sa.distinct(col(ConsentEvent.contact_id)))).where(
        col(ConsentEvent.what) == "opted_out",
        col(ConsentEvent.recorded_at) >= since,
        col(ConsentEvent.recorded_at) < until,
        mailed,
    )
    return session.scalar(statement) or 0


def list_weeks(session: Session, now: datetime, zone: ZoneInfo, count: int) -> list[Week]:
    """The last `count` calendar weeks in `zone`, this one included, the oldest first."""
    monday = now.astimezone(zone).date() - timedelta(days=now.astimezone(zone).weekday())
    starts = [monday - timedelta(weeks=back) for back in range(count - 1, -1, -1)]
    bounds = [local_instant(day, time(0), zone) for day in (*starts, monday + timedelta(weeks=1))]
    sent_at, clicked_at = col(Delivery.attempted_at), col(Activity.occurred_at)
    mails = _count_by(session, sent_at, bounds, _sent(bounds[0], bounds[-1]) & is_to_others(session))
    clicks = _count_by(
        session,
        clicked_at,
        bounds,
        sa.and_(
            col(Activity.kind) == ActivityKind.CLICKED,
            col(Activity.actor) == Actor.PERSON,
            clicked_at >= bounds[0],
            clicked_at < bounds[-1],
            is_others(session, Activity.contact_id),
        ),
    )
    return [Week(*each) for each in zip(starts, mails, clicks, strict=True)]


def _count_by(session: Session, column: Any, bounds: Sequence[datetime], where: ColumnElement[bool]) -> list[int]:
    """How many rows fall between each two bounds, in one pass over the table."""
    sums = [
        sa.func.coalesce(sa.func.sum(sa.case((sa.and_(column >= start, column < end), 1), else_=0)), 0)
        for start, end in pairwise(bounds)
    ]
    return [int(value) for value in session.execute(sa.select(*sums).where(where)).one()]


def list_troubles(session: Session, since: datetime) -> list[Trouble]:
    """What is held, uncertain, or failed since then; the worst first."""
    order = {Status.FAILED: 0, Status.UNCERTAIN: 1, Status.HELD: 2}
    statement = (
        sa.select(col(Delivery.status), col(Delivery.because), sa.func.count(), sa.func.min(col(Delivery.held_until)))
        .where(
            sa.or_(
                col(Delivery.status).in_((Status.HELD, Status.UNCERTAIN)),
                sa.and_(col(Delivery.status) == Status.FAILED, col(Delivery.settled_at) >= since),
            )
        )
        .group_by(col(Delivery.status), col(Delivery.because))
    )
    found = [Trouble(*row) for row in session.execute(statement)]
    return sorted(found, key=lambda one: (order[Status(one.status)], -one.count, one.because))


@dataclass(frozen=True)
class Queued:
    """Mails of one kind that wait for their time."""

    version_id: int
    mail: str
    due_at: datetime
    count: int


def list_queued(session: Session) -> list[Queued]:
    """Marketing mail in the queue, the next first."""
    soonest = sa.func.min(col(Delivery.due_at))
    statement = (
        sa.select(col(Delivery.version_id), col(Delivery.mail), soonest, sa.func.count())
        .where(
            col(Delivery.purpose) == Purpose.CAMPAIGN,
            col(Delivery.status).in_((Status.QUEUED, Status.CLAIMED, Status.SENDING)),
        )
        .group_by(col(Delivery.version_id), col(Delivery.mail))
        .order_by(soonest)
    )
    return [Queued(*row) for row in session.execute(statement)]


def count_readers_at(
    session: Session,
    newsletter: str,
    topic: str,
    slot_at: datetime,
    first_issue_from: Callable[[datetime], datetime],
    now: datetime,
) -> int:
    """How many people an issue would go to at `slot_at`, as far as permission holds now.

    Whoever's announcement has left becomes a reader only when a slot is opened; `first_issue_from` says from when.
    """
    allowed = may_be_mailed(Purpose.CAMPAIGN, topic, now)
    readers = (
        sa.select(sa.func.count())
        .select_from(Reader)
        .join(Contact, col(Contact.id) == col(Reader.contact_id))
        .where(
            col(Reader.newsletter) == newsletter,
            col(Reader.first_issue_from) <= slot_at,
            col(Reader.left_at).is_(None),
            allowed,
        )
    )
    has_read = sa.exists().where(
        col(Reader.contact_id) == col(Delivery.contact_id), col(Reader.newsletter) == newsletter
    )
    announced = (
        sa.select(col(Delivery.attempted_at))
        .join(Contact, col(Contact.id) == col(Delivery.contact_id))
        .where(
            col(Delivery.campaign) == f"newsletter:{newsletter}",
            col(Delivery.mail) == ANNOUNCEMENT,
            col(Delivery.status).in_((Status.SENT, Status.UNCERTAIN)),
            ~has_read,
            allowed,
        )
    )
    coming = sum(1 for at in session.scalars(announced) if at is not None and first_issue_from(at) <= slot_at)
    return (session.scalar(readers) or 0) + coming


def count_on_steps(session: Session) -> dict[str, dict[str | None, int]]:
    """By sequence, how many people stand on each step now."""
    statement = sa.select(col(EnrollmentRow.sequence), col(EnrollmentRow.step), sa.func.count()).where(
        col(EnrollmentRow.ended_at).is_(None), is_others(session, EnrollmentRow.contact_id)
    )
    found: dict[str, dict[str | None, int]] = {}
    rows = session.execute(statement.group_by(col(EnrollmentRow.sequence), col(EnrollmentRow.step)))
    for sequence, step, count in rows:
        found.setdefault(sequence, {})[step] = count
    return found


def count_ended(session: Session) -> dict[str, dict[str, int]]:
    """By sequence, how many came to its end ("finished") or left it, by reason."""
    reason = sa.case((col(EnrollmentRow.status) == "finished", "finished"), else_=col(EnrollmentRow.exit_reason))
    statement = sa.select(col(EnrollmentRow.sequence), reason, sa.func.count()).where(
        col(EnrollmentRow.ended_at).is_not(None), is_others(session, EnrollmentRow.contact_id)
    )
    found: dict[str, dict[str, int]] = {}
    for sequence, why, count in session.execute(statement.group_by(col(EnrollmentRow.sequence), reason)):
        found.setdefault(sequence, {})[why] = count
    return found
