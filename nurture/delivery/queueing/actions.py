"""Queues one mail for a great many people at once: the same rows as `delivery.actions.queue_deliveries` makes, in few statements.

Who may be mailed and leaves at the same moment shares a statement, and so does who is on the suppression list for the
same reason. The rest (somebody on hold, a basis that ended, a mail the journal remembers) is queued one by one, as ever.
Called by `newsletters.queueing`, which has asked the database about everybody's permission in one question; a test holds
the rows equal to those of the slow way on both databases.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from nurture.consent.rules import ALLOWED, Standing, may_send
from nurture.database.columns import new_ids
from nurture.database.engine import Session
from nurture.delivery.actions import Intention, queue_deliveries, row_of
from nurture.delivery.queueing import store
from nurture.delivery.queueing.rules import Judged, Verdict
from nurture.delivery.rules import Status

#: The mail as it is for whoever lives in that time zone and country. Its key is whole with a contact's identifier behind.
Mail = Callable[[str | None, str | None], Intention]
_Reasons = tuple[tuple[str, date], ...]
_Rows = Iterable[tuple[dict[str, Any], list[int]]]


def queue_mail(session: Session, people: Sequence[Judged], mail: Mail, now: datetime) -> list[int]:
    """Put a mail into the outbox for all of these who are meant, in their order; who of them was refused."""
    meant = [one for one in people if one[1] != Verdict.NOT_MEANT]
    if not meant:
        return []
    some = mail(None, None)
    had = store.had_before(session, [one[0] for one in meant], some.campaign, some.mail)
    allowed = [one for one in meant if one[1] == Verdict.MAY_BE_MAILED and one[0] not in had]
    if allowed:
        _insert(session, allowed, _alike(allowed, mail, now))
    if len(allowed) == len(meant):
        return []
    rest = [one for one in meant if one[1] != Verdict.MAY_BE_MAILED or one[0] in had]
    return _refuse(session, rest, had, mail, now)


def _alike(people: Sequence[Judged], mail: Mail, now: datetime) -> _Rows:
    """Those who may be mailed, by when it leaves: a row that is like theirs in all but whom it is for."""
    places: dict[tuple[str | None, str | None], list[int]] = {}
    for contact, _, timezone, country in people:
        places.setdefault((timezone, country), []).append(contact)
    return _merged((row_of(mail(*place), ALLOWED, now), contacts) for place, contacts in places.items())


def _merged(found: _Rows) -> _Rows:
    """Places whose rows are the same, together."""
    alike: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for row, contacts in found:
        alike.setdefault(repr({**row, "id": 0}), (row, []))[1].extend(contacts)
    return alike.values()


def _insert(session: Session, people: Sequence[Judged], rows: _Rows) -> None:
    """A delivery for each of these people; their identifiers go by the order of the people."""
    delivery_ids = dict(zip([one[0] for one in people], new_ids(len(people)), strict=True))
    for row, contacts in rows:
        store.insert_alike(session, row, [(delivery_ids[contact], contact) for contact in contacts])


def _refuse(session: Session, people: Sequence[Judged], had: Collection[int], mail: Mail, now: datetime) -> list[int]:
    """The same for those who may not simply be mailed; who of them was refused."""
    suppressed = store.suppressions_of_contacts(
        session, [one.contact_id for one in people if one.contact_id not in had]
    )
    groups: dict[tuple[str | None, str | None, _Reasons], list[int]] = {}
    others = []
    for one in people:
        if one.contact_id in suppressed:
            reasons = tuple(sorted(suppressed[one.contact_id].items()))
            groups.setdefault((one.timezone, one.country, reasons), []).append(one.contact_id)
        else:
            others.append(one)
    refused = []
    for row, contacts in _merged(
        (_refused_row(mail(timezone, country), reasons, now), contacts)
        for (timezone, country, reasons), contacts in groups.items()
    ):
        pairs = zip(new_ids(len(contacts)), contacts, strict=True)
        refused += store.insert_alike_and_say(session, row, pairs)
    return refused + (_queue_one_by_one(session, others, mail, now) if others else [])


def _refused_row(intention: Intention, reasons: _Reasons, now: datetime) -> dict[str, Any]:
    # Whatever else is known of them: the rule asks for suppressions before anything else.
    return row_of(intention, may_send(intention.purpose, Standing(dict(reasons)), now), now)


def _queue_one_by_one(session: Session, people: Sequence[Judged], mail: Mail, now: datetime) -> list[int]:
    """The same for those of whom the whole rule has to be asked."""
    domains = store.domains_of_contacts(session, [one.contact_id for one in people])
    intentions = []
    for contact, _, timezone, country in people:
        one = mail(timezone, country)
        intentions.append(replace(one, key=f"{one.key}{contact}", contact_id=contact, domain=domains[contact]))
    became = queue_deliveries(session, intentions, now)
    return [one.contact_id for one in intentions if one.contact_id and became.get(one.key) is Status.REFUSED]
