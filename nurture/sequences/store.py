"""Enrollments as they are kept, and all SQL about them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.conditions import Clause, Vocabulary
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert

_IS_ON_THE_WAY = sa.text("ended_at IS NULL")


class EnrollmentRow(SQLModel, table=True):
    """One contact's way through one version of a sequence."""

    __tablename__ = "enrollment"
    __table_args__ = (
        sa.Index(
            "uq_enrollment_on_the_way",
            "sequence", "contact_id",
            unique=True, sqlite_where=_IS_ON_THE_WAY, postgresql_where=_IS_ON_THE_WAY,
        ),
        sa.Index("ix_enrollment_due", "wake_at", sqlite_where=_IS_ON_THE_WAY, postgresql_where=_IS_ON_THE_WAY),
        sa.Index("ix_enrollment_contact", "contact_id"),
    )  # fmt: skip

    id: int = id_column()
    contact_id: int = reference("contact.id")
    sequence: str
    version_id: int = reference("campaign_version.id", index=True)
    status: str = "active"
    step: str | None = None
    visit: int = 1
    since: datetime = instant_column()
    wake_at: datetime | None = instant_column(nullable=True)
    revision: int = 0
    because: str = Field(default="", description="why they came in")
    enrolled_at: datetime = instant_column()
    ended_at: datetime | None = instant_column(nullable=True)
    exit_reason: str = ""


def insert_enrollments(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Enroll contacts; those who are on their way already stay where they are. How many are new."""
    if not rows:
        return 0
    statement = insert(session, EnrollmentRow).on_conflict_do_nothing().returning(col(EnrollmentRow.id))
    return len(list(session.scalars(statement, list(rows))))


def list_due(session: Session, now: datetime, limit: int) -> list[EnrollmentRow]:
    """Enrollments whose time has come, the longest waiting first."""
    statement = sa.select(EnrollmentRow).where(col(EnrollmentRow.ended_at).is_(None), col(EnrollmentRow.wake_at) <= now)
    return list(session.scalars(statement.order_by(col(EnrollmentRow.wake_at)).limit(limit)))


def wake(session: Session, contact_ids: Sequence[int], now: datetime) -> None:
    """Something about these contacts changed: their enrollments look again at once."""
    asleep = sa.update(EnrollmentRow).where(
        col(EnrollmentRow.contact_id).in_(contact_ids),
        col(EnrollmentRow.ended_at).is_(None),
        sa.or_(col(EnrollmentRow.wake_at).is_(None), col(EnrollmentRow.wake_at) > now),
    )
    session.execute(asleep.values(wake_at=now))


def next_wake_at() -> ColumnElement[Any]:
    """Question: when the next enrollment wants to be looked at."""
    waking = sa.select(col(EnrollmentRow.wake_at)).where(
        col(EnrollmentRow.ended_at).is_(None), col(EnrollmentRow.wake_at).is_not(None)
    )
    return waking.order_by(col(EnrollmentRow.wake_at)).limit(1).scalar_subquery()


def list_enrollments(session: Session, contact_ids: Sequence[int]) -> list[EnrollmentRow]:
    """All enrollments of these contacts, ended ones included."""
    statement = sa.select(EnrollmentRow).where(col(EnrollmentRow.contact_id).in_(contact_ids))
    return list(session.scalars(statement.order_by(col(EnrollmentRow.id))))


def count_on_the_way(session: Session, sequence: str) -> int:
    statement = sa.select(sa.func.count()).select_from(EnrollmentRow)
    where = (col(EnrollmentRow.sequence) == sequence, col(EnrollmentRow.ended_at).is_(None))
    return session.scalar(statement.where(*where)) or 0


def look_ahead(session: Session) -> tuple[int, datetime | None]:
    """How many are on their way through any sequence, and when the first of them is looked at again."""
    statement = sa.select(sa.func.count(), sa.func.min(col(EnrollmentRow.wake_at)))
    count, wake_at = session.execute(statement.where(col(EnrollmentRow.ended_at).is_(None))).one()
    return count, wake_at


def save_decided(session: Session, enrollment_id: int, seen_revision: int, **values: Any) -> bool:
    """Compare and set: False when somebody else decided meanwhile, and this decision must be thrown away."""
    mine = sa.update(EnrollmentRow).where(
        col(EnrollmentRow.id) == enrollment_id,
        col(EnrollmentRow.revision) == seen_revision,
        col(EnrollmentRow.ended_at).is_(None),
    )
    return changed_rows(session, mine.values(values)) == 1


def find_entrants(
    session: Session, sequence: str, clause: Clause, ids: Sequence[int], again: datetime | None
) -> list[int]:
    """Of these contacts, those for whom the entry condition holds and who may come in.

    `again` None: never a second time; otherwise those whose last way through ended before that moment may.
    """
    earlier = sa.exists().where(
        col(EnrollmentRow.contact_id) == col(Contact.id), col(EnrollmentRow.sequence) == sequence
    )
    if again is not None:
        earlier = earlier.where(sa.or_(col(EnrollmentRow.ended_at).is_(None), col(EnrollmentRow.ended_at) > again))
    statement = sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), clause, ~earlier)
    return list(session.scalars(statement.order_by(col(Contact.id))))


def vocabulary(_session: Session, _now: datetime) -> Vocabulary:
    """`enrolled("x")`: on the way through it; `finished("x")`: came to its end."""
    return Vocabulary(
        {},
        {
            "enrolled": lambda given: _has_enrollment(given, col(EnrollmentRow.ended_at).is_(None)),
            "finished": lambda given: _has_enrollment(given, col(EnrollmentRow.status) == "finished"),
        },
    )


def _has_enrollment(given: Mapping[str, object], which: Clause) -> Clause:
    return sa.exists().where(
        col(EnrollmentRow.contact_id) == col(Contact.id), col(EnrollmentRow.sequence) == str(given["sequence"]), which
    )
