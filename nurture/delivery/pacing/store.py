"""Lanes as they stand between claims, what left in them, and all SQL about them.

Whoever wants places in a lane locks its row first, so that however many workers ask, each sees what the others took. A
place within a second is an instant on the database's clock; hours and days are counted in business time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.database.claiming import database_clock
from nurture.database.columns import KEY_IS_THE_ROW, Instant, instant_column
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, instant_of, packed, rows_given
from nurture.database.statements import changed_rows, in_list_of
from nurture.delivery.pacing.lanes import Span
from nurture.delivery.pacing.rules import Wait
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery


class PaceLane(SQLModel, table=True):
    """A lane: when its next place is free, and until when those are held who wait for it."""

    __tablename__ = "pace_lane"
    __table_args__ = KEY_IS_THE_ROW

    lane: str = Field(primary_key=True)
    next_at: float = Field(default=0.0, description="seconds since 1970 on the database's clock")
    waits_to: datetime | None = instant_column(nullable=True)


class PaceCount(SQLModel, table=True):
    """How many mails were granted a place of a lane within one bucket of a span."""

    __tablename__ = "pace_count"
    __table_args__ = KEY_IS_THE_ROW

    lane: str = Field(primary_key=True)
    span: str = Field(primary_key=True)
    begins_at: datetime = Field(primary_key=True, sa_type=Instant)
    mails: int


class LaneNow(NamedTuple):
    """A lane's row, with its next place in seconds from now."""

    next_in: float
    waits_to: datetime | None


_LANE: Any = PaceLane.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_COUNT: Any = PaceCount.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it


def _is_wanted(column: Any, *, is_sqlite: bool) -> ColumnElement[bool]:
    wanted = rows_given("lanes", {"lane": sa.Text}, is_sqlite=is_sqlite)
    found: ColumnElement[bool] = column.in_(sa.select(wanted.c.lane))
    return found


def _lanes(*, is_sqlite: bool) -> Any:
    next_in = _LANE.c.next_at - database_clock()
    statement = sa.select(_LANE.c.lane, next_in, _LANE.c.waits_to).where(_is_wanted(_LANE.c.lane, is_sqlite=is_sqlite))
    return packed(statement.order_by(_LANE.c.lane).with_for_update(of=_LANE), is_sqlite=is_sqlite)


def _make_lanes(*, is_sqlite: bool) -> Any:
    wanted = rows_given("lanes", {"lane": sa.Text}, is_sqlite=is_sqlite)
    fresh = sa.select(wanted.c.lane, sa.literal_column("0.0")).where(sa.true())  # WHERE: as in `_add`
    statement: Any = (sqlite if is_sqlite else postgresql).insert(_LANE)
    return statement.from_select(["lane", "next_at"], fresh).on_conflict_do_nothing()


_LANES, _MAKE_LANES = Prepared(_lanes), Prepared(_make_lanes)


def lock_lanes(session: Session, lanes: Sequence[str]) -> dict[str, LaneNow]:
    """Hold these lanes until the commit; what stands in them then is what every worker before took."""
    found = _read_lanes(session, lanes)
    missing = sorted(set(lanes) - set(found))
    if missing:
        _MAKE_LANES.change(session, lanes=[[lane] for lane in missing])
        found |= _read_lanes(session, missing)
    return found


def _read_lanes(session: Session, lanes: Sequence[str]) -> dict[str, LaneNow]:
    rows = _LANES.unpacked(session, lanes=[[lane] for lane in lanes])
    return {lane: LaneNow(max(0.0, float(next_in)), instant_of(waits_to)) for lane, next_in, waits_to in rows}


def _counted(*, is_sqlite: bool) -> Any:
    found = (
        sa.select(
            _COUNT.c.lane, sa.func.sum(_COUNT.c.mails).label("mails"), sa.func.min(_COUNT.c.begins_at).label("first")
        )
        .where(
            _is_wanted(_COUNT.c.lane, is_sqlite=is_sqlite),
            _COUNT.c.span == sa.bindparam("span"),
            _COUNT.c.begins_at > sa.bindparam("after", type_=Instant),
            # A clock that was wrong for a while and counted in the future does not stop the house until then.
            _COUNT.c.begins_at <= sa.bindparam("until", type_=Instant),
            _COUNT.c.mails > 0,
        )
        .group_by(_COUNT.c.lane)
    )
    return packed(found, is_sqlite=is_sqlite)


_COUNTED = Prepared(_counted)


def counted(
    session: Session, lanes: Sequence[str], span: Span, after: datetime, until: datetime
) -> dict[str, tuple[int, datetime]]:
    """Mails that count in each lane, and when the first bucket with any began."""
    rows = _COUNTED.unpacked(session, lanes=[[lane] for lane in lanes], span=str(span), after=after, until=until)
    return {lane: (int(mails), instant_of(begins_at) or until) for lane, mails, begins_at in rows}


class Days(NamedTuple):
    """What left in a lane that warms up: today, on the busiest day before, and since when."""

    today: int = 0
    busiest: int = 0
    since: datetime | None = None


_DATES = sa.select(col(PaceCount.lane), col(PaceCount.begins_at), col(PaceCount.mails)).where(
    in_list_of(PaceCount.lane, "lanes"), col(PaceCount.span) == Span.DATE, col(PaceCount.mails) > 0
)


def days_of(session: Session, lanes: Sequence[str], today: datetime, earliest: datetime) -> dict[str, Days]:
    """The days of these lanes; a busy one counts if it is not before `earliest`."""
    found = {lane: Days() for lane in lanes}
    for lane, begins_at, mails in session.connection().execute(_DATES, {"lanes": lanes}):
        days = found[lane]
        found[lane] = Days(
            today=mails if begins_at == today else days.today,
            busiest=max(days.busiest, mails) if earliest <= begins_at < today else days.busiest,
            since=min(days.since or begins_at, begins_at),
        )
    return found


def lanes_with_dates(session: Session) -> list[str]:
    """The lanes that are counted by the calendar's days."""
    statement = sa.select(col(PaceCount.lane)).where(col(PaceCount.span) == Span.DATE).distinct()
    return sorted(session.scalars(statement))


def _add(*, is_sqlite: bool) -> Any:
    more = rows_given("more", {"lane": sa.Text, "mails": sa.Integer}, is_sqlite=is_sqlite)
    span, begins_at = sa.bindparam("span", type_=sa.Text), sa.bindparam("begins_at", type_=Instant)
    # Without a WHERE, SQLite takes ON for a join.
    rows = sa.select(more.c.lane, span, begins_at, more.c.mails).where(sa.true())
    statement: Any = (sqlite if is_sqlite else postgresql).insert(_COUNT)
    counting = statement.from_select(["lane", "span", "begins_at", "mails"], rows)
    mails = _COUNT.c.mails + counting.excluded.mails
    return counting.on_conflict_do_update(index_elements=["lane", "span", "begins_at"], set_={"mails": mails})


_ADD = Prepared(_add)


def add(session: Session, counts: Mapping[tuple[str, Span, datetime], int]) -> None:
    """Count mails in their buckets; a negative number takes off what did not leave."""
    by_bucket: dict[tuple[Span, datetime], list[tuple[str, int]]] = {}
    # In one order, so that no two who count wait for each other.
    for (lane, span, begins_at), mails in sorted(counts.items()):
        if mails:
            by_bucket.setdefault((span, begins_at), []).append((lane, mails))
    for (span, begins_at), more in sorted(by_bucket.items()):
        _ADD.change(session, span=str(span), begins_at=begins_at, more=more)


def _move(*, is_sqlite: bool) -> Any:
    is_spaced = sa.bindparam("is_spaced", type_=sa.Boolean)
    next_at = database_clock() + sa.bindparam("next_in", type_=sa.Float)
    return (
        sa.update(_LANE)
        .where(_LANE.c.lane == sa.bindparam("of_lane", type_=sa.Text))
        # A lane that keeps no distance has no instant of its own.
        .values(
            next_at=sa.case((is_spaced, next_at), else_=_LANE.c.next_at), waits_to=sa.bindparam("to", type_=Instant)
        )
    )


_MOVE = Prepared(_move)


def move_lanes(session: Session, lanes: Sequence[tuple[str, bool, float, datetime | None]]) -> None:
    """Keep when the next place of each lane is free, and until when its line reaches. The lanes are locked."""
    _MOVE.run_each(
        session,
        [
            {"of_lane": lane, "is_spaced": is_spaced, "next_in": next_in, "to": waits_to}
            for lane, is_spaced, next_in, waits_to in lanes
        ],
    )


_IN_HAND = (
    sa.select(col(Delivery.domain), col(Delivery.sender), sa.func.count())
    .where(col(Delivery.status).in_([sa.literal_column("'claimed'"), sa.literal_column("'sending'")]))
    .group_by(col(Delivery.domain), col(Delivery.sender))
)


def in_hand(session: Session) -> list[tuple[str, str, int]]:
    """Mails in the hands of all workers, by recipient domain and sender: those of this claim too."""
    return [(domain, sender, count) for domain, sender, count in session.connection().execute(_IN_HAND)]


def hold(session: Session, worker: int, held: Mapping[int, Wait]) -> None:
    """Hold mails that this worker has in hand, each until it is looked at again."""
    if held:
        rows = [{"of_id": i, "worker": worker, "why": one.because, "to": one.until} for i, one in held.items()]
        changed_rows(session, _HOLD, rows)


def put_back(session: Session, worker: int, ids: Iterable[int]) -> None:
    """Mails that this worker has in hand go back into the queue, where they were."""
    rows = [{"of_id": i, "worker": worker} for i in ids]
    if rows:
        changed_rows(session, _PUT_BACK, rows)


_DELIVERY: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_MINE = sa.and_(
    _DELIVERY.c.id == sa.bindparam("of_id"),
    _DELIVERY.c.status == Status.CLAIMED,
    _DELIVERY.c.worker_id == sa.bindparam("worker"),
)
_HOLD = (
    sa.update(_DELIVERY)
    .where(_MINE)
    .values(
        status=Status.HELD, worker_id=None, because=sa.bindparam("why"), held_until=sa.bindparam("to", type_=Instant)
    )
)
_PUT_BACK = sa.update(_DELIVERY).where(_MINE).values(status=Status.QUEUED, worker_id=None)


def forget_some(session: Session, before: datetime, limit: int) -> int:
    """Let go of some buckets of hours and of 24 hours that began before; how many. Days of the calendar are kept."""
    key = sa.tuple_(col(PaceCount.lane), col(PaceCount.span), col(PaceCount.begins_at))
    old = sa.select(col(PaceCount.lane), col(PaceCount.span), col(PaceCount.begins_at)).where(
        col(PaceCount.span).in_((Span.HOUR, Span.DAY)), col(PaceCount.begins_at) < before
    )
    return changed_rows(session, sa.delete(PaceCount).where(key.in_(old.limit(limit))))
