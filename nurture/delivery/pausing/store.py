"""Which campaigns stand still, and all SQL about pausing, going on and cancelling.

A pause is a row that the permission statement looks at, so that it holds from its commit on for the very next message.
Setting aside what was queued is only tidying up: it goes in chunks, so that nobody waits for the lock. Who held a mail for
a pause that ended at that moment need not know: the house releases it with its next look.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.consent.rules import Purpose
from nurture.database.columns import KEY_IS_THE_ROW, Instant, instant_column
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert
from nurture.delivery.rules import STOPPABLE, HeldBecause, Status
from nurture.delivery.store import Delivery


class PausedCampaign(SQLModel, table=True):
    """A campaign of which nothing leaves until somebody says so."""

    __tablename__ = "paused_campaign"
    __table_args__ = KEY_IS_THE_ROW

    campaign: str = Field(primary_key=True, description="kind:name, as deliveries have it")
    paused_at: datetime = instant_column()
    because: str
    paused_by: str
    #: What had been queued by then is taken back, also what comes back from a relay later.
    cancelled_at: datetime | None = instant_column(nullable=True)


def is_campaign_going(campaign: Any) -> ColumnElement[bool]:
    """Clause: nobody paused this campaign."""
    return ~sa.exists().where(col(PausedCampaign.campaign) == campaign)


def find_pause(session: Session, campaign: str) -> PausedCampaign | None:
    return session.get(PausedCampaign, campaign)


def list_paused(session: Session) -> list[PausedCampaign]:
    """The campaigns that stand still, by name."""
    return list(session.scalars(sa.select(PausedCampaign).order_by(col(PausedCampaign.campaign))))


def pause(session: Session, campaign: str, because: str, by: str, now: datetime) -> bool:
    """From this commit on nothing of it begins to be sent; False if it stood still already."""
    row = {"campaign": campaign, "paused_at": now, "because": because, "paused_by": by}
    return changed_rows(session, insert(session, PausedCampaign).on_conflict_do_nothing(), row) == 1


def mark_cancelled(session: Session, campaign: str, now: datetime) -> None:
    """What of this paused campaign has been queued until now does not leave any more."""
    session.execute(sa.update(PausedCampaign).where(col(PausedCampaign.campaign) == campaign).values(cancelled_at=now))


def go_on(session: Session, campaign: str) -> bool:
    """It may be sent again; False if it was not paused."""
    return changed_rows(session, sa.delete(PausedCampaign).where(col(PausedCampaign.campaign) == campaign)) == 1


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_OF_CAMPAIGN = sa.and_(col(Delivery.campaign) == sa.bindparam("of_campaign"), col(Delivery.purpose) == Purpose.CAMPAIGN)
# As the partial indexes say it, word for word.
_QUEUED = col(Delivery.status) == sa.literal_column("'queued'")
_HELD = col(Delivery.status) == sa.literal_column("'held'")
_STANDS_STILL = col(Delivery.because) == HeldBecause.CAMPAIGN


def set_aside(session: Session, campaign: str, limit: int) -> int:
    """Hold mails of it that are queued, so that nothing behind them waits; how many. None once it goes on again."""
    # Who lets it go on waits for this commit, and then finds what was held here.
    pause = sa.select(col(PausedCampaign.campaign)).where(col(PausedCampaign.campaign) == campaign)
    if session.scalar(pause.with_for_update(read=True)) is None:
        return 0
    queued = sa.select(col(Delivery.id)).where(_OF_CAMPAIGN, _QUEUED).limit(limit).with_for_update(skip_locked=True)
    ids = list(session.scalars(queued, {"of_campaign": campaign}))
    held = sa.update(Delivery).where(col(Delivery.id).in_(ids), col(Delivery.status) == Status.QUEUED)
    values: dict[str, Any] = {"status": Status.HELD, "because": HeldBecause.CAMPAIGN, "held_until": None}
    return changed_rows(session, held.values(**values)) if ids else 0


def to_set_aside_at() -> ColumnElement[Any]:
    """Question: the dawn of time if something of a paused campaign is queued, else nothing."""
    # From the few that are paused to their mails, not through all that is queued: it is asked with every chunk of a job.
    queued = sa.exists().where(
        col(Delivery.campaign) == col(PausedCampaign.campaign), col(Delivery.purpose) == Purpose.CAMPAIGN, _QUEUED
    )
    paused = sa.select(col(PausedCampaign.campaign)).where(queued.correlate(PausedCampaign))
    return sa.case((paused.exists(), sa.literal(_LONG_AGO, Instant)))


def bring_forward(session: Session, campaign: str, now: datetime, limit: int) -> int:
    """Have what stood still because of the pause released with the next look; how many."""
    still = (
        sa.select(col(Delivery.id))
        .where(_OF_CAMPAIGN, _HELD, _STANDS_STILL, col(Delivery.held_until).is_(None))
        .limit(limit)
    )
    ids = list(session.scalars(still, {"of_campaign": campaign}))
    waiting = sa.update(Delivery).where(col(Delivery.id).in_(ids), col(Delivery.status) == Status.HELD)
    return changed_rows(session, waiting.values(held_until=now)) if ids else 0


def to_release_at() -> ColumnElement[Any]:
    """Question: the dawn of time if something stands still of a campaign that is not paused any more, else nothing."""
    return sa.case((_resumed().exists(), sa.literal(_LONG_AGO, Instant)))


def list_to_release(session: Session, limit: int) -> list[Delivery]:
    """Mails that stand still though their campaign goes on: they were held while somebody let it. They are locked."""
    left = sa.select(Delivery).where(_HELD, _STANDS_STILL, col(Delivery.campaign).in_(_resumed()))
    return list(session.scalars(left.limit(limit).with_for_update(skip_locked=True)))


def _resumed() -> Any:
    """Select the campaigns of which mails stand still because of a pause that is over."""
    # By the index from one campaign to the next: it is asked every second, and a million may be held of each.
    first = sa.select(sa.func.min(col(Delivery.campaign)).label("campaign")).where(_HELD, _STANDS_STILL)
    still = first.cte("still", recursive=True)
    after = first.where(col(Delivery.campaign) > still.c.campaign).scalar_subquery()
    still = still.union_all(sa.select(after).select_from(still).where(still.c.campaign.is_not(None)))
    return sa.select(still.c.campaign).where(still.c.campaign.is_not(None), is_campaign_going(still.c.campaign))


def cancel_some(
    session: Session, campaign: str, because: str, now: datetime, limit: int, *, queued_by: datetime | None = None
) -> list[int | None]:
    """Cancel mails of it that have not begun to leave; the contacts they were for, one each. None: nothing is left.

    `queued_by`: only those that had been queued by then.
    """
    waiting = sa.select(col(Delivery.id)).where(_OF_CAMPAIGN, col(Delivery.status).in_(STOPPABLE))
    if queued_by is not None:
        waiting = waiting.where(col(Delivery.queued_at) <= queued_by)
    # What a sender asks about right now is waited for with no other mail locked: each would wait for the other.
    free = waiting.limit(limit).with_for_update(skip_locked=True)
    ids: Sequence[int] = list(session.scalars(free, {"of_campaign": campaign}))
    ids = ids or list(session.scalars(waiting.limit(1).with_for_update(), {"of_campaign": campaign}))
    if not ids:
        return []
    cancelled = (
        sa.update(Delivery)
        .where(col(Delivery.id).in_(ids), col(Delivery.status).in_(STOPPABLE))
        .values(status=Status.CANCELLED, because=because, settled_at=now, held_until=None, worker_id=None)
        .returning(col(Delivery.contact_id))
    )
    return list(session.scalars(cancelled))


def count_by_status(session: Session, campaign: str) -> dict[str, int]:
    """How many mails of it are in which state; tests are not among them."""
    statement = sa.select(col(Delivery.status), sa.func.count()).where(_OF_CAMPAIGN).group_by(col(Delivery.status))
    return dict(session.execute(statement, {"of_campaign": campaign}).all())


def list_campaigns(session: Session) -> list[str]:
    """The campaigns of which there are mails, by name."""
    statement = sa.select(col(Delivery.campaign)).where(col(Delivery.purpose) == Purpose.CAMPAIGN).distinct()
    return list(session.scalars(statement.order_by(col(Delivery.campaign))))
