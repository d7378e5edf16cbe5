"""Who is on which step of which version, who is still to follow to a newer one, and all SQL about it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert
from nurture.delivery.rules import MAY_HAVE_ARRIVED, Status
from nurture.delivery.store import Delivery
from nurture.sequences.store import EnrollmentRow, StepVisit


class Move(SQLModel, table=True):
    """People on older versions of a sequence are to follow to this one; the row goes when the last of them has."""

    id: int = id_column()
    sequence: str
    version_id: int = reference("campaign_version.id")
    policy: str = Field(description="move, restart or end")
    asked_at: datetime = instant_column()


_ON_THE_WAY = col(EnrollmentRow.ended_at).is_(None)


def add_move(session: Session, sequence: str, version_id: int, policy: str, now: datetime) -> None:
    session.add(Move(sequence=sequence, version_id=version_id, policy=policy, asked_at=now))
    session.flush()


def list_moves(session: Session) -> list[Move]:
    """What is still to be carried out, in the order in which it was published."""
    return list(session.scalars(sa.select(Move).order_by(col(Move.id))))


def drop_move(session: Session, move_id: int) -> None:
    session.execute(sa.delete(Move).where(col(Move.id) == move_id))


def first_move_at() -> ColumnElement[Any]:
    """Question: since when somebody is to follow to a newer version."""
    return sa.select(sa.func.min(col(Move.asked_at))).scalar_subquery()


def count_standing(session: Session, version_ids: Collection[int]) -> list[tuple[int, str | None, int]]:
    """How many people stand on each step of these versions; answered by an index alone."""
    statement = (
        sa.select(col(EnrollmentRow.version_id), col(EnrollmentRow.step), sa.func.count())
        .where(col(EnrollmentRow.version_id).in_(version_ids), _ON_THE_WAY)
        .group_by(col(EnrollmentRow.version_id), col(EnrollmentRow.step))
    )
    return [(version, step, count) for version, step, count in session.execute(statement)]


def next_standing(session: Session, version_id: int, after: str) -> str | None:
    """The next step in the alphabet on which anybody of a version stands; `after` "" asks for the first one."""
    standing = sa.select(col(EnrollmentRow.step)).where(
        col(EnrollmentRow.version_id) == version_id, col(EnrollmentRow.step) > after, _ON_THE_WAY
    )
    return session.scalar(standing.order_by(col(EnrollmentRow.step)).limit(1))


def is_anybody_at_the_end(session: Session, version_id: int) -> bool:
    """Whether somebody has passed the last step of a version and was not looked at since."""
    statement = sa.select(sa.literal(1)).where(
        col(EnrollmentRow.version_id) == version_id, col(EnrollmentRow.step).is_(None), _ON_THE_WAY
    )
    return session.scalar(statement.limit(1)) is not None


def lock_standing(session: Session, version_id: int, step: str | None, limit: int) -> list[tuple[int, int, int]]:
    """Some people who stand there, with their contacts and visits; not those whose mail is being said just now."""
    is_sending = sa.exists().where(
        col(Delivery.enrollment_id) == col(EnrollmentRow.id), col(Delivery.status) == Status.SENDING
    )
    here = col(EnrollmentRow.step).is_(None) if step is None else col(EnrollmentRow.step) == step
    statement = (
        sa.select(col(EnrollmentRow.id), col(EnrollmentRow.contact_id), col(EnrollmentRow.visit))
        .where(col(EnrollmentRow.version_id) == version_id, here, _ON_THE_WAY, ~is_sending)
        .limit(limit)
        # Whoever is being decided about just now follows the next time.
        .with_for_update(of=EnrollmentRow, skip_locked=True)
    )
    return [(id_, contact, visit) for id_, contact, visit in session.execute(statement)]


def set_standing(session: Session, ids: Sequence[int], **values: Any) -> int:
    """Put people elsewhere; whoever has decided about them from before loses."""
    here = sa.update(EnrollmentRow).where(col(EnrollmentRow.id).in_(ids), _ON_THE_WAY)
    return changed_rows(session, here.values(revision=col(EnrollmentRow.revision) + 1, **values))


def add_visits(session: Session, ids: Sequence[int], step: str, visit: int, way: str, now: datetime) -> None:
    """Remember that these people were led past a step."""
    rows = [{"enrollment_id": id_, "step": step, "visit": visit, "way": way, "passed_at": now} for id_ in ids]
    if rows:
        session.execute(insert(session, StepVisit).on_conflict_do_nothing(), rows)


def copy_visits(session: Session, ids: Sequence[int], visit: int, loop: Collection[str]) -> None:
    """What people passed before their present visit, and would not have come by again, counts as passed in it too."""
    other = aliased(StepVisit)
    last = (
        sa.select(sa.func.max(col(other.visit)))
        .where(
            col(other.enrollment_id) == col(StepVisit.enrollment_id),
            col(other.step) == col(StepVisit.step),
            col(other.visit) < visit,
        )
        .correlate(StepVisit)
        .scalar_subquery()
    )
    earlier = sa.select(
        col(StepVisit.enrollment_id), col(StepVisit.step), sa.literal(visit), col(StepVisit.way),
        col(StepVisit.passed_at),
    ).where(
        col(StepVisit.enrollment_id).in_(ids),
        col(StepVisit.step).not_in(loop),
        col(StepVisit.visit) == last,
    )  # fmt: skip
    columns = ["enrollment_id", "step", "visit", "way", "passed_at"]
    session.execute(insert(session, StepVisit).from_select(columns, earlier).on_conflict_do_nothing())


def count_who_got(session: Session, sequence: str, mails: Collection[tuple[int, str]]) -> int:
    """How many people on their way may have got one of these mails, each given as version and step."""
    got = (
        sa.select(sa.func.count(sa.distinct(col(Delivery.enrollment_id))))
        .join(EnrollmentRow, col(EnrollmentRow.id) == col(Delivery.enrollment_id))
        .where(
            col(Delivery.campaign) == f"sequence:{sequence}",
            col(Delivery.status).in_(MAY_HAVE_ARRIVED),
            sa.tuple_(col(Delivery.version_id), col(Delivery.mail)).in_(list(mails)),
            _ON_THE_WAY,
        )
    )
    return session.scalar(got) or 0
