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
    from nurture.tracking.touches.store import Quiet

_LAST_ACTIVITIES = 10
_LAST_TOUCHES = _LAST_CHANGES = 5


def portrait_of(session: "Session", contact: "Contact", declared: Sequence[str], now: datetime) -> dict[str, Any]:
    """What is known about a contact: `topics` are those they may be mailed about, `refused_because` says why not others."""
    from nurture.consent import store as consents
    from nurture.consent.holds.store import hands_off
    from nurture.consent.ledger.store import list_events
    from nurture.consent.rules import Purpose, may_send
    from nurture.contacts import store as contacts
    from nurture.contacts.fields import ABILITIES
    from nurture.contacts.questions.rules import abilities_told
    from nurture.handoff.store import list_tasks
    from nurture.tracking.store import list_activities
    from nurture.tracking.touches.store import quiet_of

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
    quiet = quiet_of(session, [contact.id], now).get(contact.id)
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
        "quiet_until": quiet.until if quiet else None,
        "quiet_because": _quiet_because(quiet) if quiet else None,
        "stage": contact.stage,
        "interest": contact.interest,
        "interest_at": contact.interest_at,
        "ability": {name: {"is": getattr(contact, name), **contact.ability_said.get(name, {})} for name in ABILITIES},
        "ability_told": abilities_told(contact),
        "score": contact.score,
        "fit": contact.fit,
        "topics": allowed,
        "lists": sorted(contacts.lists_of(session, [contact.id]).get(contact.id, ())),
        "tags": sorted(contacts.tags_of(session, [contact.id]).get(contact.id, ())),
        **{name: getattr(contact, name) for name in contacts.COLUMN_FIELDS},
        "owner": owner.email if owner else None,
        "owner_text": contact.owner_text,
        **_around(session, contact),
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
            for event in list_events(session, contact.address_hash, contact.id)
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


def _quiet_because(quiet: "Quiet") -> str:
    from nurture.tracking.touches.rules import WORDS, TouchKind

    return f"{quiet.by} {WORDS[TouchKind(quiet.kind)]}"


def _around(session: "Session", contact: "Contact") -> dict[str, Any]:
    """Where they work, why they are whose they are, their links, what we did with them, and what changed last."""
    from nurture.contacts.companies import company_of
    from nurture.contacts.history.rules import CREATED
    from nurture.contacts.history.store import last_change, list_changes
    from nurture.tracking.touches.store import touches_of

    why = last_change(session, contact.id, ["owner", CREATED]) if contact.owner_id else None
    touches = touches_of(session, [contact.id])
    return {
        "company_domain": company_of(contact.domain),
        "owner_because": " ".join(part for part in (why.by, why.how) if part) if why else None,
        "links": contact.links,
        "introduced_by": next((through.email for _, _, _, through in touches if through is not None), None),
        "touches": [
            {
                "occurred_at": touch.occurred_at, "kind": touch.kind, "by": by.name, "note": touch.note or None,
                "through": through.email if through else None, "quiet_until": touch.quiet_until,
            }
            for touch, _, by, through in touches[:_LAST_TOUCHES]
        ],
        "changes": [
            {
                "changed_at": one.changed_at, "field": one.field, "before": one.before, "after": one.after,
                "by": one.by or None, "how": one.how or None,
            }
            for one in list_changes(session, contact.id, _LAST_CHANGES)
        ],
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
        "sequences stand still until": (
            f"{known['quiet_until']:%Y-%m-%d}: {known['quiet_because']}" if known["quiet_until"] else None
        ),
        "wants": known["interest"],
        **known["ability_told"],
        "company": known["company_domain"],
        "owner": _owner(known),
        "introduced by": known["introduced_by"],
        **dict(sorted(known["links"].items())),
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
    _show_around(known)
    _show_history(known)


def _owner(known: Mapping[str, Any]) -> str | None:
    if known["owner"]:
        return f"{known['owner']} ({known['owner_because']})" if known["owner_because"] else str(known["owner"])
    return f"{known['owner_text']} (does not work here)" if known["owner_text"] else None


def _basis(known: Mapping[str, Any], topic: str) -> str:
    consent = next(one for one in known["consents"] if one["topic"] == topic)
    since = f" since {consent['given_on']}" if consent["given_on"] else ""
    until = f", until {consent['expires_at']:%Y-%m-%d}" if consent["expires_at"] else ""
    return f": {consent['basis']}{since}{until} ({consent['law']})"


def _show_around(known: Mapping[str, Any]) -> None:
    if known["touches"]:
        table(
            ("what we did", "who", "kind", "about", "through"),
            [(one["occurred_at"], one["by"], one["kind"], one["note"], one["through"]) for one in known["touches"]],
            empty="",
        )
    table(
        ("last changes", "what", "before", "after", "who", "from where"),
        [
            (one["changed_at"], one["field"], one["before"], one["after"], one["by"], one["how"])
            for one in known["changes"]
        ],
        empty="Nothing about them has changed since they came in.",
    )


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
