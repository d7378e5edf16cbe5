"""The queue as workers take from it, and all SQL about that."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.rules import ConsentPurpose
from nurture.consent.store import Consent
from nurture.consent.suppressions.store import is_suppressed
from nurture.contacts.store import Contact
from nurture.database.claiming import is_alive
from nurture.database.columns import Instant
from nurture.database.engine import Session
from nurture.database.installation import is_running
from nurture.database.prepared import (
    Prepared,
    day_of,
    instant_of,
    is_among,
    json_of,
    not_by_index,
    packed,
    rows_given,
    sure_instant_of,
)
from nurture.database.statements import changed_rows
from nurture.delivery.claimed import Claimed, Person
from nurture.delivery.rules import Priority, Status
from nurture.delivery.store import IN_HAND, Delivery

_DELIVERY: Any = Delivery.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_CONTACT: Any = Contact.__table__  # type: ignore[attr-defined]  # the same
_CONSENT: Any = Consent.__table__  # type: ignore[attr-defined]  # the same
_WORKER = sa.bindparam("worker", type_=sa.BigInteger)


def _due(*, is_chosen: bool) -> Prepared:
    """Identifiers of what is due of one priority; `is_chosen`: only of some deliveries."""

    def make(*, is_sqlite: bool) -> Any:
        due = sa.select(_DELIVERY.c.id).where(
            _DELIVERY.c.status == sa.literal_column("'queued'"),  # word for word as the index of the queue says it
            _DELIVERY.c.priority == sa.bindparam("priority", type_=sa.Integer),
            _DELIVERY.c.due_at <= sa.bindparam("now", type_=Instant),
            is_running(),
            is_alive(_WORKER),
        )
        if is_chosen:
            due = due.where(is_among(_DELIVERY.c.id, "only", is_sqlite=is_sqlite))
        most = sa.bindparam("most", type_=sa.Integer)
        due = due.order_by(_DELIVERY.c.due_at, _DELIVERY.c.id).limit(most)
        return packed(due.with_for_update(skip_locked=True, of=_DELIVERY), is_sqlite=is_sqlite)

    return Prepared(make)


def _take(*, is_sqlite: bool) -> Any:
    mine = sa.update(_DELIVERY).where(
        is_among(_DELIVERY.c.id, "ids", is_sqlite=is_sqlite), _DELIVERY.c.status == Status.QUEUED
    )
    # Of a first try the Message-ID says that this claim was granted a place for it (`keep_facts`).
    message_id = sa.case((_DELIVERY.c.attempts == 0, sa.null()), else_=_DELIVERY.c.message_id)
    return mine.values(status=Status.CLAIMED, worker_id=_WORKER, message_id=message_id)


def _is_in_hand() -> sa.ColumnElement[bool]:
    return sa.and_(not_by_index(_DELIVERY.c.status) == Status.CLAIMED, not_by_index(_DELIVERY.c.worker_id) == _WORKER)


def _lines(*, is_sqlite: bool) -> Any:
    """Rows with the contacts they go to, and what these agreed to about the topic."""
    columns = [*(_DELIVERY.c[name] for name in Claimed._fields), *(_CONTACT.c[name] for name in Person._fields)]
    agreed = sa.and_(
        _CONSENT.c.contact_id == _DELIVERY.c.contact_id,
        _CONSENT.c.topic == _DELIVERY.c.topic,
        _CONSENT.c.purpose == ConsentPurpose.MAIL,
    )
    joined = _DELIVERY.outerjoin(_CONTACT, _CONTACT.c.id == _DELIVERY.c.contact_id).outerjoin(_CONSENT, agreed)
    has_left = sa.case((is_suppressed(), sa.true()), else_=_CONSENT.c.state != "given")
    columns += [_CONSENT.c.basis, _CONSENT.c.given_on, has_left]
    lines = (
        sa.select(*[column.label(f"place_{place}") for place, column in enumerate(columns)])
        .select_from(joined)
        .where(is_among(_DELIVERY.c.id, "ids", is_sqlite=is_sqlite), _is_in_hand())
    )
    return packed(lines, is_sqlite=is_sqlite)


def _words(*, is_sqlite: bool) -> Any:
    said = (_CONSENT.c.contact_id, _CONSENT.c.topic, _CONSENT.c.state, _CONSENT.c.changed_at)
    theirs = is_among(_CONSENT.c.contact_id, "ids", is_sqlite=is_sqlite)
    words = sa.select(*said).where(theirs, _CONSENT.c.purpose == ConsentPurpose.TRACKING)
    return packed(words, is_sqlite=is_sqlite)


def _in_hand(*, is_sqlite: bool) -> Any:
    mine = sa.select(_DELIVERY.c.id).where(is_among(_DELIVERY.c.id, "ids", is_sqlite=is_sqlite), _is_in_hand())
    return packed(mine.with_for_update(of=_DELIVERY), is_sqlite=is_sqlite)


_DUE, _DUE_OF_THESE = _due(is_chosen=False), _due(is_chosen=True)
_TAKE, _LINES, _WORDS, _IN_HAND = Prepared(_take), Prepared(_lines), Prepared(_words), Prepared(_in_hand)


class Line(NamedTuple):
    """A claimed row with what its mail may take from its contact, if that is who it goes to.

    `shared` is the beginning of the row, up to its `expires_at`: one object for all neighbors that have it in common, so
    that whoever goes through the lines looks at it once.
    """

    claimed: Claimed
    shared: tuple[Any, ...]
    person: Person | None
    basis: str | None  # of their consent to the topic
    given_on: date | None
    is_doubtful: bool  # its contact is on the list of those whom nobody mails, or does not agree to the topic any more


def take(session: Session, worker: int, limit: int, now: datetime, *, only: Sequence[int] | None = None) -> list[int]:
    """Take the most urgent deliveries for this worker, or those of `only`; none while sending is paused."""
    ids: list[int] = []
    # One priority after the other, so that what is queued for later in the first is not walked through for the next.
    for priority in Priority:
        given: dict[str, Any] = {"priority": int(priority), "now": now, "worker": worker, "most": limit - len(ids)}
        due = _DUE.unpacked(session, **given) if only is None else _DUE_OF_THESE.unpacked(session, **given, only=only)
        ids += [delivery for (delivery,) in due]
        if len(ids) == limit:
            break
    if ids:
        _TAKE.change(session, ids=ids, worker=worker)
    return ids


def read_lines(session: Session, worker: int, ids: Sequence[int]) -> list[Line]:
    """What this worker has in hand of what it took, in the order of these identifiers."""
    # Put in order here: SQLite copies each of the fifty columns once more to sort them.
    found = {row[_ID]: row for row in _LINES.unpacked(session, ids=ids, worker=worker)}
    lines: list[Line] = []
    beginning, shared = None, ()
    for row in [found[i] for i in ids if i in found]:
        if row[:_ID] != beginning:
            beginning = row[:_ID]
            shared = _shared(beginning)
        lines.append(_line(row, shared))
    return lines


def release(session: Session, worker: int, *, only: int | None = None, besides: Collection[int] = ()) -> int:
    """Give back what a worker claimed and did not begin to send: all of it, `only` one, or all `besides` these."""
    mine = sa.update(Delivery).where(IN_HAND, col(Delivery.status) == Status.CLAIMED, col(Delivery.worker_id) == worker)
    if only is not None:
        mine = mine.where(col(Delivery.id) == only)
    if besides:
        mine = mine.where(col(Delivery.id).not_in(besides))
    return changed_rows(session, mine.values(status=Status.QUEUED, worker_id=None))


def keep_in_hand(session: Session, worker: int, ids: Collection[int]) -> set[int]:
    """What a worker still has of what it claimed; until this transaction ends nobody takes it away.

    The worker may have stood still for so long that another one has it by now, and what came in may have held it.
    """
    return {delivery for (delivery,) in _IN_HAND.unpacked(session, ids=sorted(ids), worker=worker)} if ids else set()


def readdress(session: Session, contact_id: int, domain: str) -> None:
    """What has not left yet goes to another address of this contact: whoever has it in hand claims it anew."""
    waiting = sa.update(Delivery).where(
        col(Delivery.contact_id) == contact_id,
        col(Delivery.status).in_((Status.QUEUED, Status.HELD, Status.CLAIMED)),
    )
    again = sa.case((col(Delivery.status) == Status.CLAIMED, Status.QUEUED), else_=col(Delivery.status))
    changed_rows(session, waiting.values(domain=domain, worker_id=None, status=again))


def words_about_recording(session: Session, contact_ids: Sequence[int]) -> dict[tuple[int, str], tuple[str, datetime]]:
    """What these contacts said about being recorded, by contact and topic: the state, and since when."""
    found: dict[tuple[int, str], tuple[str, datetime]] = {}
    said: Any = _WORDS.unpacked(session, ids=contact_ids)
    for contact_id, topic, state, changed_at in said:
        found[contact_id, topic] = (state, sure_instant_of(changed_at))
    return found


_ID, _FACTS = Claimed._fields.index("id"), Claimed._fields.index("facts")
_PERSON = len(Claimed._fields)
_FIELDS = _PERSON + Person._fields.index("fields")
_BASIS = _PERSON + len(Person._fields)


def _shared(beginning: Sequence[Any]) -> tuple[Any, ...]:
    *plain, queued_at, window, closes_at, expires_at = beginning
    if isinstance(window, str):
        window = _window(window)
    return (*plain, instant_of(queued_at), window, instant_of(closes_at), instant_of(expires_at))


def _line(row: Sequence[Any], shared: tuple[Any, ...]) -> Line:
    basis, given_on, has_left = row[_BASIS:]
    facts = row[_FACTS]
    claimed = Claimed._make((*shared, *row[_ID:_FACTS], json_of(facts) if facts is not None else None))
    person = None
    if row[_PERSON] is not None:
        fields = row[_FIELDS]
        fields = json_of(fields) if fields != "{}" else {}
        person = Person._make((*row[_PERSON:_FIELDS], fields, *row[_FIELDS + 1 : _BASIS]))
    return Line(claimed, shared, person, basis, _day(given_on), bool(has_left))


#: Many readers agreed on the same few hundred days.
_day = lru_cache(maxsize=1024)(day_of)


@lru_cache(maxsize=256)
def _window(text: str) -> Any:
    """Most mails of a campaign have the same few; nobody changes one."""
    return json_of(text)


def _keep_facts(*, is_sqlite: bool) -> Any:
    rows = rows_given("rows", {"id": sa.BigInteger, "facts": sa.Text, "message_id": sa.Text}, is_sqlite=is_sqlite)
    facts = rows.c.facts if is_sqlite else sa.cast(rows.c.facts, _DELIVERY.c.facts.type)
    kept = sa.update(_DELIVERY).where(_DELIVERY.c.id == rows.c.id, _is_in_hand())
    return kept.values(facts=facts, message_id=rows.c.message_id)


_KEEP_FACTS = Prepared(_keep_facts)


def keep_facts(session: Session, worker: int, rows: str) -> int:
    """Keep what the mails that this worker has in hand take from their people, and their Message-IDs; how many these are.

    `rows` are a JSON list of [delivery, facts, id], where the facts are the text of a JSON object. Of others nothing is
    kept: they may have been erased by now, or have left in another worker's hands.
    """
    return _KEEP_FACTS.change(session, rows=rows, worker=worker)
