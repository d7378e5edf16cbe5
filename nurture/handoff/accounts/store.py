"""Target accounts as they are kept, and the questions about companies: who is there, what they did, who knows them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.contacts.store import Contact, Operator
from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.tracking.rules import Actor
from nurture.tracking.store import Activity

_IS_CHOSEN = sa.text("removed_at IS NULL")


class TargetAccount(SQLModel, table=True):
    """A company that a rep chose to win; one that was given up stays as history."""

    __tablename__ = "target_account"
    __table_args__ = (
        sa.Index(
            "uq_target_account_chosen", "domain", unique=True, sqlite_where=_IS_CHOSEN, postgresql_where=_IS_CHOSEN
        ),
    )

    id: int = id_column()
    domain: str
    name: str = Field(default="", description="as whoever chose it calls the company")
    operator_id: int = reference("operator.id", index=True)
    because: str = ""
    added_at: datetime = instant_column()
    removed_at: datetime | None = instant_column(nullable=True)


@dataclass(frozen=True)
class Company:
    """A company by its domain, with what its people add up to."""

    domain: str
    name: str | None
    people: int
    engaged: int  # with points of their own
    engagement: float
    last_deed_at: datetime | None
    owners: tuple[str, ...] = ()


_CHOSEN = col(TargetAccount.removed_at).is_(None)


def find_target(session: Session, domain: str) -> TargetAccount | None:
    """The target account at that domain, if it is one now."""
    return session.scalars(sa.select(TargetAccount).where(col(TargetAccount.domain) == domain, _CHOSEN)).one_or_none()


def list_targets(session: Session, operator_id: int | None = None) -> list[tuple[TargetAccount, Operator]]:
    """Target accounts with whose they are, by rep and domain."""
    statement = (
        sa.select(TargetAccount, Operator)
        .join(Operator, col(Operator.id) == col(TargetAccount.operator_id))
        .where(_CHOSEN)
        .order_by(col(Operator.name), col(TargetAccount.domain))
    )
    if operator_id is not None:
        statement = statement.where(col(TargetAccount.operator_id) == operator_id)
    return [(target, operator) for target, operator in session.execute(statement)]


def count_targets(session: Session, operator_id: int) -> int:
    mine = sa.select(sa.func.count()).select_from(TargetAccount)
    return session.scalar(mine.where(_CHOSEN, col(TargetAccount.operator_id) == operator_id)) or 0


def add_target(session: Session, target: TargetAccount) -> None:
    session.add(target)
    session.flush()


def list_domains(session: Session, limit: int | None = None) -> list[str]:
    """Where contacts have their addresses, the most engaged domain first; free-mail providers are among them."""
    engagement = sa.func.sum(col(Contact.score)).desc()
    statement = sa.select(col(Contact.domain)).group_by(col(Contact.domain))
    ordered = statement.order_by(engagement, sa.func.count().desc(), col(Contact.domain))
    return list(session.scalars(ordered.limit(limit)))


def companies_at(session: Session, domains: Collection[str]) -> dict[str, Company]:
    """What the contacts at these domains add up to; a domain without contacts is left out."""
    there = col(Contact.domain).in_(domains)
    last = dict(session.execute(_last_deeds(there)).all())
    names, owners = _names(session, there), _owners(session, there)
    has_points = sa.case((col(Contact.score) > 0, 1), else_=0)
    totals = sa.select(
        col(Contact.domain), sa.func.count(), sa.func.sum(has_points), sa.func.sum(col(Contact.score))
    ).where(there)
    return {
        domain: Company(domain, names.get(domain), people, engaged, points, last.get(domain), owners.get(domain, ()))
        for domain, people, engaged, points in session.execute(totals.group_by(col(Contact.domain)))
    }


def _last_deeds(there: ColumnElement[bool]) -> Any:
    return (
        sa.select(col(Contact.domain), sa.func.max(col(Activity.occurred_at)))
        .join(Activity, col(Activity.contact_id) == col(Contact.id))
        .where(there, col(Activity.actor) == Actor.PERSON)
        .group_by(col(Contact.domain))
    )


def _names(session: Session, there: ColumnElement[bool]) -> dict[str, str]:
    """What most people at a domain call their company."""
    counted = (
        sa.select(col(Contact.domain), col(Contact.company))
        .where(there, col(Contact.company).is_not(None))
        .group_by(col(Contact.domain), col(Contact.company))
        .order_by(sa.func.count().desc(), col(Contact.company))
    )
    names: dict[str, str] = {}
    for domain, name in session.execute(counted):
        names.setdefault(domain, name)
    return names


def _owners(session: Session, there: ColumnElement[bool]) -> dict[str, tuple[str, ...]]:
    named = (
        sa.select(col(Contact.domain), col(Operator.name))
        .join(Operator, col(Operator.id) == col(Contact.owner_id))
        .where(there)
        .distinct()
        .order_by(col(Operator.name))
    )
    owners: dict[str, list[str]] = {}
    for domain, name in session.execute(named):
        owners.setdefault(domain, []).append(name)
    return {domain: tuple(found) for domain, found in owners.items()}


def people_at(session: Session, domain: str) -> Sequence[Contact]:
    """Whom we know at a company, the most engaged first."""
    statement = sa.select(Contact).where(col(Contact.domain) == domain)
    return list(session.scalars(statement.order_by(col(Contact.score).desc(), col(Contact.id))))


def people_who_name(session: Session, company: str, domains: Collection[str]) -> Sequence[Contact]:
    """Contacts with addresses elsewhere, at these free-mail domains, who say that they work at that company."""
    is_named = sa.func.lower(col(Contact.company)) == company.strip().lower()
    statement = sa.select(Contact).where(is_named, col(Contact.domain).in_(domains))
    return list(session.scalars(statement.order_by(col(Contact.score).desc(), col(Contact.id))))
