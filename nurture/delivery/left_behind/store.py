"""Taking back what workers had in their hands that died, and all SQL about that.

What was only claimed is queued again, what was being sent is in doubt. After a power cut the two cannot be told apart for
a worker that was in a `hurry`. Called by `delivery.actions.take_back`, and where a workspace is opened.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from nurture.database.claiming import dead_workers, workers_cut_off
from nurture.database.engine import Session
from nurture.database.statements import changed_rows
from nurture.delivery.rules import Status
from nurture.delivery.store import IN_HAND, Delivery


def is_any_cut_off(session: Session) -> bool:
    """Whether `assume_sending` would change something."""
    return bool(session.scalar(sa.select(sa.exists().where(*_cut_off()))))


def assume_sending(session: Session, now: datetime) -> None:
    """Claimed rows of workers that a power cut ended in a hurry: any of them may have been begun.

    It comes before whatever else may be done with them, at the opening of the house (`app.opening`).
    """
    attempt = {"attempts": col(Delivery.attempts) + 1, "attempted_at": now}
    session.execute(sa.update(Delivery).where(*_cut_off()).values(status=Status.SENDING, **attempt))


def _cut_off() -> list[ColumnElement[bool]]:
    return [IN_HAND, col(Delivery.status) == Status.CLAIMED, col(Delivery.worker_id).in_(workers_cut_off())]


def take_back_unsent(session: Session) -> int:
    """Claimed rows of dead workers go back into the queue: nothing was said about them."""
    orphaned = sa.update(Delivery).where(
        IN_HAND,
        col(Delivery.status) == Status.CLAIMED,
        col(Delivery.worker_id).in_(dead_workers()),
    )
    return changed_rows(session, orphaned.values(status=Status.QUEUED, worker_id=None))


def take_back_in_doubt(session: Session, now: datetime) -> dict[int, int | None]:
    """Rows that dead workers were sending: whether their body arrived nobody knows. Returned with their contacts."""
    orphaned = (
        sa.update(Delivery)
        .where(
            IN_HAND,
            col(Delivery.status) == Status.SENDING,
            col(Delivery.worker_id).in_(dead_workers()),
        )
        .values(
            status=Status.UNCERTAIN,
            worker_id=None,
            settled_at=now,
            because="its worker died before the answer",
        )
        .returning(col(Delivery.id), col(Delivery.contact_id))
    )
    return dict(session.execute(orphaned).all())
