"""The campaigns' mails that contacts may have got, for conditions: all SQL about `mailed(…)`."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from nurture.campaigns import store as campaigns
from nurture.consent.rules import Purpose
from nurture.contacts.store import Contact
from nurture.database.conditions import Vocabulary
from nurture.database.engine import Session, is_sqlite
from nurture.database.prepared import Filled
from nurture.database.statements import in_list_of
from nurture.delivery.mailed.rules import Mailed, place_of
from nurture.delivery.rules import MAY_HAVE_ARRIVED
from nurture.delivery.store import Delivery

_MAY_BE_THEIRS = sa.and_(
    col(Delivery.purpose) == Purpose.CAMPAIGN,
    col(Delivery.status).in_(MAY_HAVE_ARRIVED),
    col(Delivery.attempted_at).is_not(None),
)
_MAILED = (
    sa.select(
        col(Delivery.contact_id),
        col(Delivery.campaign),
        col(Delivery.mail),
        col(Delivery.attempted_at),
        col(Delivery.enrollment_id),
        col(Delivery.kind),
    )
    .where(in_list_of(Delivery.contact_id, "ids"), _MAY_BE_THEIRS)
    .order_by(col(Delivery.attempted_at))
)


def mailed_to(session: Session, contact_ids: Sequence[int]) -> dict[int, list[Mailed]]:
    """The campaigns' mails that these contacts may have got, oldest first."""
    history = history_of(session, contact_ids)
    return {contact_id: [mailed for mailed, _ in mails] for contact_id, mails in history.items()}


def history_of(session: Session, contact_ids: Sequence[int]) -> dict[int, list[tuple[Mailed, str]]]:
    """The same, each with its kind: whether it gave or asked."""
    found: dict[int, list[tuple[Mailed, str]]] = {}
    for contact_id, campaign, mail, at, enrollment_id, kind in session.execute(_MAILED, {"ids": list(contact_ids)}):
        found.setdefault(contact_id, []).append((Mailed(place_of(campaign, mail), at, enrollment_id), kind))
    return found


def vocabulary(_: Session, now: datetime) -> Vocabulary:
    """`rules.is_meant` in SQL, over all campaigns' mails of a contact."""

    def mailed(given: Mapping[str, Any]) -> ColumnElement[bool]:
        theirs = [col(Delivery.contact_id) == col(Contact.id), _MAY_BE_THEIRS]
        if "mail" in given:
            theirs.append(_is_at(given["mail"]))
        if "within" in given:
            theirs.append(col(Delivery.attempted_at) > now - given["within"])
        if "before" in given:
            theirs.append(col(Delivery.attempted_at) <= now - given["before"])
        return sa.exists().where(*theirs)

    return Vocabulary({}, {"mailed": mailed})


def _is_at(place: str) -> ColumnElement[bool]:
    """`rules.place_of` is this place: it is what follows the kind of the campaign and its colon."""
    whole = col(Delivery.campaign) + "/" + col(Delivery.mail)
    return sa.func.substr(whole, sa.func.length(whole) - len(place)) == f":{place}"


class Interest:
    """Whether any condition that was ever published asks for `mailed(…)`; who does not ask need not be told."""

    def __init__(self) -> None:
        self._known: tuple[int, bool] | None = None  # of so many versions, what was found
        self._still_holds = False  # the database said so in this transaction

    def asking(self, session: Session) -> list[Filled]:
        """What to run with others, so that nobody waits for `is_there` alone; nothing on SQLite, which is asked at once."""
        self._still_holds = False
        if self._known is None or is_sqlite(session):
            return []
        return [campaigns.asking_whether_versions_changed(self._known[0], self._note)]

    def is_there(self, session: Session) -> bool:
        """Asked within the transaction that ends a try: a condition that is published later looks at everybody."""
        if self._known is not None and self._still_holds:
            return self._known[1]
        count = campaigns.count_versions(session)
        if self._known is None or self._known[0] != count:
            texts = campaigns.contents_with(session, "mailed")
            self._known = (count, any(_ASKS.search(text) for text in texts))
        return self._known[1]

    def _note(self, others: int) -> None:
        self._still_holds = not others


_ASKS = re.compile(r"\bmailed\s*\(")
