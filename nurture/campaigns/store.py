"""Published versions: immutable, numbered, and named by the hash of what they contain.

Enrollments and deliveries point at a version, and workers read nothing else: editing a file changes nobody until it is
published.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import KEY_IS_THE_ROW, id_column, instant_column, reference
from nurture.database.engine import Session
from nurture.database.prepared import Filled, Prepared
from nurture.errors import NotFound, did_you_mean

#: The kind of what was frozen for a test mail only.
DRAFT = "draft"


class Campaign(SQLModel, table=True):
    """Something that is published under a kind and a name, and its version of now."""

    __table_args__ = (sa.UniqueConstraint("kind", "name"),)

    id: int = id_column()
    kind: str
    name: str
    file: str
    version_id: int | None = Field(default=None, sa_type=sa.BigInteger, description="the version of now")
    retired_at: datetime | None = instant_column(nullable=True)


class CampaignVersion(SQLModel, table=True):
    """One immutable published state; `content` is canonical JSON and `hash` is SHA-256 of it."""

    __tablename__ = "campaign_version"
    __table_args__ = (sa.UniqueConstraint("campaign_id", "number"),)

    id: int = id_column()
    campaign_id: int = reference("campaign.id", index=True)
    number: int
    content: str = Field(sa_type=sa.Text)
    hash: str = Field(max_length=64)
    published_at: datetime = instant_column()
    published_by: str
    restores: int | None = Field(default=None, description="by a rollback: the number of the version it is again")


@dataclass(frozen=True)
class Published:
    """The last version of something, retired or not, without its content."""

    campaign_id: int
    kind: str
    name: str
    file: str
    version_id: int
    number: int
    hash: str
    restores: int | None
    is_retired: bool


class OwnerAgreement(SQLModel, table=True):
    """An operator's yes to mails that go out in their name: to exactly these, whichever versions hold them."""

    __tablename__ = "owner_agreement"
    __table_args__ = KEY_IS_THE_ROW

    sequence: str = Field(primary_key=True)
    mails_hash: str = Field(primary_key=True, max_length=64, description="of everything the mails consist of")
    operator_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    agreed_at: datetime = instant_column()
    agreed_by: str = Field(description="the user who typed it")
    withdrawn_at: datetime | None = instant_column(nullable=True)


def find_campaign(session: Session, kind: str, name: str) -> Campaign | None:
    statement = sa.select(Campaign).where(col(Campaign.kind) == kind, col(Campaign.name) == name)
    return session.scalars(statement).one_or_none()


def list_published(session: Session) -> list[Published]:
    """The last version of everything that was ever published, drafts aside, by kind and name."""
    statement = (
        sa.select(
            col(Campaign.id), col(Campaign.kind), col(Campaign.name), col(Campaign.file), col(CampaignVersion.id),
            col(CampaignVersion.number), col(CampaignVersion.hash), col(CampaignVersion.restores),
            col(Campaign.retired_at).is_not(None),
        )
        .join(CampaignVersion, col(CampaignVersion.id) == col(Campaign.version_id))
        .where(col(Campaign.kind) != DRAFT)
        .order_by(col(Campaign.kind), col(Campaign.name))
    )  # fmt: skip
    return [Published(*row) for row in session.execute(statement)]


def move_file(session: Session, kind: str, name: str, file: str) -> None:
    """Remember that something is written in another file now."""
    here = sa.update(Campaign).where(col(Campaign.kind) == kind, col(Campaign.name) == name)
    session.execute(here.values(file=file))


_PUBLISHED = (
    sa.select(Campaign)
    .where(col(Campaign.version_id).is_not(None), col(Campaign.retired_at).is_(None))
    .order_by(col(Campaign.kind), col(Campaign.name))
)
_PUBLISHED_OF_KIND = _PUBLISHED.where(col(Campaign.kind) == sa.bindparam("of_kind"))


def list_campaigns(session: Session, kind: str | None = None) -> list[Campaign]:
    """Campaigns that are published now, by name."""
    found = session.scalars(_PUBLISHED) if kind is None else session.scalars(_PUBLISHED_OF_KIND, {"of_kind": kind})
    return list(found)


def list_retired(session: Session, kind: str) -> list[Campaign]:
    """Campaigns of this kind that were published once and are not any more, by name."""
    retired = sa.select(Campaign).where(
        col(Campaign.kind) == kind, col(Campaign.version_id).is_not(None), col(Campaign.retired_at).is_not(None)
    )
    return list(session.scalars(retired.order_by(col(Campaign.name))))


def get_campaign(session: Session, kind: str, name: str) -> Campaign:
    """The published campaign of that name."""
    found = find_campaign(session, kind, name)
    if found is None or found.version_id is None or found.retired_at is not None:
        names = [campaign.name for campaign in list_campaigns(session, kind)]
        raise NotFound(
            f'no {kind} "{name}" is published; type `nurture publish` after you wrote it.{did_you_mean(name, names)}'
        )
    return found


def find_current(session: Session, kind: str, name: str) -> tuple[int, Mapping[str, Any]] | None:
    """The version of now: its identifier and content."""
    version_id = find_current_version(session, kind, name)
    return (version_id, get_content(session, version_id)) if version_id is not None else None


#: Versions never change and their identifiers are never given out twice, so each is read once per process.
_contents: dict[int, Mapping[str, Any]] = {}
_MOST_CONTENTS = 512


def get_content(session: Session, version_id: int) -> Mapping[str, Any]:
    """What a version contains."""
    found = _contents.get(version_id)
    if found is not None:
        return found
    text = session.scalar(sa.select(col(CampaignVersion.content)).where(col(CampaignVersion.id) == version_id))
    if text is None:
        raise NotFound(f"there is no version {version_id}")
    if len(_contents) >= _MOST_CONTENTS:
        _contents.clear()
    found = _contents[version_id] = read_content(text)
    return found


Derived = TypeVar("Derived")
_derived: dict[tuple[object, ...], Any] = {}


def derive(session: Session, version_id: int, build: Callable[..., Derived], *with_: object) -> Derived:
    """What `build(content, *with_)` makes of a version: built once per process, never stored."""
    key = (version_id, build, *with_)
    if key not in _derived:
        if len(_derived) >= _MOST_CONTENTS:
            _derived.clear()
        _derived[key] = build(get_content(session, version_id), *with_)
    found: Derived = _derived[key]
    return found


def _current_of(*, is_sqlite: bool) -> Any:
    return sa.select(col(Campaign.version_id)).where(
        col(Campaign.kind) == sa.bindparam("of_kind", type_=sa.Text),
        col(Campaign.name) == sa.bindparam("named", type_=sa.Text),
        col(Campaign.retired_at).is_(None),
    )


_CURRENT_OF = Prepared(_current_of)  # each claim of a sender asks twice


def find_current_version(session: Session, kind: str, name: str) -> int | None:
    """The identifier of the version of now."""
    rows = _CURRENT_OF.rows(session, of_kind=kind, named=name)
    return rows[0][0] if rows else None


def get_version(session: Session, version_id: int) -> CampaignVersion:
    return session.get_one(CampaignVersion, version_id)


def version_of_now(session: Session, version_id: int) -> int:
    """The version of now of what this is a version of."""
    campaign = session.get_one(Campaign, get_version(session, version_id).campaign_id)
    return campaign.version_id or version_id


def numbers_of(session: Session, campaign_id: int) -> dict[int, int]:
    """The number of every version of something, by its identifier, the first one first."""
    statement = sa.select(col(CampaignVersion.id), col(CampaignVersion.number)).where(
        col(CampaignVersion.campaign_id) == campaign_id
    )
    return dict(session.execute(statement.order_by(col(CampaignVersion.number))).all())


def version_of_number(session: Session, campaign_id: int, number: int) -> CampaignVersion | None:
    """A version by the number people know it by."""
    statement = sa.select(CampaignVersion).where(
        col(CampaignVersion.campaign_id) == campaign_id, col(CampaignVersion.number) == number
    )
    return session.scalars(statement).one_or_none()


def numbers_of_hash(session: Session, campaign_id: int, hash_: str) -> list[int]:
    """Which versions had this content, the latest first."""
    statement = sa.select(col(CampaignVersion.number)).where(
        col(CampaignVersion.campaign_id) == campaign_id, col(CampaignVersion.hash) == hash_
    )
    return list(session.scalars(statement.order_by(col(CampaignVersion.number).desc())))


def latest_version(session: Session, campaign_id: int) -> CampaignVersion | None:
    newest = sa.select(CampaignVersion).where(col(CampaignVersion.campaign_id) == campaign_id)
    return session.scalars(newest.order_by(col(CampaignVersion.number).desc()).limit(1)).one_or_none()


def first_published_at(session: Session, campaign_id: int) -> datetime:
    """When a campaign came into being."""
    first = sa.select(col(CampaignVersion.published_at)).where(col(CampaignVersion.campaign_id) == campaign_id)
    return session.scalars(first.order_by(col(CampaignVersion.number)).limit(1)).one()


_CURRENT = (
    sa.select(col(Campaign.version_id))
    .where(col(Campaign.retired_at).is_(None), col(Campaign.kind) != DRAFT)
    .order_by(col(Campaign.id))
)


def all_current(session: Session) -> list[int]:
    """The versions of now of everything, in a fixed order: whatever is published changes this list."""
    return [version for version in session.scalars(_CURRENT) if version is not None]


def read_content(text: str) -> Mapping[str, Any]:
    """The content of a version from its text."""
    return MappingProxyType(json.loads(text))


def write_content(content: Mapping[str, Any]) -> str:
    """Canonical JSON: the same content always has the same text, and so the same hash."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


_COUNT_VERSIONS = Prepared(lambda **_: sa.select(sa.func.count()).select_from(CampaignVersion))


def count_versions(session: Session) -> int:
    """How many versions there are of everything: versions never change, so what was found among so many still holds."""
    return int(_COUNT_VERSIONS.rows(session)[0][0])


def _other_count(**_: Any) -> Any:
    count = sa.func.count()
    return (
        sa.select(sa.literal_column("1"))
        .select_from(CampaignVersion)
        .having(count != sa.bindparam("known", type_=sa.BigInteger))
    )


_OTHER_COUNT = Prepared(_other_count)


def asking_whether_versions_changed(known: int, told: Callable[[int], None]) -> Filled:
    """Whether `count_versions` is another number than it was, to be run with other statements: told 1 if so, else 0."""
    return Filled(_OTHER_COUNT, {"known": known}, told)


def contents_with(session: Session, word: str) -> list[str]:
    """The texts of all versions that have this word in them."""
    return list(
        session.scalars(sa.select(col(CampaignVersion.content)).where(col(CampaignVersion.content).contains(word)))
    )


def operators_who_agreed(session: Session, sequence: str, mails_hash: str) -> frozenset[int]:
    """Who said yes to these mails and did not take it back."""
    statement = sa.select(col(OwnerAgreement.operator_id)).where(
        col(OwnerAgreement.sequence) == sequence,
        col(OwnerAgreement.mails_hash) == mails_hash,
        col(OwnerAgreement.withdrawn_at).is_(None),
    )
    return frozenset(session.scalars(statement))


def find_agreement(session: Session, sequence: str, mails_hash: str, operator_id: int) -> OwnerAgreement | None:
    """The yes of one operator to these mails, taken back or not."""
    return session.get(OwnerAgreement, (sequence, mails_hash, operator_id))


def list_agreements(session: Session) -> list[OwnerAgreement]:
    """Every yes, the newest first."""
    statement = sa.select(OwnerAgreement).order_by(col(OwnerAgreement.agreed_at).desc(), col(OwnerAgreement.sequence))
    return list(session.scalars(statement))


def hash_of(text: str) -> str:
    """SHA-256 of a canonical text."""
    return hashlib.sha256(text.encode()).hexdigest()
