"""Tasks and notes that a sequence leaves for colleagues: what to do about a contact by when, and what they should know.

Both have a key, so that deciding twice leaves one. A task counts the working time of whoever is to do it. A note is the
author's own text; what it takes from the contact goes through the sandbox that mails go through.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

from nurture.contacts.store import COLUMN_FIELDS, Contact, Operator
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.delivery.notices import queue_notice
from nurture.errors import BadInput, NotFound, NurtureError, did_you_mean
from nurture.handoff import store
from nurture.handoff.portrait import last_reads, name_of, standing_of, who_is
from nurture.handoff.routing import OWNER, find_taker
from nurture.handoff.store import Task
from nurture.rendering import rules as rendering
from nurture.rendering.bounds import Fields
from nurture.rendering.environment import run, text_environment
from nurture.rendering.scanning import Original, scan
from nurture.rendering.source import Findings
from nurture.timing import Duration, Window, add_working_time, find_zone, parse_days, parse_hours

_ABOUT_THEM = ("interest", "stage", "fit", "score")


def add_task(
    session: Session,
    *,
    key: str,
    contact: Contact,
    to: str = OWNER,
    what: str,
    due_after: Duration,
    because: str,
    now: datetime,
) -> bool:
    """Leave a task for `to`, or who stands in for them; False when it was left before."""
    taker = find_taker(session, contact, to)
    row = {
        "id": new_id(), "key": key, "contact_id": contact.id, "domain": None, "operator_id": taker.id if taker else None,
        "what": fill(what, contact), "because": because, "created_at": now, "due_at": due_at(due_after, taker, now),
        "done_at": None,
    }  # fmt: skip
    return store.insert_task(session, row)


def due_at(due_after: Duration, taker: Operator | None, now: datetime) -> datetime:
    """When so much of their working time has passed; a day is a working day of theirs, not 24 hours at work."""
    hours = Window(parse_days(taker.days), *parse_hours(taker.hours)) if taker else Window()
    zone = (find_zone(taker.timezone) if taker else None) or ZoneInfo("UTC")
    days, rest = divmod(due_after.exact, timedelta(days=1))
    openings = hours.openings(now, zone)
    opening = next(openings)
    # What is asked on a Sunday counts from Monday's first hour.
    into_the_day = max(now, opening.opens_at) - opening.opens_at
    for _ in range(days + due_after.working_days):
        opening = next(openings)
    return add_working_time(opening.opens_at + into_the_day, rest, hours, zone)


def complete(session: Session, task_id: int, now: datetime) -> Task:
    """It is done."""
    task = store.find_task(session, task_id)
    if task is None:
        raise NotFound(f"there is no task {task_id}; `nurture tasks` lists them.")
    if not store.mark_done(session, task_id, now):
        raise BadInput(f"task {task_id} was done on {task.done_at:%Y-%m-%d %H:%M} UTC already.")
    session.refresh(task)
    return task


def notify(
    session: Session, *, key: str, contact: Contact, to: str = OWNER, subject: str, text: str, now: datetime
) -> Operator | None:
    """Write to `to`, or who stands in for them, about a contact; once per key. None when nobody works here."""
    taker = find_taker(session, contact, to)
    if taker is not None:
        facts = {"subject": fill(subject, contact), "text": fill(text, contact), **facts_about(session, contact)}
        queue_notice(session, "notify", key=f"notify:{key}", operator=taker, facts=facts, now=now, contact=contact)
    return taker


def facts_about(session: Session, contact: Contact) -> dict[str, Any]:
    """What a note to a colleague says about a contact in any case."""
    return {
        "name": name_of(contact),
        "who": who_is(contact),
        "standing": standing_of(contact),
        "reads": last_reads(session, contact.id),
        "came_in": f"Came in through {contact.source or 'an unknown source'} on {contact.created_at:%-d %B %Y}.",
    }


def fill(text: str, contact: Contact) -> str:
    """The text with what it takes from the contact; as it was written where that cannot be had.

    A colleague is better served by `{{ contact.first_name }}` than by no note.
    """
    known = {name: getattr(contact, name) for name in (*COLUMN_FIELDS, "email", *_ABOUT_THEM)}
    try:
        _check(text)
        return run(text_environment().prepare(text), {"contact": Fields("contact", {**known, **contact.fields})})
    except (jinja2.TemplateError, NurtureError, TypeError, ValueError, ArithmeticError):
        return text


def find_fault(text: str, fields: Collection[str]) -> str | None:
    """What is wrong with the text of a task or a note, whose `{{ }}` may name these contact fields; None: nothing."""
    try:
        names = _check(text)
    except NurtureError as error:
        return str(error).partition(": ")[2]  # where in the text it is, its file says better
    for name in sorted(names):
        root, _, field = name.partition(".")
        if root != "contact":
            return f'"{name}" is not known here; only `contact.` and a field of theirs is.'
        if field not in fields:
            return f'nothing called "{field}" is known about the contact.{did_you_mean(field, fields)}'
    return None


def _check(text: str) -> frozenset[str]:
    """The names it uses; raises TemplateError for what no template may do."""
    findings = Findings()
    uses = rendering.check_jinja(scan(Original("the text", text), findings), findings)
    findings.raise_errors()
    return frozenset(uses.names)
