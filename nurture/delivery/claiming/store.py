"""The queue as workers take from it, and all SQL about that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture.database.claiming import is_alive
from nurture.database.columns import Instant
from nurture.database.engine import Session
from nurture.database.installation import is_running
from nurture.database.prepared import Prepared, instant_of, is_among, json_of
from nurture.delivery.claimed import Claimed
from nurture.delivery.rules import Priority, Status
from nurture.delivery.store import Delivery

_DELIVERY: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_WORKER = sa.bindparam("worker", type_=sa.BigInteger)


def _due(*, is_chosen: bool) -> Prepared:
    """Identifiers of what is due of one priority; `is_chosen`: only of some deliveries."""

    def make(*, is_sqlite: bool) -> Any:
        due = sa.select(_DELIVERY.c.id).where(
            _DELIVERY.c.status == sa.literal_column("'queued'"),  # word for word as the index of the queue says it
            _DELIVERY.c.priority == sa.bindparam("priority", type_=sa.Integer),
            _DELIVERY.c.due_at <= sa.bindparam("now", type_=Instant),
            is_running(),
            is_alive(_WORKER),
        )
        if is_chosen:
            due = due.where(is_among(_DELIVERY.c.id, "only", is_sqlite=is_sqlite))
        most = sa.bindparam("most", type_=sa.Integer)
        due = due.order_by(_DELIVERY.c.due_at, _DELIVERY.c.id).limit(most)
        return due.with_for_update(skip_locked=True, of=_DELIVERY)

    return Prepared(make)


def _take(*, is_sqlite: bool) -> Any:
    mine = sa.update(_DELIVERY).where(
        is_among(_DELIVERY.c.id, "ids", is_sqlite=is_sqlite), _DELIVERY.c.status == Status.QUEUED
    )
    return mine.values(status=Status.CLAIMED, worker_id=_WORKER)


def _rows(*, is_sqlite: bool) -> Any:
    columns = [_DELIVERY.c[name] for name in Claimed._fields]
    order = (_DELIVERY.c.priority, _DELIVERY.c.due_at, _DELIVERY.c.id)
    return sa.select(*columns).where(is_among(_DELIVERY.c.id, "ids", is_sqlite=is_sqlite)).order_by(*order)


_DUE, _DUE_OF_THESE = _due(is_chosen=False), _due(is_chosen=True)
_TAKE, _ROWS = Prepared(_take), Prepared(_rows)


def claim_due(
    session: Session, worker: int, limit: int, now: datetime, *, only: Sequence[int] | None = None
) -> list[Claimed]:
    """Take the most urgent deliveries for this worker, or those of `only`; none while sending is paused."""
    ids: list[int] = []
    # One priority after the other, so that what is queued for later in the first is not walked through for the next.
    for priority in Priority:
        given: dict[str, Any] = {"priority": int(priority), "now": now, "worker": worker, "most": limit - len(ids)}
        due = _DUE.run(session, **given) if only is None else _DUE_OF_THESE.run(session, **given, only=only)
        ids += [delivery for (delivery,) in due]
        if len(ids) == limit:
            break
    if not ids:
        return []
    _TAKE.run(session, ids=ids, worker=worker)
    return [_claimed(row) for row in _ROWS.run(session, ids=ids)]


_QUEUED_AT, _WINDOW = Claimed._fields.index("queued_at"), Claimed._fields.index("window")
_CLOSES_AT, _EXPIRES_AT = Claimed._fields.index("closes_at"), Claimed._fields.index("expires_at")
_FACTS = Claimed._fields.index("facts")


def _claimed(row: Any) -> Claimed:
    values = list(row)
    for place in (_QUEUED_AT, _CLOSES_AT, _EXPIRES_AT):
        values[place] = instant_of(values[place])
    for place in (_WINDOW, _FACTS):
        values[place] = json_of(values[place])
    return Claimed._make(values)


def _keep_facts(*, is_sqlite: bool) -> Any:
    facts: Any = sa.bindparam("facts", type_=sa.Text)
    kept = sa.update(_DELIVERY).where(_DELIVERY.c.id == sa.bindparam("delivery", type_=sa.BigInteger))
    message_id = sa.bindparam("message_id", type_=sa.Text)
    return kept.values(facts=facts if is_sqlite else sa.cast(facts, _DELIVERY.c.facts.type), message_id=message_id)


_KEEP_FACTS = Prepared(_keep_facts)


def keep_facts(session: Session, rows: Sequence[tuple[int, str, str]]) -> None:
    """Keep what these mails take from their people, as JSON text, and their Message-IDs: delivery, facts, id."""
    _KEEP_FACTS.run_each(
        session,
        [{"delivery": delivery, "facts": facts, "message_id": message_id} for delivery, facts, message_id in rows],
    )
