"""How people behaved so far, as a simulation may believe it: measured by step, and where too few were, by campaign or house.

Opens and clicks are shares of the mails whose readers are tracked, everything else of all mails that may have arrived.
Machines and colleagues are left out, as in all reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.rules import Purpose
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import Suppression
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.rules import MAY_HAVE_ARRIVED, Status
from nurture.delivery.store import Delivery
from nurture.figures import TOO_FEW, Rate, rate
from nurture.reports.queries import is_to_others
from nurture.sequences.simulation.habits import Behavior, Habit
from nurture.tracking.rules import ActivityKind, Actor
from nurture.tracking.store import Activity

_KINDS = {
    "open": ActivityKind.OPENED, "click": ActivityKind.CLICKED, "reply": ActivityKind.REPLIED,
    "book": ActivityKind.BOOKED, "wish": ActivityKind.WISHED,
}  # fmt: skip
_SEEN_OF_TRACKED = frozenset({"open", "click"})
#: Somebody who leaves within this time after a mail left because of it.
_BECAUSE_OF = timedelta(days=7)
_DEFAULT_DELAYS = (timedelta(hours=1), timedelta(days=2))


@dataclass(frozen=True)
class Row:
    """One mail that left, and how long after it each thing happened first, if it did."""

    campaign: str
    mail: str
    is_tracked: bool
    has_bounced: bool
    after: dict[str, timedelta]


@dataclass(frozen=True)
class Measured:
    """What was found, and the lines that say from how many."""

    behavior: Behavior
    lines: tuple[str, ...]


def measure(session: Session, sequence: str) -> Measured:
    """The behavior of the people of a sequence: of each of its mails where enough were measured."""
    rows = _rows(session)
    campaign = f"sequence:{sequence}"
    own = [row for row in rows if row.campaign == campaign]
    circles = [(f"the sequence {sequence}", own), ("the house", rows)]
    default, lines = _habits(circles)
    steps = {}
    for step in sorted({row.mail for row in own}):
        steps[step], more = _habits([(step, [row for row in own if row.mail == step]), *circles])
        # What a mail borrows from a larger circle is told there.
        lines += [line for line in more if line.endswith(f"measured over {step}")]
    tracked = rate(sum(row.is_tracked for row in rows), len(rows))
    if rows:
        lines.insert(0, f"tracked: {tracked}, measured over the house")
    else:
        lines = ["Nothing was measured yet: nobody opens, clicks, answers or leaves. Write a behavior file instead."]
    return Measured(Behavior(default, steps, tracked=tracked.share if rows else None), tuple(dict.fromkeys(lines)))


def _habits(circles: Sequence[tuple[str, Sequence[Row]]]) -> tuple[dict[str, Habit], list[str]]:
    """The habit of each kind from the smallest circle of people that is large enough to tell."""
    habits, lines = {}, []
    for what in [*_KINDS, "opt_out", "bounce"]:
        for name, rows in circles:
            asked = [row for row in rows if row.is_tracked or what not in _SEEN_OF_TRACKED]
            if len(asked) < TOO_FEW and name != circles[-1][0]:
                continue
            found = _share(what, asked)
            if found.base:
                habits[what] = Habit(found.share, *_delays([row.after[what] for row in asked if what in row.after]))
                lines.append(f"{what} after {circles[0][0]}: {found}, measured over {name}")
            break
    return habits, lines


def _share(what: str, rows: Sequence[Row]) -> Rate:
    hits = sum(row.has_bounced if what == "bounce" else what in row.after for row in rows)
    return rate(hits, len(rows))


def _delays(found: Sequence[timedelta]) -> tuple[timedelta, timedelta]:
    """Between which eight of ten happened."""
    if len(found) < 10:
        return _DEFAULT_DELAYS
    sorted_ = sorted(found)
    return sorted_[len(found) // 10], sorted_[-len(found) // 10]


def _rows(session: Session) -> list[Row]:
    """Every campaign's mail that left, or that the relay refused."""
    statement = sa.select(
        col(Delivery.id), col(Delivery.campaign), col(Delivery.mail), col(Delivery.status), col(Delivery.attempted_at),
        col(Delivery.facts)["is_tracked"].as_boolean(), col(Contact.address_hash),
    ).join(Contact, col(Contact.id) == col(Delivery.contact_id)).where(
        col(Delivery.purpose) == Purpose.CAMPAIGN,
        col(Delivery.attempted_at).is_not(None),
        col(Delivery.status).in_((*MAY_HAVE_ARRIVED, Status.FAILED)),
        is_to_others(session),
    )  # fmt: skip
    did, left = _first_deeds(session), _first_opt_outs(session)
    return [
        Row(campaign, mail, bool(is_tracked), status in {Status.FAILED, Status.BOUNCED},
            {**{what: at - sent_at for what, at in did.get(id_, {}).items()}, **_left(left.get(address), sent_at)})
        for id_, campaign, mail, status, sent_at, is_tracked, address in session.execute(statement)
    ]  # fmt: skip


def _left(at: datetime | None, sent_at: datetime) -> dict[str, timedelta]:
    return {"opt_out": at - sent_at} if at is not None and sent_at <= at <= sent_at + _BECAUSE_OF else {}


def _first_deeds(session: Session) -> dict[int, dict[str, datetime]]:
    statement = (
        sa.select(col(Activity.delivery_id), col(Activity.kind), sa.func.min(col(Activity.occurred_at)))
        .where(col(Activity.actor) == Actor.PERSON, col(Activity.delivery_id).is_not(None))
        .group_by(col(Activity.delivery_id), col(Activity.kind))
    )
    words = {str(kind): what for what, kind in _KINDS.items()}
    found: dict[int, dict[str, datetime]] = {}
    for delivery, kind, at in session.execute(statement):
        if kind in words:
            found.setdefault(delivery, {})[words[kind]] = at
    return found


def _first_opt_outs(session: Session) -> dict[str, datetime]:
    statement = sa.select(col(Suppression.address_hash), col(Suppression.created_at)).where(
        col(Suppression.reason) == SuppressionReason.OPT_OUT
    )
    return dict(session.execute(statement).all())
