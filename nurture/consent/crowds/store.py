"""Whether a crowd may be mailed, asked in one statement.

`consent.store.may_be_mailed` asks seven questions about everybody, and most houses have no suppressed domain, nobody on
hold and no domain that takes no mail. Over a million people it pays to ask first whether any of these exists at all.
Called by whoever queues for many; a property test holds it equal to the rule.
"""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from nurture.consent.domains.store import is_any_in_the_way, takes_no_mail
from nurture.consent.holds.store import is_anybody_on_hold, is_on_hold
from nurture.consent.silence.store import is_kept_back
from nurture.consent.store import has_agreed
from nurture.consent.suppressions.store import is_any_domain_suppressed, is_at_suppressed_domain, is_suppressed
from nurture.database.columns import Instant
from nurture.database.engine import Session
from nurture.database.prepared import Prepared


class Rare(NamedTuple):
    """Which of the rarer kinds of no there are at all; true for the transaction in which it was asked."""

    domain_is_suppressed: bool
    domain_takes_no_mail: bool
    is_on_hold: bool


_RARE = Prepared(
    lambda *, is_sqlite: sa.select(
        is_any_domain_suppressed(), is_any_in_the_way(), is_anybody_on_hold(sa.bindparam("now", type_=Instant))
    )
)


def rare_noes(session: Session, now: datetime) -> Rare:
    """What `may_be_mailed_of` has to ask everybody about."""
    row: Any = _RARE.run(session, now=now).one()
    return Rare(*map(bool, row))


def may_be_mailed_of(rare: Rare, topic: str, now: datetime) -> ColumnElement[bool]:
    """Clause on `contact`: they may get a campaign's mail about this topic."""
    theirs = (is_at_suppressed_domain(), takes_no_mail(), is_on_hold(now))
    noes = [is_suppressed(), is_kept_back(), *(no for no, exists in zip(theirs, rare, strict=True) if exists)]
    return sa.and_(has_agreed(topic, now), *(~no for no in noes))
