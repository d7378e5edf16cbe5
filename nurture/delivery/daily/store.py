"""Marketing mails of the house by the hour, and all SQL about them.

A place is taken in the transaction that moves a mail to `sending`, and given back in it when the mail may not leave
after all. Whoever takes one holds the lock of all, so that however many workers there are, no place is taken twice. An
hour counts until it lies a day back whole: within any 24 hours no more leave than there are places.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.claiming import wait_for_lock
from nurture.database.columns import Instant
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert
from nurture.delivery.rules import MOST_AHEAD

_HOUR = timedelta(hours=1)
_COUNTED_FOR = timedelta(hours=25)
_LOCK = "marketing mails of the house"


class MailedHour(SQLModel, table=True):
    """How many marketing mails left within one hour."""

    __tablename__ = "mailed_hour"

    begins_at: datetime = Field(primary_key=True, sa_type=Instant)
    mails: int = Field(default=0)


def take_place(session: Session, most: int, now: datetime) -> datetime | None:
    """Take one of the `most` places of a day; None if there was one, else when the next is free."""
    wait_for_lock(session, _LOCK)
    counted = sa.and_(col(MailedHour.begins_at) > now - _COUNTED_FOR, col(MailedHour.begins_at) <= now + MOST_AHEAD)
    row: tuple[int, datetime | None] = session.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(col(MailedHour.mails)), 0), sa.func.min(col(MailedHour.begins_at))
        ).where(counted, col(MailedHour.mails) > 0)
    ).one()
    taken, first = row
    if taken >= most and first is not None:
        return first + _COUNTED_FOR
    hour = _hour_of(now)
    if not changed_rows(session, _add(hour, 1)):
        session.execute(sa.delete(MailedHour).where(~counted))
        session.execute(insert(session, MailedHour).values(begins_at=hour, mails=1))
    return None


def give_back(session: Session, now: datetime) -> None:
    """The mail for which a place was taken just now does not leave."""
    session.execute(_add(_hour_of(now), -1))


def _add(hour: datetime, mails: int) -> sa.Update:
    return (
        sa.update(MailedHour)
        .where(col(MailedHour.begins_at) == hour)
        .values(mails=col(MailedHour.mails) + mails)
        .execution_options(synchronize_session=False)
    )


def _hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)
