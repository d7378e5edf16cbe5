"""What we did with somebody: the sequences they are or were on, those they wait for, and the mails meant for them.

Answers "why did Ana get this?" and "what is she on?" in one document and as people read it; `portrait` tells the rest.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nurture.cli.output import shown, table

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.contacts.store import Contact
    from nurture.database.engine import Session
    from nurture.delivery.store import Delivery
    from nurture.sequences.store import EnrollmentRow

_LAST_MAILS = 10
#: Reasons that do not explain themselves.
_ENDED = {
    "busy": "busy: was on another sequence and never came in",
    "replaced": "replaced: another sequence took over",
    "retired": "retired: the sequence was taken away",
}


def past_of(session: "Session", house: "App", contact: "Contact") -> dict[str, Any]:
    """The ways of a contact through sequences, those that go on first; and their last mails, the newest first."""
    from nurture.reports.outbox import last_mails_to
    from nurture.sequences import store

    rows = store.list_enrollments(session, [contact.id])
    mails = last_mails_to(session, contact.id, _LAST_MAILS)
    return {
        "sequences": [
            *(_way(session, house, row) for row in rows if row.ended_at is None),
            *_pending(session, house, contact.id, [row.sequence for row in rows if row.ended_at is None]),
            *(_way(session, house, row) for row in reversed(rows) if row.ended_at is not None),
        ],
        "mails": [
            {
                "queued_at": one.queued_at, "sent_at": one.attempted_at, "campaign": one.campaign, "mail": one.mail,
                "subject": _subject(session, house, contact, one), "status": one.status,
                "because": one.because or None, "held_until": one.held_until,
            }
            for one in mails
        ],
    }  # fmt: skip


def _way(session: "Session", house: "App", row: "EnrollmentRow") -> dict[str, Any]:
    from nurture.campaigns.store import get_version

    does, until = _standing(session, house, row) if row.ended_at is None else (None, None)
    return {
        "sequence": row.sequence, "version": get_version(session, row.version_id).number, "status": row.status,
        "step": row.step, "does": does, "until": until, "because": row.because or None, "since": row.enrolled_at,
        "ended_at": row.ended_at, "ended_because": row.exit_reason or None,
    }  # fmt: skip


def _standing(session: "Session", house: "App", row: "EnrollmentRow") -> tuple[str | None, datetime | None]:
    """What goes on at the step somebody stands at, and until when: of a mail that was asked for, how it stands."""
    from nurture.delivery.rules import SETTLED
    from nurture.delivery.store import delivery_of_key
    from nurture.sequences.actions import enrollment_of, get_sequence
    from nurture.sequences.decisions import mail_key
    from nurture.sequences.graph.flow import flow_of

    mail = delivery_of_key(session, mail_key(enrollment_of(row), row.step)) if row.step else None
    if mail is not None:
        why = f" ({mail.because})" if mail.because else ""
        due_at = row.wake_at if mail.status in SETTLED else mail.held_until or mail.due_at
        return f"its mail is {mail.status}{why}", due_at
    program = get_sequence(session, row.version_id, house.language)
    box = next((one for one in flow_of(program, program.name, {}).boxes if one.id == row.step), None)
    return (": ".join(part for part in (box.does, box.detail) if part) if box else None), row.wake_at


def _pending(session: "Session", house: "App", contact_id: int, busy_with: list[str]) -> list[dict[str, Any]]:
    """Sequences they come into as soon as nothing keeps them out."""
    from nurture.sequences.admission import may_share
    from nurture.sequences.entries import list_open
    from nurture.sequences.store import list_pending

    every = {one.name: one.entrance.program for one in list_open(session, house.language)}
    doors = [one.door for one in list_open(session, house.language)]
    found = []
    for one in list_pending(session, contact_id):
        here = every.get(one.sequence)
        before = [name for name in busy_with if here and not may_share(here, name, doors)]
        if here is None:
            does = "is not published any more; nobody comes in"
        elif before:
            does = f"waits for {' and '.join(before)} to end"
        else:
            does = "comes in next, if they may be mailed about it"
        found.append(
            {
                "sequence": one.sequence, "version": None, "status": "pending", "step": None, "does": does,
                "until": None, "because": one.because or None, "since": one.asked_at, "ended_at": None,
                "ended_because": None,
            }
        )  # fmt: skip
    return found


def _subject(session: "Session", house: "App", contact: "Contact", delivery: "Delivery") -> str | None:
    """As they got it, where what it took from them is kept; else as its file words it, if it still can be read."""
    from nurture.campaigns.store import get_content
    from nurture.delivery import composing
    from nurture.errors import NurtureError
    from nurture.sequences.graph.flow import readable

    try:
        if "rendered_at" in (delivery.facts or {}):
            mail = composing.get_mail(session, delivery)
            return composing.render(mail, delivery, house.house, composing.recipient_of(contact), contact.email).subject
        mails = get_content(session, delivery.version_id).get("mails", {})
    except NurtureError:
        return None
    return readable(mails[delivery.mail]["subject"]) if delivery.mail in mails else None


def show_past(known: Mapping[str, Any]) -> None:
    """The same for people."""
    table(
        ("sequence", "since", "because", "how it stands"),
        [(_named(one), one["since"], one["because"], _state(one)) for one in known["sequences"]],
        empty="\nThey have not been on any sequence.",
    )
    table(
        ("last mails", "from", "mail", "subject", "status"),
        [
            (one["sent_at"] or one["queued_at"], one["campaign"], one["mail"], one["subject"], _status(one))
            for one in known["mails"]
        ],
        empty="No mail was meant for them yet.",
    )


def _named(one: Mapping[str, Any]) -> str:
    return f"{one['sequence']} v{one['version']}" if one["version"] else str(one["sequence"])


def _state(one: Mapping[str, Any]) -> str:
    if one["ended_at"] is not None:
        why = one["ended_because"]
        told = _ENDED.get(why, why.replace("_", " ")) if why else "came to its end"
        return f"{one['status']} {shown(one['ended_at'])}, {told}"
    if one["status"] == "pending":
        return str(one["does"])
    step = f"{one['status']} at {one['step']}" if one["step"] else str(one["status"])
    does = f": {one['does']}" if one["does"] else ""
    return f"{step}{does}{_until(one['until'])}"


def _status(one: Mapping[str, Any]) -> str:
    why = f": {one['because']}" if one["because"] else ""
    return f"{one['status']}{why}{_until(one['held_until'])}"


def _until(at: datetime | None) -> str:
    return f", until {shown(at)}" if at else ""
