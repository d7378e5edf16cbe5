"""What the calendar reads: the outbox by day, and people on their way through each version; all SQL about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.rules import Purpose
from nurture.database.engine import Session
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery
from nurture.sequences.store import EnrollmentRow

_WAITS = (Status.QUEUED, Status.HELD, Status.CLAIMED)


@dataclass(frozen=True)
class Waiting:
    """Mails of one kind in the outbox: how many fall between each two bounds."""

    version_id: int
    mail: str
    is_held: bool
    counts: tuple[int, ...]


def list_waiting(session: Session, bounds: Sequence[datetime], *, from_now: bool) -> list[Waiting]:
    """Marketing mail that is queued or held, by when it may leave; `from_now`: what is overdue counts as the first day's."""
    at = sa.case((col(Delivery.status) == Status.HELD, sa.func.coalesce(col(Delivery.held_until), col(Delivery.due_at))), else_=col(Delivery.due_at))  # fmt: skip
    is_held = sa.case((col(Delivery.status) == Status.HELD, 1), else_=0)
    within = [sa.and_(at >= start, at < end) for start, end in pairwise(bounds)]
    if from_now and within:
        within[0] = at < bounds[1]
    counts = [sa.func.coalesce(sa.func.sum(sa.case((one, 1), else_=0)), 0) for one in within]
    statement = (
        sa.select(col(Delivery.version_id), col(Delivery.mail), is_held, *counts)
        .where(col(Delivery.purpose) == Purpose.CAMPAIGN, col(Delivery.status).in_(_WAITS))
        .group_by(col(Delivery.version_id), col(Delivery.mail), is_held)
    )
    return [
        Waiting(version_id, mail, bool(held), tuple(map(int, found)))
        for version_id, mail, held, *found in session.execute(statement)
    ]


def count_on_the_way(session: Session) -> list[tuple[str, int, int]]:
    """How many people are on their way through each version of each sequence, by the number of the version."""
    statement = (
        sa.select(col(EnrollmentRow.sequence), col(EnrollmentRow.version_id), sa.func.count())
        .where(col(EnrollmentRow.ended_at).is_(None))
        .group_by(col(EnrollmentRow.sequence), col(EnrollmentRow.version_id))
        .order_by(col(EnrollmentRow.sequence), col(EnrollmentRow.version_id))
    )
    return [(sequence, version_id, count) for sequence, version_id, count in session.execute(statement)]


def sample(session: Session, version_id: int, every: int, limit: int) -> list[EnrollmentRow]:
    """Every so many-th of those on their way through a version, drawn by the last digits of their number, which are chance."""
    statement = sa.select(EnrollmentRow).where(
        col(EnrollmentRow.version_id) == version_id,
        col(EnrollmentRow.ended_at).is_(None),
        col(EnrollmentRow.id) % every == 0,
    )
    return list(session.scalars(statement.order_by(col(EnrollmentRow.id)).limit(limit)))
