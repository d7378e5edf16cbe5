"""Domains that rest or come back, as they are kept, and all SQL about them."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import KEY_IS_THE_ROW, instant_column
from nurture.database.engine import Session
from nurture.database.statements import insert
from nurture.delivery.resting.rules import FORGOTTEN_AFTER, Rest


class RestingDomain(SQLModel, table=True):
    """A domain, or a provider with all of its domains, that refused us by its policy."""

    __tablename__ = "resting_domain"
    __table_args__ = KEY_IS_THE_ROW

    name: str = Field(primary_key=True)
    code: str = Field(description="the enhanced status code it gave")
    reply: str = Field(description="what it said")
    began_at: datetime = instant_column()
    until: datetime = instant_column()
    times: int = Field(description="how often it has rested without being free for a day")
    tried: int = Field(default=0, description="mails let go since the rest was over")
    tried_at: datetime | None = instant_column(nullable=True)


_COLUMNS = (
    col(RestingDomain.name), col(RestingDomain.code), col(RestingDomain.reply), col(RestingDomain.began_at),
    col(RestingDomain.until), col(RestingDomain.times), col(RestingDomain.tried), col(RestingDomain.tried_at),
)  # fmt: skip
#: Those that ended lately; the table has few rows.
_RESTS = sa.select(*_COLUMNS).where(col(RestingDomain.until) > sa.bindparam("ended_after"))


def list_rests(session: Session, now: datetime) -> dict[str, Rest]:
    """Domains that rest, come back, or are remembered for having rested; by name."""
    rows = session.connection().execute(_RESTS, {"ended_after": now - FORGOTTEN_AFTER})
    return {row.name: Rest(*row) for row in rows}


def let_go(session: Session, rest: Rest, count: int, now: datetime) -> None:
    """So many more were let go since this rest was over; nothing happens if another one has begun meanwhile."""
    # As `Rest.after` has it, on top of what others let go.
    same = sa.update(RestingDomain).where(
        col(RestingDomain.name) == rest.name, col(RestingDomain.began_at) == rest.began_at
    )
    session.execute(same.values(tried=col(RestingDomain.tried) + count, tried_at=now))


def save(session: Session, rest: Rest) -> None:
    """Keep a rest; an older one of the same domain is over."""
    statement = insert(session, RestingDomain)
    fresh = {name: statement.excluded[name] for name in asdict(rest) if name != "name"}
    again = statement.on_conflict_do_update(index_elements=["name"], set_=fresh)
    session.connection().execute(again, [asdict(rest)])
