"""Moves rows out of `sending` as the relay's answers say, keeps every try, and has those look again whom it concerns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nurture.contacts import store as contacts
from nurture.database.engine import Session
from nurture.database.json_text import as_json
from nurture.database.prepared import Filled
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.claimed import Row
from nurture.delivery.openings import opening_from
from nurture.delivery.outcomes import store
from nurture.delivery.rules import Heard, Kind, Status, settle

_MAY_HAVE_ARRIVED = frozenset({Heard.ACCEPTED, Heard.UNANSWERED})


def recording(session: Session, worker: int, ended: Sequence[Ended], limits: Limits, now: datetime) -> list[Filled]:
    """Record all of them: what is rare here, and what the relay took, which is nearly everything, with these statements."""
    if not ended:
        return []
    tries = [
        (one.delivery.id, one.delivery.attempts + 1, heard.heard, heard.code, heard.reply, heard.relay)
        for one in ended
        for heard in (one.outcome,)
    ]
    sent = [one for one in tries if one[2] is Heard.ACCEPTED]
    written = as_json(tries)
    statements: list[Filled] = []
    if sent:
        statements.append(store.recording_sent(worker, written if len(sent) == len(tries) else as_json(sent), now))
    if len(sent) < len(tries):
        for each in ended:
            if each.outcome.heard is not Heard.ACCEPTED:
                _settle(session, worker, each, limits, now)
    statements.append(store.keeping_attempts(worker, written, now))
    given = [
        one.delivery.contact_id
        for one in ended
        if one.delivery.kind == Kind.VALUE
        and one.outcome.heard in _MAY_HAVE_ARRIVED
        and one.delivery.contact_id is not None
    ]
    if given:
        statements.append(store.looking_again_at_asks(given, now))
    return statements


def _settle(session: Session, worker: int, ended: Ended, limits: Limits, now: datetime) -> None:
    """Record a try after which the mail is not simply sent."""
    delivery, outcome = ended.delivery, ended.outcome
    settling = settle(
        outcome,
        attempts=delivery.attempts + 1,
        put_off_since=store.put_off_since(session, delivery.id) or now,
        now=now,
        give_up_after=limits.give_up_after,
        resend_uncertain=limits.resend_uncertain,
    )
    values: dict[str, Any] = {"reply": outcome.reply}
    if settling.due_at is not None:
        values["due_at"], values["closes_at"] = opening_from(delivery.window, settling.due_at)
    if settling.status is Status.FAILED:
        values["because"] = "the relay refused it" if outcome.heard is Heard.REJECTED else "put off too long"
    if settling.status is Status.UNCERTAIN:
        values["because"] = "the relay never answered the final dot"
    store.move_from_sending(session, worker, delivery.id, settling.status, now, **values)


def mark(session: Session, deliveries: Sequence[Row], now: datetime, *, is_mailed_asked: bool) -> None:
    """Have those look at the contacts again who can react to the end of a try.

    `is_mailed_asked` False: no condition asks for `mailed(…)`, so that nobody looks at a contact for having got one.

    A step of a sequence is waited for by its enrollment. What is no issue may be an announcement, after which its
    contact reads the newsletter. An issue changes nothing but what `mailed(…)` says.
    """
    everybody: list[int] = []
    newsletters: list[int] = []
    for one in deliveries:
        if one.contact_id is None:
            continue
        if is_mailed_asked or one.enrollment_id is not None:
            everybody.append(one.contact_id)
        elif one.issue_id is None:
            newsletters.append(one.contact_id)
    if everybody:
        contacts.add_changed(session, everybody, now)
    if newsletters:
        contacts.add_changed(session, newsletters, now, readers=("newsletters",))
