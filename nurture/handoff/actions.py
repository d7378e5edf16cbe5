"""Makes contacts sales-ready, once each, and takes the rep's verdict back into nurture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.campaigns.declared import colleague_domains
from nurture.consent import store as consents
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.actions import move_stage
from nurture.contacts.questions.rules import abilities_told
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.delivery.notices import queue_notice
from nurture.delivery.store import hold_for_recheck
from nurture.errors import BadInput, NotAllowed, NotFound, did_you_mean
from nurture.handoff import store
from nurture.handoff.definition import HandoffDefinition, find_agreement, recycle_after
from nurture.handoff.portrait import reads_of
from nurture.handoff.routing import find_taker
from nurture.handoff.rules import FOLLOWS, WORDS, Reason, Verdict, consequence_of, find_reason, may_be_handed_off
from nurture.handoff.store import WAITING, HandOff
from nurture.handoff.story import Story, tell
from nurture.scoring.actions import Scored, results
from nurture.scoring.definition import find_model
from nurture.scoring.rules import Model, Part, is_over_the_line
from nurture.timing import Window, add_working_time, find_zone, parse_days, parse_duration, parse_hours

_PAGE = 100


@dataclass(frozen=True)
class Agreement:
    """The published agreement with the language its conditions are written in."""

    definition: HandoffDefinition
    rests_on: Mapping[str, Any]
    language: Language


def find(session: Session, language: Language) -> Agreement | None:
    """What sales and marketing agreed on; None before it is published."""
    found = find_agreement(session)
    return Agreement(found[0], found[1], language) if found else None


def get(session: Session, language: Language) -> Agreement:
    """The published agreement."""
    found = find(session, language)
    if found is None:
        raise NotFound("No hand-off is agreed; write campaigns/handoff.yaml and type `nurture publish`.")
    return found


def promote(
    session: Session, agreement: Agreement, model: Model, scored: Sequence[Scored], now: datetime
) -> list[HandOff]:
    """Hand off everybody of these who became sales-ready."""
    ids = [one.contact.id for one in scored]
    earlier = store.hand_offs_of(session, ids)
    suppressed = suppressions_of(session, [one.contact.address_hash for one in scored])
    made = []
    for one in scored:
        contact, past = one.contact, earlier.get(one.contact.id, [])
        reason = find_reason(
            stage=contact.stage,
            interest=contact.interest,
            interest_is_new=not past or (contact.interest_at is not None and contact.interest_at > past[-1].created_at),
            is_over_the_line=is_over_the_line(model, one.result.score, one.result.fit),
            is_mailable=contact.address_hash not in suppressed,
            has_open=any(hand_off.verdict == WAITING for hand_off in past),
        )
        if reason is not None:
            made.append(hand_off(session, agreement, contact, reason, one.result.parts, now))
        elif contact.stage in {"subscriber", "lead"} and one.result.score >= model.threshold_score:
            move_stage(session, contact, "marketing_qualified", "engaged, but not the fit we look for", now)
    return made


def hand_off_once(session: Session, agreement: Agreement, contact: Contact, now: datetime) -> HandOff | None:
    """What a `hand_off` step asks for; None when sales has them already, they want to be left alone, or work here."""
    if contact.domain in colleague_domains(session):
        return None
    # Scoring, in another process, may be handing over the same person: it holds their row while it does.
    contacts.lock_contacts(session, [contact.id], exclusively=True)
    past = store.hand_offs_of(session, [contact.id]).get(contact.id, [])
    is_suppressed = contact.address_hash in suppressions_of(session, [contact.address_hash])
    is_open = any(one.verdict == WAITING for one in past)
    if is_open or not may_be_handed_off(contact.stage, is_mailable=not is_suppressed):
        return None
    reason = {"need": Reason.NEED, "demonstration": Reason.ASKED}.get(contact.interest or "", Reason.ENGAGED)
    model = find_model(session, agreement.language)
    parts = results(session, model, {contact.id: contact}, now)[contact.id].parts if model else ()
    return hand_off(session, agreement, contact, reason, parts, now)


def hand_off(
    session: Session, agreement: Agreement, contact: Contact, reason: Reason, parts: Sequence[Part], now: datetime
) -> HandOff:
    """Give a contact to a rep: stage, row, deadline, and the mail that tells the story."""
    operator, due_after = _route(session, agreement, contact, now)
    hours = Window(parse_days(operator.days), *parse_hours(operator.hours))
    zone = find_zone(operator.timezone) or find_zone("UTC")
    assert zone is not None
    story = _story(session, contact, reason, parts)
    made = HandOff(
        contact_id=contact.id,
        operator_id=operator.id,
        reason=reason,
        because=contact.interest_because if reason in {Reason.NEED, Reason.ASKED} else "",
        score=contact.score,
        fit=contact.fit,
        interest=contact.interest,
        story=story.to_json(),
        created_at=now,
        due_at=add_working_time(now, parse_duration(due_after).exact, hours, zone),
    )
    session.add(made)
    session.flush()
    move_stage(session, contact, "sales_ready", WORDS[reason], now)
    # Whatever a sequence had queued is looked at again first: it may end with the promotion.
    hold_for_recheck(session, contact.id)
    _tell_operator(session, made, contact, operator, story, now)
    return made


def _route(session: Session, agreement: Agreement, contact: Contact, now: datetime) -> tuple[Operator, str]:
    """Who takes it and how much working time they have."""
    rules = agreement.definition.rules
    fitting = [
        rule
        for rule in rules
        if store.is_true_of(session, contact.id, agreement.language.clause(session, rule.when, agreement.rests_on, now))
    ]
    rule = fitting[0] if fitting else rules[-1]
    chosen = find_taker(session, contact, rule.route)
    if chosen is None:
        raise NotFound(f"{agreement.definition.fallback} is no operator; publish a handoff.yaml whose fallback is one.")
    return chosen, rule.due_after


def _story(session: Session, contact: Contact, reason: Reason, parts: Sequence[Part]) -> Story:
    given = [consent for consent in consents.consents_of(session, [contact.id]).values() if consent.state == "given"]
    basis = min(given, key=lambda consent: consent.changed_at, default=None)
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return tell(
        name=name or "Somebody without a name",
        job_title=contact.job_title,
        company=contact.company,
        country=contact.country,
        reason=reason,
        because=contact.interest_because if reason in {Reason.NEED, Reason.ASKED} else "",
        score=contact.score,
        fit=contact.fit,
        reads=reads_of(session, contact.id),
        parts=parts,
        source=contact.source,
        came_in_at=contact.created_at,
        basis=basis.basis if basis else None,
        basis_on=basis.given_on if basis else None,
        abilities=abilities_told(contact),
    )


def _tell_operator(
    session: Session, made: HandOff, contact: Contact, operator: Operator, story: Story, now: datetime
) -> None:
    zone = find_zone(operator.timezone) or find_zone("UTC")
    facts = {
        **story.to_json(),
        "lead": str(made.id),
        "due": f"{made.due_at.astimezone(zone):%A %-d %B, %H:%M} ({operator.timezone})",
    }
    queue_notice(session, "handoff", key=f"handoff:{made.id}", operator=operator, facts=facts, now=now, contact=contact)


def give_verdict(
    session: Session,
    agreement: Agreement,
    hand_off_id: int,
    verdict: Verdict,
    *,
    reason: str = "",
    amount: float | None = None,
    now: datetime,
) -> HandOff:
    """What the rep says about a lead; a no goes back into nurture."""
    found = store.find_hand_off(session, hand_off_id)
    if found is None:
        raise NotFound(f"there is no lead {hand_off_id}; `nurture leads` lists them.")
    if verdict not in FOLLOWS[found.verdict]:
        following = " or ".join(sorted(FOLLOWS[found.verdict]))
        way_on = f"it can become {following}" if following else "that is final"
        stands = found.verdict if found.verdict == WAITING else f"{found.verdict} already"
        raise NotAllowed(f"lead {hand_off_id} is {stands}, so it cannot become {verdict}; {way_on}.")
    term = None
    if verdict in {Verdict.REJECTED, Verdict.LOST}:
        reason, term = _rejection(agreement.definition, reason)
    consequence = consequence_of(verdict, recycle_after=term, now=now)
    contact = session.get_one(Contact, found.contact_id)
    found.verdict = verdict
    found.verdict_reason = reason
    found.verdict_at = now
    found.amount = amount
    found.recycle_at = consequence.recycle_at
    session.add(found)
    words = f"{verdict}{f': {reason}' if reason else ''}"
    move_stage(session, contact, consequence.stage, words, now)
    hold_for_recheck(session, contact.id)
    return found


def _rejection(definition: HandoffDefinition, reason: str) -> tuple[str, Any]:
    known = definition.rejections
    if reason not in known:
        raise BadInput(
            f'a no needs a reason from handoff.yaml: {", ".join(known)}; "{reason}" is none.{did_you_mean(reason, known)}'
        )
    return reason, recycle_after(definition, reason)


def recycle(session: Session, now: datetime, limit: int = _PAGE) -> int:
    """Rejected contacts whose term is over are leads again; how many."""
    due = store.list_to_recycle(session, now, limit)
    for one in due:
        contact = session.get(Contact, one.contact_id)
        if contact is not None and contact.stage == "recycled":
            move_stage(session, contact, "lead", f"{one.verdict_reason or 'rejected'} was long enough ago", now)
        one.recycle_at = None
        session.add(one)
    session.flush()
    return len(due)
