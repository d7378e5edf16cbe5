"""What may be done with calls: queue them, claim them, record how they ended, try one again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from nurture.database.claiming import bury_dead_workers
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.errors import BadInput, NotFound
from nurture.outgoing import store
from nurture.outgoing.rules import Answer, Settling, Status, find_fault, settle
from nurture.outgoing.store import Call

_KEPT_OF_REPLY = 300


def queue_call(
    session: Session,
    *,
    key: str,
    url: str,
    payload: Mapping[str, Any],
    headers: Mapping[str, str] = MappingProxyType({}),
    contact_id: int | None = None,
    enrollment_id: int | None = None,
    now: datetime,
) -> bool:
    """Intend a call; two intentions with one key are one call, and the second is told so by False.

    `url` and `headers` are their author's, never made of what a contact is called; what is about the contact stands in
    `payload` only.
    """
    if fault := find_fault(url, headers):
        raise BadInput(fault)
    if not (key.isascii() and key.isprintable()):
        raise BadInput(f'"{key}" travels in a header, and so must be printable ASCII.')
    row = {
        "id": new_id(), "key": key, "kind": "webhook", "url": url, "headers": dict(headers), "payload": dict(payload),
        "contact_id": contact_id, "enrollment_id": enrollment_id, "status": Status.QUEUED, "because": "", "reply": "",
        "attempts": 0, "queued_at": now, "due_at": now, "settled_at": None, "worker_id": None,
    }  # fmt: skip
    return store.insert_call(session, row)


def claim(session: Session, worker: int, limit: int, now: datetime) -> list[Call]:
    """Lease the calls that are due to this worker."""
    return store.claim_due(session, worker, limit, now)


def record_answer(
    session: Session, worker: int, call: Call, answer: Answer, give_up_after: timedelta, now: datetime
) -> Settling:
    """Move a call where the answer says, and keep its first words."""
    settling = settle(answer, attempts=call.attempts, queued_at=call.queued_at, now=now, give_up_after=give_up_after)
    reply = f"{answer.status} {answer.words}".strip() if answer.status is not None else answer.words
    values: dict[str, Any] = {"because": settling.because, "reply": reply[:_KEPT_OF_REPLY]}
    if settling.due_at is not None:
        values["due_at"] = settling.due_at
    store.move_claimed(session, worker, call.id, settling.status, now, **values)
    return settling


def give_back(session: Session, worker: int, calls: Sequence[Call]) -> int:
    """Stopping: what was not begun is left to others."""
    return store.give_back(session, [call.id for call in calls], worker)


def take_back(session: Session) -> int:
    """What dead workers were at is to be done again, with the same keys."""
    bury_dead_workers(session)
    return store.take_back(session)


def retry(session: Session, call_id: int, now: datetime) -> Call:
    """Try a failed or refused call again."""
    call = store.find_call(session, call_id)
    if call is None:
        raise NotFound(f"there is no call {call_id}; `nurture outgoing` lists them.")
    if not store.requeue(session, call_id, now):
        raise BadInput(f"call {call_id} is {call.status}; only one that failed or was refused is tried again by hand.")
    session.refresh(call)
    return call
