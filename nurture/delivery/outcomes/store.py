"""Rows that leave `sending`, every try that was made, and all SQL about both."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import KEY_IS_THE_ROW, Instant, instant_column
from nurture.database.engine import Session
from nurture.database.prepared import Filled, Prepared, is_among, not_by_index, rows_given
from nurture.database.statements import changed_rows
from nurture.delivery.rules import ARROWS, SETTLED, Heard, HeldBecause, Status
from nurture.delivery.store import Delivery

_NOW = sa.bindparam("now", type_=Instant)
_WORKER = sa.bindparam("worker", type_=sa.BigInteger)
_DELIVERY: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it


class Attempt(SQLModel, table=True):
    """One SMTP try of one delivery."""

    __table_args__ = KEY_IS_THE_ROW

    delivery_id: int = Field(foreign_key="delivery.id", primary_key=True, sa_type=sa.BigInteger)
    number: int = Field(primary_key=True)
    worker_id: int = Field(sa_type=sa.BigInteger)
    heard: str
    code: int | None = None
    reply: str = ""
    relay: str = Field(default="", description="which one it was", sa_column_kwargs={"server_default": ""})
    ended_at: datetime = instant_column()


#: How a try ended: delivery, number of the try, what was heard, its code, the relay's last word and its name.
_TRY = {
    "id": sa.BigInteger, "number": sa.Integer, "heard": sa.Text, "code": sa.Integer, "reply": sa.Text, "relay": sa.Text,
}  # fmt: skip


def _may_end(to: Status) -> ColumnElement[bool]:
    """Clause: this worker sends it, or it became uncertain when the worker was declared dead, and now it is known."""
    status, worker = not_by_index(_DELIVERY.c.status), not_by_index(_DELIVERY.c.worker_id)
    sending = sa.and_(status == Status.SENDING, worker == _WORKER)
    return sa.or_(sending, status == Status.UNCERTAIN) if to in ARROWS[Status.UNCERTAIN] else sending


def _record_sent(*, is_sqlite: bool) -> Any:
    tries = rows_given("tries", _TRY, is_sqlite=is_sqlite)
    sent = sa.update(_DELIVERY).where(_DELIVERY.c.id == tries.c.id, _may_end(Status.SENT))
    # It may have been uncertain meanwhile: what was said of it then holds no more.
    return sent.values(status=Status.SENT, worker_id=None, because="", reply=tries.c.reply, settled_at=_NOW)


def _insert_attempts(*, is_sqlite: bool) -> Any:
    tries = rows_given("tries", _TRY, is_sqlite=is_sqlite)
    names = ["delivery_id", "number", "heard", "code", "reply", "relay", "worker_id", "ended_at"]
    rows = sa.select(tries, _WORKER, _NOW).where(sa.true())  # without a WHERE, SQLite takes ON for a join
    table: Any = Attempt.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    if is_sqlite:
        return sa.dialects.sqlite.insert(table).from_select(names, rows).on_conflict_do_nothing()
    return sa.dialects.postgresql.insert(table).from_select(names, rows).on_conflict_do_nothing()


_RECORD_SENT = Prepared(_record_sent)
_INSERT_ATTEMPTS = Prepared(_insert_attempts)


def recording_sent(worker: int, tries: str, now: datetime) -> Filled:
    """The relay has these; also those of this worker that became uncertain when it was declared dead meanwhile.

    `tries` is the JSON of rows as `_TRY` has them, here and below.
    """
    return _RECORD_SENT.filled(tries=tries, worker=worker, now=now)


def keeping_attempts(worker: int, tries: str, now: datetime) -> Filled:
    """Keep every try; one that is kept already stays as it is."""
    return _INSERT_ATTEMPTS.filled(tries=tries, worker=worker, now=now)


def move_from_sending(
    session: Session, worker: int, delivery_id: int, to: Status, now: datetime, **values: Any
) -> bool:
    """Record how one try of this worker ended, whichever way."""
    # As above.
    values = {"because": "", "settled_at": now if to in SETTLED else None, **values}
    moved = sa.update(_DELIVERY).where(_DELIVERY.c.id == delivery_id, _may_end(to))
    moved = moved.values(status=to, worker_id=None, **values)
    return changed_rows(session, moved, {"worker": worker}) == 1


def _put_back_unsaid(*, is_sqlite: bool) -> Any:
    ids = is_among(_DELIVERY.c.id, "ids", is_sqlite=is_sqlite)
    mine = sa.and_(_DELIVERY.c.status == Status.SENDING, _DELIVERY.c.worker_id == _WORKER)
    return (
        sa.update(_DELIVERY)
        .where(ids, mine)
        .values(status=Status.QUEUED, worker_id=None, attempts=_DELIVERY.c.attempts - 1)
    )


_PUT_BACK_UNSAID = Prepared(_put_back_unsaid)


def put_back_unsaid(session: Session, worker: int, ids: Sequence[int]) -> None:
    """The permission of these may have been given without its worker hearing of it; no body was written."""
    _PUT_BACK_UNSAID.change(session, ids=ids, worker=worker)


def list_attempts(session: Session, delivery_id: int) -> list[Attempt]:
    statement = sa.select(Attempt).where(col(Attempt.delivery_id) == delivery_id).order_by(col(Attempt.number))
    return list(session.scalars(statement))


def put_off_since(session: Session, delivery_id: int) -> datetime | None:
    """When a relay answered to the first try of it that was not the last; None if none has yet."""
    answered = sa.select(sa.func.min(col(Attempt.ended_at))).where(
        col(Attempt.delivery_id) == delivery_id, col(Attempt.heard).in_((Heard.DEFERRED, Heard.REJECTED))
    )
    return session.scalar(answered)


def _look_again_at_asks(*, is_sqlite: bool) -> Any:
    return (
        sa.update(_DELIVERY)
        .where(
            is_among(_DELIVERY.c.contact_id, "contacts", is_sqlite=is_sqlite),
            # Word for word as the index of what is held says it.
            _DELIVERY.c.status == sa.literal_column("'held'"),
            _DELIVERY.c.because == sa.literal_column(f"'{HeldBecause.ASK_BUDGET}'"),
        )
        .values(held_until=_NOW)
    )


_LOOK_AGAIN_AT_ASKS = Prepared(_look_again_at_asks)


def looking_again_at_asks(contact_ids: Sequence[int], now: datetime) -> Filled:
    """These contacts got a mail of value: an ask that waits to be earned may leave now."""
    return _LOOK_AGAIN_AT_ASKS.filled(contacts=contact_ids, now=now)
