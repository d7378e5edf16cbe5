"""The day somebody last opened a mail, for those of whom nothing else is recorded; and what the installation records.

One row per contact, overwritten each time: no history, no mail, no hour, no device. It is for finding addresses that
nobody reads any more. No score, condition or report looks at it.
"""

from collections.abc import Collection, Sequence
from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.campaigns.declared import find_declared
from nurture.consent.definition import get_table
from nurture.consent.recording.rules import Mode, Recording
from nurture.database.columns import KEY_IS_THE_ROW
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, in_list_of, insert


class LastOpen(SQLModel, table=True):
    """The day of the last open of one contact."""

    __tablename__ = "last_open"
    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    opened_on: date


_LAST_OPENS = sa.select(col(LastOpen.contact_id), col(LastOpen.opened_on)).where(in_list_of(LastOpen.contact_id, "ids"))


def note_open(session: Session, contact_id: int, day: date) -> None:
    """They opened a mail that day; an earlier one that is told late changes nothing."""
    statement = insert(session, LastOpen)
    again = statement.on_conflict_do_update(
        index_elements=["contact_id"],
        set_={"opened_on": statement.excluded.opened_on},
        where=col(LastOpen.opened_on) < statement.excluded.opened_on,
    )
    changed_rows(session, again.values(contact_id=contact_id, opened_on=day))


def forget_opens(session: Session, contact_ids: Collection[int]) -> int:
    """Nothing may be recorded of them any more; of how many something was."""
    return changed_rows(session, sa.delete(LastOpen).where(col(LastOpen.contact_id).in_(contact_ids)))


def last_opens_of(session: Session, contact_ids: Sequence[int]) -> dict[int, date]:
    """The days that are known, by contact."""
    return dict(session.execute(_LAST_OPENS, {"ids": list(contact_ids)}).all())


def get_recording(session: Session) -> Recording:
    """What is recorded here, as published; nothing before the first `publish`."""
    declared = find_declared(session)
    if declared is None:
        return Recording(get_table(session))
    topics = {name: Mode(topic.tracking) for name, topic in declared.topics.items()}
    return Recording(get_table(session), Mode(declared.tracking), topics)
