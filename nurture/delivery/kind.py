"""Mails of the house itself, made from templates/service/ and published like everything else.

Notes go to operators. Letters go to people, and say what they just asked for: each may stand there in several languages
(`confirm.md`, `confirm.de.md` …), and a reader gets the one that is theirs if it is there. `notices` queues both; what
reads their files is kept out of it, since a sender process queues a note now and then and reads none.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nurture.campaigns.mails import take_mail
from nurture.campaigns.reading import Problems, Unit, Workspace
from nurture.campaigns.starter import starter_folder
from nurture.database.engine import Session
from nurture.delivery.notices import KIND
from nurture.rendering.loading import Reading, read_template

FOLDER = "service"

#: A newsletter whose slot has no issue.
_SLOT = {
    "first_name": "Dana",
    "title": "The Planning Letter",
    "newsletter": "weekly",
    "slot": "Tuesday 10 March, 09:00",
    "readers": "312",
}
#: What a note says about a contact in any case.
_PORTRAIT = {
    "name": "Ana Sample",
    "who": "Ana Sample, Plant Manager at Sample & Sons, US",
    "standing": "marketing qualified, 55 points, fit A, wants a demonstration",
    "reads": ["9 Mar: clicked in evaluators/offer → /pricing", "2 Mar: opened evaluators/report"],
    "came_in": "Came in through the benchmark report on 24 February 2026.",
}
#: The notes the product writes, and what `mail.` knows in each, as a preview shows it; a workspace may word them in
#: templates/service/.
NOTICES: Mapping[str, Mapping[str, Any]] = {
    "handoff": {
        "first_name": "Luis",
        "who": "Ana Sample, Plant Manager at Sample & Sons, US",
        "headline": "asked for a demonstration",
        "why_now": 'Asked for a demonstration: 55 points, fit A. They said: "Next week would be good."',
        "reads": ["9 Mar: clicked what it costs", "2 Mar: clicked the report"],
        "points": ["+30  asked for a demonstration", "+15  clicked what it costs", "+10  clicked the report"],
        "came_in": "Came in through the benchmark report on 24 February 2026.",
        "agreed": "We may write to them as opt-in, since 24 February 2026.",
        "ability": "Budget: yes, they said so on 3 March 2026.",
        "lead": "195964323924347425",
        "due": "Wednesday 11 March, 12:00 (America/New_York)",
    },
    "reply": {
        "first_name": "Luis",
        "name": "Ana Sample",
        "company": "Sample & Sons",
        "text": "Thank you. Could you show us how this works with three plants?",
        "mail": "report",
    },
    "touch": {"first_name": "Luis", "subject": "Our talk on Tuesday"},
    "notify": {
        "first_name": "Luis",
        "subject": "Ana Sample has not signed in since Monday",
        "text": "Ana got the welcome mails and opened none of the last three. A call may help more than a mail.",
        **_PORTRAIT,
    },
    "meeting": {
        "first_name": "Luis",
        "when": "Thursday 12 March, 10:00 (America/New_York)",
        "theirs": "Thursday 12 March, 15:00 (Europe/Berlin)",
        "words": "",
        "before": "",
        **_PORTRAIT,
    },
    "agree": {
        "first_name": "Luis",
        "title": "Evaluators",
        "sequence": "evaluators",
        "owner_email": "luis@acme.example",
        "until_then": "Dana Reed",
        "subjects": ["The benchmark you asked for", "How a plant like yours began"],
    },
    "reminder": _SLOT,
    "missed": _SLOT,
    "rest": {
        "first_name": "Dana",
        "domain": "google",
        "reply": "4.7.28 Our system has detected an unusual rate of mail originating from your SPF domain.",
        "code": "4.7.28",
        "until": "2026-03-10 09:15 UTC",
        "times": "2",
        "is_again": True,
    },
    "stopped": {
        "first_name": "Dana",
        "campaign": "newsletter:weekly",
        "is_stopped": True,
        "because": "3 of its first 50 mails went to addresses that nobody has (6.0 %)",
    },
}


#: What people get of what they just asked for, and what `mail.` knows in each.
LETTERS: Mapping[str, Mapping[str, Any]] = {
    "confirm": {
        "form": "The Planning Letter, every Tuesday",
        "topics": ["Product insights"],
        "url": "https://mail.acme.example/confirm/AbC123",
        "days": 7,
        "is_reminder": False,
    },
    "request": {
        "kind": "address",
        "url": "https://mail.acme.example/request/AbC123",
        "address": "a…@sample.example",
        "is_new": False,
    },
}
#: The languages beside English that a letter may stand in.
LANGUAGES = ("de", "fr", "es")


def sample_of(mail: str) -> Mapping[str, Any]:
    """What `mail.` knows in a mail of the house, whichever language it is in."""
    return {**NOTICES, **LETTERS}[mail.partition(".")[0]]


class ServiceKind:
    """templates/service/: one unit per note or letter."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        units = []
        for name, sample in (*NOTICES.items(), *LETTERS.items()):
            mails = {}
            for one, language in _versions(workspace, name):
                # A workspace words the ones it wants to; the others are the starter's.
                is_theirs = _is_there(workspace.templates, name)
                reading = _read(workspace.templates, one, language) if is_theirs else _read_ours(one, language)
                asked_at = (f"templates/{FOLDER}/{one}.md", 1, 1)
                mail = take_mail(workspace, reading, problems, asked_at=asked_at, about_mail=sample, is_campaign=False)
                if mail is not None:
                    mails[one] = mail.to_json()
            if name in mails:
                content = {"mails": mails, "about": {"title": name, "kind": KIND}}
                units.append(Unit(KIND, name, f"templates/{FOLDER}/{name}.md", content))
        return units

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"text": content["mails"]}

    def count_people(self, session: Session, name: str) -> int:
        return 0


def _read(templates: Path, mail: str, language: str) -> Reading:
    return read_template(templates, f"{FOLDER}/{mail}", default_layout="service", language=language, is_campaign=False)


@cache
def _read_ours(mail: str, language: str) -> Reading:
    """One of the starter's, which stays as it is for as long as this process runs."""
    return _read(_starter(), mail, language)


def _versions(workspace: Workspace, name: str) -> Iterator[tuple[str, str]]:
    """The mails of one name with their languages, English first."""
    yield name, "en"
    templates = workspace.templates if _is_there(workspace.templates, name) else _starter()
    yield from ((f"{name}.{code}", code) for code in LANGUAGES if _is_there(templates, f"{name}.{code}"))


def _is_there(templates: Path, name: str) -> bool:
    return any((templates / FOLDER / f"{name}{ending}").exists() for ending in (".md", ".mjml"))


def _starter() -> Path:
    return starter_folder() / "templates"
