"""Who stands on which step of a version now, and how often each way was taken; all SQL about it.

Colleagues are left out. However many people there are, those who stand somewhere are counted in an index, and ways are
counted over the latest who came in only: their number bounds the interval, and nobody waits for a million rows.
"""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlmodel import col

from nurture.campaigns.store import get_campaign, get_version
from nurture.contacts.store import Contact, works_elsewhere
from nurture.database.engine import Session
from nurture.sequences.graph.flow import THE_END, People
from nurture.sequences.moving.store import count_standing
from nurture.sequences.store import EnrollmentRow, StepVisit

_LATEST = 20_000


def count_people(
    session: Session, sequence: str, choices: Sequence[str], colleagues: Collection[str], *, latest: int = _LATEST
) -> People:
    """The people of what is published of a sequence; `choices` are its steps with several ways on."""
    version_id = get_campaign(session, "sequence", sequence).version_id
    assert version_id is not None
    standing = {step or THE_END: count for _, step, count in count_standing(session, [version_id])}
    for step, count in _standing_colleagues(session, version_id, colleagues).items():
        standing[step] -= count
    taken, is_sample = _taken(session, version_id, choices, colleagues, latest)
    here = {step: count for step, count in standing.items() if count}
    return People(get_version(session, version_id).number, here, taken, is_sample)


def _standing_colleagues(session: Session, version_id: int, domains: Collection[str]) -> dict[str, int]:
    """Few, and found by their addresses."""
    if not domains:
        return {}
    statement = (
        sa.select(col(EnrollmentRow.step), sa.func.count())
        .join(Contact, col(Contact.id) == col(EnrollmentRow.contact_id))
        .where(
            col(Contact.domain).in_(domains),
            col(EnrollmentRow.version_id) == version_id,
            col(EnrollmentRow.ended_at).is_(None),
        )
        .group_by(col(EnrollmentRow.step))
    )
    return {step or THE_END: count for step, count in session.execute(statement)}


def _taken(
    session: Session, version_id: int, choices: Sequence[str], domains: Collection[str], latest: int
) -> tuple[Mapping[tuple[str, str], int], bool]:
    """How often each way was taken by the latest who came in, and whether there are more than those."""
    newest = (
        sa.select(col(EnrollmentRow.id), col(EnrollmentRow.contact_id))
        .where(col(EnrollmentRow.version_id) == version_id)
        .order_by(col(EnrollmentRow.id).desc())  # numbers rise with time
    )
    has_more = session.execute(newest.offset(latest).limit(1)).first() is not None
    people = newest.limit(latest).subquery()
    statement = (
        sa.select(col(StepVisit.step), col(StepVisit.way), sa.func.count())
        .join(people, people.c.id == col(StepVisit.enrollment_id))
        .where(col(StepVisit.step).in_(choices), works_elsewhere(people.c.contact_id, domains))
        .group_by(col(StepVisit.step), col(StepVisit.way))
    )
    return {(step, way): count for step, way, count in session.execute(statement)}, has_more
