"""Domains of mail addresses as they are kept, and all SQL about them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.consent.domains.rules import DEAD, Mailbox, Spelling
from nurture.contacts.store import Contact
from nurture.database.columns import KEY_IS_THE_ROW, instant_column
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, is_among
from nurture.database.statements import changed_rows, in_list_of, insert

_DEAD = ", ".join(f"'{verdict}'" for verdict in sorted(DEAD))
_CLOSED = sa.text(f"spelling = '{Spelling.HELD}' OR verdict IN ({_DEAD})")


class MailDomain(SQLModel, table=True):
    """A domain somebody has an address at."""

    __tablename__ = "mail_domain"
    __table_args__ = (
        sa.Index("ix_mail_domain_ask_at", "ask_at"),
        sa.Index("ix_mail_domain_in_the_way", "domain", sqlite_where=_CLOSED, postgresql_where=_CLOSED),
        KEY_IS_THE_ROW,
    )

    domain: str = Field(primary_key=True)
    meant: str | None = Field(default=None, description="the domain this one is a slip of the finger away from")
    spelling: str = Field(default=Spelling.FINE, description="held until somebody says which was meant, or accepted")
    verdict: str | None = Field(default=None, description="what the name servers said; none: not asked yet")
    because: str = Field(default="", description="why nobody could be asked, the last time")
    tries: int = Field(default=0, description="how often nobody could be asked, one after the other")
    ask_at: datetime = instant_column()
    asked_at: datetime | None = instant_column(nullable=True)


# Word for word as the index says it, or SQLite would not take it.
_IS_IN_THE_WAY = sa.or_(
    col(MailDomain.spelling) == sa.literal_column(f"'{Spelling.HELD}'"),
    col(MailDomain.verdict).in_([sa.literal_column(f"'{verdict}'") for verdict in sorted(DEAD)]),
)


def _in_the_way(*, is_sqlite: bool) -> Any:
    columns = (col(MailDomain.domain), col(MailDomain.verdict), col(MailDomain.spelling), col(MailDomain.meant))
    return (
        sa.select(col(Contact.id), *columns)
        .join(MailDomain, col(MailDomain.domain) == col(Contact.domain))
        .where(is_among(col(Contact.id), "ids", is_sqlite=is_sqlite), _IS_IN_THE_WAY)
    )


_IN_THE_WAY = Prepared(_in_the_way)


def insert_domains(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep domains that were not met before; those that were stay as they are."""
    if rows:
        changed_rows(session, insert(session, MailDomain).on_conflict_do_nothing(), list(rows))


def find_domain(session: Session, domain: str) -> MailDomain | None:
    return session.get(MailDomain, domain)


_KNOWN = sa.select(
    col(MailDomain.domain), col(MailDomain.verdict), col(MailDomain.spelling), col(MailDomain.meant)
).where(in_list_of(MailDomain.domain, "domains"))


def known_domains(session: Session, domains: Iterable[str]) -> dict[str, Mailbox]:
    """Of these domains those that were met before."""
    found = session.execute(_KNOWN, {"domains": list(domains)})
    return {domain: Mailbox(domain, verdict, spelling, meant) for domain, verdict, spelling, meant in found}


def in_the_way(session: Session, contact_ids: Iterable[int]) -> dict[int, Mailbox]:
    """What keeps mail from these contacts' domains, by contact; most are left out."""
    found = _IN_THE_WAY.rows(session, ids=list(contact_ids))
    return {
        contact_id: Mailbox(domain, verdict, spelling, meant) for contact_id, domain, verdict, spelling, meant in found
    }


def mailbox_of(one: MailDomain) -> Mailbox:
    return Mailbox(one.domain, one.verdict, one.spelling, one.meant)


def takes_no_mail() -> ColumnElement[bool]:
    """Clause on `contact`: `rules.Mailbox.reason` in SQL."""
    there = sa.exists().where(col(MailDomain.domain) == col(Contact.domain), _IS_IN_THE_WAY)
    return there.correlate_except(MailDomain)


def is_any_in_the_way() -> ColumnElement[bool]:
    """Clause: there is a domain at all where nobody takes mail."""
    return sa.exists().where(_IS_IN_THE_WAY)


def has_verdict(session: Session, domain: str) -> bool:
    """Whether the name servers were ever heard about a domain."""
    verdict = sa.select(col(MailDomain.verdict)).where(col(MailDomain.domain) == domain)
    return session.scalar(verdict) is not None


def take_to_ask(session: Session, now: datetime, until: datetime, limit: int) -> list[str]:
    """Domains that are due to be asked about, those nobody knows anything of first; nobody else takes them `until` then."""
    due = sa.select(col(MailDomain.domain)).where(col(MailDomain.ask_at) <= now)
    order = (col(MailDomain.asked_at).is_not(None), col(MailDomain.ask_at))
    domains = list(session.scalars(due.order_by(*order).limit(limit).with_for_update(skip_locked=True)))
    changed_rows(session, sa.update(MailDomain).where(col(MailDomain.domain).in_(domains)).values(ask_at=until))
    return domains


def next_ask_at(session: Session) -> datetime | None:
    """When the next domain is to be asked about."""
    return session.scalar(sa.select(sa.func.min(col(MailDomain.ask_at))))


def ids_at(session: Session, domain: str) -> list[int]:
    """Everybody with an address there."""
    return list(session.scalars(sa.select(col(Contact.id)).where(col(Contact.domain) == domain)))


def list_domains(session: Session, only: Collection[str] = ()) -> list[tuple[MailDomain, int]]:
    """Domains with how many contacts have an address there, those in the way first, then the busiest."""
    people = sa.select(sa.func.count()).where(col(Contact.domain) == col(MailDomain.domain)).scalar_subquery()
    statement = sa.select(MailDomain, people).order_by(
        sa.case((_IS_IN_THE_WAY, 0), else_=1), people.desc(), col(MailDomain.domain)
    )
    if only:
        statement = statement.where(col(MailDomain.domain).in_(only))
    return [(domain, count) for domain, count in session.execute(statement)]
