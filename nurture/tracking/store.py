"""Activities: what contacts did, append only but for the verdict on who it was. All SQL about them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.conditions import Vocabulary
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, in_list_of
from nurture.tracking.rules import ANSWERED_BY, ONCE_FOR_ALL, ActivityKind, Actor, Deed, Hit, Verdict

_IS_UNSETTLED = sa.text("actor = 'unsettled'")
_IS_DONE = sa.text("actor = 'person'")
_IS_CLICKED = sa.text("actor = 'person' AND kind = 'click'")


def _what_people_did(name: str, *columns: str, where: Any = _IS_DONE) -> sa.Index:
    """An index that answers a question of conditions by itself, without the table; of people's deeds only."""
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


class Activity(SQLModel, table=True):
    """One thing a contact did, or a machine on their behalf."""

    __table_args__ = (
        sa.Index("ix_activity_contact", "contact_id", "kind", "occurred_at", "actor"),
        _what_people_did("ix_activity_did", "kind", "occurred_at", "contact_id"),
        _what_people_did("ix_activity_place", "place", "kind", "occurred_at", "contact_id", "link_label"),
        _what_people_did("ix_activity_link", "link_path", "occurred_at", "contact_id", where=_IS_CLICKED),
        sa.Index("ix_activity_unsettled", "occurred_at", sqlite_where=_IS_UNSETTLED, postgresql_where=_IS_UNSETTLED),
    )

    id: int = id_column()
    contact_id: int = reference("contact.id")
    delivery_id: int | None = reference("delivery.id", nullable=True, index=True)
    enrollment_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    kind: str
    place: str = Field(default="", description='"campaign/mail", or the name of a form or of a question')
    link: int | None = Field(default=None, description="number of the link in the mail")
    link_label: str = ""
    link_path: str = ""
    what: str = Field(default="", description="the words of a reply, the wish or the time that was chosen")
    occurred_at: datetime = instant_column()
    actor: str = Actor.UNSETTLED
    because: str = Field(default="", description="what gave the actor away")
    settled_at: datetime | None = instant_column(nullable=True)
    method: str = ""
    user_agent: str = ""
    ip: str = ""


def insert_activities(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(sa.insert(Activity), list(rows))


def list_unsettled(session: Session, before: datetime, limit: int) -> list[int]:
    """Deliveries with hits that occurred by `before` and still wait for their verdict."""
    statement = (
        sa.select(col(Activity.delivery_id))
        .where(col(Activity.actor) == Actor.UNSETTLED, col(Activity.occurred_at) <= before)
        .group_by(col(Activity.delivery_id))
        .order_by(sa.func.min(col(Activity.occurred_at)))
        .limit(limit)
    )
    return [delivery for delivery in session.scalars(statement) if delivery is not None]


def oldest_unsettled_at() -> ColumnElement[Any]:
    """Question: when the hit occurred that has waited longest for its verdict."""
    oldest = sa.select(col(Activity.occurred_at)).where(col(Activity.actor) == Actor.UNSETTLED)
    return oldest.order_by(col(Activity.occurred_at)).limit(1).scalar_subquery()


def hits_of(session: Session, delivery_ids: Sequence[int]) -> dict[int, list[tuple[Hit, str]]]:
    """All opens and clicks of some deliveries with the actor they have now, oldest first."""
    statement = (
        sa.select(Activity)
        .where(
            col(Activity.delivery_id).in_(delivery_ids),
            col(Activity.kind).in_((ActivityKind.OPENED, ActivityKind.CLICKED)),
        )
        .order_by(col(Activity.occurred_at), col(Activity.id))
    )
    found: dict[int, list[tuple[Hit, str]]] = {}
    for one in session.scalars(statement):
        hit = Hit(one.id, ActivityKind(one.kind), one.link, one.occurred_at, one.method, one.user_agent, one.ip)
        found.setdefault(one.delivery_id or 0, []).append((hit, one.actor))
    return found


def save_verdicts(session: Session, verdicts: Mapping[int, Verdict], now: datetime) -> None:
    if not verdicts:
        return
    table: Any = Activity.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    statement = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("judged"))
        .values(actor=sa.bindparam("who"), because=sa.bindparam("why"), settled_at=now)
    )
    rows = [{"judged": i, "who": verdict.actor, "why": verdict.because} for i, verdict in verdicts.items()]
    changed_rows(session, statement, rows)


_DEEDS = (
    sa.select(
        col(Activity.contact_id),
        col(Activity.kind),
        col(Activity.occurred_at),
        col(Activity.place),
        col(Activity.enrollment_id),
        col(Activity.link_label),
        col(Activity.link_path),
    )
    .where(in_list_of(Activity.contact_id, "ids"), col(Activity.actor) == Actor.PERSON)
    .order_by(col(Activity.occurred_at), col(Activity.id))
)


def deeds_of(session: Session, contact_ids: Sequence[int]) -> dict[int, list[Deed]]:
    """What these contacts did themselves, oldest first."""
    found: dict[int, list[Deed]] = {}
    for contact_id, kind, *deed in session.execute(_DEEDS, {"ids": list(contact_ids)}):
        found.setdefault(contact_id, []).append(Deed(ActivityKind(kind), *deed))
    return found


def last_unsettled_of(session: Session, contact_ids: Sequence[int]) -> dict[int, datetime]:
    """When each contact's first hit occurred that still waits for its verdict."""
    statement = (
        sa.select(col(Activity.contact_id), sa.func.min(col(Activity.occurred_at)))
        .where(col(Activity.contact_id).in_(contact_ids), col(Activity.actor) == Actor.UNSETTLED)
        .group_by(col(Activity.contact_id))
    )
    return dict(session.execute(statement).all())


def list_activities(session: Session, contact_id: int, *, actor: Actor | None = None) -> list[Activity]:
    """What a contact did, oldest first; by everybody unless `actor` is given."""
    statement = sa.select(Activity).where(col(Activity.contact_id) == contact_id)
    if actor is not None:
        statement = statement.where(col(Activity.actor) == actor)
    return list(session.scalars(statement.order_by(col(Activity.occurred_at), col(Activity.id))))


def is_known(session: Session, contact_id: int, kind: ActivityKind, place: str, at: datetime) -> bool:
    """Whether this was recorded before: the same thing, at the same instant."""
    same = sa.exists().where(
        col(Activity.contact_id) == contact_id,
        col(Activity.kind) == kind,
        col(Activity.place) == place,
        col(Activity.occurred_at) == at,
    )
    return session.scalar(sa.select(same)) is True


def words_said_in(session: Session, delivery_id: int, kind: ActivityKind) -> list[str]:
    """What somebody said in, or on a page of, one mail, oldest first."""
    statement = sa.select(col(Activity.what)).where(
        col(Activity.delivery_id) == delivery_id, col(Activity.kind) == kind
    )
    return list(session.scalars(statement.order_by(col(Activity.occurred_at), col(Activity.id))))


def vocabulary(_: Session, now: datetime) -> Vocabulary:
    """`rules.matches` in SQL, over all deeds of a contact."""
    return Vocabulary({}, {name: _asks(name, now) for name in ANSWERED_BY})


def _asks(predicate: str, now: datetime) -> Any:
    def clause(given: Mapping[str, object]) -> ColumnElement[bool]:
        found = [
            col(Activity.contact_id) == col(Contact.id),
            # Written out, not bound: only so is it known beforehand that the indexes of people's deeds hold them all.
            col(Activity.kind) == sa.literal_column(f"'{ANSWERED_BY[predicate]}'"),
            col(Activity.actor) == sa.literal_column(f"'{Actor.PERSON}'"),
        ]
        for name, value in given.items():
            match name, value:
                case "mail" | "form" | "question", str(place):
                    found.append(col(Activity.place) == place)
                case "link" | "path", str(link):
                    found.append(_is_link(link, by_label=name == "link"))
                case "answer", str(answer):
                    found.append(col(Activity.link_label) == answer)
                case "within", timedelta() as length:
                    found.append(col(Activity.occurred_at) > now - length)
        if predicate in ONCE_FOR_ALL:
            found.append(_is_the_last())
        return sa.exists().where(*found)

    return clause


def _is_the_last() -> ColumnElement[bool]:
    """Clause: they have not done the same again since; `rules.standing` in SQL."""
    later = sa.orm.aliased(Activity)
    is_later = sa.or_(
        col(later.occurred_at) > col(Activity.occurred_at),
        sa.and_(col(later.occurred_at) == col(Activity.occurred_at), col(later.id) > col(Activity.id)),
    )
    again = sa.exists().where(
        col(later.contact_id) == col(Activity.contact_id),
        col(later.kind) == col(Activity.kind),
        col(later.place) == col(Activity.place),
        col(later.actor) == Actor.PERSON,
        is_later,
    )
    return ~again.correlate_except(later)


def answers_of(session: Session, contact_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """The questions each contact answered, by name."""
    statement = sa.select(col(Activity.contact_id), col(Activity.place)).where(
        col(Activity.contact_id).in_(contact_ids),
        col(Activity.kind) == ActivityKind.ANSWERED,
        col(Activity.actor) == Actor.PERSON,
    )
    found: dict[int, set[str]] = {}
    for contact_id, question in session.execute(statement):
        found.setdefault(contact_id, set()).add(question)
    return {contact_id: frozenset(questions) for contact_id, questions in found.items()}


def last_answers(session: Session, contact_id: int) -> dict[str, str]:
    """What somebody answered last, by question."""
    statement = (
        sa.select(col(Activity.place), col(Activity.link_label))
        .where(
            col(Activity.contact_id) == contact_id,
            col(Activity.kind) == ActivityKind.ANSWERED,
            col(Activity.actor) == Actor.PERSON,
        )
        .order_by(col(Activity.occurred_at), col(Activity.id))
    )
    return dict(session.execute(statement).all())


def _is_link(wanted: str, *, by_label: bool) -> ColumnElement[bool]:
    if wanted.startswith("/"):
        return col(Activity.link_path) == wanted
    # The label is kept in lower case beside the path, because lower() of SQLite only knows ASCII.
    return col(Activity.link_label) == wanted.lower() if by_label else sa.false()
