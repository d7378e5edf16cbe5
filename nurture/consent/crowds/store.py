"""Whether a crowd may be mailed, asked in one statement.

`consent.store.may_be_mailed` asks seven questions about everybody, and most houses have no suppressed domain, nobody on
hold and no domain that takes no mail. Over a million people it pays to ask first whether any of these exists at all.
Called by whoever queues for many; a property test holds it equal to the rule.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from nurture.consent.domains.store import is_any_in_the_way, takes_no_mail
from nurture.consent.holds.store import is_anybody_on_hold, is_on_hold
from nurture.consent.silence.store import is_kept_back
from nurture.consent.store import has_agreed
from nurture.consent.suppressions.store import is_any_domain_suppressed, is_at_suppressed_domain, is_suppressed
from nurture.database.engine import Session


def may_be_mailed_now(session: Session, topic: str, now: datetime) -> ColumnElement[bool]:
    """Clause on `contact`: they may get a campaign's mail about this topic; true for this transaction only."""
    rare = (
        (is_any_domain_suppressed(), is_at_suppressed_domain()),
        (is_any_in_the_way(), takes_no_mail()),
        (is_anybody_on_hold(now), is_on_hold(now)),
    )
    exist = session.execute(sa.select(*(question for question, _ in rare))).one()
    noes = [
        is_suppressed(),
        is_kept_back(),
        *(theirs for (_, theirs), exists in zip(rare, exist, strict=True) if exists),
    ]
    return sa.and_(has_agreed(topic, now), *(~no for no in noes))
