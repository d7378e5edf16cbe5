"""Everything that is kept about one person, for themselves: each table in plain words, and the logic behind their score.

What the law calls access and portability (GDPR 15 and 20): one JSON document, with the consents and the exact wording
they were shown, every mail, everything they did, every change, and each point of the score with its rule and event (13(2)(f),
22). The command `contacts export EMAIL --all` writes it, and the download page hands it out.
"""

from datetime import date, datetime
from enum import Enum
from typing import Any

from nurture.consent.rules import Purpose, may_send
from nurture.consent.store import all_standings
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.privacy.personal import PERSONAL, Trace
from nurture.privacy.store import rows_about
from nurture.scoring.actions import results
from nurture.scoring.definition import find_model

_ABOUT = (
    "Everything we keep about you. `kept` is what our tables hold, each with what it means; `mail` says what we may send "
    "you and why; `score` shows how your score comes about. Instants are in UTC."
)
_LOGIC = (
    "The score is a number that tells our colleagues whom to look at first. Each thing you did gives the points that a rule "
    "says; they fade with time. The fit compares what we know about you and your company with whom we can help best. No "
    "decision about you is made by it alone: a person looks before anybody calls you, and it never decides what you may have."
)


def everything_about(session: Session, contact: Contact, language: Language, now: datetime) -> dict[str, Any]:
    """One document of plain values."""
    suppressed = suppressions_of(session, [contact.address_hash]).get(contact.address_hash, {})
    return {
        "about": _ABOUT,
        "email": contact.email,
        "written_at": _plain(now),
        "kept": [
            {"table": trace.table, "meaning": trace.meaning, "rows": rows}
            for trace in PERSONAL
            if (rows := _rows(session, trace, contact))
        ],
        "mail": _mail(session, contact, now),
        "suppressed": [{"reason": reason, "since": _plain(at)} for reason, at in suppressed.items()],
        "score": _score(session, contact, language, now),
    }


def _rows(session: Session, trace: Trace, contact: Contact) -> list[dict[str, Any]]:
    found = rows_about(session, trace, contact.id, contact.address_hash)
    return [
        {name: _plain(value) for name, value in row.items() if name not in trace.hidden and value is not None}
        for row in found
    ]


def _mail(session: Session, contact: Contact, now: datetime) -> list[dict[str, Any]]:
    """Topic by topic, whether we may write and why not."""
    found = all_standings(session, [contact.id]).get(contact.id, {})
    told = []
    for topic, standing in found.items():
        permission = may_send(Purpose.CAMPAIGN, standing, now)
        told.append({"topic": topic, "may_be_mailed": permission.is_allowed, "because": permission.because})
    return told


def _score(session: Session, contact: Contact, language: Language, now: datetime) -> dict[str, Any]:
    model = find_model(session, language)
    if model is None:
        return {"logic": "Nobody is scored here.", "score": 0, "parts": []}
    result = results(session, model, {contact.id: contact}, now)[contact.id]
    parts = [
        {"points": one.points, "rule": one.rule, "activity": one.activity, "occurred_at": _plain(one.occurred_at)}
        for one in result.parts
    ]
    fits = [{"points": one.points, "rule": one.rule} for one in result.fit_parts]
    return {"logic": _LOGIC, "score": result.score, "parts": parts, "fit": result.fit, "fit_parts": fits}


def _plain(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Enum():
            return value.value
        case int() if not isinstance(value, bool) and abs(value) >= 2**53:
            return str(value)  # identifiers do not survive as numbers in every reader of JSON
    return value
