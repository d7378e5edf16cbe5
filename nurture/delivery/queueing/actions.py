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

_Place = tuple[str | None, str | None]
_Reasons = tuple[tuple[str, date], ...]


class Mail:
    """One mail as it is for whoever lives in a time zone and country, worded once for each: `word` says how.

    Its key is whole with a contact's identifier behind.
    """

    def __init__(self, word: Callable[[str | None, str | None], Intention], now: datetime) -> None:
        self._word = word
        self._now = now
        self._worded: dict[_Place, Intention] = {}
        self._rows: dict[tuple[_Place, _Reasons], tuple[str, dict[str, Any]]] = {}

    def at(self, place: _Place) -> Intention:
        """What was decided on for those who live there."""
        if place not in self._worded:
            self._worded[place] = self._word(*place)
        return self._worded[place]

    def row(self, place: _Place, reasons: _Reasons = ()) -> tuple[str, dict[str, Any]]:
        """The row of those who live there and are suppressed for these reasons, and a word for all rows like it."""
        if (place, reasons) not in self._rows:
            one = self.at(place)
            # Whatever else is known of them: the rule asks for suppressions before anything else.
            permission = may_send(one.purpose, Standing(dict(reasons)), self._now) if reasons else ALLOWED
            row = row_of(one, permission, self._now)
            self._rows[place, reasons] = repr({**row, "id": 0}), row
        return self._rows[place, reasons]


def queue_mail(session: Session, people: Sequence[Judged], mail: Mail, now: datetime) -> list[int]:
    """Put a mail into the outbox for all of these who are meant, in their order; who of them was refused."""
    meant = [one for one in people if one[1] != Verdict.NOT_MEANT]
    if not meant:
        return []
    some = mail.at((None, None))
    had = store.had_before(session, [one[0] for one in meant], some.campaign, some.mail)
    allowed = [one for one in meant if one[1] == Verdict.MAY_BE_MAILED and one[0] not in had]
    if allowed:
        _put(session, allowed, mail)
    if len(allowed) == len(meant):
        return []
    rest = [one for one in meant if one[1] != Verdict.MAY_BE_MAILED or one[0] in had]
    return _refuse(session, rest, had, mail, now)


def _put(session: Session, people: Sequence[Judged], mail: Mail) -> None:
    """Queue it for these. Identifiers and rows go by their order, whichever statement makes them.

    A loop over a million: it makes nothing but the text that goes to the database.
    """
    alike = _Alike(mail)
    written: dict[_Place, list[str]] = {}
    for delivery_id, (contact, _, timezone, country) in zip(new_ids(len(people)), people, strict=True):
        place = timezone, country
        if place not in written:
            written[place] = alike.people(place)
        written[place].append(f'"{delivery_id}":{contact}')
    for row, theirs in alike.groups:
        store.insert_alike(session, row, theirs)


class _Alike:
    """Those whose rows are the same in all but whom they are for, as the statement wants them."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self._by_row: dict[str, tuple[dict[str, Any], list[str]]] = {}

    def people(self, place: _Place, reasons: _Reasons = ()) -> list[str]:
        """Where to write those who live there and are suppressed for these reasons."""
        same, row = self._mail.row(place, reasons)
        return self._by_row.setdefault(same, (row, []))[1]

    @property
    def groups(self) -> Iterable[tuple[dict[str, Any], list[str]]]:
        return self._by_row.values()


def _refuse(session: Session, people: Sequence[Judged], had: Collection[int], mail: Mail, now: datetime) -> list[int]:
    """The same for those who may not simply be mailed; who of them was refused."""
    suppressed = store.suppressions_of_contacts(session, [one[0] for one in people if one[0] not in had])
    alike, others = _Alike(mail), []
    for delivery_id, one in zip(new_ids(len(people)), people, strict=True):
        contact, _, timezone, country = one
        if contact in suppressed:
            reasons = tuple(sorted(suppressed[contact].items()))
            alike.people((timezone, country), reasons).append(f'"{delivery_id}":{contact}')
        else:
            others.append(one)
    refused = []
    for row, theirs in alike.groups:
        refused += store.insert_alike_and_say(session, row, theirs)
    return refused + (_queue_one_by_one(session, others, mail, now) if others else [])


def _queue_one_by_one(session: Session, people: Sequence[Judged], mail: Mail, now: datetime) -> list[int]:
    """The same for those of whom the whole rule has to be asked."""
    domains = store.domains_of_contacts(session, [one[0] for one in people])
    intentions = []
    for contact, _, timezone, country in people:
        one = mail.at((timezone, country))
        intentions.append(replace(one, key=f"{one.key}{contact}", contact_id=contact, domain=domains[contact]))
    became = queue_deliveries(session, intentions, now)
    return [one.contact_id for one in intentions if one.contact_id and became.get(one.key) is Status.REFUSED]
