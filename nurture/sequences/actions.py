"""Moves enrollments on: gather, decide, record.

Facts are read, the pure `advance` decides, and what it decided is saved with compare-and-set in one transaction. The
loser of a race throws its decision away; nothing was sent by deciding. Who comes in is `entries`' business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.campaigns import store as campaigns
from nurture.campaigns.agreements import who_agreed
from nurture.consent import store as consents
from nurture.consent.rules import Permission, Purpose, may_send
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.segments import Language
from nurture.contacts.store import Operator
from nurture.contacts.zones import zone_of
from nurture.database.engine import Session
from nurture.delivery import store as deliveries
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.mailed.store import mailed_to
from nurture.scoring.actions import gather_facts
from nurture.sequences import engine, store
from nurture.sequences.decisions import Decision, Enrollment
from nurture.sequences.effects import Here, carry_out
from nurture.sequences.facts import Mail, PersonFacts
from nurture.sequences.kind import load_sequence
from nurture.sequences.program import Sequence as Program
from nurture.sequences.program import Split
from nurture.sequences.store import EnrollmentRow
from nurture.timing import find_zone
from nurture.tracking import store as tracking
from nurture.tracking.touches.store import quiet_of


@dataclass(frozen=True)
class Surroundings:
    """What advancing needs besides the database."""

    language: Language
    settle_after: timedelta


def get_sequence(session: Session, version_id: int, language: Language) -> Program:
    """The program of a published version."""
    return campaigns.derive(session, version_id, load_sequence, language)


def advance_all(
    session: Session, rows: Sequence[EnrollmentRow], surroundings: Surroundings, now: datetime
) -> list[tuple[EnrollmentRow, Decision]]:
    """Decide for these enrollments; nothing is saved."""
    facts = gather(session, rows, surroundings, now)
    return [
        (
            row,
            engine.advance(
                get_sequence(session, row.version_id, surroundings.language), enrollment_of(row), facts[row.id], now
            ),
        )
        for row in rows
    ]


def enrollment_of(row: EnrollmentRow) -> Enrollment:
    """The row as `advance` takes it."""
    return Enrollment(
        row.id, row.contact_id, row.sequence, row.step, row.since, row.visit, row.status, row.exit_reason, row.wake_at,
        row.revision,
    )  # fmt: skip


def gather(
    session: Session, rows: Sequence[EnrollmentRow], surroundings: Surroundings, now: datetime
) -> dict[int, PersonFacts]:
    """Everything `advance` may ask about the people of these enrollments, in a handful of queries."""
    ids = sorted({row.contact_id for row in rows})
    known = contacts.list_contacts(session, ids)
    about = gather_facts(session, known, now)
    deeds, open_questions = tracking.deeds_of(session, ids), tracking.last_unsettled_of(session, ids)
    operators = contacts.list_operators(session)
    mails: dict[int, dict[str, Mail]] = {}
    for one in deliveries.deliveries_of_enrollments(session, [row.id for row in rows]):
        mail = Mail(one.id, one.status, one.because, one.attempted_at or one.settled_at)
        mails.setdefault(one.enrollment_id or 0, {})[one.key] = mail
    taken = store.visits_of(session, [row.id for row in rows if row.is_moved])
    winners = _winners(session, rows, surroundings)
    versions = {row.version_id for row in rows}
    asked = frozenset[str]().union(*(get_sequence(session, one, surroundings.language).questions for one in versions))
    mailed = mailed_to(session, ids) if "mailed" in asked else {}
    tracked_since = consents.tracked_since_of(session, known) if "tracked_for" in asked else {}
    ways: dict[int, list[EnrollmentRow]] = {}
    for way in store.list_enrollments(session, ids):
        ways.setdefault(way.contact_id, []).append(way)
    permissions = _permissions(session, rows, surroundings, now)
    quiet = quiet_of(session, ids, now)
    found = {}
    for row in rows:
        contact = known[row.contact_id]
        sequence = get_sequence(session, row.version_id, surroundings.language)
        zone = zone_of(contact)
        owner = operators.get(contact.owner_id or 0)
        named = {"contact": zone, "owner": find_zone(owner.timezone if owner else None)}
        asked_at = open_questions.get(contact.id)
        found[row.id] = PersonFacts(
            contact=about[contact.id],
            now=now,
            zone=zone,
            window_zone=named.get(sequence.window_zone) or find_zone(sequence.window_zone) or zone,
            sequence=row.sequence,
            enrollment_id=row.id,
            enrolled_at=row.enrolled_at,
            permission=permissions[row.id],
            deeds=deeds.get(contact.id, ()),
            mailed=mailed.get(contact.id, ()),
            tracked_since=tracked_since.get(contact.id),
            mails=mails.get(row.id, {}),
            enrolled_in=frozenset(way.sequence for way in ways[contact.id] if way.ended_at is None),
            finished=frozenset(way.sequence for way in ways[contact.id] if way.status == "finished"),
            first_open_question_at=asked_at,
            verdicts_at=asked_at + surroundings.settle_after if asked_at else None,
            away_until=contact.away_until,
            quiet_until=quiet[contact.id].until if contact.id in quiet else None,
            owner_has_agreed=_has_agreed(session, row, sequence, owner),
            taken=taken.get(row.id, {}),
            winners=winners[row.version_id],
        )
    return found


def _winners(session: Session, rows: Sequence[EnrollmentRow], surroundings: Surroundings) -> dict[int, dict[str, str]]:
    """The arms that won, by version and split; a test is of its arms, so edited ones begin anew."""
    found: dict[int, dict[str, str]] = {}
    for version_id, name in {(row.version_id, row.sequence) for row in rows}:
        steps = get_sequence(session, version_id, surroundings.language).steps.values()
        tests = {step.id: step.signature for step in steps if isinstance(step, Split) and step.winner}
        ended = store.list_tests(session, name) if tests else []
        found[version_id] = {
            one.step: one.arm for one in ended if one.arm is not None and tests.get(one.step) == one.signature
        }
    return found


def _has_agreed(session: Session, row: EnrollmentRow, sequence: Program, owner: Operator | None) -> bool:
    """Whether these mails may go out in the owner's name; without an owner nobody's name is at stake."""
    if sequence.sender != "owner" or owner is None:
        return True
    return owner.id in who_agreed(session, row.sequence, campaigns.get_content(session, row.version_id))


def _permissions(
    session: Session, rows: Sequence[EnrollmentRow], surroundings: Surroundings, now: datetime
) -> dict[int, Permission]:
    by_topic: dict[str, list[EnrollmentRow]] = {}
    for row in rows:
        topic = get_sequence(session, row.version_id, surroundings.language).topic
        by_topic.setdefault(topic, []).append(row)
    permissions = {}
    for topic, group in by_topic.items():
        standings = consents.standings(session, [row.contact_id for row in group], topic)
        for row in group:
            permissions[row.id] = may_send(Purpose.CAMPAIGN, standings[row.contact_id], now)
    return permissions


def record(
    session: Session,
    decided: Sequence[tuple[EnrollmentRow, Decision]],
    surroundings: Surroundings,
    now: datetime,
) -> int:
    """Save decisions with their effects; how many enrollments really moved or ended."""
    saved = store.save_decided(session, [_saving(row, decision, now) for row, decision in decided])
    kept = [(row, decision) for row, decision in decided if row.id in saved]
    people = contacts.list_contacts(session, sorted({row.contact_id for row, _ in kept}))
    store.insert_visits(
        session,
        [
            {"enrollment_id": row.id, "step": one.step, "visit": one.visit, "way": one.way, "passed_at": now}
            for row, decision in kept
            for one in decision.passed
        ],
    )
    mails: list[Intention] = []
    for row, decision in kept:
        sequence = get_sequence(session, row.version_id, surroundings.language)
        here = Here(row, people[row.contact_id], sequence, surroundings.language)
        for effect in decision.effects:
            mails += carry_out(session, here, effect, now)
    # All at once: asking permission for each alone would take most of the time.
    queue_deliveries(session, mails, now)
    mark_changed(session, [row.contact_id for row, decision in kept if decision.enrollment.is_over], now)
    return sum(_has_moved(row, decision) for row, decision in kept)


def _saving(row: EnrollmentRow, decision: Decision, now: datetime) -> store.Saving:
    after = decision.enrollment
    return store.Saving(
        row.id, row.revision,
        {
            "status": after.status, "step": after.step, "visit": after.visit, "since": after.since,
            "wake_at": after.wake_at, "revision": after.revision, "exit_reason": after.exit_reason,
            "ended_at": now if after.is_over else None,
        },
    )  # fmt: skip


def _has_moved(row: EnrollmentRow, decision: Decision) -> bool:
    after = decision.enrollment
    return (after.step, after.status) != (row.step, row.status) or bool(decision.effects)
