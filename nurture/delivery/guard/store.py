"""How many people each campaign mailed on each day, what was allowed beyond that, and all SQL about it.

Each worker counts in rows of its own, so that two never wait for each other; the sum is what the campaign did.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.consent.rules import Purpose
from nurture.database.claiming import dead_workers
from nurture.database.columns import KEY_IS_THE_ROW, Instant, id_column, instant_column
from nurture.database.engine import Session
from nurture.database.prepared import Prepared
from nurture.database.statements import changed_rows
from nurture.delivery.guard.rules import LOOK_BACK, Traffic, because
from nurture.delivery.rules import HeldBecause, Status
from nurture.delivery.store import Delivery


class CampaignDay(SQLModel, table=True):
    """How many people one worker mailed for one campaign on one day of UTC."""

    __tablename__ = "campaign_day"
    __table_args__ = KEY_IS_THE_ROW

    campaign: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    worker_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    people: int
    short: int = Field(
        default=0,
        description="how many more mails the worker had in hand than people it was granted, at its last claim",
        sa_column_kwargs={"server_default": "0"},
    )


class Allowance(SQLModel, table=True):
    """Somebody said yes: so many people a day for one campaign, until then."""

    id: int = id_column()
    campaign: str = Field(index=True)
    people: int
    allowed_by: str
    allowed_at: datetime = instant_column()
    until: datetime = instant_column()


def _days(which: Any, *more: Any) -> Any:
    per_day = sa.select(sa.func.sum(col(CampaignDay.people)).label("people")).where(
        col(CampaignDay.campaign) == sa.bindparam("campaign", type_=sa.Text), which, *more
    )
    return per_day.group_by(col(CampaignDay.day)).subquery()


_TODAY = _days(col(CampaignDay.day) == sa.bindparam("today", type_=sa.Date))
_BEFORE = _days(
    col(CampaignDay.day) < sa.bindparam("today", type_=sa.Date),
    col(CampaignDay.day) >= sa.bindparam("earliest", type_=sa.Date),
)


def _traffic(*, is_sqlite: bool) -> Any:
    return sa.select(
        sa.select(sa.func.max(_TODAY.c.people)).scalar_subquery(),
        sa.select(sa.func.max(_BEFORE.c.people)).scalar_subquery(),
        sa.select(sa.func.max(col(Allowance.people)))
        .where(
            col(Allowance.campaign) == sa.bindparam("campaign", type_=sa.Text),
            col(Allowance.until) > sa.bindparam("now", type_=Instant),
        )
        .scalar_subquery(),
        sa.exists().where(
            # Word for word as the index says it, or SQLite would not take it.
            col(Delivery.status) == sa.literal_column("'held'"),
            col(Delivery.because) == sa.bindparam("because", type_=sa.Text),
            col(Delivery.held_until).is_(None),
        ),
    )


_TRAFFIC = Prepared(_traffic)


def traffic(session: Session, campaign: str, now: datetime) -> Traffic:
    """What the guard needs to know about a campaign."""
    given = {
        "campaign": campaign,
        "today": now.date(),
        "earliest": (now - LOOK_BACK).date(),
        "now": now,
        "because": because(campaign),
    }
    [(today, busiest, allowed, is_stopped)] = _TRAFFIC.rows(session, **given)
    return Traffic(today or 0, busiest or 0, allowed or 0, bool(is_stopped))


def wait_in_line(session: Session, campaign: str, worker: int | None = None) -> None:
    """Whoever says yes to a campaign waits for a worker that is about to stop mails of it, and the other way round.

    Else mails that were stopped at that very moment would wait for another yes. SQLite has one writer anyway.
    """
    rows = sa.select(col(CampaignDay.day)).where(col(CampaignDay.campaign) == campaign)
    if worker is not None:
        rows = rows.where(
            col(CampaignDay.worker_id) == worker
        )  # there is one: it counts whom this worker went short of
    session.execute(rows.order_by(col(CampaignDay.worker_id), col(CampaignDay.day)).with_for_update()).all()


_TABLE: Any = CampaignDay.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it


def _count(*, is_sqlite: bool) -> Any:
    mine = sa.update(_TABLE).where(
        _TABLE.c.campaign == sa.bindparam("of_campaign", type_=sa.Text),
        _TABLE.c.day == sa.bindparam("today", type_=sa.Date),
        _TABLE.c.worker_id == sa.bindparam("of_worker", type_=sa.BigInteger),
    )
    more, short = sa.bindparam("more", type_=sa.Integer), sa.bindparam("short_by", type_=sa.Integer)
    return mine.values(people=_TABLE.c.people + more, short=short)


_COUNT = Prepared(_count)


def add_people(session: Session, campaign: str, worker: int, people: int, now: datetime, *, short: int = 0) -> None:
    """Count people who are mailed for the first time by a delivery. The row is this worker's alone."""
    if not people and not short:
        return
    given = {"of_campaign": campaign, "today": now.date(), "of_worker": worker, "more": people, "short_by": short}
    if not _COUNT.change(session, **given):
        session.add(CampaignDay(campaign=campaign, day=now.date(), worker_id=worker, people=people, short=short))
        session.flush()


def take_off_unused(session: Session) -> None:
    """Take off the count whom dead workers were granted and had not begun to mail; before their rows are taken back."""
    # With the Message-ID of a first try its place was granted, in the same transaction.
    unused = (
        sa.select(col(Delivery.worker_id), col(Delivery.campaign), sa.func.count())
        .where(
            # The first as the index of what is in hand says it, word for word, or SQLite would not take that.
            col(Delivery.status).in_([sa.literal_column("'claimed'"), sa.literal_column("'sending'")]),
            col(Delivery.status) == Status.CLAIMED,
            col(Delivery.worker_id).in_(dead_workers()),
            col(Delivery.purpose) == Purpose.CAMPAIGN,
            col(Delivery.attempts) == 0,
            col(Delivery.message_id).is_not(None),
        )
        .group_by(col(Delivery.worker_id), col(Delivery.campaign))
        .order_by(col(Delivery.worker_id), col(Delivery.campaign))
    )
    for worker, campaign, mails in session.execute(unused).all():
        last = sa.select(CampaignDay).where(col(CampaignDay.campaign) == campaign, col(CampaignDay.worker_id) == worker)
        day = session.scalars(last.order_by(col(CampaignDay.day).desc()).limit(1)).one_or_none()
        if day is not None:
            day.people -= min(day.people, max(0, mails - day.short))


def list_stopped(session: Session) -> list[tuple[str, int]]:
    """Campaigns that the guard stopped, each with how many mails wait for a yes."""
    statement = (
        sa.select(col(Delivery.campaign), sa.func.count())
        .where(
            col(Delivery.status) == sa.literal_column("'held'"),
            col(Delivery.because).startswith(f"{HeldBecause.GUARD}:"),
            col(Delivery.held_until).is_(None),
        )
        .group_by(col(Delivery.campaign))
        .order_by(col(Delivery.campaign))
    )
    return [(campaign, count) for campaign, count in session.execute(statement)]


def release(session: Session, campaign: str, now: datetime) -> int:
    """Let what the guard stopped be looked at again; how many."""
    stopped = sa.update(Delivery).where(col(Delivery.status) == Status.HELD, col(Delivery.because) == because(campaign))
    return changed_rows(session, stopped.values(held_until=now))
