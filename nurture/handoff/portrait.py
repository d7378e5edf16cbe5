"""A few lines on who somebody is and what they did last, for colleagues who are told about them."""

from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.handoff.story import Read
from nurture.tracking import store as tracking
from nurture.tracking.rules import ActivityKind, Actor
from nurture.tracking.store import Activity

_LAST = 5
_DEEDS = {
    ActivityKind.OPENED: "opened",
    ActivityKind.CLICKED: "clicked in",
    ActivityKind.REPLIED: "replied to",
    ActivityKind.WISHED: "chose in",
    ActivityKind.BOOKED: "chose a time in",
    ActivityKind.SUBMITTED: "sent the form",
    ActivityKind.ANSWERED: "answered",
}


def name_of(contact: Contact) -> str:
    """`Ana Sample`, as far as it is known."""
    return " ".join(part for part in (contact.first_name, contact.last_name) if part) or "Somebody without a name"


def who_is(contact: Contact) -> str:
    """`Ana Sample, Plant Manager at Sample & Sons, US`, as far as it is known."""
    work = " at ".join(part for part in (contact.job_title, contact.company) if part)
    return ", ".join(part for part in (name_of(contact), work, contact.country) if part)


def standing_of(contact: Contact) -> str:
    """`marketing qualified, 55 points, fit A, wants a demonstration`."""
    parts = [contact.stage.replace("_", " "), f"{contact.score:g} points"]
    if contact.fit:
        parts.append(f"fit {contact.fit}")
    if contact.interest:
        parts.append(f"wants {_WANTS.get(contact.interest, contact.interest)}")
    return ", ".join(parts)


_WANTS = {"demonstration": "a demonstration", "need": "a need met"}


def reads_of(session: Session, contact_id: int) -> list[Read]:
    """What they did themselves, oldest first."""
    return [
        Read(_deed_of(activity), activity.occurred_at)
        for activity in tracking.list_activities(session, contact_id, actor=Actor.PERSON)
    ]


def _deed_of(activity: Activity) -> str:
    kind, what = ActivityKind(activity.kind), activity.what[:120]
    if kind is ActivityKind.WISHED and not activity.place:
        return f"asked for {what}"  # in a form, which came in no mail
    deed = f"{_DEEDS[kind]} {activity.place}{activity.link_path and ' → ' + activity.link_path}"
    return f"{deed}: {what}" if what else deed


def last_reads(session: Session, contact_id: int) -> list[str]:
    """The last of them, newest first, one line each."""
    found = reads_of(session, contact_id)[-_LAST:]
    return [f"{read.occurred_at:%-d %b}: {read.what}" for read in reversed(found)]
