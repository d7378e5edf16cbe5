"""Sign-ups as they are kept, and all SQL about them.

A sign-up holds what somebody typed only while it waits: confirming hands it to the contact, forgetting deletes it. What
is left of it then is that it happened, so that a form can say how many confirm.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.newcomers.store import Newcomer
from nurture.database.columns import id_column, instant_column, json_column, reference
from nurture.database.engine import Session
from nurture.database.statements import changed_rows
from nurture.forms.rules import State, line_of

_WAITS = sa.text("due_at IS NOT NULL")


class SignUp(SQLModel, table=True):
    """Somebody sent a form."""

    __tablename__ = "sign_up"
    __table_args__ = (
        sa.Index("ix_sign_up_waiting", "due_at", sqlite_where=_WAITS, postgresql_where=_WAITS),
        sa.Index("ix_sign_up_ip", "ip", "submitted_at"),
        sa.Index("ix_sign_up_address", "address_hash", "submitted_at"),
        sa.Index("ix_sign_up_form", "form", "state"),
    )

    id: int = id_column()
    form: str
    version_id: int = reference("campaign_version.id")  # whose wording they saw
    state: str = State.PENDING
    newcomer_id: int | None = reference("newcomer.id", nullable=True, index=True, on_delete="SET NULL")
    contact_id: int | None = reference("contact.id", nullable=True, index=True, on_delete="SET NULL")
    address_hash: str = Field(default="", max_length=32)
    language: str
    said: dict[str, Any] = json_column()  # what they typed and ticked; empty once it is settled
    label: str = Field(default="", description="where the link stood: booth, signature")
    operator_id: int | None = reference("operator.id", nullable=True)  # whose page it was
    delivery_id: int | None = Field(default=None, sa_type=sa.BigInteger, description="the mail its link came from")
    page: str = ""
    ip: str = ""
    submitted_at: datetime = instant_column()
    reminded_at: datetime | None = instant_column(nullable=True)
    due_at: datetime | None = instant_column(nullable=True)  # for its reminder, or to be forgotten
    confirmed_at: datetime | None = instant_column(nullable=True)


def find_sign_up(session: Session, sign_up_id: int) -> SignUp | None:
    return session.get(SignUp, sign_up_id)


def count_from_ip(session: Session, ip: str, since: datetime) -> int:
    """How many sign-ups came from this address of the net, or from its /64: of IPv6 one line has that many."""
    recent = col(SignUp.submitted_at) > since
    if ":" not in ip:
        return _count(session, col(SignUp.ip) == ip, recent)
    line, start = line_of(ip), f"{ip.partition(':')[0]}:"
    near = sa.select(col(SignUp.ip), sa.func.count()).where(recent, col(SignUp.ip).startswith(start, autoescape=True))
    rows = session.execute(near.group_by(col(SignUp.ip)))
    return sum(int(count) for other, count in rows if line_of(other) == line)


def count_of_address(session: Session, address_hash: str, since: datetime) -> int:
    """How many sign-ups there were for this mail address."""
    return _count(session, col(SignUp.address_hash) == address_hash, col(SignUp.submitted_at) > since)


def count_of_mailbox(session: Session, address_key: str, since: datetime) -> int:
    """How many sign-ups there were for all spellings of this mailbox, `bo+one@` and `bo+two@`, that nobody confirmed."""
    local, _, domain = address_key.rpartition("@")
    name = local.partition("+")[0]
    key = col(Newcomer.address_key)
    is_theirs = sa.or_(key == f"{name}@{domain}", key.startswith(f"{name}+", autoescape=True))
    theirs = sa.select(col(Newcomer.id)).where(is_theirs, col(Newcomer.domain) == domain)
    return _count(session, col(SignUp.newcomer_id).in_(theirs), col(SignUp.submitted_at) > since)


def count_pending(session: Session, form: str) -> int:
    return _count(session, col(SignUp.form) == form, col(SignUp.state) == State.PENDING)


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(SignUp).where(*where)) or 0


def pending_twins(session: Session, form: str, address_hash: str) -> list[SignUp]:
    """Sign-ups for the same address on the same form that wait to be confirmed."""
    statement = sa.select(SignUp).where(
        col(SignUp.form) == form, col(SignUp.address_hash) == address_hash, col(SignUp.state) == State.PENDING
    )
    return list(session.scalars(statement.order_by(col(SignUp.id))))


def settle(session: Session, sign_up_id: int, state: State, **values: Any) -> bool:
    """Move a pending sign-up on and empty it; False when somebody else did."""
    emptied: dict[str, Any] = {"said": {}, "newcomer_id": None, "due_at": None, "ip": ""}
    waiting = sa.update(SignUp).where(col(SignUp.id) == sign_up_id, col(SignUp.state) == State.PENDING)
    return changed_rows(session, waiting.values(state=state, **{**emptied, **values})) == 1


def hand_over(session: Session, newcomer_id: int, contact_id: int) -> None:
    """A newcomer became a contact: what else waits for a yes of theirs is the contact's."""
    theirs = sa.update(SignUp).where(col(SignUp.newcomer_id) == newcomer_id)
    changed_rows(session, theirs.values(newcomer_id=None, contact_id=contact_id))


def empty_replaced(session: Session, form: str, address_hash: str) -> None:
    """Sign-ups that a later one replaced say no more whose they were: that one is settled."""
    replaced = sa.update(SignUp).where(
        col(SignUp.form) == form, col(SignUp.address_hash) == address_hash, col(SignUp.state) == State.REPLACED
    )
    changed_rows(session, replaced.values(address_hash="", page="", ip="", contact_id=None, delivery_id=None))


def waits_for_newcomer(session: Session, newcomer_id: int) -> bool:
    """Whether any sign-up still needs this newcomer."""
    waits = col(SignUp.newcomer_id) == newcomer_id
    return _count(session, waits, col(SignUp.state) == State.PENDING) > 0


def list_due(session: Session, now: datetime, limit: int) -> list[SignUp]:
    """Those whose reminder is due, or that nobody confirmed in time."""
    statement = sa.select(SignUp).where(col(SignUp.due_at) <= now).order_by(col(SignUp.due_at)).limit(limit)
    return list(session.scalars(statement))


def next_due_at() -> ColumnElement[Any]:
    """Question: when the next sign-up is due."""
    waiting = sa.select(col(SignUp.due_at)).where(col(SignUp.due_at).is_not(None))
    return waiting.order_by(col(SignUp.due_at)).limit(1).scalar_subquery()


def counts(session: Session) -> dict[str, tuple[int, int, int]]:
    """For each form how many were sent, confirmed, and wait; what was sent twice counts once."""
    rows = session.execute(
        sa.select(col(SignUp.form), col(SignUp.state), sa.func.count())
        .where(col(SignUp.state) != State.REPLACED)
        .group_by(col(SignUp.form), col(SignUp.state))
    )
    found: dict[str, dict[str, int]] = {}
    for form, state, count in rows:
        found.setdefault(form, {})[state] = count
    return {
        form: (sum(states.values()), states.get(State.CONFIRMED, 0), states.get(State.PENDING, 0))
        for form, states in found.items()
    }


def labels_of(session: Session, form: str) -> Sequence[tuple[str, int]]:
    """Where the links stood of those who confirmed, the most frequent first."""
    statement = (
        sa.select(col(SignUp.label), sa.func.count())
        .where(col(SignUp.form) == form, col(SignUp.state) == State.CONFIRMED, col(SignUp.label) != "")
        .group_by(col(SignUp.label))
        .order_by(sa.func.count().desc(), col(SignUp.label))
    )
    return [(label, count) for label, count in session.execute(statement)]
