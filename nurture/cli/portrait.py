"""Everything about one contact in one document, and as people read it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nurture.cli.output import say, shown, table
from nurture.cli.past import show_past
from nurture.cli.tasks import as_document

if TYPE_CHECKING:
    from nurture.contacts.store import Contact
    from nurture.database.engine import Session

_LAST_ACTIVITIES = 10


def portrait_of(session: "Session", contact: "Contact", declared: Sequence[str], now: datetime) -> dict[str, Any]:
    """What is known about a contact: `topics` are those they may be mailed about, `refused_because` says why not others."""
    from nurture.consent import store as consents
    from nurture.consent.holds.store import hands_off
    from nurture.consent.rules import Purpose, may_send
    from nurture.contacts import store as contacts
    from nurture.handoff.store import list_tasks
    from nurture.tracking.store import list_activities

    kept = {topic: consent for (_, topic), consent in consents.consents_of(session, [contact.id]).items()}
    topics = list(dict.fromkeys((*declared, *kept)))
    permissions = {
        topic: may_send(Purpose.CAMPAIGN, consents.standings(session, [contact.id], topic)[contact.id], now)
        for topic in topics
    }
    allowed = [topic for topic, permission in permissions.items() if permission.is_allowed]
    owner = contacts.list_operators(session).get(contact.owner_id or 0)
    held = hands_off(session, [contact.id]).get(contact.id)
    held = held if held and held.until > now else None
    return {
        "email": contact.email,
        "mailable": bool(allowed),
        "refused_because": [
            {"topic": topic, "reason": permission.reason, "because": permission.because}
            for topic, permission in permissions.items()
            if not permission.is_allowed
        ],
        "held_until": held.until if held else None,
        "held_because": f"{held.by}: {held.because}" if held else None,
        "away_until": contact.away_until if contact.away_until and contact.away_until > now else None,
        "stage": contact.stage,
        "interest": contact.interest,
        "interest_at": contact.interest_at,
        "score": contact.score,
        "fit": contact.fit,
        "topics": allowed,
        "lists": sorted(contacts.lists_of(session, [contact.id]).get(contact.id, ())),
        "tags": sorted(contacts.tags_of(session, [contact.id]).get(contact.id, ())),
        **{name: getattr(contact, name) for name in contacts.COLUMN_FIELDS},
        "owner": owner.email if owner else None,
        "owner_text": contact.owner_text,
        "fields": contact.fields,
        "created_at": contact.created_at,
        "consents": [
            {
                "topic": consent.topic, "state": consent.state, "basis": consent.basis,
                "given_on": consent.given_on, "pile": consent.pile, "expires_at": consent.expires_at,
                "afterwards": consent.afterwards, "law": consent.law,
            }
            for consent in kept.values()
        ],
        "ledger": [
            {
                "recorded_at": event.recorded_at, "what": event.what, "topic": event.topic or None,
                "purpose": event.purpose, "basis": event.basis, "given_on": event.given_on, "how": event.how,
            }
            for event in consents.list_events(session, contact.address_hash)
        ],
        "stage_moves": [
            {"moved_at": move.moved_at, "from": move.from_stage, "to": move.to_stage, "because": move.because}
            for move in contacts.stage_moves_of(session, contact.id)
        ],
        "activities": [
            {
                "occurred_at": one.occurred_at, "kind": one.kind, "place": one.place or None,
                "link": one.link_label or one.link_path or None, "actor": one.actor, "because": one.because or None,
            }
            for one in list_activities(session, contact.id)[-_LAST_ACTIVITIES:]
        ],
        "tasks": [as_document(*one) for one in list_tasks(session, contact_id=contact.id)],
    }  # fmt: skip


def show_portrait(known: Mapping[str, Any]) -> None:
    """The same for people."""
    name = " ".join(part for part in (known["first_name"], known["last_name"]) if part)
    say(
        ", ".join(part for part in (name, known["job_title"], known["company"], known["country"]) if part)
        or "No name known"
    )
    say(known["email"])
    fit = f", fit {known['fit']}" if known["fit"] else ""
    say(f"{known['stage'].replace('_', ' ')}, {known['score']:g} points{fit}, since {shown(known['created_at'])} UTC")
    facts = {
        "hands off until": f"{known['held_until']:%Y-%m-%d}, {known['held_because']}" if known["held_until"] else None,
        "away until": f"{known['away_until']:%Y-%m-%d}, says their auto-reply" if known["away_until"] else None,
        "wants": known["interest"],
        "owner": known["owner"] or (f"{known['owner_text']} (does not work here)" if known["owner_text"] else None),
        "source": known["source"],
        "language": known["language"],
        "time zone": known["timezone"],
        "lists": ", ".join(known["lists"]),
        "tags": ", ".join(known["tags"]),
        **{name.replace("_", " "): value for name, value in known["fields"].items()},
    }
    for word, value in facts.items():
        if value not in {None, ""}:
            say(f"  {word}: {shown(value)}")
    say()
    for topic in known["topics"]:
        say(f"May be mailed about {topic}{_basis(known, topic)}.")
    for one in known["refused_because"]:
        say(f"Gets no mail about {one['topic']}: {one['because']}.")
    for one in known["tasks"]:
        say(f"To do for {one['owner'] or 'nobody yet'} until {shown(one['due_at'])} UTC: {one['what']}")
    show_past(known)
    _show_history(known)


def _basis(known: Mapping[str, Any], topic: str) -> str:
    consent = next(one for one in known["consents"] if one["topic"] == topic)
    since = f" since {consent['given_on']}" if consent["given_on"] else ""
    until = f", until {consent['expires_at']:%Y-%m-%d}" if consent["expires_at"] else ""
    return f": {consent['basis']}{since}{until} ({consent['law']})"


def _show_history(known: Mapping[str, Any]) -> None:
    table(
        ("consent, as recorded", "what", "topic", "basis", "since", "how we know"),
        [
            (one["recorded_at"], one["what"].replace("_", " "), one["topic"], one["basis"], one["given_on"], one["how"])
            for one in known["ledger"]
        ],
        empty="\nNobody wrote down a yes or a no of theirs yet.",
    )
    table(
        ("last activities", "what", "where", "link", "who"),
        [
            (one["occurred_at"], one["kind"], one["place"], one["link"], one["actor"])
            for one in reversed(known["activities"])
        ],
        empty="They have not opened, clicked or answered anything yet.",
    )
