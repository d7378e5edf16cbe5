"""Enrolls contacts and moves them on: gather, decide, record.

Facts are read, the pure `advance` decides, and what it decided is saved with compare-and-set in one transaction. The
loser of a race throws its decision away; nothing was sent by deciding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.consent import store as consents
from nurture.consent.rules import Permission, Purpose, may_send
from nurture.contacts import store as contacts
from nurture.contacts.actions import change_contact, mark_changed, tag_contact
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.contacts.zones import zone_of
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.delivery import store as deliveries
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.rules import Priority
from nurture.errors import NotAllowed
from nurture.handoff import actions as handoff
from nurture.scoring.actions import gather_facts, give_points
from nurture.sequences import engine, store
from nurture.sequences.engine import Decision, Effect, Enrollment
from nurture.sequences.facts import Mail, PersonFacts
from nurture.sequences.kind import load_sequence
from nurture.sequences.store import EnrollmentRow
from nurture.timing import find_zone, parse_duration
from nurture.tracking import store as tracking


@dataclass(frozen=True)
class Surroundings:
    """What advancing needs besides the database."""

    language: Language
    settle_after: timedelta


def get_sequence(session: Session, version_id: int, language: Language) -> engine.Sequence:
    """The program of a published version."""
    return campaigns.derive(session, version_id, load_sequence, language)


def enroll(session: Session, sequence: str, contact: Contact, *, because: str, now: datetime) -> bool:
    """Put one contact at the start of a sequence, by hand; False when they are on their way already."""
    campaign = campaigns.get_campaign(session, "sequence", sequence)
    assert campaign.version_id is not None
    content = campaigns.get_content(session, campaign.version_id)
    topic = content["definition"]["topic"]
    standing = consents.standings(session, [contact.id], topic)[contact.id]
    permission = may_send(Purpose.CAMPAIGN, standing, now)
    if not permission.is_allowed:
        raise NotAllowed(f"{contact.email} may not be mailed about {topic}: {permission.because}.")
    return _enroll(session, sequence, campaign.version_id, content, [contact.id], because, now) == 1


def enroll_entrants(session: Session, language: Language, ids: Sequence[int], now: datetime) -> int:
    """Enroll those of these contacts for whom an entry condition holds; how many came in."""
    entered = 0
    for campaign in campaigns.list_campaigns(session, "sequence"):
        assert campaign.version_id is not None
        content = campaigns.get_content(session, campaign.version_id)
        entry = content["definition"]["enroll"]
        if not entry["when"]:
            continue
        clause = language.clause(session, entry["when"], content["rests_on"], now)
        again = None if entry["again"] == "never" else now - parse_duration(entry["again"]).exact
        # Whoever may not be mailed would only leave again at once.
        clause &= consents.may_be_mailed(Purpose.CAMPAIGN, content["definition"]["topic"], now)
        found = store.find_entrants(session, campaign.name, clause, ids, again)
        entered += _enroll(session, campaign.name, campaign.version_id, content, found, entry["when"], now)
    return entered


def _enroll(
    session: Session,
    sequence: str,
    version_id: int,
    content: Mapping[str, Any],
    ids: Sequence[int],
    because: str,
    now: datetime,
) -> int:
    rows = [
        {
            "id": new_id(), "contact_id": contact_id, "sequence": sequence, "version_id": version_id,
            "status": "active", "step": content["first"], "visit": 1, "since": now, "wake_at": now, "revision": 0,
            "because": because, "enrolled_at": now, "exit_reason": "",
        }
        for contact_id in ids
    ]  # fmt: skip
    mark_changed(session, ids, now)
    return store.insert_enrollments(session, rows)


def advance_all(
    session: Session, rows: Sequence[EnrollmentRow], surroundings: Surroundings, now: datetime
) -> list[tuple[EnrollmentRow, Decision]]:
    """Decide for these enrollments; nothing is saved."""
    facts = gather(session, rows, surroundings, now)
    return [
        (
            row,
            engine.advance(
                get_sequence(session, row.version_id, surroundings.language), _value(row), facts[row.id], now
            ),
        )
        for row in rows
    ]


def _value(row: EnrollmentRow) -> Enrollment:
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
    ways: dict[int, list[EnrollmentRow]] = {}
    for way in store.list_enrollments(session, ids):
        ways.setdefault(way.contact_id, []).append(way)
    permissions = _permissions(session, rows, surroundings, now)
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
            permission=permissions[row.id],
            deeds=deeds.get(contact.id, ()),
            mails=mails.get(row.id, {}),
            enrolled_in=frozenset(way.sequence for way in ways[contact.id] if way.ended_at is None),
            finished=frozenset(way.sequence for way in ways[contact.id] if way.status == "finished"),
            first_open_question_at=asked_at,
            verdicts_at=asked_at + surroundings.settle_after if asked_at else None,
        )
    return found


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
    moved = 0
    for row, decision in decided:
        after = decision.enrollment
        if after.revision == row.revision:
            continue
        is_saved = store.save_decided(
            session,
            row.id,
            row.revision,
            status=after.status,
            step=after.step,
            visit=after.visit,
            since=after.since,
            wake_at=after.wake_at,
            revision=after.revision,
            exit_reason=after.exit_reason,
            ended_at=now if after.is_over else None,
        )
        if not is_saved:
            continue
        for effect in decision.effects:
            _carry_out(session, row, effect, surroundings, now)
        moved += (after.step, after.status) != (row.step, row.status) or bool(decision.effects)
        if after.is_over:
            mark_changed(session, [row.contact_id], now)
    return moved


def _carry_out(session: Session, row: EnrollmentRow, effect: Effect, surroundings: Surroundings, now: datetime) -> None:
    match effect:
        case engine.QueueMail():
            _queue(session, row, effect, surroundings, now)
        case engine.ReleaseMail(delivery_id):
            deliveries.release_rechecked(session, [delivery_id], now)
        case engine.CancelMails(because):
            deliveries.stop_enrollments(session, [row.id], because, now)
        case engine.Tagged(tag):
            tag_contact(session, row.contact_id, tag, now)
        case engine.FieldsSet(values):
            change_contact(session, session.get_one(Contact, row.contact_id), dict(values), now)
        case engine.PointsGiven(key, points, because, half_life):
            give_points(session, row.contact_id, key=key, points=points, because=because, half_life=half_life, now=now)
        case engine.HandedOff():
            _hand_off(session, row, surroundings, now)


def _queue(
    session: Session, row: EnrollmentRow, effect: engine.QueueMail, surroundings: Surroundings, now: datetime
) -> None:
    sequence = get_sequence(session, row.version_id, surroundings.language)
    contact = session.get_one(Contact, row.contact_id)
    owner = session.get(contacts.Operator, contact.owner_id) if contact.owner_id else None
    zone = {"contact": str(zone_of(contact)), "owner": owner.timezone if owner else str(zone_of(contact))}
    queue_deliveries(
        session,
        [
            Intention(
                key=effect.key,
                purpose=Purpose.CAMPAIGN,
                campaign=f"sequence:{row.sequence}",
                version_id=row.version_id,
                mail=effect.step,
                priority=Priority.SEQUENCE,
                due_at=now,
                contact_id=contact.id,
                domain=contact.domain,
                enrollment_id=row.id,
                topic=sequence.topic,
                sender=sequence.sender,
                window=sequence.window,
                zone=zone.get(sequence.window_zone, sequence.window_zone),
                expires_at=effect.expires_at,
            )
        ],
        now,
    )


def _hand_off(session: Session, row: EnrollmentRow, surroundings: Surroundings, now: datetime) -> None:
    agreement = handoff.find(session, surroundings.language)
    contact = session.get_one(Contact, row.contact_id)
    if agreement is not None:
        handoff.hand_off_once(session, agreement, contact, now)
