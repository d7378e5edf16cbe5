"""Mails of the house itself: notes to operators, made from templates/service/ and published like everything else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.campaigns.mails import take_mail
from nurture.campaigns.reading import Problems, Unit, Workspace
from nurture.campaigns.starter import starter_folder
from nurture.consent.rules import Purpose
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.rules import Priority
from nurture.rendering.loading import read_template

KIND = "service"
FOLDER = "service"

#: The notes the product writes and what `mail.` knows in each; a workspace may word them in templates/service/.
NOTICES: Mapping[str, frozenset[str]] = {
    "handoff": frozenset(
        {"first_name", "who", "headline", "why_now", "reads", "points", "came_in", "agreed", "lead", "due"}
    ),
    "reply": frozenset({"first_name", "name", "company", "text", "mail"}),
    "reminder": frozenset({"first_name", "title", "newsletter", "slot", "readers"}),
    "missed": frozenset({"first_name", "title", "newsletter", "slot", "readers"}),
}


class ServiceKind:
    """templates/service/: one unit per note."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        units = []
        for name, about_mail in NOTICES.items():
            # A workspace words the notes it wants to; the others are the starter's.
            own = any((workspace.templates / FOLDER / f"{name}{ending}").exists() for ending in (".md", ".mjml"))
            templates = workspace.templates if own else starter_folder() / "templates"
            reading = read_template(templates, f"{FOLDER}/{name}", default_layout="service", is_campaign=False)
            file = f"templates/{FOLDER}/{name}.md"
            mail = take_mail(workspace, reading, problems, asked_at=(file, 1, 1), about_mail=about_mail)
            if mail is not None:
                content = {"mails": {name: mail.to_json()}, "about": {"title": name, "kind": KIND}}
                units.append(Unit(KIND, name, file, content))
        return units

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"text": content["mails"]}

    def count_people(self, session: Session, name: str) -> int:
        return 0


def queue_notice(
    session: Session,
    name: str,
    *,
    key: str,
    operator: Operator,
    facts: Mapping[str, Any],
    now: datetime,
    contact: Contact | None = None,
) -> None:
    """Write to an operator, once per key; `contact` is whom it is about."""
    current = campaigns.find_current(session, KIND, name)
    if current is None:
        return
    note = Intention(
        key=key,
        purpose=Purpose.INTERNAL,
        campaign=f"{KIND}:{name}",
        version_id=current[0],
        mail=name,
        priority=Priority.INTERNAL,
        due_at=now,
        contact_id=contact.id if contact else None,
        operator_id=operator.id,
        domain=operator.email.rpartition("@")[2].lower(),
        mail_facts={"first_name": operator.name.split()[0], **facts},
    )
    queue_deliveries(session, [note], now)
