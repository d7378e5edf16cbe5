"""What may be done about activities: record hits, settle them, record what a person said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from nurture.consent import store as consents
from nurture.consent.recording.rules import Mode
from nurture.consent.recording.store import note_open
from nurture.consent.rules import Purpose
from nurture.consent.silence.actions import show_life
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.questions.actions import take_answer
from nurture.contacts.questions.rules import Answer, Question, answer_key
from nurture.contacts.store import Contact
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.delivery import composing
from nurture.delivery.doubts.actions import take_evidence
from nurture.delivery.mailed import rules as mailed
from nurture.delivery.store import Delivery, deliveries_of_ids, hold_for_recheck
from nurture.errors import BadInput
from nurture.tracking import store
from nurture.tracking.rules import ActivityKind, Actor, Hit, judge, judge_alone


@dataclass(frozen=True)
class Request:
    """A tracked link or pixel that somebody asked for; `link` is None for the pixel."""

    delivery_id: int
    link: int | None
    occurred_at: datetime
    method: str
    user_agent: str
    ip: str


def record_requests(session: Session, requests: Sequence[Request], now: datetime) -> int:
    """Store hits as far as the people behind them may be recorded now; the rest leaves no trace. How many were stored."""
    found = _recorded_deliveries(session, {request.delivery_id for request in requests})
    links: dict[tuple[int, int], tuple[str, str]] = {}
    rows = []
    for request in requests:
        delivery, mode = found.get(request.delivery_id, (None, Mode.NONE))
        if delivery is None or mode is Mode.NONE:
            continue
        if mode is Mode.LAST_OPEN_DATE:
            _note_open(session, request, delivery)
            continue
        key = (request.delivery_id, request.link if request.link is not None else -1)
        if key not in links:
            links[key] = link_of(session, delivery, request.link) if request.link is not None else ("", "")
        rows.append(_activity_row(request, delivery, links[key], now))
    store.insert_activities(session, rows)
    # Whoever it was, a machine too: the address stands in that mail alone.
    take_evidence(session, {row["delivery_id"] for row in rows}, "it was opened or a link of it followed", now)
    mark_changed(session, [row["contact_id"] for row in rows if row["actor"] != Actor.UNSETTLED], now)
    return len(rows)


def _recorded_deliveries(session: Session, ids: Collection[int]) -> dict[int, tuple[Delivery, Mode]]:
    """Of these mails how much may be recorded: taking consent back acts on mails already sent."""
    found = [one for one in deliveries_of_ids(session, ids) if one.purpose == Purpose.CAMPAIGN]
    people = contacts.list_contacts(session, {one.contact_id for one in found if one.contact_id is not None})
    modes = {topic: consents.recording_modes(session, people, topic) for topic in {one.topic for one in found}}
    return {one.id: (one, modes[one.topic].get(one.contact_id or 0, Mode.NONE)) for one in found}


def _note_open(session: Session, request: Request, delivery: Delivery) -> None:
    """The day, if it was an open and nothing gives a machine away: nothing is kept by which to judge it later."""
    verdict = judge_alone(_hit(request))
    if request.link is None and verdict is None and delivery.contact_id is not None:
        note_open(session, delivery.contact_id, request.occurred_at.date())


def _hit(request: Request) -> Hit:
    kind = ActivityKind.OPENED if request.link is None else ActivityKind.CLICKED
    return Hit(0, kind, request.link, request.occurred_at, request.method, request.user_agent, request.ip)


def _activity_row(request: Request, delivery: Delivery, link: tuple[str, str], now: datetime) -> dict[str, Any]:
    kind = ActivityKind.OPENED if request.link is None else ActivityKind.CLICKED
    verdict = judge_alone(_hit(request))
    return {
        "id": new_id(),
        "contact_id": delivery.contact_id,
        "delivery_id": delivery.id,
        "enrollment_id": delivery.enrollment_id,
        "kind": kind,
        "place": place_of(delivery),
        "link": request.link,
        "link_label": link[0],
        "link_path": link[1],
        "what": "",
        "occurred_at": request.occurred_at,
        "actor": verdict.actor if verdict else Actor.UNSETTLED,
        "because": verdict.because if verdict else "",
        "settled_at": now if verdict else None,
        "method": request.method,
        "user_agent": request.user_agent[:300],
        "ip": request.ip,
    }


def place_of(delivery: Delivery) -> str:
    """How conditions name the mail of a delivery: "campaign/mail"."""
    return mailed.place_of(delivery.campaign, delivery.mail)


def link_of(session: Session, delivery: Delivery, number: int) -> tuple[str, str]:
    """Label (lower case) and path of a link of a delivery's mail."""
    link = composing.get_mail(session, delivery).link(number)
    if link is None:
        return "", ""
    destination = find_destination(session, delivery, number) or ""
    return link.label.lower(), urlsplit(destination).path or "/"


def find_destination(session: Session, delivery: Delivery, number: int) -> str | None:
    """Where a link of this very mail leads; None when it has no such link or what it depended on was erased."""
    mail = composing.get_mail(session, delivery)
    link = mail.link(number)
    if link is None or delivery.facts is None:
        return None
    email = composing.email_of_contact(session, delivery) if link.is_dynamic else ""
    return mail.destination(number, composing.context_of(delivery, email))


def settle_hits(session: Session, now: datetime, *, after: timedelta, limit: int = 100) -> int:
    """Judge all hits of the mails whose oldest open question has waited long enough; how many mails."""
    deliveries = store.list_unsettled(session, now - after, limit)
    changed: set[int] = set()
    here: set[int] = set()  # who did something themselves
    for delivery_id, found in store.hits_of(session, deliveries).items():
        delivery = session.get_one(Delivery, delivery_id)
        links = len(composing.get_mail(session, delivery).links)
        verdicts = judge([hit for hit, _ in found], links=links, sent_at=delivery.attempted_at)
        # A burst also withdraws what was taken for a person before it began.
        differing = {hit.id: verdicts[hit.id] for hit, actor in found if verdicts[hit.id].actor != actor}
        store.save_verdicts(session, differing, now)
        if differing and delivery.contact_id is not None:
            changed.add(delivery.contact_id)
            if any(one.actor is Actor.PERSON for one in differing.values()):
                here.add(delivery.contact_id)
    mark_changed(session, changed, now)
    show_life(session, dict.fromkeys(here, now.date()))
    return len(deliveries)


def record_words(
    session: Session,
    contact_id: int,
    kind: ActivityKind,
    *,
    what: str,
    delivery: Delivery | None,
    now: datetime,
) -> None:
    """Something a person said themselves, in a reply or on a page: certain at once."""
    row = _certain(contact_id, kind, now, now)
    if delivery is not None:
        row |= {"delivery_id": delivery.id, "enrollment_id": delivery.enrollment_id, "place": place_of(delivery)}
    store.insert_activities(session, [row | {"what": what[:2000]}])
    show_life(session, {contact_id: now.date()})
    mark_changed(session, [contact_id], now)


def record_answer(
    session: Session, contact: Contact, question: Question, answer: Answer, *, delivery: Delivery, now: datetime
) -> bool:
    """Somebody's answer to the question of a mail, with what it sets; False if they said just that before.

    What a sequence had queued is looked at again first: the answer may be what ends it.
    """
    key = answer_key(answer.label)
    if store.last_answers(session, contact.id).get(question.name) == key:
        return False
    said = {"place": question.name, "link_label": key, "what": f"{answer.label} (“{question.text}”)"}
    origin = {"delivery_id": delivery.id, "enrollment_id": delivery.enrollment_id}
    store.insert_activities(session, [_certain(contact.id, ActivityKind.ANSWERED, now, now) | origin | said])
    take_answer(session, contact, question, answer, now)
    show_life(session, {contact.id: now.date()})
    mark_changed(session, [contact.id], now)
    hold_for_recheck(session, contact.id)
    return True


#: What may be told of people who did it outside our pages, by the word of the command line.
MAY_BE_TOLD: Mapping[str, ActivityKind] = {"submitted": ActivityKind.SUBMITTED, "booked": ActivityKind.BOOKED}


def record_told(session: Session, contact_id: int, did: str, what: str, at: datetime, now: datetime) -> bool:
    """Something a form or a colleague saw the person do; False if we were told before.

    `what` is the form, or which meeting. What is told of the future has not happened.
    """
    kind = MAY_BE_TOLD.get(did)
    if kind is None:
        raise BadInput(f'"{did}" is nothing that can be told; say {" or ".join(MAY_BE_TOLD)}.')
    if not what.strip():
        raise BadInput(f"{did} what? Name the form or the meeting.")
    if at > now:
        raise BadInput(f"{at:%Y-%m-%d %H:%M} UTC has not come yet; tell it once it has happened.")
    if store.is_known(session, contact_id, kind, what.strip(), at):
        return False
    store.insert_activities(session, [_certain(contact_id, kind, at, now) | {"place": what.strip()[:200]}])
    mark_changed(session, [contact_id], now)
    # What a sequence had queued is looked at again first: this may be what ends it.
    hold_for_recheck(session, contact_id)
    return True


def _certain(contact_id: int, kind: ActivityKind, at: datetime, now: datetime) -> dict[str, Any]:
    """The row of something a person did themselves."""
    return {
        "id": new_id(), "contact_id": contact_id, "delivery_id": None, "enrollment_id": None, "kind": kind, "place": "",
        "link": None, "link_label": "", "link_path": "", "what": "", "occurred_at": at, "actor": Actor.PERSON,
        "because": "", "settled_at": now, "method": "", "user_agent": "", "ip": "",
    }  # fmt: skip
