"""Mails whose row a restored database does not have at all: it was queued after the backup. And all SQL about that."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.claiming import is_alive
from nurture.database.columns import instant_column
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, in_list_of, insert
from nurture.delivery.rules import STOPPABLE, Status
from nurture.delivery.store import Delivery

BECAUSE = "the journal says that it was on its way when this database, since restored, was not looking"


class RememberedMail(SQLModel, table=True):
    """One mail to one address; whoever decides on it again finds that it has been sent."""

    __tablename__ = "remembered_mail"

    delivery_id: int = Field(primary_key=True, sa_type=sa.BigInteger, description="as the journal has it")
    address_hash: str = Field(max_length=32, index=True)
    campaign: str
    mail: str
    sent_at: datetime = instant_column()


def deliveries_as_known(session: Session, ids: Iterable[int]) -> dict[int, Delivery]:
    """The rows of these mails that there are."""
    found = session.scalars(sa.select(Delivery).where(in_list_of(Delivery.id, "ids")), {"ids": list(ids)})
    return {one.id: one for one in found}


def in_living_hands(session: Session, ids: Collection[int]) -> set[int]:
    """Which of these mails a living worker has in its hands right now: what it wrote down it is about to commit."""
    claimed = sa.select(col(Delivery.id)).where(
        in_list_of(Delivery.id, "ids"),
        col(Delivery.status) == Status.CLAIMED,
        is_alive(col(Delivery.worker_id)),
    )
    return set(session.scalars(claimed, {"ids": list(ids)}))


def settle_as_uncertain(session: Session, delivery_id: int, at: datetime, now: datetime) -> int | None:
    """A row that believes its mail unsent learns better. No arrow of the chart: it is the record that was wrong."""
    believed_unsent = sa.update(Delivery).where(col(Delivery.id) == delivery_id, col(Delivery.status).in_(STOPPABLE))
    settled = believed_unsent.values(
        status=Status.UNCERTAIN, because=BECAUSE, attempted_at=at, settled_at=now, held_until=None, worker_id=None,
        attempts=col(Delivery.attempts) + 1,
    )  # fmt: skip
    return session.scalar(settled.returning(col(Delivery.contact_id)))


def reopen(session: Session, ids: Collection[int], now: datetime) -> int:
    """The relay had not taken these after all: they are sent again."""
    doubted = sa.update(Delivery).where(
        col(Delivery.id).in_(ids), col(Delivery.status) == Status.UNCERTAIN, col(Delivery.because) == BECAUSE
    )
    changed_rows(session, sa.delete(RememberedMail).where(col(RememberedMail.delivery_id).in_(ids)))
    return changed_rows(session, doubted.values(status=Status.QUEUED, because="", settled_at=None, due_at=now))


def reopenable(session: Session, ids: Collection[int]) -> set[int]:
    """Which of these `reopen` would change."""
    doubted = sa.select(col(Delivery.id)).where(
        in_list_of(Delivery.id, "ids"), col(Delivery.status) == Status.UNCERTAIN, col(Delivery.because) == BECAUSE
    )
    remembered = sa.select(col(RememberedMail.delivery_id)).where(in_list_of(RememberedMail.delivery_id, "ids"))
    return {one for statement in (doubted, remembered) for one in session.scalars(statement, {"ids": list(ids)})}


def known_memories(session: Session, ids: Collection[int]) -> set[int]:
    """Which of these mails are remembered."""
    statement = sa.select(col(RememberedMail.delivery_id)).where(in_list_of(RememberedMail.delivery_id, "ids"))
    return set(session.scalars(statement, {"ids": list(ids)}))


def remember(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep mails that have no row."""
    if rows:
        changed_rows(session, insert(session, RememberedMail).on_conflict_do_nothing(), list(rows))


_REMEMBERED = (
    sa.select(RememberedMail, col(Contact.id))
    .join(Contact, col(Contact.address_hash) == col(RememberedMail.address_hash))
    .where(in_list_of(Contact.id, "ids"))
    .order_by(col(RememberedMail.sent_at))
)


def remembered_of(session: Session, contact_ids: Collection[int]) -> dict[tuple[int, str, str], list[RememberedMail]]:
    """What these contacts got, by contact, campaign and mail, oldest first."""
    found: dict[tuple[int, str, str], list[RememberedMail]] = {}
    for mail, contact_id in session.execute(_REMEMBERED, {"ids": list(contact_ids)}):
        found.setdefault((contact_id, mail.campaign, mail.mail), []).append(mail)
    return found


def forget(session: Session, ids: Collection[int]) -> None:
    """They have a row again."""
    changed_rows(session, sa.delete(RememberedMail).where(col(RememberedMail.delivery_id).in_(ids)))
