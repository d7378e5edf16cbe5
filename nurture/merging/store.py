"""Moves everything that names a contact to another one. The one list of such tables, each with what a merge does to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.recording.store import LastOpen
from nurture.consent.silence.store import ContactPast
from nurture.consent.store import Consent
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert
from nurture.delivery.rules import MAY_HAVE_ARRIVED, Status
from nurture.delivery.store import Delivery
from nurture.handoff.store import WAITING, HandOff
from nurture.merging.rules import Word
from nurture.sequences.store import EnrollmentRow, StepVisit


class Merging(StrEnum):
    """What becomes of the other contact's rows in a table."""

    MOVE = "move"  # they are the kept contact's from now on
    UNITE = "unite"  # the same, but for those whose twin the kept contact has
    DROP = "drop"  # they say nothing that the kept contact needs
    DECIDE = "decide"  # a rule of this room decides


@dataclass(frozen=True)
class Naming:
    """A table that names contacts, by which columns; `rest` is the rest of its key where rows are united.

    By its name only: rooms above this one have such tables, too.
    """

    table: str
    how: Merging
    columns: tuple[str, ...] = ("contact_id",)
    rest: tuple[str, ...] = ()


#: Every table that names a contact.
MERGED: tuple[Naming, ...] = (
    Naming("activity", Merging.MOVE),
    Naming("announcement_turn", Merging.UNITE, rest=("newsletter",)),
    Naming("changed_contact", Merging.DROP),
    Naming("consent", Merging.DECIDE),
    Naming("consent_event", Merging.MOVE),
    Naming("contact_change", Merging.MOVE),
    Naming("contact_past", Merging.DECIDE),
    Naming("contact_tag", Merging.UNITE, rest=("tag",)),
    Naming("delivery", Merging.DECIDE),
    Naming("enrollment", Merging.DECIDE),
    Naming("former_address", Merging.UNITE, rest=("address_hash",)),
    Naming("given_points", Merging.MOVE),
    Naming("hand_off", Merging.MOVE),
    Naming("hold", Merging.MOVE),
    Naming("inbound_mail", Merging.MOVE),
    Naming("last_open", Merging.DECIDE),
    Naming("list_member", Merging.UNITE, rest=("list_id",)),
    Naming("outgoing", Merging.MOVE),
    Naming("pending_entry", Merging.UNITE, rest=("sequence",)),
    Naming("personal_request", Merging.DROP),  # whoever confirms it by an old mail shall not erase who stays
    Naming("reader", Merging.UNITE, rest=("newsletter",)),
    Naming("rhythm", Merging.DECIDE),
    Naming("sign_up", Merging.MOVE),
    Naming("stage_move", Merging.MOVE),
    Naming("task", Merging.MOVE),
    Naming("touch", Merging.MOVE, ("contact_id", "through_id")),
)


def move_rows(session: Session, keep_id: int, other_id: int) -> dict[str, int]:
    """Move, unite and drop; how many rows each table gave to the contact that stays."""
    moved: dict[str, int] = {}
    for one in MERGED:
        table = sa.table(one.table, *(sa.column(name) for name in (*one.columns, *one.rest)))
        if one.how is Merging.UNITE:
            _drop_twins(session, table, one.rest, keep_id, other_id)
        for name in one.columns:
            theirs = table.c[name] == other_id
            if one.how is Merging.DROP:
                changed_rows(session, sa.delete(table).where(theirs))
            elif one.how is not Merging.DECIDE:
                count = changed_rows(session, sa.update(table).where(theirs).values({name: keep_id}))
                moved[one.table] = moved.get(one.table, 0) + count
    return {name: count for name, count in moved.items() if count}


def _drop_twins(session: Session, table: sa.TableClause, rest: Sequence[str], keep_id: int, other_id: int) -> None:
    """Rows whose rest of the key the kept contact has already."""
    twin = table.alias()
    has_twin = sa.exists().where(twin.c.contact_id == keep_id, *(twin.c[name] == table.c[name] for name in rest))
    theirs = table.c.contact_id == other_id
    changed_rows(session, sa.delete(table).where(theirs, has_twin.correlate_except(twin)))


def words_of(session: Session, contact_id: int) -> dict[tuple[str, str], Word]:
    """What holds for a contact, by topic and purpose."""
    return {
        (one.topic, one.purpose): Word(
            one.state, one.basis, one.given_on, one.pile, one.expires_at, one.afterwards, one.law
        )
        for one in session.scalars(sa.select(Consent).where(col(Consent.contact_id) == contact_id))
    }


def drop_words(session: Session, contact_id: int) -> None:
    changed_rows(session, sa.delete(Consent).where(col(Consent.contact_id) == contact_id))


def latest_rows(session: Session, keep_id: int, other_id: int) -> None:
    """Tables with one row per contact of dates and counts: of each column the later, or larger, one holds."""
    for model in (ContactPast, LastOpen):
        rows = {one: session.get(model, one) for one in (keep_id, other_id)}
        mine, theirs = rows[keep_id], rows[other_id]
        if theirs is None:
            continue
        kept = {**theirs.model_dump(), **({} if mine is None else mine.model_dump()), "contact_id": keep_id}
        for name, value in theirs.model_dump(exclude={"contact_id"}).items():
            kept[name] = max((one for one in (kept[name], value) if one is not None), default=None)
        session.delete(theirs)
        session.merge(model(**kept))
    session.flush()


def open_hand_offs(session: Session, contact_ids: Sequence[int]) -> set[int]:
    """Which of these contacts are with a rep right now."""
    statement = sa.select(col(HandOff.contact_id)).where(
        col(HandOff.contact_id).in_(contact_ids), col(HandOff.verdict) == WAITING
    )
    return set(session.scalars(statement))


def is_being_mailed(session: Session, contact_ids: Sequence[int]) -> bool:
    """Whether a mail to one of them is in a worker's hands."""
    in_hand = sa.select(col(Delivery.id)).where(
        col(Delivery.contact_id).in_(contact_ids), col(Delivery.status).in_((Status.CLAIMED, Status.SENDING))
    )
    return session.scalar(in_hand.limit(1)) is not None


def keys_of_mails(session: Session, contact_id: int) -> list[tuple[int, str, Status]]:
    """The mails to a contact: identifier, key, and how it stands."""
    statement = sa.select(col(Delivery.id), col(Delivery.key), col(Delivery.status)).where(
        col(Delivery.contact_id) == contact_id
    )
    return [(i, key, Status(status)) for i, key, status in session.execute(statement)]


def move_mail(session: Session, delivery_id: int, keep: Contact, **values: Any) -> None:
    """The mail is the kept contact's; one that has not left yet goes to their address."""
    mail = sa.update(Delivery).where(col(Delivery.id) == delivery_id)
    changed_rows(session, mail.values(contact_id=keep.id, **values))


def cancelled(now: datetime) -> dict[str, Any]:
    return {
        "status": Status.CANCELLED,
        "because": "merged: they have this mail already",
        "settled_at": now,
        "held_until": None,
    }


def enrollments_of(session: Session, contact_id: int) -> list[EnrollmentRow]:
    statement = sa.select(EnrollmentRow).where(col(EnrollmentRow.contact_id) == contact_id)
    return list(session.scalars(statement.order_by(col(EnrollmentRow.id))))


def steps_mailed(session: Session, enrollment_ids: Sequence[int]) -> set[str]:
    """The steps of these enrollments whose mail may have arrived."""
    statement = sa.select(col(Delivery.mail)).where(
        col(Delivery.enrollment_id).in_(enrollment_ids), col(Delivery.status).in_(MAY_HAVE_ARRIVED)
    )
    return set(session.scalars(statement))


def pass_steps(session: Session, enrollment: EnrollmentRow, steps: set[str], now: datetime) -> None:
    """Let an enrollment pass these steps without mailing them, as people are led past steps by a new version."""
    rows = [
        {"enrollment_id": enrollment.id, "step": step, "visit": enrollment.visit, "way": "", "passed_at": now}
        for step in sorted(steps)
    ]
    if rows:
        session.execute(insert(session, StepVisit).on_conflict_do_nothing(), rows)
        enrollment.is_moved = True
        enrollment.revision += 1
        session.add(enrollment)


def delete_contact(session: Session, contact_id: int) -> None:
    session.flush()
    session.expire_all()  # what was moved past the session's objects is read anew
    changed_rows(session, sa.delete(Contact).where(col(Contact.id) == contact_id))
