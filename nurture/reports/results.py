"""What became of mails: of all of them, and of each one of a campaign. Rates name their base: the tracked readers.

Colleagues are left out of both, as in `queries`; an opt-out counts whoever said it, for it is kept without a name.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.rules import Purpose
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import Suppression
from nurture.database.engine import Session
from nurture.delivery.rules import MAY_HAVE_ARRIVED
from nurture.delivery.store import Delivery
from nurture.handoff.store import HandOff
from nurture.reports.queries import is_others, is_to_others
from nurture.tracking.rules import ActivityKind, Actor
from nurture.tracking.store import Activity


@dataclass(frozen=True)
class Totals:
    """Everything since the beginning; opened and clicked count people, machine hits count hits."""

    sent: int
    opened: int
    clicked: int
    machine_opened: int
    machine_clicked: int
    opted_out: int
    sales_ready: int
    accepted: int
    rejected: int


@dataclass(frozen=True)
class MailResult:
    """One mail of a campaign: how many got it, how many of them are tracked, and what those did."""

    sent: int
    tracked: int
    opened: int
    clicked: int

    @property
    def not_tracked(self) -> int:
        """Of how many readers nobody may know what they did."""
        return self.sent - self.tracked


def totals(session: Session) -> Totals:
    """What the house did and what came of it."""
    return Totals(
        sent=_count(session, sa.select(col(Delivery.id)).where(_is_marketing_out(session))),
        opened=_people(session, ActivityKind.OPENED),
        clicked=_people(session, ActivityKind.CLICKED),
        machine_opened=_machine_hits(session, ActivityKind.OPENED),
        machine_clicked=_machine_hits(session, ActivityKind.CLICKED),
        opted_out=_count(
            session,
            sa.select(col(Suppression.address_hash)).where(
                col(Suppression.reason) == SuppressionReason.OPT_OUT, col(Suppression.lifted_at).is_(None)
            ),
        ),
        sales_ready=_count(session, sa.select(col(HandOff.id))),
        accepted=_count(
            session, sa.select(col(HandOff.id)).where(col(HandOff.verdict).in_(("accepted", "meeting", "won")))
        ),
        rejected=_count(session, sa.select(col(HandOff.id)).where(col(HandOff.verdict).in_(("rejected", "lost")))),
    )


def result_of(session: Session, campaign: str, mail: str) -> MailResult:
    """What became of one mail of a campaign ("newsletter:weekly", "five-questions")."""
    where = (col(Delivery.campaign) == campaign, col(Delivery.mail) == mail, _is_marketing_out(session))
    tracked = col(Delivery.facts)["is_tracked"].as_boolean()
    return MailResult(
        sent=_count(session, sa.select(col(Delivery.id)).where(*where)),
        tracked=_count(session, sa.select(col(Delivery.id)).where(*where, tracked)),
        opened=_count(session, _done(ActivityKind.OPENED, *where)),
        clicked=_count(session, _done(ActivityKind.CLICKED, *where)),
    )


def _is_marketing_out(session: Session) -> sa.ColumnElement[bool]:
    has_left = col(Delivery.status).in_(MAY_HAVE_ARRIVED)
    return sa.and_(col(Delivery.purpose) == Purpose.CAMPAIGN, has_left, is_to_others(session))


def _done(kind: ActivityKind, *where: sa.ColumnElement[bool]) -> sa.Select[int]:
    """Deliveries with which a person did something of a kind."""
    did = sa.exists().where(
        col(Activity.delivery_id) == col(Delivery.id), col(Activity.kind) == kind, col(Activity.actor) == Actor.PERSON
    )
    return sa.select(col(Delivery.id)).where(*where, did)


def _people(session: Session, kind: ActivityKind) -> int:
    statement = sa.select(col(Activity.contact_id)).where(
        col(Activity.kind) == kind, col(Activity.actor) == Actor.PERSON, is_others(session, Activity.contact_id)
    )
    return _count(session, statement.distinct())


def _machine_hits(session: Session, kind: ActivityKind) -> int:
    machines = (Actor.PROXY, Actor.SCANNER)
    statement = sa.select(col(Activity.id)).where(
        col(Activity.kind) == kind, col(Activity.actor).in_(machines), is_others(session, Activity.contact_id)
    )
    return _count(session, statement)


def _count(session: Session, statement: sa.Select[int] | sa.Select[str]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(statement.subquery())) or 0
