"""A house with some weeks behind it: mails, opens and clicks by people and machines, leads, people on a sequence."""

from datetime import datetime, timedelta
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts import store as contacts
from nurture.contacts.store import Contact, Operator
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery
from nurture.handoff.store import HandOff
from nurture.sequences.kind import KIND as SEQUENCE
from nurture.sequences.store import EnrollmentRow
from nurture.tracking.rules import ActivityKind, Actor
from nurture.tracking.store import insert_activities
from tests.web.houses import House

SEQUENCE_FILE = """\
format: 1
sequence: evaluators
name: Evaluators of the report
topic: insights
steps:
  - {id: report, send: report, subject: "Your report"}
  - {id: think, wait: 3 days}
  - {id: second, send: report, subject: "Once more"}
"""
NEWSLETTER_FILE = """\
format: 1
newsletter: weekly
name: The weekly
topic: insights
sender: default
owner: dana@acme.example
audience: "True"
schedule: {every: week, on: tue, at: "09:00", timezone: sender}
layout: plain
"""
LAYOUT = """\
<mjml><mj-head><mj-title>Weekly</mj-title></mj-head><mj-body>
<mj-section><mj-column>{% block content %}{% endblock %}</mj-column></mj-section>
<mj-section><mj-column>
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
ANNOUNCEMENT = "---\nsubject: A letter from us\nlayout: plain\n---\n\nWe begin a weekly letter.\n"
ISSUE = "---\nnumber: 1\nready: true\nsubject: Five questions\n---\n\nFive questions to ask before you sign.\n"

FILES = {
    "campaigns/sequences/evaluators.yaml": SEQUENCE_FILE,
    "campaigns/newsletters/weekly/newsletter.yaml": NEWSLETTER_FILE,
    "campaigns/newsletters/weekly/announcement.md": ANNOUNCEMENT,
    "campaigns/newsletters/weekly/01-questions.md": ISSUE,
    "templates/layouts/plain.mjml": LAYOUT,
}


def add_mails(
    house: House, people: list[Contact], sent_at: datetime, *, tracked: bool = True, **values: Any
) -> list[int]:
    """One mail to each of these people that left at that time."""
    with house.app.database.writing() as session:
        rows = [_delivery(session, contact, sent_at, tracked=tracked, **values) for contact in people]
        return [row.id for row in rows]


def _delivery(
    session: Session, contact: Contact | None, at: datetime, *, tracked: bool = True, **values: Any
) -> Delivery:
    version = campaigns.find_current(session, SEQUENCE, "evaluators")
    assert version is not None
    row = Delivery(
        **{
            "id": new_id(),
            "key": f"made:{new_id()}",
            "purpose": "campaign",
            "campaign": "sequence:evaluators",
            "version_id": version[0],
            "mail": "report",
            "priority": 2,
            "contact_id": contact.id if contact else None,
            "domain": "reader.example",
            "topic": "insights",
            "status": Status.SENT,
            "queued_at": at,
            "due_at": at,
            "attempted_at": at,
            "settled_at": at,
            "facts": {"is_tracked": tracked},
            **values,
        }
    )
    session.add(row)
    session.flush()
    return row


def add_hits(
    house: House, deliveries: list[int], kind: ActivityKind, at: datetime, actor: Actor = Actor.PERSON
) -> None:
    """One hit on each of these mails, judged already unless its actor is unsettled."""
    with house.app.database.writing() as session:
        rows = []
        for delivery_id in deliveries:
            delivery = session.get_one(Delivery, delivery_id)
            rows.append(
                {
                    "id": new_id(), "contact_id": delivery.contact_id, "delivery_id": delivery_id, "enrollment_id": None,
                    "kind": kind, "place": "evaluators/report", "link": 0 if kind is ActivityKind.CLICKED else None,
                    "link_label": "", "link_path": "", "what": "", "occurred_at": at, "actor": actor, "because": "",
                    "settled_at": at, "method": "GET", "user_agent": "", "ip": "",
                }
            )  # fmt: skip
        insert_activities(session, rows)


def add_lead(house: House, contact: Contact, due_at: datetime, *, reason: str = "asked", because: str = "") -> None:
    with house.app.database.writing() as session:
        luis = contacts.find_operator(session, "luis@acme.example")
        assert isinstance(luis, Operator)
        session.add(
            HandOff(
                contact_id=contact.id, operator_id=luis.id, reason=reason, because=because, score=72, fit="B",
                created_at=house.clock.now(), due_at=due_at,
            )
        )  # fmt: skip


def enroll(house: House, people: list[Contact], step: str | None, **values: Any) -> None:
    """These people stand on that step, or have ended."""
    now = house.clock.now()
    with house.app.database.writing() as session:
        version = campaigns.find_current(session, SEQUENCE, "evaluators")
        assert version is not None
        for contact in people:
            session.add(
                EnrollmentRow(
                    contact_id=contact.id, sequence="evaluators", version_id=version[0], step=step, since=now,
                    enrolled_at=now, **values,
                )
            )  # fmt: skip


def live_through_eight_weeks(house: House) -> None:
    """Enough of everything that the overview has something to show everywhere."""
    now = house.clock.now()
    people = [
        house.add_contact(f"reader{number}@reader.example", first_name="Ana", last_name=f"Number {number}")
        for number in range(60)
    ]
    for week in range(8):
        sent_at = now - timedelta(days=7 * week, hours=1)
        size = 60 - 4 * week
        mails = add_mails(house, people[:size], sent_at, tracked=True)
        opened = mails[: size - 20 - week]
        add_hits(house, opened, ActivityKind.OPENED, sent_at + timedelta(minutes=20))
        add_hits(house, opened[: 4 + week % 3], ActivityKind.CLICKED, sent_at + timedelta(minutes=30))
        add_hits(house, mails[::3], ActivityKind.CLICKED, sent_at + timedelta(minutes=1), Actor.SCANNER)
        add_hits(house, mails[::4], ActivityKind.OPENED, sent_at + timedelta(minutes=1), Actor.PROXY)
    with house.app.database.writing() as session:
        for contact in people[:2]:
            opt_out(session, contact.address_hash, how="page", now=now - timedelta(days=3))
        first, second = people[5], people[6]
        first.first_name, first.last_name, first.job_title, first.company = (
            "Ana",
            "Ferreira",
            "Plant manager",
            "Northwind",
        )
        second.first_name, second.last_name, second.job_title, second.company = "Jonas", "Weber", None, "Hafen & Söhne"
        session.add_all([session.merge(first), session.merge(second)])
    add_lead(house, people[5], now + timedelta(hours=1, minutes=12), because="Yes, show me a demonstration")
    add_lead(house, people[6], now - timedelta(hours=3), reason="engaged")
    add_lead(house, people[7], now + timedelta(days=2), reason="need", because="Yes, I have a need, talk to me")
    enroll(house, people[10:22], "think")
    enroll(house, people[22:25], "report")
    enroll(house, people[25:30], None, status="finished", ended_at=now)
    enroll(house, people[30:33], "think", status="exited", exit_reason="replied", ended_at=now)
    add_mails(house, people[40:43], now, status=Status.UNCERTAIN, because="the relay never answered the final dot")
    add_mails(house, people[43:44], now, status=Status.FAILED, because="the relay refused it")
    add_mails(house, people[44:50], now, status=Status.HELD, because="cap", held_until=now + timedelta(hours=20))
    add_mails(house, people[50:58], now, status=Status.QUEUED, attempted_at=None, settled_at=None, mail="second",
              due_at=now + timedelta(hours=4))  # fmt: skip
