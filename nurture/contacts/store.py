"""Contacts as they are kept, and all SQL about them.

A contact is a person with an address. Operators work here and own contacts. Whatever a condition can read about a
contact is changed through `contacts.actions`, which leaves a row in `changed_contact` for each reader.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.conditions import Field as Word
from nurture.conditions import FieldType
from nurture.contacts.fields import ASKS_US, BUILT_IN, UNKNOWN
from nurture.database.columns import (
    KEY_IS_THE_ROW,
    Instant,
    Json,
    id_column,
    instant_column,
    json_column,
    json_kind,
    reference,
)
from nurture.database.conditions import Vocabulary
from nurture.database.engine import Session, is_sqlite
from nurture.database.prepared import Filled, Prepared, is_among, rows_given
from nurture.database.statements import changed_rows, in_list_of, insert

#: Who pulls changed contacts: each has rows of its own, so that a slow reader never hides a change from another.
READERS = ("scoring", "sequences", "newsletters")
_MARKED = "changed contacts"


class Operator(SQLModel, table=True):
    """Someone who works here, mirrored from settings.toml when it is published."""

    id: int = id_column()
    email: str = Field(unique=True)
    name: str
    timezone: str = "UTC"
    days: str = "mon-fri"
    hours: str = "09:00-17:00"
    signature: str = ""
    role: str = "rep"
    is_declared: bool = Field(default=True, description="false once settings.toml no longer names them")


_HAS_POINTS, _HAS_OWNER = sa.text("score != 0"), sa.text("owner_id IS NOT NULL")


def _ability_column() -> Any:
    """Yes, no or unknown; who said so stands in `ability_said`."""
    return Field(default=UNKNOWN, sa_column_kwargs={"server_default": UNKNOWN})


class Contact(SQLModel, table=True):
    """A person with an address; `fields` holds what settings.toml declares beyond these columns."""

    __table_args__ = (
        sa.Index("ix_contact_fading", "scored_at", sqlite_where=_HAS_POINTS, postgresql_where=_HAS_POINTS),
        sa.Index("ix_contact_owned", "owner_id", sqlite_where=_HAS_OWNER, postgresql_where=_HAS_OWNER),
    )

    id: int = id_column()
    email: str
    address_key: str = Field(unique=True)
    address_hash: str = Field(
        index=True,
        max_length=32,
        description="how the suppression list knows the address",
    )
    domain: str = Field(index=True)
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    job_title: str | None = None
    country: str | None = Field(default=None, max_length=2, description="ISO 3166, upper case")
    language: str | None = None
    timezone: str | None = None
    source: str | None = Field(default=None, description="lead source, from a closed list")
    owner_id: int | None = reference("operator.id", nullable=True)
    owner_text: str | None = Field(default=None, description="an owner somebody wrote down who does not work here")
    fields: dict[str, Any] = json_column()
    links: dict[str, Any] = Field(
        default_factory=dict,
        sa_column=sa.Column(Json, nullable=False, server_default="{}"),
        description="profiles elsewhere, by name: shown to colleagues, never fetched",
    )
    stage: str = "subscriber"
    interest: str | None = Field(default=None, description="what the person said or chose, never inferred")
    interest_at: datetime | None = instant_column(nullable=True)
    interest_because: str = ""
    score: float = 0
    fit: str | None = None
    fit_points: float = 0
    authority: str = _ability_column()
    budget: str = _ability_column()
    timing: str = _ability_column()
    ability_said: dict[str, Any] = Field(
        default_factory=dict,
        sa_column=sa.Column(Json, nullable=False, server_default="{}"),
        description="by ability: who said so, how, and when",
    )
    scored_at: datetime | None = instant_column(nullable=True)
    away_until: datetime | None = instant_column(nullable=True)  # their auto-reply says so; sequences stand still
    created_at: datetime = instant_column()
    changed_at: datetime = instant_column()


class FormerAddress(SQLModel, table=True):
    """An address that a contact had before: whoever says no by an old mail of theirs says it for the person."""

    __tablename__ = "former_address"
    __table_args__ = KEY_IS_THE_ROW

    address_hash: str = Field(primary_key=True, max_length=32)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger, index=True)
    until: datetime = instant_column()


class ContactList(SQLModel, table=True):
    """A list with chosen members."""

    __tablename__ = "contact_list"

    id: int = id_column()
    name: str = Field(unique=True)
    created_at: datetime = instant_column()


class ListMember(SQLModel, table=True):
    __tablename__ = "list_member"
    __table_args__ = KEY_IS_THE_ROW

    list_id: int = Field(foreign_key="contact_list.id", primary_key=True, sa_type=sa.BigInteger)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger, index=True)
    joined_at: datetime = instant_column()


class ContactTag(SQLModel, table=True):
    __tablename__ = "contact_tag"
    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    tag: str = Field(primary_key=True, index=True)
    tagged_at: datetime = instant_column()


class StageMove(SQLModel, table=True):
    """One step of a contact from stage to stage, and why."""

    __tablename__ = "stage_move"

    id: int = id_column()
    contact_id: int = reference("contact.id", index=True)
    from_stage: str
    to_stage: str
    because: str
    moved_at: datetime = instant_column()


class ChangedContact(SQLModel, table=True):
    """A reader has not yet looked at this contact since something about it changed."""

    __tablename__ = "changed_contact"
    __table_args__ = (sa.Index("ix_changed_contact_waiting", "reader", "changed_at"), KEY_IS_THE_ROW)

    reader: str = Field(primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    counter: int = 1
    changed_at: datetime = instant_column()


#: The columns that are fields of a contact, beside the declared ones.
COLUMN_FIELDS = (
    "first_name",
    "last_name",
    "company",
    "job_title",
    "country",
    "language",
    "timezone",
    "source",
)


def values_of(contact: Contact, owner: Operator | None) -> dict[str, Any]:
    """Every field word with this contact's value."""
    built_in = {name: getattr(contact, name) for name in BUILT_IN if name != "owner"}
    return {**contact.fields, **built_in, "owner": owner.email if owner else None}


def find_contact(session: Session, address_key: str) -> Contact | None:
    """The contact with that normalized address."""
    return session.scalars(sa.select(Contact).where(col(Contact.address_key) == address_key)).one_or_none()


def find_by_hash(session: Session, address_hash: str) -> Contact | None:
    """The contact whose address has that suppression hash."""
    return session.scalars(sa.select(Contact).where(col(Contact.address_hash) == address_hash)).one_or_none()


def find_by_any_hash(session: Session, address_hash: str) -> Contact | None:
    """The contact who has, or had, the address with that suppression hash."""
    former = sa.select(col(FormerAddress.contact_id)).where(col(FormerAddress.address_hash) == address_hash)
    had_it = sa.select(Contact).where(col(Contact.id).in_(former)).order_by(col(Contact.id)).limit(1)
    return find_by_hash(session, address_hash) or session.scalars(had_it).one_or_none()


def former_hashes(session: Session, contact_id: int) -> list[str]:
    """The suppression hashes of the addresses that a contact had before."""
    statement = sa.select(col(FormerAddress.address_hash)).where(col(FormerAddress.contact_id) == contact_id)
    return list(session.scalars(statement.order_by(col(FormerAddress.until))))


def hashes_of(session: Session, contact: Contact) -> list[str]:
    """The suppression hashes of a person's addresses, today's first; not of one that is somebody else's by now."""
    former = former_hashes(session, contact.id)
    taken = session.scalars(sa.select(col(Contact.address_hash)).where(col(Contact.address_hash).in_(former)))
    others = set(taken) if former else set()
    return [contact.address_hash, *(one for one in former if one not in others)]


def owners_of_former(session: Session, hashes: Iterable[str]) -> dict[str, int]:
    """Who had the addresses with these suppression hashes before; of an address that several had, the first."""
    return dict(_OWNERS_OF_FORMER.rows(session, hashes=list(hashes)))


def _owners_of_former(*, is_sqlite: bool) -> Any:
    theirs = is_among(col(FormerAddress.address_hash), "hashes", is_sqlite=is_sqlite, of=sa.Text)
    found = sa.select(col(FormerAddress.address_hash), col(FormerAddress.contact_id)).where(theirs)
    return found.order_by(col(FormerAddress.contact_id).desc())


_OWNERS_OF_FORMER = Prepared(_owners_of_former)


def ids_with_former(session: Session, contact_ids: Iterable[int]) -> set[int]:
    """Which of these contacts had another address before."""
    theirs = sa.select(col(FormerAddress.contact_id)).where(in_list_of(FormerAddress.contact_id, "ids"))
    return set(session.scalars(theirs, {"ids": list(contact_ids)}))


def save_former_addresses(session: Session, contact_id: int, hashes: Iterable[str], now: datetime) -> None:
    """These addresses were this contact's until now."""
    rows = [{"address_hash": one, "contact_id": contact_id, "until": now} for one in hashes]
    if rows:
        changed_rows(session, insert(session, FormerAddress).on_conflict_do_nothing(), rows)


def drop_former_address(session: Session, contact_id: int, address_hash: str) -> None:
    """They have it again."""
    gone = sa.delete(FormerAddress).where(
        col(FormerAddress.contact_id) == contact_id, col(FormerAddress.address_hash) == address_hash
    )
    changed_rows(session, gone)


_CONTACTS = sa.select(Contact).where(in_list_of(Contact.id, "ids")).order_by(col(Contact.id))
_OPERATORS = sa.select(Operator).order_by(col(Operator.name))
_TAGS = sa.select(col(ContactTag.contact_id), col(ContactTag.tag)).where(in_list_of(ContactTag.contact_id, "ids"))
_LISTS = (
    sa.select(col(ListMember.contact_id), col(ContactList.name))
    .join(ContactList, col(ContactList.id) == col(ListMember.list_id))
    .where(in_list_of(ListMember.contact_id, "ids"))
)
_CHANGED = (
    sa.select(col(ChangedContact.contact_id), col(ChangedContact.counter))
    .where(col(ChangedContact.reader) == sa.bindparam("who"))
    .order_by(col(ChangedContact.changed_at), col(ChangedContact.contact_id))
    .limit(sa.bindparam("most"))
)


def list_contacts(session: Session, ids: Iterable[int]) -> dict[int, Contact]:
    """Contacts in the order of their identifiers; those that are gone are left out."""
    return {contact.id: contact for contact in session.scalars(_CONTACTS, {"ids": list(ids)})}


def lock_by_keys(session: Session, keys: Iterable[str]) -> dict[str, Contact]:
    """Contacts by normalized address, locked as by `lock_contacts(exclusively=True)` and read as they are then."""
    statement = sa.select(Contact).where(col(Contact.address_key).in_(list(keys))).order_by(col(Contact.id))
    return {contact.address_key: contact for contact in session.scalars(statement.with_for_update(key_share=True))}


def _keys(*, is_sqlite: bool) -> Any:
    theirs = is_among(col(Contact.address_key), "keys", is_sqlite=is_sqlite, of=sa.Text)
    return sa.select(col(Contact.address_key)).where(theirs)


_KEYS = Prepared(_keys)


def keys_among(session: Session, keys: Sequence[str]) -> set[str]:
    """Which of these normalized addresses somebody has."""
    return {key for (key,) in _KEYS.rows(session, keys=list(keys))}


def page_of_contacts(
    session: Session, after: int, limit: int, where: ColumnElement[bool] | None = None
) -> list[Contact]:
    """The next contacts in the order of their identifiers: a walk over all of them that new ones do not disturb."""
    statement = sa.select(Contact).where(col(Contact.id) > after).order_by(col(Contact.id)).limit(limit)
    return list(session.scalars(statement if where is None else statement.where(where)))


def page_of_ids(session: Session, after: int, limit: int, where: ColumnElement[bool]) -> list[int]:
    """The same, identifiers only."""
    statement = sa.select(col(Contact.id)).where(col(Contact.id) > after, where).order_by(col(Contact.id)).limit(limit)
    return list(session.scalars(statement))


def count_contacts(session: Session, where: ColumnElement[bool]) -> int:
    """How many contacts there are of whom the clause is true."""
    return session.scalar(sa.select(sa.func.count()).select_from(Contact).where(where)) or 0


def sample_contacts(session: Session, where: ColumnElement[bool], size: int) -> list[Contact]:
    """Some of them, from wherever they stand, and always the same: identifiers count up, so they are taken by a remainder."""
    chosen = sa.select(Contact).where(where).order_by(col(Contact.id) % 9973, col(Contact.id)).limit(size)
    return list(session.scalars(chosen))


def everybody() -> ColumnElement[bool]:
    """The clause that leaves nobody out."""
    return sa.true()


def works_at(domain: str) -> ColumnElement[bool]:
    """The clause of everybody with an address at this domain."""
    return col(Contact.domain) == domain


def owned_by(operator_id: int) -> ColumnElement[bool]:
    """The clause of everybody who belongs to an operator."""
    return col(Contact.owner_id) == operator_id


def owner_ids(session: Session) -> list[int]:
    """Every operator who owns somebody."""
    found = session.scalars(sa.select(col(Contact.owner_id)).distinct().order_by(col(Contact.owner_id)))
    return [one for one in found if one is not None]


def works_elsewhere(contact_id: Any, domains: Collection[str]) -> ColumnElement[bool]:
    """Clause on a column that names contacts: their address is at none of these domains."""
    if not domains:
        return sa.true()
    there = sa.select(col(Contact.id)).where(col(Contact.domain).in_(domains))
    is_not: ColumnElement[bool] = contact_id.not_in(there)
    return is_not


def has_domain(session: Session, domain: str) -> bool:
    return session.scalar(sa.select(col(Contact.id)).where(works_at(domain)).limit(1)) is not None


def owners_at(session: Session, domain: str) -> set[int | None] | None:
    """Who owns the contacts at a domain, nobody being one of them; None if it has no contact."""
    return set(session.scalars(sa.select(col(Contact.owner_id)).where(works_at(domain)).distinct())) or None


def domains_of_company(session: Session, name: str) -> list[str]:
    """Where the contacts of a company have their addresses."""
    is_named = sa.func.lower(col(Contact.company)) == name.strip().lower()
    return list(
        session.scalars(sa.select(col(Contact.domain)).where(is_named).distinct().order_by(col(Contact.domain)))
    )


def company_names(session: Session) -> list[str]:
    return [name for name in session.scalars(sa.select(col(Contact.company)).distinct()) if name]


def lock_contacts(session: Session, ids: Sequence[int], *, exclusively: bool) -> None:
    """Serialize what is promised to a person with what is sent to them.

    Whoever only writes about a contact, such as a click, waits for neither. On SQLite the write lock of the transaction
    does it already.
    """
    for one in locking(session, ids, exclusively=exclusively):
        one.statement.rows(session, **one.given)


def locking(session: Session, ids: Sequence[int], *, exclusively: bool) -> list[Filled]:
    """The same to be run together with what comes before and after it; nothing to do on SQLite."""
    if not ids or is_sqlite(session):
        return []
    return [(_LOCK_ALONE if exclusively else _LOCK_WITH_OTHERS).filled(ids=list(ids))]


def _lock(*, exclusively: bool) -> Prepared:
    def make(*, is_sqlite: bool) -> Any:
        rows = sa.select(col(Contact.id)).where(is_among(col(Contact.id), "ids", is_sqlite=is_sqlite))
        return rows.order_by(col(Contact.id)).with_for_update(read=not exclusively, key_share=exclusively)

    return Prepared(make)


_LOCK_ALONE, _LOCK_WITH_OTHERS = _lock(exclusively=True), _lock(exclusively=False)


def list_operators(session: Session) -> dict[int, Operator]:
    return {operator.id: operator for operator in session.scalars(_OPERATORS)}


def find_operator(session: Session, email: str) -> Operator | None:
    """The operator with that address, however it is capitalized."""
    wanted = sa.func.lower(col(Operator.email)) == email.strip().lower()
    return session.scalars(sa.select(Operator).where(wanted)).one_or_none()


def find_list(session: Session, name: str) -> ContactList | None:
    return session.scalars(sa.select(ContactList).where(col(ContactList.name) == name)).one_or_none()


def list_names(session: Session) -> list[str]:
    return list(session.scalars(sa.select(col(ContactList.name)).order_by(col(ContactList.name))))


def tags_of(session: Session, ids: Sequence[int]) -> dict[int, frozenset[str]]:
    """Tags by contact."""
    return _grouped(session.execute(_TAGS, {"ids": list(ids)}).all())


def lists_of(session: Session, ids: Sequence[int]) -> dict[int, frozenset[str]]:
    """Names of the lists each contact is a member of."""
    return _grouped(session.execute(_LISTS, {"ids": list(ids)}).all())


def _grouped(rows: Iterable[tuple[int, str]]) -> dict[int, frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for key, value in rows:
        groups.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in groups.items()}


def stage_moves_of(session: Session, contact_id: int) -> list[StageMove]:
    statement = sa.select(StageMove).where(col(StageMove.contact_id) == contact_id).order_by(col(StageMove.id))
    return list(session.scalars(statement))


def add_changed(
    session: Session,
    ids: Sequence[int],
    now: datetime,
    readers: Sequence[str] = READERS,
) -> None:
    """A row per contact and reader, written when the transaction commits; one that is there already counts up."""
    marked: dict[tuple[int, int], datetime] = session.info.setdefault(_MARKED, {})
    for reader in readers:
        marked.update(dict.fromkeys([(READERS.index(reader), i) for i in ids], now))


@sa.event.listens_for(Session, "before_commit")
def _write_marked(session: Session) -> None:
    """Last of all and in one order, so that two transactions about the same people never wait for each other."""
    marked: dict[tuple[int, int], datetime] = session.info.pop(_MARKED, {})
    if marked:
        rows = [(READERS[reader], i, _as_text(at)) for (reader, i), at in sorted(marked.items())]
        _MARK.change(session, rows=rows)


@lru_cache(maxsize=64)
def _as_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")


def _mark(*, is_sqlite: bool) -> Any:
    columns = {"reader": sa.Text, "contact_id": sa.BigInteger, "changed_at": sa.Text}
    given = rows_given("rows", columns, is_sqlite=is_sqlite)
    at = given.c.changed_at if is_sqlite else sa.cast(given.c.changed_at + "+00", Instant)
    table: Any = ChangedContact.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    # Without a WHERE, SQLite takes the ON for one of a join.
    rows = sa.select(given.c.reader, given.c.contact_id, sa.literal_column("1"), at).where(sa.true())
    statement = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
    return statement.from_select(["reader", "contact_id", "counter", "changed_at"], rows).on_conflict_do_update(
        index_elements=["reader", "contact_id"], set_={"counter": table.c.counter + 1}
    )


_MARK = Prepared(_mark)


def _mark_new(*, is_sqlite: bool) -> Any:
    there = is_among(col(Contact.id), "ids", is_sqlite=is_sqlite)
    reader, at = sa.bindparam("reader", type_=sa.Text), sa.bindparam("at", type_=Instant)
    rows: Any = sa.select(reader, col(Contact.id), sa.literal_column("1"), at).where(there)
    return sa.insert(ChangedContact).from_select(["reader", "contact_id", "counter", "changed_at"], rows)


_MARK_NEW = Prepared(_mark_new)


def mark_new(session: Session, ids: Sequence[int], now: datetime) -> None:
    """The same of contacts that were made in this transaction, of whom no reader has heard."""
    for reader in READERS:
        _MARK_NEW.change(session, reader=reader, ids=list(ids), at=now)


def list_changed(session: Session, reader: str, limit: int) -> dict[int, int]:
    """The contacts a reader has to look at, the longest waiting first, with their counters."""
    return dict(session.execute(_CHANGED, {"who": reader, "most": limit}).all())


def first_changed_at(reader: str) -> ColumnElement[Any]:
    """Question: since when somebody waits for this reader, null when nobody does."""
    waiting = sa.select(col(ChangedContact.changed_at)).where(col(ChangedContact.reader) == reader)
    return waiting.order_by(col(ChangedContact.changed_at)).limit(1).scalar_subquery()


def drop_changed(session: Session, reader: str, counters: Mapping[int, int]) -> None:
    """The reader has looked: a contact that changed again meanwhile stays."""
    if not counters:
        return
    table: Any = ChangedContact.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    statement = sa.delete(table).where(
        table.c.reader == reader,
        table.c.contact_id == sa.bindparam("seen_contact"),
        table.c.counter == sa.bindparam("seen_counter"),
    )
    rows = [{"seen_contact": contact, "seen_counter": counter} for contact, counter in sorted(counters.items())]
    changed_rows(session, statement, rows)


def insert_contacts(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """New contacts, as many at once as the caller's 50 ms allow."""
    if rows:
        changed_rows(session, sa.insert(Contact), list(rows))


def insert_members(session: Session, list_id: int, ids: Sequence[int], now: datetime) -> int:
    """Make contacts members of a list; how many were not yet."""
    if not ids:
        return 0
    rows = [{"list_id": list_id, "contact_id": contact_id, "joined_at": now} for contact_id in ids]
    return changed_rows(session, insert(session, ListMember).values(rows).on_conflict_do_nothing())


def delete_members(session: Session, list_id: int, ids: Sequence[int]) -> int:
    """Take contacts off a list; how many were on it."""
    gone = sa.delete(ListMember).where(col(ListMember.list_id) == list_id, col(ListMember.contact_id).in_(ids))
    return changed_rows(session, gone)


def members_among(session: Session, list_id: int, ids: Sequence[int]) -> frozenset[int]:
    """Which of these contacts are on the list."""
    statement = sa.select(col(ListMember.contact_id)).where(
        col(ListMember.list_id) == list_id, col(ListMember.contact_id).in_(ids)
    )
    return frozenset(session.scalars(statement))


def insert_tag(session: Session, contact_id: int, tag: str, now: datetime) -> bool:
    """Tag a contact; False when it has the tag already."""
    statement = insert(session, ContactTag).values(contact_id=contact_id, tag=tag, tagged_at=now)
    return changed_rows(session, statement.on_conflict_do_nothing()) == 1


def insert_tags(session: Session, pairs: Sequence[tuple[int, str]], now: datetime) -> None:
    """Tag many contacts (identifier, tag); tags that are there stay as they are."""
    if pairs:
        rows = [{"contact_id": contact_id, "tag": tag, "tagged_at": now} for contact_id, tag in pairs]
        changed_rows(session, insert(session, ContactTag).on_conflict_do_nothing(), rows)


def delete_tag(session: Session, contact_id: int, tag: str) -> bool:
    gone = sa.delete(ContactTag).where(col(ContactTag.contact_id) == contact_id, col(ContactTag.tag) == tag)
    return changed_rows(session, gone) == 1


def vocabulary(fields: Mapping[str, Word], *, of_everybody: bool = False) -> Vocabulary:
    """What the words about a contact mean in SQL; `fields` are all words that `contacts.fields` knows."""
    return Vocabulary(
        {name: _column(name, word) for name, word in fields.items()},
        {
            "has_tag": lambda given: _has_tag(str(given["tag"])),
            "in_list": lambda given: _in_list(str(given["list"])),
        },
        _united if of_everybody else None,
    )


def _united(clauses: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Clause: any of these, each found apart. PostgreSQL asks an `or` of questions person by person, a million times."""
    each = (sa.select(col(Contact.id)).where(clause).correlate(None) for clause in clauses)
    return col(Contact.id).in_(sa.union(*each))


def _column(name: str, word: Word) -> ColumnElement[Any]:
    if name == "owner":
        return sa.select(col(Operator.email)).where(col(Operator.id) == col(Contact.owner_id)).scalar_subquery()
    if name in BUILT_IN:
        column: ColumnElement[Any] = col(getattr(Contact, name))  # type: ignore[assignment]  # Mapped is one
        return column
    kept: Any = col(Contact.fields)[name]
    kind = json_kind(kept)
    # A value from before the field changed its type is as good as missing, and must not stop a query with its cast.
    match word.type:
        case FieldType.NUMBER:
            return sa.case((kind == "number", kept.as_float()))
        case FieldType.FLAG:
            return sa.case((kind == "boolean", kept.as_boolean()))
    return sa.case((kind == "string", kept.as_string()))


def _has_tag(tag: str) -> ColumnElement[bool]:
    return sa.exists().where(col(ContactTag.contact_id) == col(Contact.id), col(ContactTag.tag) == tag)


def joined_since(
    name: str, at: datetime, further: Callable[[ColumnElement[Any]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Clause on `contact`: joined the list at that moment or later; `further` is asked of the moment they joined."""
    joined_at: ColumnElement[Any] = col(ListMember.joined_at)  # type: ignore[assignment]  # Mapped is one
    listed = sa.select(col(ContactList.id)).where(col(ContactList.name) == name).scalar_subquery()
    return sa.exists().where(
        col(ListMember.contact_id) == col(Contact.id),
        col(ListMember.list_id) == listed,
        joined_at >= at,
        further(joined_at),
    )


def _in_list(name: str) -> ColumnElement[bool]:
    listed = sa.select(col(ContactList.id)).where(col(ContactList.name) == name).scalar_subquery()
    return sa.exists().where(col(ListMember.contact_id) == col(Contact.id), col(ListMember.list_id) == listed)


def has_asked_us() -> ColumnElement[bool]:
    """Clause on `contact`: they said that they want a demonstration or have a need."""
    return col(Contact.interest).in_(ASKS_US)
