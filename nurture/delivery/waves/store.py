"""Where each campaign is with its first waves, what became of its mails, and all SQL about that."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.consent.rules import Purpose
from nurture.consent.silence.store import ContactPast
from nurture.consent.store import ConsentEvent
from nurture.database.claiming import dead_workers, is_alive
from nurture.database.columns import KEY_IS_THE_ROW, Instant, instant_column
from nurture.database.engine import Session
from nurture.database.statements import in_list_of, insert
from nurture.delivery.resting.codes import is_hard_bounce, may_be_hard
from nurture.delivery.rules import MAY_HAVE_ARRIVED, Status
from nurture.delivery.store import IN_HAND, Delivery
from nurture.delivery.waves.rules import FIRST, Record, Wave


class CampaignWave(SQLModel, table=True):
    """A campaign's waves to people never mailed from here, and when it was last looked at."""

    __tablename__ = "campaign_wave"
    __table_args__ = KEY_IS_THE_ROW

    campaign: str = Field(primary_key=True, description="kind:name, as deliveries have it")
    number: int = Field(description="of the wave; 0: people have only lined up")
    began_at: datetime | None = instant_column(nullable=True)
    people: int = Field(description="who had their first mail with this wave")
    lined_up_at: datetime | None = instant_column(nullable=True)
    looked_at: datetime | None = instant_column(nullable=True)
    judged_from: datetime | None = instant_column(nullable=True)
    mailed_before: int = 0
    warned_at: datetime | None = instant_column(nullable=True)


_COLUMNS = tuple(col(getattr(CampaignWave, name)) for name in Wave.__dataclass_fields__)
_WAVES = (
    sa.select(*_COLUMNS)
    .where(in_list_of(CampaignWave.campaign, "campaigns"))
    .order_by(col(CampaignWave.campaign))
    .with_for_update()
)


def lock_waves(session: Session, campaigns: Sequence[str]) -> dict[str, Wave]:
    """Hold the waves of these campaigns until the commit; a campaign that has none yet gets its row."""
    found = _read(session, campaigns)
    missing = sorted(set(campaigns) - set(found))
    if missing:
        rows = [asdict(Wave(campaign)) for campaign in missing]
        session.connection().execute(insert(session, CampaignWave).on_conflict_do_nothing(), rows)
        found |= _read(session, missing)
    return found


def _read(session: Session, campaigns: Sequence[str]) -> dict[str, Wave]:
    rows = session.connection().execute(_WAVES, {"campaigns": campaigns})
    return {row.campaign: Wave(*row) for row in rows}


def list_waves(session: Session) -> list[Wave]:
    """The waves of all campaigns that began any, by name."""
    statement = sa.select(*_COLUMNS).where(col(CampaignWave.number) > 0).order_by(col(CampaignWave.campaign))
    return [Wave(*row) for row in session.execute(statement)]


def was_warned_of(session: Session, campaign: str) -> bool:
    """Whether a look at the campaign has told of a complaint."""
    warned = sa.select(col(CampaignWave.warned_at)).where(col(CampaignWave.campaign) == campaign)
    return session.scalar(warned) is not None


_TABLE: Any = CampaignWave.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_NAMES = [name for name in Wave.__dataclass_fields__ if name != "campaign"]
_SAVE = (
    sa.update(_TABLE)
    .where(_TABLE.c.campaign == sa.bindparam("of_campaign"))
    .values({name: sa.bindparam(f"new_{name}", type_=_TABLE.c[name].type) for name in _NAMES})
)


def save(session: Session, waves: Iterable[Wave]) -> None:
    """Keep waves whose rows are locked."""
    rows = [
        {"of_campaign": one.campaign, **{f"new_{name}": getattr(one, name) for name in _NAMES}}
        for one in sorted(waves, key=lambda one: one.campaign)
    ]
    if rows:
        session.connection().execute(_SAVE, rows)


def give_back(session: Session, campaign: str, began_at: datetime, people: int, worker: int | None = None) -> None:
    """These had no mail after all; a wave that is over keeps its count, and so does one of a worker taken for dead."""
    mine = sa.update(_TABLE).where(_TABLE.c.campaign == campaign, _TABLE.c.began_at == began_at)
    if worker is not None:
        mine = mine.where(is_alive(worker))  # else whoever declared it dead has taken them off already
    session.connection().execute(mine.values(people=_TABLE.c.people - people))


def take_off_unused(session: Session) -> None:
    """Take off their waves whom dead workers were to meet and had not begun to; before their rows are taken back.

    A wave that nobody got would count as one that was needed, and the next would be twice as big.
    """
    # A Message-ID is kept once a place was granted.
    unused = sa.select(col(Delivery.campaign), col(Delivery.contact_id)).where(
        IN_HAND,
        col(Delivery.status) == Status.CLAIMED,
        col(Delivery.worker_id).in_(dead_workers()),
        col(Delivery.purpose) == Purpose.CAMPAIGN,
        col(Delivery.attempts) == 0,
        col(Delivery.issue_id).is_(None),
        col(Delivery.contact_id).is_not(None),
        col(Delivery.message_id).is_not(None),
    )
    found = session.execute(unused.with_for_update(skip_locked=True)).all()
    known = mailed_before(session, [contact for _, contact in found]) if found else set()
    people = Counter(campaign for campaign, contact in found if contact not in known)
    for campaign, count in sorted(people.items()):
        left = sa.case((_TABLE.c.people > count, _TABLE.c.people - count), else_=0)
        session.connection().execute(sa.update(_TABLE).where(_TABLE.c.campaign == campaign).values(people=left))


_MAILED = (
    sa.select(col(Delivery.contact_id))
    .where(
        in_list_of(Delivery.contact_id, "ids"),
        col(Delivery.attempted_at).is_not(None),
        col(Delivery.status).in_([sa.literal_column(f"'{one}'") for one in MAY_HAVE_ARRIVED]),
    )
    .distinct()
)


def mailed_before(session: Session, contact_ids: Sequence[int]) -> set[int]:
    """Who of these may have had any mail from here."""
    rows = session.connection().execute(_MAILED, {"ids": contact_ids})
    return {contact_id for (contact_id,) in rows if contact_id is not None}


_SIGNS = sa.select(col(ContactPast.contact_id), col(ContactPast.last_sign_on)).where(
    in_list_of(ContactPast.contact_id, "ids")
)


def last_signs(session: Session, contact_ids: Sequence[int]) -> dict[int, date | None]:
    """When these people last showed that they are there, as far as it is known."""
    return dict(session.connection().execute(_SIGNS, {"ids": contact_ids}).all())


def is_more_queued(session: Session, campaign: str, most: int) -> bool:
    """Whether more than so many mails of a campaign are queued or in hand."""
    some = sa.select(col(Delivery.id)).where(
        col(Delivery.campaign) == campaign, col(Delivery.status).in_(("queued", "claimed"))
    )
    return len(session.execute(some.limit(most + 1)).all()) > most


_OF_CAMPAIGN = col(Delivery.campaign) == sa.bindparam("campaign")
_SINCE = sa.or_(
    sa.bindparam("since", type_=Instant).is_(None), col(Delivery.attempted_at) > sa.bindparam("since", type_=Instant)
)


def _is(status: str) -> Any:
    return col(Delivery.status) == status


_COMPLAINED = sa.select(sa.func.count()).where(_OF_CAMPAIGN, _is("complained"), _SINCE)
_BOUNCED = sa.select(col(Delivery.because)).where(_OF_CAMPAIGN, _is("bounced"), _SINCE).limit(FIRST)
_REFUSALS = sa.select(col(Delivery.reply)).where(_OF_CAMPAIGN, _is("failed"), _SINCE).limit(FIRST)
_LEFT = (
    sa.select(sa.func.count(sa.distinct(col(ConsentEvent.address_hash))))
    .join(Delivery, col(Delivery.id) == col(ConsentEvent.delivery_id))
    .where(_OF_CAMPAIGN, col(ConsentEvent.what) == sa.literal_column("'opted_out'"), _SINCE)
)


def count_mailed(session: Session, campaign: str, most: int | None = None) -> int:
    """How many of its mails may have arrived or were refused for good, at most `most`."""
    tried = sa.select(sa.literal(1)).where(
        col(Delivery.campaign) == campaign,
        col(Delivery.status).in_([*MAY_HAVE_ARRIVED, "failed"]),
        col(Delivery.attempted_at).is_not(None),
    )
    counted = tried.limit(most) if most is not None else tried
    return session.scalar(sa.select(sa.func.count()).select_from(counted.subquery())) or 0


def record_of(session: Session, wave: Wave) -> Record:
    """What became of a campaign's mails since it was last stopped; how many there were, counted only as far as it matters."""
    given = {"campaign": wave.campaign, "since": wave.judged_from}
    complained = session.scalar(_COMPLAINED, given) or 0
    most = None if complained >= 3 else wave.mailed_before + FIRST + 1
    mailed = max(0, count_mailed(session, wave.campaign, most) - wave.mailed_before)
    if mailed > FIRST:
        return Record(mailed, complained=complained)
    refused = sum(is_hard_bounce(reply) for reply in session.scalars(_REFUSALS, given))
    returned = sum(may_be_hard(why.removeprefix("bounced: ")) for why in session.scalars(_BOUNCED, given))
    return Record(
        mailed,
        bounced=refused + returned,
        opted_out=session.scalar(_LEFT, given) or 0,
        complained=complained,
    )
