"""How often people want to hear from us, as it is kept. Who never chose has no row."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.consent.rhythms.rules import AtMost
from nurture.database.columns import KEY_IS_THE_ROW, instant_column
from nurture.database.engine import Session


class Rhythm(SQLModel, table=True):
    """One contact's word: at most one mail a week, or a month."""

    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    at_most: str = Field(description="week, month")
    chosen_at: datetime = instant_column()


def find_rhythm(session: Session, contact_id: int) -> AtMost | None:
    """How often this contact wants mail at most; None: as it comes."""
    found = session.get(Rhythm, contact_id)
    return AtMost(found.at_most) if found else None


def save_rhythm(session: Session, contact_id: int, at_most: AtMost | None, now: datetime) -> None:
    """Keep what they chose now instead of what they chose before."""
    session.execute(sa.delete(Rhythm).where(col(Rhythm.contact_id) == contact_id))
    if at_most is not None:
        session.execute(sa.insert(Rhythm).values(contact_id=contact_id, at_most=at_most, chosen_at=now))
