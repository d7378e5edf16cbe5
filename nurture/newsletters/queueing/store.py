"""The readers and the line of a newsletter, page by page, each with what was found out about them. All SQL about that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.crowds.store import Rare, may_be_mailed_of, rare_noes
from nurture.contacts.store import Contact
from nurture.database.conditions import Clause
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, is_among
from nurture.delivery.queueing.rules import Judged, Verdict
from nurture.newsletters.store import Reader


@dataclass(frozen=True)
class Meant:
    """Whom a mail is for: `clause` makes the condition, and is asked once for all that have the same `key`."""

    key: tuple[object, ...]
    topic: str
    clause: Callable[[], Clause]


@dataclass
class Judge:
    """Finds out about pages of people. Writing the question takes as long as answering it for a thousand of them, so one
    that was written is used again for as long as it is the same.
    """

    _written: dict[tuple[object, ...], Prepared] = field(default_factory=dict)

    def readers(
        self, session: Session, newsletter: str, after: int, limit: int, slot_at: datetime, meant: Meant, now: datetime
    ) -> list[Judged]:
        """The next readers whom the issue of a slot may be for; none when there are no more."""

        def ask(question: sa.Select[Any], *, is_sqlite: bool) -> Any:
            page = (
                sa.select(col(Reader.contact_id))
                .where(
                    col(Reader.newsletter) == newsletter,
                    col(Reader.contact_id) > sa.bindparam("after", type_=sa.BigInteger),
                    col(Reader.first_issue_from) <= slot_at,
                    col(Reader.left_at).is_(None),
                )
                .order_by(col(Reader.contact_id))
                .limit(sa.bindparam("most", type_=sa.Integer))
                .subquery("page")
            )
            return question.join(page, page.c.contact_id == col(Contact.id))

        question = self._question(session, ("readers", newsletter, slot_at), ask, meant, now)
        found: Sequence[Any] = question.run(session, after=after, most=limit).all()
        return sorted(found, key=itemgetter(0))

    def turns(self, session: Session, ids: Sequence[int], meant: Meant, now: datetime) -> list[Judged]:
        """These contacts, in this order."""

        def ask(question: sa.Select[Any], *, is_sqlite: bool) -> Any:
            return question.where(is_among(col(Contact.id), "ids", is_sqlite=is_sqlite))

        rows: Sequence[Any] = self._question(session, ("turns",), ask, meant, now).run(session, ids=list(ids)).all()
        found = {row[0]: row for row in rows}
        return [found[one] for one in ids if one in found]

    def _question(
        self, session: Session, about: tuple[object, ...], ask: Callable[..., Any], meant: Meant, now: datetime
    ) -> Prepared:
        rare = rare_noes(session, now)
        key = (*about, *meant.key, meant.topic, now, *rare)
        if key not in self._written:
            question = _question(rare, meant, now)
            self._written = {key: Prepared(lambda *, is_sqlite: ask(question, is_sqlite=is_sqlite))}
        return self._written[key]


def _question(rare: Rare, meant: Meant, now: datetime) -> sa.Select[Any]:
    verdict = sa.case(
        (~meant.clause(), sa.literal_column(f"{Verdict.NOT_MEANT:d}", sa.Integer)),
        (may_be_mailed_of(rare, meant.topic, now), sa.literal_column(f"{Verdict.MAY_BE_MAILED:d}", sa.Integer)),
        else_=sa.literal_column(f"{Verdict.MEANT:d}", sa.Integer),
    )
    return sa.select(col(Contact.id), verdict, col(Contact.timezone), col(Contact.country))
