"""The suppression list as it is kept, and all SQL about it.

It knows addresses by keyed hash only, so that it outlives the contact, and answers for addresses nobody has as contact.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import FunctionElement
from sqlmodel import Field, SQLModel, col

from nurture.consent.suppressions.lists import checksums_of
from nurture.consent.suppressions.rules import domains_above
from nurture.contacts.store import Contact
from nurture.database.columns import KEY_IS_THE_ROW, instant_column
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, is_among, sure_instant_of
from nurture.database.statements import changed_rows, in_list_of, insert

_IS_ERASED = sa.text("reason = 'erased'")


class Suppression(SQLModel, table=True):
    """An address that is not mailed, by keyed hash, for one reason; a lifted one stays as history."""

    __table_args__ = (
        sa.Index("ix_suppression_erased", "address_hash", sqlite_where=_IS_ERASED, postgresql_where=_IS_ERASED),
        KEY_IS_THE_ROW,
    )

    address_hash: str = Field(primary_key=True, max_length=32)
    reason: str = Field(primary_key=True)
    created_at: datetime = instant_column()
    how: str
    lifted_at: datetime | None = instant_column(nullable=True)


class SuppressedDomain(SQLModel, table=True):
    """A domain where nobody is mailed, nor at any below it; a lifted one stays as history."""

    __tablename__ = "suppressed_domain"

    domain: str = Field(primary_key=True)
    created_at: datetime = instant_column()
    how: str
    lifted_at: datetime | None = instant_column(nullable=True)


def suppress(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Put addresses on the list; how many are new or were lifted before."""
    statement = insert(session, Suppression)
    again = statement.on_conflict_do_update(
        index_elements=["address_hash", "reason"],
        set_={"lifted_at": None, "created_at": statement.excluded.created_at, "how": statement.excluded.how},
        where=col(Suppression.lifted_at).is_not(None),
    )
    return sum(changed_rows(session, again.values(**row)) for row in rows)


def lift_suppression(session: Session, address_hash: str, reason: str, now: datetime) -> bool:
    standing = sa.update(Suppression).where(
        col(Suppression.address_hash) == address_hash,
        col(Suppression.reason) == reason,
        col(Suppression.lifted_at).is_(None),
    )
    return changed_rows(session, standing.values(lifted_at=now)) == 1


def _suppressions(*, is_sqlite: bool) -> Any:
    columns = (col(Suppression.address_hash), col(Suppression.reason), col(Suppression.created_at))
    theirs = is_among(col(Suppression.address_hash), "hashes", is_sqlite=is_sqlite, of=sa.Text)
    return sa.select(*columns).where(theirs, col(Suppression.lifted_at).is_(None))


_SUPPRESSIONS = Prepared(_suppressions)


def suppressions_of(session: Session, hashes: Iterable[str]) -> dict[str, dict[str, datetime]]:
    """Reasons with their instants, by address hash."""
    found: dict[str, dict[str, datetime]] = {}
    for address_hash, reason, created_at in _SUPPRESSIONS.rows(session, hashes=list(hashes)):
        found.setdefault(address_hash, {})[reason] = sure_instant_of(created_at)
    return found


def is_suppressed(reasons: Collection[str] | None = None, whose: Any = None) -> ColumnElement[bool]:
    """Clause on `contact`, or on what has the column `whose`: their address is on the list, for one of these reasons."""
    is_theirs = col(Suppression.address_hash) == (col(Contact.address_hash) if whose is None else whose)
    found = sa.exists().where(is_theirs, col(Suppression.lifted_at).is_(None))
    return found if reasons is None else found.where(col(Suppression.reason).in_(reasons))


def suppress_domain(session: Session, domain: str, how: str, now: datetime) -> bool:
    """Put a domain on the list; False when it stands there."""
    statement = insert(session, SuppressedDomain).values(domain=domain, created_at=now, how=how)
    again = statement.on_conflict_do_update(
        index_elements=["domain"],
        set_={"lifted_at": None, "created_at": now, "how": how},
        where=col(SuppressedDomain.lifted_at).is_not(None),
    )
    return changed_rows(session, again) == 1


def lift_domain(session: Session, domain: str, now: datetime) -> bool:
    """Take a domain off the list; False when it does not stand there."""
    standing = sa.update(SuppressedDomain).where(
        col(SuppressedDomain.domain) == domain, col(SuppressedDomain.lifted_at).is_(None)
    )
    return changed_rows(session, standing.values(lifted_at=now)) == 1


def find_domain(session: Session, domain: str) -> SuppressedDomain | None:
    """The entry of exactly this domain, lifted or not."""
    return session.get(SuppressedDomain, domain)


def _domains(*, is_sqlite: bool) -> Any:
    columns = (col(SuppressedDomain.domain), col(SuppressedDomain.created_at))
    theirs = is_among(col(SuppressedDomain.domain), "domains", is_sqlite=is_sqlite, of=sa.Text)
    return sa.select(*columns).where(theirs, col(SuppressedDomain.lifted_at).is_(None))


_DOMAINS = Prepared(_domains)


def suppressed_domains_of(session: Session, domains: Iterable[str]) -> dict[str, datetime]:
    """Since when nobody is mailed at these domains, for those where it is so."""
    above = {domain: domains_above(domain) for domain in set(domains)}
    names_above = sorted({one for all_ in above.values() for one in all_})
    listed = {domain: sure_instant_of(created_at) for domain, created_at in _DOMAINS.rows(session, domains=names_above)}
    found = {domain: [listed[one] for one in names if one in listed] for domain, names in above.items()}
    return {domain: min(dates) for domain, dates in found.items() if dates}


class _is_listed(FunctionElement[bool]):  # noqa: N801 — reads like an SQL function, because it is one
    """Whether a domain, or one above it, is on the list: `rules.domains_above` in SQL, each looked up by its key."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(_is_listed, "sqlite")
def _sqlite_is_listed(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:
    return _is_listed_in_sql(compiler.process(element.clauses, **options), "instr")


@compiles(_is_listed, "postgresql")
def _postgres_is_listed(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:
    return _is_listed_in_sql(compiler.process(element.clauses, **options), "strpos")


def _is_listed_in_sql(domain: str, place_of: str) -> str:
    return _LISTED.replace("DOMAIN", domain).replace("PLACE_OF", place_of)


# PostgreSQL cannot turn this into a join, which would read the whole list for each mail.
_LISTED = (
    "EXISTS (WITH RECURSIVE above(name) AS (SELECT CAST(DOMAIN AS TEXT)"
    " UNION ALL SELECT substr(name, PLACE_OF(name, '.') + 1) FROM above WHERE PLACE_OF(name, '.') > 0)"
    " SELECT 1 FROM above JOIN suppressed_domain ON suppressed_domain.domain = above.name"
    " WHERE suppressed_domain.lifted_at IS NULL)"
)


def is_at_suppressed_domain() -> ColumnElement[bool]:
    """Clause on `contact`: nobody is mailed where they are. Ten thousand such domains cost no more than one."""
    # That there is any is asked once for a whole statement, and most houses have none.
    return sa.and_(is_any_domain_suppressed(), _is_listed(col(Contact.domain)))


def is_any_domain_suppressed() -> ColumnElement[bool]:
    """Clause: there is a domain at all where nobody is mailed."""
    return sa.exists().where(col(SuppressedDomain.lifted_at).is_(None)).correlate_except(SuppressedDomain)


def at_or_below(domain: str) -> ColumnElement[bool]:
    """Clause on `contact`: their address is at this domain or below it."""
    return sa.or_(col(Contact.domain) == domain, col(Contact.domain).endswith(f".{domain}", autoescape=True))


def standing_entries(session: Session) -> Iterator[tuple[str, str, datetime, str]]:
    """Every address on the list: its hash, reason, since when, how we know; the newest first."""
    statement = sa.select(
        col(Suppression.address_hash), col(Suppression.reason), col(Suppression.created_at), col(Suppression.how)
    ).where(col(Suppression.lifted_at).is_(None))
    ordered = statement.order_by(col(Suppression.created_at).desc(), col(Suppression.address_hash))
    for row in session.execute(ordered.execution_options(yield_per=1000)):
        yield row.address_hash, row.reason, row.created_at, row.how


def standing_domains(session: Session) -> list[SuppressedDomain]:
    """Every domain on the list, by name."""
    statement = sa.select(SuppressedDomain).where(col(SuppressedDomain.lifted_at).is_(None))
    return list(session.scalars(statement.order_by(col(SuppressedDomain.domain))))


def emails_of_hashes(session: Session, hashes: Iterable[str]) -> dict[str, str]:
    """The addresses of those on the list who are contacts."""
    statement = sa.select(col(Contact.address_hash), col(Contact.email)).where(
        in_list_of(Contact.address_hash, "hashes")
    )
    return dict(session.execute(statement, {"hashes": list(hashes)}).all())


def contacts_by_checksum(session: Session, sums: Collection[str]) -> dict[str, str]:
    """Those of these plain checksums that are of a contact's address, with its hash on this list."""
    found: dict[str, str] = {}
    keys = sa.select(col(Contact.address_key), col(Contact.address_hash)).execution_options(yield_per=5000)
    for address_key, address_hash in session.execute(keys):
        found |= {one: address_hash for one in checksums_of(address_key) if one in sums}
    return found


def find_half_erased(session: Session, besides: Collection[int] = ()) -> Contact | None:
    """A contact who asked to be erased and is still here: in between, or back with a restored database."""
    statement = (
        sa.select(Contact)
        .join(Suppression, col(Suppression.address_hash) == col(Contact.address_hash))
        .where(col(Suppression.reason) == sa.literal_column("'erased'"), col(Suppression.lifted_at).is_(None))
    )
    if besides:
        statement = statement.where(col(Contact.id).not_in(besides))
    return session.scalars(statement.limit(1)).one_or_none()
