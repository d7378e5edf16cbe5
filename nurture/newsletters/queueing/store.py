"""The readers and the line of a newsletter, page by page, each with what was found out about them. All SQL about that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.crowds.store import may_be_mailed_now
from nurture.contacts.store import Contact
from nurture.database.conditions import Clause
from nurture.database.engine import Session, is_sqlite
from nurture.database.prepared import is_among
from nurture.delivery.queueing.rules import Judged, Verdict
from nurture.newsletters.store import Reader


def judge_readers(
    session: Session,
    newsletter: str,
    after: int,
    limit: int,
    slot_at: datetime,
    is_meant: Clause,
    topic: str,
    now: datetime,
) -> list[Judged]:
    """The next readers whom the issue of a slot may be for; none when there are no more."""
    page = (
        sa.select(col(Reader.contact_id))
        .where(
            col(Reader.newsletter) == newsletter,
            col(Reader.contact_id) > after,
            col(Reader.first_issue_from) <= slot_at,
            col(Reader.left_at).is_(None),
        )
        .order_by(col(Reader.contact_id))
        .limit(limit)
        .subquery("page")
    )
    judged = _judged(session, is_meant, topic, now).join(page, page.c.contact_id == col(Contact.id))
    return sorted(Judged._make(row) for row in session.execute(judged))


def judge_turns(session: Session, ids: Sequence[int], is_meant: Clause, topic: str, now: datetime) -> list[Judged]:
    """These contacts, in this order."""
    judged = _judged(session, is_meant, topic, now)
    these = judged.where(is_among(col(Contact.id), "ids", is_sqlite=is_sqlite(session)))
    found = {row[0]: Judged._make(row) for row in session.execute(these, {"ids": list(ids)})}
    return [found[one] for one in ids if one in found]


def _judged(session: Session, is_meant: Clause, topic: str, now: datetime) -> sa.Select[Any]:
    verdict = sa.case(
        (~is_meant, sa.literal_column(f"{Verdict.NOT_MEANT:d}", sa.Integer)),
        (may_be_mailed_now(session, topic, now), sa.literal_column(f"{Verdict.MAY_BE_MAILED:d}", sa.Integer)),
        else_=sa.literal_column(f"{Verdict.MEANT:d}", sa.Integer),
    )
    return sa.select(col(Contact.id), verdict, col(Contact.timezone), col(Contact.country))
