"""Enrollments as they are kept, and all SQL about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.campaigns.store import CampaignVersion
from nurture.contacts.store import Contact, works_elsewhere
from nurture.database.columns import KEY_IS_THE_ROW, id_column, instant_column, reference
from nurture.database.conditions import Clause, Vocabulary
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, in_list_of, insert
from nurture.sequences.admission import Occasion

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
        # How many stand on each step of a version, and who they are.
        sa.Index(
            "ix_enrollment_standing",
            "version_id", "step",
            sqlite_where=_IS_ON_THE_WAY, postgresql_where=_IS_ON_THE_WAY,
        ),
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
    is_moved: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": sa.text("false")},
        description="an older version of the sequence passed steps for it",
    )
    enrolled_at: datetime = instant_column()
    ended_at: datetime | None = instant_column(nullable=True)
    exit_reason: str = ""


class StepVisit(SQLModel, table=True):
    """A step that an enrollment passed, and which way it went from there."""

    __tablename__ = "step_visit"
    __table_args__ = KEY_IS_THE_ROW

    enrollment_id: int = Field(foreign_key="enrollment.id", primary_key=True, sa_type=sa.BigInteger)
    step: str = Field(primary_key=True)
    visit: int = Field(primary_key=True)
    way: str = ""
    passed_at: datetime = instant_column()


class PendingEntry(SQLModel, table=True):
    """Somebody who was put into a sequence while another one keeps them: they come in when it ends."""

    __tablename__ = "pending_entry"
    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    sequence: str = Field(primary_key=True)
    because: str = ""
    asked_at: datetime = instant_column()


class SplitTest(SQLModel, table=True):
    """An A/B test as far as it was looked at; once it ended, the arm everybody takes, or none after a draw."""

    __tablename__ = "split_test"
    __table_args__ = KEY_IS_THE_ROW

    sequence: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    signature: str = Field(primary_key=True, description="names the arms: edited ones are another test")
    looks: int = 0
    arm: str | None = None
    because: str = ""
    ended_at: datetime | None = instant_column(nullable=True)


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


def has_had_anybody(session: Session, campaign_id: int) -> bool:
    """Whether anybody ever came into any version of this sequence."""
    versions = sa.select(col(CampaignVersion.id)).where(col(CampaignVersion.campaign_id) == campaign_id)
    return bool(session.scalar(sa.select(sa.exists().where(col(EnrollmentRow.version_id).in_(versions)))))


def look_ahead(session: Session) -> tuple[int, datetime | None]:
    """How many are on their way through any sequence, and when the first of them is looked at again."""
    statement = sa.select(sa.func.count(), sa.func.min(col(EnrollmentRow.wake_at)))
    count, wake_at = session.execute(statement.where(col(EnrollmentRow.ended_at).is_(None))).one()
    return count, wake_at


@dataclass(frozen=True)
class Saving:
    """What a decision makes of an enrollment that still is at the revision it was read at."""

    enrollment_id: int
    seen_revision: int
    values: Mapping[str, Any]


_STILL_AT = (
    sa.select(col(EnrollmentRow.id), col(EnrollmentRow.revision))
    .where(in_list_of(EnrollmentRow.id, "ids"), col(EnrollmentRow.ended_at).is_(None))
    .order_by(col(EnrollmentRow.id))
    .with_for_update(key_share=True)
)
_DECIDED = ("status", "step", "visit", "since", "wake_at", "revision", "exit_reason", "ended_at")
_TABLE: Any = EnrollmentRow.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_SAVE = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("saved_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in _DECIDED})
)


def save_decided(session: Session, savings: Sequence[Saving]) -> set[int]:
    """Compare and set: the enrollments that were saved. About the others somebody else decided meanwhile."""
    if not savings:
        return set()
    # Locked until the commit, so that nobody decides between the comparison and the setting.
    seen = {one.enrollment_id: one.seen_revision for one in savings}
    found = dict(session.execute(_STILL_AT, {"ids": sorted(seen)}).all())
    saved = [one for one in savings if found.get(one.enrollment_id) == one.seen_revision]
    rows = [
        {"saved_id": one.enrollment_id, **{f"new_{name}": value for name, value in one.values.items()}}
        for one in sorted(saved, key=lambda one: one.enrollment_id)
    ]
    if rows:
        changed_rows(session, _SAVE, rows)
    return {one.enrollment_id for one in saved}


def list_met(session: Session, ids: Sequence[int], clauses: Sequence[Clause]) -> list[list[int]]:
    """For each clause on `contact`, whom of these it holds for; one statement, however many clauses there are."""
    if not ids or not clauses:
        return [[] for _ in clauses]
    asked = [sa.case((clause, 1), else_=0).label(f"met_{number}") for number, clause in enumerate(clauses)]
    statement = sa.select(col(Contact.id), *asked).where(col(Contact.id).in_(ids)).order_by(col(Contact.id))
    rows = session.execute(statement).all()
    return [[row[0] for row in rows if row[number]] for number in range(1, len(clauses) + 1)]


def has_come_in_since(sequence: str, at: ColumnElement[Any] | datetime) -> Clause:
    """Clause on `contact`: came into the sequence at that moment or later."""
    mine = sa.exists().where(
        col(EnrollmentRow.contact_id) == col(Contact.id),
        col(EnrollmentRow.sequence) == sequence,
        col(EnrollmentRow.enrolled_at) >= at,
    )
    # Correlated by hand: inside another clause the contact would be anybody's, and one entrant would keep out all.
    return mine.correlate_except(EnrollmentRow)


def pending_of(session: Session, ids: Sequence[int]) -> dict[str, list[Occasion]]:
    """By sequence, who of these was put into it and waits for another one to end."""
    found: dict[str, list[Occasion]] = {}
    for one in session.scalars(sa.select(PendingEntry).where(col(PendingEntry.contact_id).in_(ids))):
        occasion = Occasion(one.contact_id, one.because, passes=True, was_put=True)
        found.setdefault(one.sequence, []).append(occasion)
    return found


def list_pending(session: Session, contact_id: int) -> list[PendingEntry]:
    """What somebody waits to come into, the longest wait first."""
    waiting = sa.select(PendingEntry).where(col(PendingEntry.contact_id) == contact_id)
    return list(session.scalars(waiting.order_by(col(PendingEntry.asked_at), col(PendingEntry.sequence))))


def add_pending(session: Session, sequence: str, contact_id: int, because: str, now: datetime) -> bool:
    """Let somebody come in as soon as nothing keeps them out; False when that was so already."""
    row = {"contact_id": contact_id, "sequence": sequence, "because": because, "asked_at": now}
    return changed_rows(session, insert(session, PendingEntry).values(row).on_conflict_do_nothing()) == 1


def drop_pending(session: Session, sequence: str, contact_id: int) -> None:
    """They came in."""
    table: Any = PendingEntry.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    changed_rows(session, sa.delete(table).where(table.c.sequence == sequence, table.c.contact_id == contact_id))


def list_on_the_way(session: Session, ids: Sequence[int]) -> list[EnrollmentRow]:
    """The enrollments of these contacts that are not over."""
    statement = sa.select(EnrollmentRow).where(
        col(EnrollmentRow.contact_id).in_(ids), col(EnrollmentRow.ended_at).is_(None)
    )
    return list(session.scalars(statement.order_by(col(EnrollmentRow.id))))


def insert_visits(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Take down steps that were passed; what is there already stays as it is."""
    if rows:
        changed_rows(session, insert(session, StepVisit).on_conflict_do_nothing(), list(rows))


def visits_of(session: Session, enrollment_ids: Sequence[int]) -> dict[int, dict[tuple[str, int], str]]:
    """By enrollment: which way it went from each step it passed."""
    statement = sa.select(StepVisit).where(col(StepVisit.enrollment_id).in_(enrollment_ids))
    found: dict[int, dict[tuple[str, int], str]] = {}
    for one in session.scalars(statement):
        found.setdefault(one.enrollment_id, {})[one.step, one.visit] = one.way
    return found


def find_test(session: Session, sequence: str, step: str, signature: str) -> SplitTest | None:
    """A test that was looked at before."""
    return session.get(SplitTest, (sequence, step, signature))


def list_tests(session: Session, sequence: str) -> list[SplitTest]:
    """Every test of a sequence that was looked at, those of earlier arms included."""
    return list(session.scalars(sa.select(SplitTest).where(col(SplitTest.sequence) == sequence)))


def count_arms(
    session: Session,
    sequence: str,
    step: str,
    goal: Clause,
    until: datetime,
    colleagues: Collection[str],
    among: Clause | None = None,
) -> dict[str, tuple[int, int, int]]:
    """By arm of a split: how many people went that way by then, for how many the goal holds, how many are not counted.

    `colleagues` are the domains of those who work here: what they do decides nothing. `among` says who counts.
    """
    counts = sa.true() if among is None else among
    statement = (
        sa.select(
            col(StepVisit.way),
            sa.func.sum(sa.case((counts, 1), else_=0)),
            sa.func.sum(sa.case((sa.and_(counts, goal), 1), else_=0)),
            sa.func.sum(sa.case((counts, 0), else_=1)),
        )
        .join(EnrollmentRow, col(EnrollmentRow.id) == col(StepVisit.enrollment_id))
        .join(Contact, col(Contact.id) == col(EnrollmentRow.contact_id))
        .where(col(EnrollmentRow.sequence) == sequence, col(StepVisit.step) == step, col(StepVisit.passed_at) <= until)
        .where(works_elsewhere(col(Contact.id), colleagues))
        .group_by(col(StepVisit.way))
    )
    rows = session.execute(statement)
    return {way: (int(people), int(hits), int(others)) for way, people, hits, others in rows}


def first_visit_at(session: Session, sequence: str, step: str) -> datetime | None:
    """When the first person passed a step."""
    statement = (
        sa.select(sa.func.min(col(StepVisit.passed_at)))
        .join(EnrollmentRow, col(EnrollmentRow.id) == col(StepVisit.enrollment_id))
        .where(col(EnrollmentRow.sequence) == sequence, col(StepVisit.step) == step)
    )
    found: datetime | None = session.scalar(statement)
    return found


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
