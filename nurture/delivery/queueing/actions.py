"""Queues one mail for a great many people at once: the same rows as `delivery.actions.queue_deliveries` makes, in few statements.

Who may be mailed and leaves at the same moment shares a statement, and so does who is on the suppression list for the
same reason. The rest (somebody on hold, a basis that ended, a mail the journal remembers) is queued one by one, as ever.
Called by `newsletters.queueing`, which has asked the database about everybody's permission in one question; a test holds
the rows equal to those of the slow way on both databases.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_Reasons = Mapping[str, date]
_NONE: _Reasons = {}


def queue_mail(session: Session, people: Sequence[Judged], mail: Mail, now: datetime) -> list[int]:
    """Put a mail into the outbox for all of these who are meant, in their order; who of them was refused."""
    meant = [one for one in people if one.verdict != Verdict.NOT_MEANT]
    if not meant:
        return []
    some = mail(None, None)
    delivery_ids = dict(zip([one.contact_id for one in meant], new_ids(len(meant)), strict=True))
    had = store.had_before(session, list(delivery_ids), some.campaign, some.mail)
    allowed: list[Judged] = []
    rest: list[Judged] = []
    for one in meant:
        (allowed if one.verdict == Verdict.MAY_BE_MAILED and one.contact_id not in had else rest).append(one)
    for row, contacts in _rows(allowed, {}, mail, now):
        store.insert_alike(session, row, [(delivery_ids[contact], contact) for contact in contacts])
    if not rest:
        return []
    suppressed = store.suppressions_of_contacts(session, [one.contact_id for one in rest if one.contact_id not in had])
    refused = []
    for row, contacts in _rows([one for one in rest if one.contact_id in suppressed], suppressed, mail, now):
        refused += store.insert_alike_and_say(session, row, [(delivery_ids[contact], contact) for contact in contacts])
    others = [one for one in rest if one.contact_id not in suppressed]
    return refused + _queue_one_by_one(session, others, mail, now)


def _rows(
    people: Sequence[Judged], suppressed: Mapping[int, _Reasons], mail: Mail, now: datetime
) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Rows that differ, each with the contacts whose rows are like it in all but whom they are for."""
    groups: dict[tuple[str | None, str | None, tuple[tuple[str, date], ...]], list[int]] = {}
    for contact, _, timezone, country in people:
        reasons = tuple(sorted(suppressed[contact].items())) if suppressed else ()
        groups.setdefault((timezone, country, reasons), []).append(contact)
    alike: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for (timezone, country, reasons), contacts in groups.items():
        intention = mail(timezone, country)
        # Whatever else is known of them: the rule asks for suppressions before anything else.
        permission = may_send(intention.purpose, Standing(dict(reasons)), now) if reasons else ALLOWED
        row = row_of(intention, permission, now)
        alike.setdefault(repr({**row, "id": 0}), (row, []))[1].extend(contacts)
    yield from alike.values()


def _queue_one_by_one(session: Session, people: Sequence[Judged], mail: Mail, now: datetime) -> list[int]:
    """The same for those of whom the whole rule has to be asked."""
    domains = store.domains_of_contacts(session, [one.contact_id for one in people])
    intentions = []
    for contact, _, timezone, country in people:
        one = mail(timezone, country)
        intentions.append(replace(one, key=f"{one.key}{contact}", contact_id=contact, domain=domains[contact]))
    became = queue_deliveries(session, intentions, now)
    return [one.contact_id for one in intentions if one.contact_id and became.get(one.key) is Status.REFUSED]
