"""Moves everything that names a contact to another one. The one list of such tables, each with what a merge does to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel, col

from nurture.consent.store import Consent
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert
from nurture.delivery.rules import MAY_HAVE_ARRIVED, SETTLED, Status
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


#: Every table that names a contact.
MERGED: Mapping[str, Merging] = {
    "activity": Merging.MOVE,
    "announcement_turn": Merging.UNITE,
    "changed_contact": Merging.DROP,
    "consent": Merging.DECIDE,
    "consent_event": Merging.MOVE,
    "contact_change": Merging.MOVE,
    "contact_past": Merging.DECIDE,
    "contact_tag": Merging.UNITE,
    "delivery": Merging.DECIDE,
    "enrollment": Merging.DECIDE,
    "former_address": Merging.UNITE,
    "given_points": Merging.MOVE,
    "hand_off": Merging.MOVE,
    "hold": Merging.MOVE,
    "inbound_mail": Merging.MOVE,
    "last_open": Merging.DECIDE,
    "list_member": Merging.UNITE,
    "outgoing": Merging.MOVE,
    "pending_entry": Merging.UNITE,
    "personal_request": Merging.DROP,  # whoever confirms it by an old mail shall not erase who stays
    "reader": Merging.UNITE,
    "rhythm": Merging.DECIDE,
    "sign_up": Merging.MOVE,
    "stage_move": Merging.MOVE,
    "task": Merging.MOVE,
    "touch": Merging.MOVE,
}


def columns_naming_a_contact(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of a table by which it names contacts."""
    return [
        column for column in table.columns if any(key.column.table.name == "contact" for key in column.foreign_keys)
    ]


def move_rows(session: Session, keep_id: int, other_id: int) -> dict[str, int]:
    """Move, unite and drop; how many rows each table gave to the contact that stays."""
    moved: dict[str, int] = {}
    for name, how in MERGED.items():
        table = SQLModel.metadata.tables[name]
        for column in columns_naming_a_contact(table):
            match how:
                case Merging.MOVE:
                    count = _move(session, table, column, keep_id, other_id)
                case Merging.UNITE:
                    count = _unite(session, table, column, keep_id, other_id)
                case Merging.DROP:
                    changed_rows(session, sa.delete(table).where(column == other_id))
                    continue
                case _:
                    continue
            moved[name] = moved.get(name, 0) + count
    return {name: count for name, count in moved.items() if count}


def _move(session: Session, table: sa.Table, column: sa.Column[Any], keep_id: int, other_id: int) -> int:
    return changed_rows(session, sa.update(table).where(column == other_id).values({column.name: keep_id}))


def _unite(session: Session, table: sa.Table, column: sa.Column[Any], keep_id: int, other_id: int) -> int:
    """Rows whose rest of the key the kept contact has already go; the others move."""
    twin = table.alias()
    rest = [one for one in table.primary_key.columns if one.name != column.name]
    has_twin = sa.exists().where(twin.c[column.name] == keep_id, *(twin.c[one.name] == one for one in rest))
    changed_rows(session, sa.delete(table).where(column == other_id, has_twin.correlate(table)))
    return _move(session, table, column, keep_id, other_id)


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


def latest_rows(session: Session, keep_id: int, other_id: int, tables: Sequence[str]) -> None:
    """Tables with one row per contact of dates and counts: of each column the later, or larger, one holds."""
    for name in tables:
        table = SQLModel.metadata.tables[name]
        rows = {
            row["contact_id"]: row
            for row in session.execute(sa.select(table).where(table.c.contact_id.in_([keep_id, other_id]))).mappings()
        }
        if other_id not in rows:
            continue
        both = [rows[one] for one in (keep_id, other_id) if one in rows]
        best = {
            key: max((row[key] for row in both if row[key] is not None), default=None)
            for key in rows[other_id]
            if key != "contact_id"
        }
        changed_rows(session, sa.delete(table).where(table.c.contact_id.in_([keep_id, other_id])))
        changed_rows(session, sa.insert(table).values(contact_id=keep_id, **best))


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


def keys_of_mails(session: Session, contact_id: int) -> list[tuple[int, str, bool]]:
    """The mails to a contact: identifier, key, and whether it is settled."""
    statement = sa.select(col(Delivery.id), col(Delivery.key), col(Delivery.status)).where(
        col(Delivery.contact_id) == contact_id
    )
    return [(i, key, status in SETTLED) for i, key, status in session.execute(statement)]


def move_mail(session: Session, delivery_id: int, keep: Contact, **values: Any) -> None:
    """The mail is the kept contact's; one that has not left yet goes to their address."""
    mail = sa.update(Delivery).where(col(Delivery.id) == delivery_id)
    changed_rows(session, mail.values(contact_id=keep.id, **values))


def cancelled(now: datetime) -> dict[str, Any]:
    return {"status": Status.CANCELLED, "because": "merged: they have this mail already", "settled_at": now}


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
