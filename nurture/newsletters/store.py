"""Readers and slots of newsletters as they are kept, and all SQL about them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from nurture.consent.silence.rules import UNDATED
from nurture.contacts.store import Contact
from nurture.database.columns import (
    KEY_IS_THE_ROW,
    Instant,
    id_column,
    instant_column,
    reference,
)
from nurture.database.conditions import Clause
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, is_among, not_by_index
from nurture.database.statements import insert
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery

ANNOUNCEMENT = "announcement"


class Reader(SQLModel, table=True):
    """Somebody who got the announcement; `left_at` once no issue may reach them any more."""

    __table_args__ = KEY_IS_THE_ROW

    newsletter: str = Field(primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger, index=True)
    announced_at: datetime = instant_column()
    first_issue_from: datetime = instant_column()
    left_at: datetime | None = instant_column(nullable=True)


class NewsletterSlot(SQLModel, table=True):
    """One moment of a newsletter's schedule: looked at beforehand, opened when it came, finished once all is queued."""

    __tablename__ = "newsletter_slot"
    __table_args__ = (sa.UniqueConstraint("newsletter", "slot_at"),)

    id: int = id_column()
    newsletter: str
    slot_at: datetime = instant_column()
    issue_id: int | None = Field(
        default=None,
        sa_type=sa.BigInteger,
        unique=True,
        description="the campaign of the issue; none: nothing was ready",
    )
    version_id: int | None = reference("campaign_version.id", nullable=True)
    queued_to: int = Field(
        default=0,
        sa_type=sa.BigInteger,
        description="the last reader it was queued for",
    )
    looked_at: datetime = instant_column()
    opened_at: datetime | None = instant_column(nullable=True)
    finished_at: datetime | None = instant_column(nullable=True)


_WAITS = sa.text("went_on IS NULL")
_IS_UNDATED = sa.text(f"turn = {UNDATED}")


class AnnouncementTurn(SQLModel, table=True):
    """Somebody who is to get the announcement, in the order of `consent.silence`; `went_on` once it is their turn."""

    __tablename__ = "announcement_turn"
    __table_args__ = (
        sa.Index(
            "ix_announcement_turn_waiting",
            "newsletter",
            "turn",
            "contact_id",
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
        sa.Index(
            "ix_announcement_turn_wave", "newsletter", "went_on", sqlite_where=_IS_UNDATED, postgresql_where=_IS_UNDATED
        ),
        KEY_IS_THE_ROW,
    )

    newsletter: str = Field(primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger, index=True)
    turn: int = Field(description="days of silence; the highest: nobody knows of a recent day")
    went_on: date | None = None


def announceable(session: Session, ids: Sequence[int], newsletter: str, clause: Clause) -> list[Contact]:
    """Of these contacts, those in the audience who have not had the announcement and may have it."""
    statement = sa.select(Contact).where(col(Contact.id).in_(ids), clause, ~has_had_announcement(newsletter))
    return list(session.scalars(statement.order_by(col(Contact.id))))


_IN_LINE = col(AnnouncementTurn.went_on).is_(None)


def get_in_line(session: Session, newsletter: str, turns: Mapping[int, int]) -> None:
    """These contacts wait for the announcement, each with a turn; who waits already may get another one."""
    if not turns:
        return
    statement = insert(session, AnnouncementTurn)
    again = statement.on_conflict_do_update(
        index_elements=["newsletter", "contact_id"], set_={"turn": statement.excluded.turn}, where=_IN_LINE
    )
    rows = [{"newsletter": newsletter, "contact_id": i, "turn": turn} for i, turn in sorted(turns.items())]
    session.execute(again, rows)


def next_turns(session: Session, newsletter: str, undated: int, limit: int) -> list[int]:
    """Whose turn is next, the lowest first; of those of whom no recent day is known at most so many."""
    waiting = sa.select(col(AnnouncementTurn.contact_id)).where(
        col(AnnouncementTurn.newsletter) == newsletter, _IN_LINE
    )
    order = (col(AnnouncementTurn.turn), col(AnnouncementTurn.contact_id))
    dated = waiting.where(col(AnnouncementTurn.turn) < UNDATED).order_by(*order)
    ids = list(session.scalars(dated.limit(limit)))
    rest = waiting.where(col(AnnouncementTurn.turn) == UNDATED).order_by(col(AnnouncementTurn.contact_id))
    return ids or list(session.scalars(rest.limit(max(0, min(undated, limit)))))


def undated_in_line(session: Session, newsletter: str, ids: Sequence[int]) -> set[int]:
    """Which of these wait for a later wave."""
    waiting = sa.select(col(AnnouncementTurn.contact_id)).where(
        col(AnnouncementTurn.newsletter) == newsletter,
        col(AnnouncementTurn.contact_id).in_(ids),
        col(AnnouncementTurn.turn) == UNDATED,
        _IN_LINE,
    )
    return set(session.scalars(waiting))


def is_anybody_in_line(session: Session, newsletter: str) -> bool:
    waiting = sa.select(col(AnnouncementTurn.contact_id)).where(
        col(AnnouncementTurn.newsletter) == newsletter, _IN_LINE
    )
    return session.scalar(waiting.limit(1)) is not None


def take_turns(session: Session, newsletter: str, ids: Sequence[int], today: date) -> None:
    """It is their turn."""
    session.execute(_turns_of(sa.update(AnnouncementTurn), newsletter, ids).values(went_on=today))


def leave_line(session: Session, newsletter: str, ids: Sequence[int]) -> None:
    """They wait no longer."""
    session.execute(_turns_of(sa.delete(AnnouncementTurn), newsletter, ids))


def _turns_of(statement: Any, newsletter: str, ids: Sequence[int]) -> Any:
    wanted = (col(AnnouncementTurn.newsletter) == newsletter, col(AnnouncementTurn.contact_id).in_(ids))
    return statement.where(*wanted).execution_options(synchronize_session=False)


def wave_so_far(session: Session, newsletter: str, today: date) -> tuple[date | None, int]:
    """The day of the first wave to people of whom no recent day is known, and how many of them went today."""
    statement = sa.select(
        sa.func.min(col(AnnouncementTurn.went_on)),
        sa.func.coalesce(sa.func.sum(sa.case((col(AnnouncementTurn.went_on) == today, 1), else_=0)), 0),
    ).where(
        col(AnnouncementTurn.newsletter) == newsletter, col(AnnouncementTurn.turn) == sa.literal_column(f"{UNDATED}")
    )
    # Asked as a day, or SQLite walks through the whole line: twice for each piece of an announcement.
    first, count = session.execute(statement.where(col(AnnouncementTurn.went_on) >= date.min)).one()
    return first, count


def count_announceable(session: Session, newsletter: str, clause: Clause) -> int:
    """How many contacts are in the audience, have not had the announcement and may have it."""
    statement = sa.select(sa.func.count()).select_from(Contact)
    return session.scalar(statement.where(clause, ~has_had_announcement(newsletter))) or 0


def has_had_announcement(newsletter: str) -> Clause:
    """Clause on `contact`: it was queued for them, whatever became of it."""
    key = sa.literal(f"{ANNOUNCEMENT}:{newsletter}:").concat(sa.cast(col(Contact.id), sa.String))
    return sa.exists().where(col(Delivery.key) == key)


def announced_without_reader(session: Session, newsletter: str, ids: Sequence[int]) -> list[tuple[int, datetime]]:
    """Of these contacts, those whose announcement has left, with when, and who are not readers yet."""
    statement = (
        sa.select(col(Delivery.contact_id), col(Delivery.attempted_at))
        .join(
            Reader,
            sa.and_(
                col(Reader.contact_id) == col(Delivery.contact_id),
                col(Reader.newsletter) == newsletter,
            ),
            isouter=True,
        )
        .where(
            col(Delivery.contact_id).in_(ids),
            not_by_index(col(Delivery.campaign))
            == f"newsletter:{newsletter}",  # by these people, not all of the campaign
            col(Delivery.mail) == ANNOUNCEMENT,
            col(Delivery.status).in_((Status.SENT, Status.UNCERTAIN)),
            col(Reader.contact_id).is_(None),
        )
        .order_by(col(Delivery.contact_id))
    )
    return [(contact, at) for contact, at in session.execute(statement) if contact is not None and at]


def insert_readers(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(insert(session, Reader).on_conflict_do_nothing(), list(rows))


def readers_among(
    session: Session, newsletter: str, ids: Sequence[int], after: int, slot_at: datetime, clause: Clause
) -> list[Contact]:
    """Those of these contacts whom the issue of a slot is for and who come behind `after` in its queueing."""
    is_reader = sa.exists().where(
        col(Reader.newsletter) == newsletter,
        col(Reader.contact_id) == col(Contact.id),
        col(Reader.first_issue_from) <= slot_at,
        col(Reader.left_at).is_(None),
    )
    return list(
        session.scalars(sa.select(Contact).where(col(Contact.id).in_(ids), col(Contact.id) > after, is_reader, clause))
    )


def has_readers_at(session: Session, newsletter: str, slot_at: datetime) -> bool:
    """Whether a slot has any reader whose first issue has come by then."""
    readers = sa.select(col(Reader.contact_id)).where(
        col(Reader.newsletter) == newsletter, col(Reader.first_issue_from) <= slot_at, col(Reader.left_at).is_(None)
    )
    return session.scalar(readers.limit(1)) is not None


def mark_left(session: Session, newsletter: str, contact_ids: Sequence[int], now: datetime) -> None:
    """These readers may get no issue any more; they were told apart when the last one was queued."""
    _LEAVE.change(session, newsletter=newsletter, ids=list(contact_ids), now=now)


def _leave(*, is_sqlite: bool) -> Any:
    gone = sa.update(_READER).where(
        _READER.c.newsletter == sa.bindparam("newsletter"),
        is_among(_READER.c.contact_id, "ids", is_sqlite=is_sqlite),
        _READER.c.left_at.is_(None),
    )
    return gone.values(left_at=sa.bindparam("now", type_=Instant))


_READER: Any = Reader.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_LEAVE = Prepared(_leave)


def bring_back(session: Session, newsletter: str, contact_ids: Sequence[int], is_subscribed: Clause) -> None:
    """Readers who left and may be mailed again, because they took their opt-out back, read on."""
    allowed = sa.exists().where(col(Contact.id) == col(Reader.contact_id), is_subscribed)
    again = sa.update(Reader).where(
        col(Reader.newsletter) == newsletter,
        col(Reader.contact_id).in_(contact_ids),
        col(Reader.left_at).is_not(None),
        allowed,
    )
    session.execute(again.values(left_at=None).execution_options(synchronize_session=False))


def list_readers(session: Session, newsletter: str) -> list[tuple[Reader, Contact]]:
    statement = (
        sa.select(Reader, Contact)
        .join(Contact, col(Contact.id) == col(Reader.contact_id))
        .where(col(Reader.newsletter) == newsletter)
        .order_by(col(Contact.email))
    )
    return list(session.execute(statement))


def readers_meant(session: Session, newsletter: str, clause: Clause) -> set[int]:
    """The readers of whom a condition is true."""
    statement = sa.select(col(Reader.contact_id)).join(Contact, col(Contact.id) == col(Reader.contact_id))
    return set(session.scalars(statement.where(col(Reader.newsletter) == newsletter, clause)))


def count_readers(session: Session, newsletter: str) -> int:
    statement = sa.select(sa.func.count()).select_from(Reader)
    return session.scalar(statement.where(col(Reader.newsletter) == newsletter, col(Reader.left_at).is_(None))) or 0


_LATER = aliased(NewsletterSlot)
_LAST_SLOTS = sa.select(NewsletterSlot).where(
    ~sa.exists().where(
        col(_LATER.newsletter) == col(NewsletterSlot.newsletter), col(_LATER.slot_at) > col(NewsletterSlot.slot_at)
    )
)


def last_slots(session: Session) -> dict[str, NewsletterSlot]:
    """The last slot of each newsletter; only it can be unfinished."""
    return {slot.newsletter: slot for slot in session.scalars(_LAST_SLOTS)}


def stop_queueing(session: Session, newsletter: str, now: datetime) -> None:
    """The issue that goes out is queued for nobody more."""
    open_slots = sa.update(NewsletterSlot).where(
        col(NewsletterSlot.newsletter) == newsletter,
        col(NewsletterSlot.opened_at).is_not(None),
        col(NewsletterSlot.finished_at).is_(None),
    )
    session.execute(open_slots.values(finished_at=now).execution_options(synchronize_session=False))


def closed_issues(session: Session) -> set[int]:
    """Issues that have gone out, or begun to."""
    return {issue for issue in session.scalars(sa.select(col(NewsletterSlot.issue_id))) if issue is not None}


def slot_of_issue(session: Session, issue_id: int) -> NewsletterSlot | None:
    return session.scalars(sa.select(NewsletterSlot).where(col(NewsletterSlot.issue_id) == issue_id)).one_or_none()


def deliveries_of(session: Session, newsletter: str, mail: str) -> list[tuple[Delivery, Contact]]:
    """Everything queued or refused for one mail of a newsletter, with the people."""
    statement = (
        sa.select(Delivery, Contact)
        .join(Contact, col(Contact.id) == col(Delivery.contact_id))
        .where(
            col(Delivery.campaign) == f"newsletter:{newsletter}",
            col(Delivery.mail) == mail,
        )
        .order_by(col(Contact.email))
    )
    return list(session.execute(statement))
