"""Complaints by provider, and all SQL about them."""

from collections import Counter
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.consent.rules import Purpose
from nurture.database.columns import KEY_IS_THE_ROW, instant_column
from nurture.database.engine import Session
from nurture.database.statements import insert
from nurture.delivery.complaints.rules import LOOK_BACK, Figure, Rate
from nurture.delivery.pacing.providers import group_of, provider_of
from nurture.delivery.rules import MAY_HAVE_ARRIVED
from nurture.delivery.store import Delivery

_COMPANIES = "companies"


class ComplaintFigure(SQLModel, table=True):
    """A complaint rate that somebody read off a provider's own tools."""

    __tablename__ = "complaint_figure"
    __table_args__ = KEY_IS_THE_ROW

    provider: str = Field(primary_key=True)
    on: date = Field(primary_key=True)
    percent: float
    entered_by: str
    entered_at: datetime = instant_column()


def enter(session: Session, figure: Figure, by: str, now: datetime) -> None:
    """Keep a figure; one of the same provider and day is replaced."""
    row = {
        "provider": figure.provider, "on": figure.on, "percent": figure.percent, "entered_by": by, "entered_at": now,
    }  # fmt: skip
    statement = insert(session, ComplaintFigure).values(**row)
    fresh = {name: row[name] for name in ("percent", "entered_by", "entered_at")}
    session.execute(statement.on_conflict_do_update(index_elements=["provider", "on"], set_=fresh))


def list_rates(session: Session, now: datetime) -> list[Rate]:
    """Each provider that got campaigns' mail within a month, or has a figure; the others together as companies."""
    mailed: Counter[str] = Counter()
    complained: Counter[str] = Counter()
    counted = (
        sa.select(col(Delivery.domain), col(Delivery.status), sa.func.count())
        .where(
            col(Delivery.purpose) == Purpose.CAMPAIGN,
            col(Delivery.status).in_(MAY_HAVE_ARRIVED),
            col(Delivery.attempted_at) > now - LOOK_BACK,
        )
        .group_by(col(Delivery.domain), col(Delivery.status))
    )
    for domain, status, count in session.execute(counted):
        provider = provider_of(domain) or _COMPANIES
        mailed[provider] += count
        complained[provider] += count if status == "complained" else 0
    figures = _last_figures(session)
    return [
        Rate(provider, mailed[provider], complained[provider], now.date(), figures.get(provider))
        for provider in sorted({*mailed, *figures})
    ]


def _last_figures(session: Session) -> dict[str, Figure]:
    statement = sa.select(ComplaintFigure).order_by(col(ComplaintFigure.on))
    return {one.provider: Figure(one.provider, one.percent, one.on) for one in session.scalars(statement)}


def provider_meant(written: str) -> str:
    """The provider of a domain as somebody typed it, or a provider by its name."""
    return group_of(written.strip().lower())
