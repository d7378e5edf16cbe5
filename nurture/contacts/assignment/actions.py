"""Gives contacts without an owner one, by the published rules, and writes down which rule it was.

Called for everybody who changed, before they are scored, so that whoever becomes sales-ready has an owner; and by
`nurture contacts assign` for everybody there is.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.campaigns.declared import Declared, find_declared
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.assignment import rules, store
from nurture.contacts.assignment.rules import Assigned, Rule
from nurture.contacts.history import actions as history
from nurture.contacts.history.rules import Author, Change
from nurture.contacts.segments import Language
from nurture.contacts.store import Operator
from nurture.database.claiming import get_mark, set_mark, wait_for_lock
from nurture.database.engine import Session

#: What the history names as who did it, and the lock under which it remembers whose turn it is.
BY = "assignment"


def assign_owners(session: Session, language: Language, ids: Sequence[int], now: datetime) -> list[Assigned]:
    """Give those of these contacts who belong to nobody to whom the rules say; who got an owner."""
    declared = find_declared(session)
    if declared is None or not declared.assignment or not ids:
        return []
    waiting = store.ownerless(session, ids)
    if not waiting:
        return []
    wait_for_lock(session, BY)
    found, counts = _decide(session, language, declared, waiting, turns_taken(session), now)
    operators = _working(session)
    done = [one for one in found if store.set_owner(session, one.contact_id, operators[one.operator].id, now)]
    for one in done:
        change = Change("owner", None, operators[one.operator].email)
        history.note(session, history.rows_of(one.contact_id, [change], Author(BY, one.because), now))
    set_mark(session, BY, json.dumps(counts))
    session.expire_all()  # owners were written past the session's contacts
    mark_changed(session, [one.contact_id for one in done], now)
    return done


def foresee(
    session: Session, language: Language, ids: Sequence[int], turns: Mapping[str, int], now: datetime
) -> tuple[list[Assigned], dict[str, int]]:
    """Who of these would get whom, and whose turn it would be then; nothing is written."""
    declared = find_declared(session)
    if declared is None or not declared.assignment:
        return [], dict(turns)
    return _decide(session, language, declared, store.ownerless(session, ids), turns, now)


def turns_taken(session: Session) -> dict[str, int]:
    """How many contacts each rule has given away."""
    known: dict[str, int] = json.loads(get_mark(session, BY) or "{}")
    return known


def _decide(
    session: Session,
    language: Language,
    declared: Declared,
    waiting: Sequence[int],
    turns: Mapping[str, int],
    now: datetime,
) -> tuple[list[Assigned], dict[str, int]]:
    every = rules.rules_of(declared.assignment)
    holds = {one.name: _whom(session, language, declared, one, waiting, now) for one in every}
    kept = {one.name: turns.get(one.name, 0) for one in every}
    return rules.assign(every, holds, waiting, _working(session).keys(), kept)


def _working(session: Session) -> dict[str, Operator]:
    return {one.email.lower(): one for one in contacts.list_operators(session).values() if one.is_declared}


def page_of_ownerless(session: Session, after: int, limit: int) -> list[int]:
    """The next contacts who belong to nobody, for whoever walks through all of them in small transactions."""
    return contacts.page_of_ids(session, after, limit, store.belongs_to_nobody())


def _whom(
    session: Session, language: Language, declared: Declared, rule: Rule, ids: Sequence[int], now: datetime
) -> frozenset[int]:
    if not rule.when:
        return frozenset(ids)
    return store.meeting(session, ids, language.clause(session, rule.when, _rests_on(declared), now))


def _rests_on(declared: Declared) -> Mapping[str, Any]:
    """The declared fields as they were published with the rules, and the segments that the rules name."""
    fields = {name: str(one["type"]) for name, one in declared.fields.items()}
    return {"fields": fields, "segments": declared.assignment_segments}
