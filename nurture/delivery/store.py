"""The outbox: every mail to every person, and all SQL about it.

The row is the queue. A key that says what the mail is for makes deciding twice harmless. Moving a row to `sending` is
asked in `leaving`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.consent.rules import Purpose
from nurture.contacts.newcomers.store import Newcomer  # noqa: F401 — declares the table that a column points at
from nurture.contacts.store import Operator
from nurture.database.columns import (
    Instant,
    Json,
    id_column,
    instant_column,
    reference,
)
from nurture.database.engine import Session
from nurture.database.installation import is_running
from nurture.database.statements import changed_rows, insert
from nurture.delivery.rules import (
    ARROWS,
    MAY_HAVE_ARRIVED,
    SETTLED,
    STOPPABLE,
    HeldBecause,
    Priority,
    Status,
)

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_IS_QUEUED = sa.text("status = 'queued'")
_IS_HELD = sa.text("status = 'held'")
_IS_IN_HAND = sa.text("status IN ('claimed', 'sending')")
_IS_UNCERTAIN = sa.text("status = 'uncertain'")
_IS_STEP = sa.text("enrollment_id IS NOT NULL")
_IS_NEWCOMERS = sa.text("newcomer_id IS NOT NULL")


class Delivery(SQLModel, table=True):
    """One mail to one person: a contact, a newcomer, an operator, or (purpose `test`) an address of our own."""

    __table_args__ = (
        sa.Index(
            "ix_delivery_queue",
            "priority",
            "due_at",
            "id",
            sqlite_where=_IS_QUEUED,
            postgresql_where=_IS_QUEUED,
        ),
        sa.Index(
            "ix_delivery_held",
            "held_until",
            sqlite_where=_IS_HELD,
            postgresql_where=_IS_HELD,
        ),
        sa.Index("ix_delivery_held_because", "because", "campaign", sqlite_where=_IS_HELD, postgresql_where=_IS_HELD),
        sa.Index(
            "ix_delivery_in_hand",
            "worker_id",
            sqlite_where=_IS_IN_HAND,
            postgresql_where=_IS_IN_HAND,
        ),
        sa.Index("ix_delivery_uncertain", "id", sqlite_where=_IS_UNCERTAIN, postgresql_where=_IS_UNCERTAIN),
        sa.Index("ix_delivery_contact", "contact_id", "attempted_at"),
        sa.Index("ix_delivery_campaign", "campaign", "status"),
        # Most mails are of neither, and PostgreSQL writes every index anew with each change of a row's state.
        sa.Index("ix_delivery_enrollment", "enrollment_id", sqlite_where=_IS_STEP, postgresql_where=_IS_STEP),
        sa.Index("ix_delivery_newcomer", "newcomer_id", sqlite_where=_IS_NEWCOMERS, postgresql_where=_IS_NEWCOMERS),
    )

    id: int = id_column()
    key: str = Field(
        unique=True,
        description="what it is for: two decisions with one key are one mail",
    )
    purpose: str
    campaign: str = Field(description="kind:name, such as sequence:evaluators")
    version_id: int = reference("campaign_version.id")
    mail: str = Field(description="which mail of the version: a step, or the only one")
    kind: str = Field(
        default="", description="of a campaign's mail: value or ask", sa_column_kwargs={"server_default": ""}
    )
    priority: int
    contact_id: int | None = reference("contact.id", nullable=True)
    operator_id: int | None = reference("operator.id", nullable=True)
    newcomer_id: int | None = reference("newcomer.id", nullable=True, on_delete="SET NULL")
    test_address: str | None = Field(default=None, description="purpose test only: in a domain of our own")
    domain: str = Field(description="of the recipient")
    enrollment_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    issue_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    topic: str = ""
    sender: str = "default"
    status: str = Status.QUEUED
    because: str = Field(default="", description="why it is held, refused, cancelled, failed")
    queued_at: datetime = instant_column()
    due_at: datetime = instant_column()
    window: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(Json, nullable=True))
    closes_at: datetime | None = instant_column(nullable=True)
    expires_at: datetime | None = instant_column(nullable=True)
    held_until: datetime | None = instant_column(nullable=True)
    worker_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    attempts: int = 0
    attempted_at: datetime | None = instant_column(nullable=True)
    settled_at: datetime | None = instant_column(nullable=True)
    reply: str = Field(default="", description="the relay's last word")
    message_id: str | None = None
    facts: dict[str, Any] | None = Field(
        default=None,
        sa_column=sa.Column(Json, nullable=True),
        # so that a retry, /view and "as sent" show the same bytes; erasure removes it
        description="what the mail takes from the contact and the sender, kept when it is first rendered",
    )


# What the partial indexes are about, for queries: SQLite takes such an index only for a condition that says the same
# word for word, not through a parameter (https://sqlite.org/partialindex.html). Without them the loops of the house
# would walk through every mail ever sent.
_QUEUED = col(Delivery.status) == sa.literal_column("'queued'")
_HELD = col(Delivery.status) == sa.literal_column("'held'")
#: As the index of what is in hand says it, word for word.
IN_HAND = col(Delivery.status).in_([sa.literal_column("'claimed'"), sa.literal_column("'sending'")])


def insert_deliveries(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Queue what is not queued yet; the keys of the rows that are new."""
    if not rows:
        return set()
    statement = insert(session, Delivery).on_conflict_do_nothing(index_elements=["key"]).returning(col(Delivery.key))
    return set(session.scalars(statement, list(rows)))


def add_delivery(session: Session, delivery: Delivery) -> None:
    """Queue one delivery that was made whole: a test."""
    session.add(delivery)
    session.flush()


def get_delivery(session: Session, delivery_id: int) -> Delivery:
    return session.get_one(Delivery, delivery_id)


def deliveries_of_ids(session: Session, ids: Iterable[int]) -> list[Delivery]:
    """Deliveries by identifier; those that are gone are left out."""
    return list(session.scalars(sa.select(Delivery).where(col(Delivery.id).in_(list(ids)))))


def find_delivery(session: Session, delivery_id: int) -> Delivery | None:
    return session.get(Delivery, delivery_id)


def operators_of(session: Session, deliveries: Sequence[Delivery]) -> list[Operator]:
    """The operators some deliveries go to."""
    ids = {one.operator_id for one in deliveries if one.operator_id is not None}
    return list(session.scalars(sa.select(Operator).where(col(Operator.id).in_(ids))))


def deliveries_of_enrollments(session: Session, enrollment_ids: Sequence[int]) -> list[Delivery]:
    """What each enrollment's send steps asked for."""
    statement = sa.select(Delivery).where(col(Delivery.enrollment_id).in_(enrollment_ids))
    return list(session.scalars(statement.order_by(col(Delivery.id))))


def delivery_of_key(session: Session, key: str) -> Delivery | None:
    return session.scalars(sa.select(Delivery).where(col(Delivery.key) == key)).one_or_none()


def recent_attempts(session: Session, contact_id: int, since: datetime) -> list[datetime]:
    """When the contact may have got marketing mail, oldest first."""
    statement = sa.select(col(Delivery.attempted_at)).where(
        col(Delivery.contact_id) == contact_id,
        col(Delivery.attempted_at) > since,
        col(Delivery.purpose) == Purpose.CAMPAIGN,
        col(Delivery.status).in_(MAY_HAVE_ARRIVED),
    )
    return [at for at in session.scalars(statement.order_by(col(Delivery.attempted_at))) if at is not None]


def move(session: Session, ids: Iterable[int], to: Status, *, now: datetime, **values: Any) -> list[int]:
    """Move deliveries along an arrow of the chart; those that stand elsewhere by now stay. Returns who moved."""
    sources = [status for status, targets in ARROWS.items() if to in targets]
    if to in SETTLED:
        values = {"settled_at": now, "held_until": None, **values}
    moved = (
        sa.update(Delivery)
        .where(col(Delivery.id).in_(list(ids)), col(Delivery.status).in_(sources))
        .values(status=to, **({} if to is Status.CLAIMED else {"worker_id": None}), **values)
        .returning(col(Delivery.id))
    )
    return list(session.scalars(moved))


def put_down(session: Session, delivery_id: int, to: Status, *, now: datetime, **values: Any) -> bool:
    """Move a mail that a worker has in its hands; False if somebody else has moved it since.

    The worker may have stood still for so long that another one sends it by now, and what came in meanwhile may have held
    it for a recheck: neither is undone.
    """
    if to in SETTLED:
        values["settled_at"] = now
    claimed = sa.update(Delivery).where(col(Delivery.id) == delivery_id, col(Delivery.status) == Status.CLAIMED)
    return changed_rows(session, claimed.values(status=to, worker_id=None, **values)) == 1


def list_releasable(session: Session, now: datetime, limit: int) -> list[Delivery]:
    """Held deliveries whose reason may have passed, locked: what comes in may hold one for a recheck at this very moment.

    Those that somebody else has locked come with the next look.
    """
    # Two questions, each with an index of its own, rather than one with an "or" that has none.
    passed = sa.select(Delivery).where(_HELD, col(Delivery.held_until) <= now).limit(limit)
    resumed = sa.select(Delivery).where(_HELD, _WAS_PAUSED, is_running()).limit(limit)
    found = {
        one.id: one
        for statement in (passed, resumed)
        for one in session.scalars(statement.with_for_update(skip_locked=True))
    }
    return list(found.values())[:limit]


def next_release_at() -> ColumnElement[Any]:
    """Question: when the next held delivery may be released; the dawn of time if one already may."""
    resumed = sa.select(sa.literal(1)).where(_HELD, _WAS_PAUSED, is_running())
    soonest = sa.select(sa.func.min(col(Delivery.held_until))).where(_HELD)
    return sa.case((resumed.exists(), sa.literal(_LONG_AGO, Instant)), else_=soonest.scalar_subquery())


_WAS_PAUSED = col(Delivery.because) == HeldBecause.PAUSED


def next_due_at(session: Session) -> datetime | None:
    """When the next queued delivery is due; None while sending is paused, for nothing is then."""
    return min((at for at in session.execute(_SOONEST_DUE).one() if at is not None), default=None)


_SOONEST_DUE = sa.select(
    *(
        sa.select(col(Delivery.due_at))
        .where(_QUEUED, col(Delivery.priority) == priority, is_running())
        .order_by(col(Delivery.due_at))
        .limit(1)
        .scalar_subquery()
        for priority in Priority
    )
)


def is_any_in_hand() -> Any:
    """Question: whether any worker has mails that it is about to send or is sending."""
    # The worker is named, or SQLite walks through a larger index than the one of these few.
    return sa.exists(sa.select(col(Delivery.id)).where(IN_HAND, col(Delivery.worker_id).is_not(None)))


def stop_enrollments(session: Session, enrollment_ids: Sequence[int], because: str, now: datetime) -> int:
    """Cancel what an enrollment that ended had still asked for."""
    waiting = sa.update(Delivery).where(
        col(Delivery.enrollment_id).in_(enrollment_ids),
        col(Delivery.status).in_(STOPPABLE),
    )
    stopped = waiting.values(status=Status.CANCELLED, because=because, settled_at=now, held_until=None, worker_id=None)
    return changed_rows(session, stopped)


def adopt_mails(session: Session, newcomer_id: int, contact_id: int) -> None:
    """A newcomer became a contact: the mails they got are the contact's."""
    theirs = sa.update(Delivery).where(col(Delivery.newcomer_id) == newcomer_id)
    changed_rows(session, theirs.values(newcomer_id=None, contact_id=contact_id))


def cancel_by_keys(session: Session, keys: Sequence[str], because: str, now: datetime) -> None:
    """Take back what has not left and is not needed any more."""
    ids = list(session.scalars(sa.select(col(Delivery.id)).where(col(Delivery.key).in_(keys))))
    move(session, ids, Status.CANCELLED, now=now, because=because)


def hold_for_recheck(session: Session, contact_id: int) -> int:
    """Something happened that may end a sequence: nothing of it leaves before `advance` has looked."""
    pending = sa.update(Delivery).where(
        col(Delivery.contact_id) == contact_id,
        col(Delivery.enrollment_id).is_not(None),
        col(Delivery.status).in_((Status.QUEUED, Status.CLAIMED, Status.HELD)),
    )
    held = pending.values(status=Status.HELD, because=HeldBecause.RECHECK, held_until=None, worker_id=None)
    return changed_rows(session, held)


def release_from_hold(session: Session, contact_ids: Sequence[int], now: datetime) -> int:
    """A hold is over before its time: what it kept back is looked at again."""
    kept = sa.update(Delivery).where(
        col(Delivery.contact_id).in_(contact_ids), _HELD, col(Delivery.because).startswith(f"{HeldBecause.HOLD}:")
    )
    return changed_rows(session, kept.values(held_until=now))


def release_rechecked(session: Session, ids: Sequence[int], now: datetime) -> int:
    """`advance` has looked and the mail may go."""
    held = sa.update(Delivery).where(
        col(Delivery.id).in_(ids),
        col(Delivery.status) == Status.HELD,
        col(Delivery.because) == HeldBecause.RECHECK,
    )
    return changed_rows(session, held.values(status=Status.QUEUED, because="", held_until=None))


def count_by_status(session: Session, *, campaign: str | None = None) -> dict[str, int]:
    statement = sa.select(col(Delivery.status), sa.func.count()).group_by(col(Delivery.status))
    if campaign is not None:
        statement = statement.where(col(Delivery.campaign) == campaign)
    return dict(session.execute(statement).all())


def count_settled_since(session: Session, since: datetime, status: str) -> int:
    """How many deliveries were settled with this status from that instant on."""
    statement = sa.select(sa.func.count()).select_from(Delivery)
    return session.scalar(statement.where(col(Delivery.status) == status, col(Delivery.settled_at) >= since)) or 0


def queued_by_window(session: Session, now: datetime) -> list[tuple[dict[str, Any], int, datetime]]:
    """Queued deliveries that are to leave later and have a window: how many have it, and when the first is due."""
    statement = (
        sa.select(col(Delivery.window), sa.func.count(), sa.func.min(col(Delivery.due_at)))
        .where(_QUEUED, col(Delivery.due_at) > now, col(Delivery.window).is_not(None))
        .group_by(col(Delivery.window))
    )
    return [(window, count, due_at) for window, count, due_at in session.execute(statement)]


def held_by_reason(session: Session) -> list[tuple[str, int, datetime | None]]:
    """How many deliveries are held, why, and until when the first of them is."""
    statement = (
        sa.select(col(Delivery.because), sa.func.count(), sa.func.min(col(Delivery.held_until)))
        .where(_HELD)
        .group_by(col(Delivery.because))
    )
    return [(because, count, until) for because, count, until in session.execute(statement)]
