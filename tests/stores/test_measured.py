"""How people behaved, as it is measured for simulations: by step, else by sequence, else by the house."""

from datetime import UTC, datetime, timedelta
from itertools import count

from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import opt_out
from nurture.database.columns import new_id
from nurture.database.engine import Database, Session
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery
from nurture.reports.measured import measure
from nurture.tokens import AddressHasher
from nurture.tracking import store as tracking
from nurture.tracking.rules import ActivityKind, Actor
from tests.stores.test_outbox import a_version
from tests.support.people import add_contact

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
_numbers = count(1)


def mail_to_somebody(
    session: Session, hasher: AddressHasher, mail: str, *, opened_after: timedelta | None = None,
    actor: Actor = Actor.PERSON, is_tracked: bool = True, leaves: bool = False, status: Status = Status.SENT,
    campaign: str = "sequence:evaluators",
) -> None:  # fmt: skip
    """One mail to a new person, and what they did."""
    contact = add_contact(session, hasher, f"p{next(_numbers)}@reader.example", NOW)
    delivery = Delivery(
        id=new_id(), key=f"k{next(_numbers)}", purpose=Purpose.CAMPAIGN, campaign=campaign, version_id=a_version(session), mail=mail,
        priority=2, contact_id=contact.id, domain=contact.domain, topic="insights", sender="default", status=status,
        queued_at=NOW, due_at=NOW, attempted_at=NOW, facts={"is_tracked": is_tracked},
    )  # fmt: skip
    session.add(delivery)
    session.flush()
    if opened_after is not None:
        tracking.insert_activities(
            session,
            [
                {
                    "id": new_id(), "contact_id": contact.id, "delivery_id": delivery.id, "enrollment_id": None,
                    "kind": ActivityKind.OPENED, "place": f"evaluators/{mail}", "link": None, "link_label": "",
                    "link_path": "", "what": "", "occurred_at": NOW + opened_after, "actor": actor, "because": "",
                    "settled_at": NOW, "method": "GET", "user_agent": "", "ip": "",
                }
            ],
        )  # fmt: skip
    if leaves:
        opt_out(session, contact.address_hash, how="a test", now=NOW + HOUR)


def test_enough_of_a_mail_speak_for_it_and_else_the_sequence_does(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        for number in range(40):
            opened = (number + 1) * HOUR if number < 20 else None
            mail_to_somebody(session, hasher, "report", opened_after=opened, leaves=number < 4)
        for number in range(10):
            mail_to_somebody(session, hasher, "offer", opened_after=HOUR if number < 1 else None)
        for _ in range(50):
            mail_to_somebody(session, hasher, "issue", campaign="newsletter:weekly")
    with database.reading() as session:
        measured = measure(session, "evaluators")
    behavior = measured.behavior
    assert behavior.habits("report")["open"].p == 0.5
    assert (behavior.habits("report")["open"].after, behavior.habits("report")["open"].at_most) == (3 * HOUR, 19 * HOUR)
    assert behavior.habits("offer")["open"].p == 21 / 50  # ten are too few, so as in the whole sequence
    assert behavior.habits("report")["opt_out"].p == 0.1
    assert "open after report: 50.0 % (35.2–64.8 %), 20 of 40, measured over report" in measured.lines


def test_machines_and_untracked_people_say_nothing_about_opens(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        for number in range(40):
            actor = Actor.SCANNER if number < 10 else Actor.PERSON
            mail_to_somebody(session, hasher, "report", opened_after=HOUR if number < 15 else None, actor=actor)
        for number in range(40):
            status = Status.FAILED if number < 8 else Status.SENT
            mail_to_somebody(session, hasher, "report", is_tracked=False, status=status)
    with database.reading() as session:
        behavior = measure(session, "evaluators").behavior
    assert behavior.tracked == 0.5
    assert behavior.habits("report")["open"].p == 5 / 40
    assert behavior.habits("report")["bounce"].p == 8 / 80


def test_where_nothing_was_measured_nobody_does_anything(database: Database) -> None:
    with database.reading() as session:
        measured = measure(session, "evaluators")
    assert measured.behavior.habits("report") == {}
    assert measured.lines[0].startswith("Nothing was measured yet:")
