"""Every mail with its recipient, for whoever goes through all of them: page by page, the newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.outcomes.store import Attempt
from nurture.delivery.store import Delivery, operators_of

_PAGE = 500


@dataclass(frozen=True)
class Wanted:
    """Which deliveries: all, or those to one contact, in one state, of one campaign; or the one with this number."""

    contact_id: int | None = None
    status: str = ""
    campaign: str = ""
    number: int | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        chosen = []
        if self.contact_id is not None:
            chosen.append(col(Delivery.contact_id) == self.contact_id)
        if self.status:
            chosen.append(col(Delivery.status) == self.status)
        if self.campaign:
            chosen.append(col(Delivery.campaign) == self.campaign)
        if self.number is not None:
            chosen.append(col(Delivery.id) == self.number)
        return chosen


def count_deliveries(session: Session, wanted: Wanted) -> int:
    """How many there are."""
    return session.scalar(sa.select(sa.func.count(col(Delivery.id))).where(*wanted.clauses())) or 0


def last_mails_to(session: Session, contact_id: int, limit: int) -> list[Delivery]:
    """The last mails meant for somebody themselves, whatever became of them, the newest first."""
    theirs = sa.select(Delivery).where(col(Delivery.contact_id) == contact_id, col(Delivery.operator_id).is_(None))
    return list(session.scalars(theirs.order_by(col(Delivery.id).desc()).limit(limit)))


def list_tries(session: Session, delivery: int) -> list[Attempt]:
    """What was heard at each try of a delivery, the first one first."""
    theirs = sa.select(Attempt).where(col(Attempt.delivery_id) == delivery)
    return list(session.scalars(theirs.order_by(col(Attempt.number))))


def walk_deliveries(session: Session, wanted: Wanted, limit: int | None = None) -> Iterator[tuple[Delivery, str]]:
    """Each delivery with the address it goes to, at most `limit`; memory holds one page."""
    return islice(_walk(session, wanted), limit)


def _walk(session: Session, wanted: Wanted) -> Iterator[tuple[Delivery, str]]:
    everything = (
        sa.select(Delivery, col(Contact.email))
        .join(Contact, col(Contact.id) == col(Delivery.contact_id), isouter=True)
        .where(*wanted.clauses())
        .order_by(col(Delivery.id).desc())
        .limit(_PAGE)
    )
    page = session.execute(everything).all()
    while page:
        operators = {one.id: one.email for one in operators_of(session, [one for one, _ in page])}
        for one, email in page:
            yield one, operators.get(one.operator_id or 0) or one.test_address or email or ""
        last = page[-1][0].id
        session.expunge_all()
        page = session.execute(everything.where(col(Delivery.id) < last)).all()
