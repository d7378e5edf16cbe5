"""Publications as they are kept: every time somebody published, rolled back or retired something, and what it did."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from nurture.campaigns.store import DRAFT, Campaign, CampaignVersion
from nurture.database.columns import KEY_IS_THE_ROW, id_column, instant_column
from nurture.database.engine import Session


class Publication(SQLModel, table=True):
    """One time somebody published, rolled back or retired something: all of it together."""

    id: int = id_column()
    published_at: datetime = instant_column(index=True)
    published_by: str
    note: str = ""
    revision: str = Field(default="", description="the commit of the workspace, if it is a git checkout")
    is_rollback: bool = False
    undoes: int | None = Field(default=None, sa_type=sa.BigInteger, description="the publication it takes back")


class PublicationChange(SQLModel, table=True):
    """What a publication did to one campaign; no new version: it was retired."""

    __tablename__ = "publication_change"
    __table_args__ = KEY_IS_THE_ROW

    publication_id: int = Field(foreign_key="publication.id", primary_key=True, sa_type=sa.BigInteger)
    campaign_id: int = Field(foreign_key="campaign.id", primary_key=True, sa_type=sa.BigInteger)
    old_version_id: int | None = Field(default=None, sa_type=sa.BigInteger, description="None: it was not published")
    new_version_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    in_flight: str = Field(default="keep", description="what becomes of people on their way")


@dataclass(frozen=True)
class Happened:
    """What one publication did to one campaign; `publication` 0: a version from before publications were kept."""

    publication: int
    at: datetime
    by: str
    note: str
    revision: str
    is_rollback: bool
    kind: str
    name: str
    old_version_id: int | None
    new_version_id: int | None
    old: int | None
    new: int | None
    restores: int | None
    in_flight: str


def list_standing(session: Session) -> Iterator[Publication]:
    """What was published and not taken back as a whole, the latest first."""
    taken_back = aliased(Publication)
    standing = sa.select(Publication).where(
        col(Publication.is_rollback).is_(False), ~sa.exists().where(col(taken_back.undoes) == col(Publication.id))
    )
    yield from session.scalars(standing.order_by(col(Publication.published_at).desc(), col(Publication.id).desc()))


def changes_of(session: Session, publication_id: int) -> list[PublicationChange]:
    statement = sa.select(PublicationChange).where(col(PublicationChange.publication_id) == publication_id)
    return list(session.scalars(statement.order_by(col(PublicationChange.campaign_id))))


def list_happened(session: Session, kind: str = "", name: str = "") -> list[Happened]:
    """What was published, rolled back and retired, the latest first; of one campaign or of all."""
    old, new = aliased(CampaignVersion), aliased(CampaignVersion)
    recorded = (
        sa.select(
            col(Publication.id), col(Publication.published_at), col(Publication.published_by), col(Publication.note),
            col(Publication.revision), col(Publication.is_rollback), col(Campaign.kind), col(Campaign.name),
            col(PublicationChange.old_version_id), col(PublicationChange.new_version_id),
            col(old.number), col(new.number), col(new.restores), col(PublicationChange.in_flight),
        )
        .join(PublicationChange, col(PublicationChange.publication_id) == col(Publication.id))
        .join(Campaign, col(Campaign.id) == col(PublicationChange.campaign_id))
        .join(old, col(old.id) == col(PublicationChange.old_version_id), isouter=True)
        .join(new, col(new.id) == col(PublicationChange.new_version_id), isouter=True)
    )  # fmt: skip
    earlier = (
        sa.select(
            sa.literal(0), col(new.published_at), col(new.published_by), sa.literal(""), sa.literal(""), sa.false(),
            col(Campaign.kind), col(Campaign.name), col(old.id), col(new.id), col(old.number), col(new.number),
            col(new.restores), sa.literal("keep"),
        )
        .join(Campaign, col(Campaign.id) == col(new.campaign_id))
        .join(
            old,
            sa.and_(col(old.campaign_id) == col(new.campaign_id), col(old.number) == col(new.number) - 1),
            isouter=True,
        )
        .where(col(Campaign.kind) != DRAFT, ~sa.exists().where(col(PublicationChange.new_version_id) == col(new.id)))
    )  # fmt: skip
    only = (col(Campaign.name) == name, col(Campaign.kind) == kind) if name else ()
    rows = [Happened(*row) for row in session.execute(recorded.where(*only))]
    rows += [Happened(*row) for row in session.execute(earlier.where(*only))]
    return sorted(rows, key=lambda one: (one.at, one.publication, one.kind, one.name), reverse=True)
