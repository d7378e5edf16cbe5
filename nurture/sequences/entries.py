"""Who comes into a sequence: by hand, by a trigger of its file, or put there by another sequence.

A contact is on one sequence at a time unless one of them says that they go together. When several want the same
contact, the one of higher priority takes them; what the others do is their `if_busy`. Triggers are asked in SQL about
contacts that changed, and once a day about everybody where only time has to pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.conditions import AllOf, Asks, Compare, Condition, Words, depends_on_time, parse
from nurture.consent import store as consents
from nurture.consent.rules import Purpose, may_send
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.database.columns import new_id
from nurture.database.conditions import Clause
from nurture.database.engine import Session
from nurture.delivery import store as deliveries
from nurture.errors import NotAllowed
from nurture.sequences import store
from nurture.sequences.admission import Admission, Door, Occasion, Outcome, Way, admit, may_share
from nurture.sequences.decisions import State
from nurture.sequences.definition import EnrollDefinition
from nurture.sequences.kind import load_sequence
from nurture.sequences.program import Sequence as Program
from nurture.sequences.store import EnrollmentRow
from nurture.timing import parse_length, parse_moment

_OPEN = "sequences that take people in"

#: How long after somebody did something, or after their date came, it still lets them in.
GRACE = timedelta(days=7)


class Entry(StrEnum):
    """What became of putting somebody into a sequence by hand."""

    ENROLLED = "enrolled"
    WAITS = "waits"  # until another sequence ends
    ALREADY = "already"


@dataclass(frozen=True)
class Entrance:
    """What a published sequence says about who comes in."""

    program: Program
    entry: EnrollDefinition
    words: Words

    @cached_property
    def when(self) -> Condition | None:
        return parse(self.entry.when, self.words) if self.entry.when else None

    @cached_property
    def did(self) -> Condition | None:
        return parse(self.entry.did, self.words) if self.entry.did else None

    @cached_property
    def asks_as_time_passes(self) -> bool:
        """Whether somebody may become an entrant without changing."""
        return bool(self.entry.on_date) or (self.when is not None and depends_on_time(self.when))


@dataclass(frozen=True)
class Open:
    """A sequence that is published now."""

    version_id: int
    campaign_id: int
    entrance: Entrance

    @property
    def name(self) -> str:
        return self.entrance.program.name

    @property
    def topic(self) -> str:
        return self.entrance.program.topic

    @property
    def door(self) -> Door:
        """The same for deciding."""
        again = self.entrance.entry.again
        length = {"never": None, "always": timedelta(0)}[again] if again in {"never", "always"} else parse_length(again)
        return Door(self.entrance.program, length)


def load_entrance(content: Mapping[str, Any], language: Language) -> Entrance:
    """The entrance of a published version."""
    entry = EnrollDefinition.model_validate(content["definition"]["enroll"])
    return Entrance(load_sequence(content, language), entry, language.words(content["rests_on"]))


def list_open(session: Session, language: Language) -> list[Open]:
    """Every sequence that takes people in; asked once per transaction."""
    known: list[Open] | None = session.info.get(_OPEN)
    if known is None:
        known = session.info[_OPEN] = [
            Open(one.version_id, one.id, campaigns.derive(session, one.version_id, load_entrance, language))
            for one in campaigns.list_campaigns(session, "sequence")
            if one.version_id is not None
        ]
    return known


def enroll(
    session: Session, language: Language, sequence: str, contact: Contact, *, because: str, now: datetime
) -> Entry:
    """Put one contact at the start of a sequence, by hand; whoever may not be mailed about it is refused."""
    campaigns.get_campaign(session, "sequence", sequence)
    every = list_open(session, language)
    here = next(one for one in every if one.name == sequence)
    topic = here.topic
    permission = may_send(Purpose.CAMPAIGN, consents.standings(session, [contact.id], topic)[contact.id], now)
    if not permission.is_allowed:
        raise NotAllowed(f"{contact.email} may not be mailed about {topic}: {permission.because}.")
    on_the_way = store.list_on_the_way(session, [contact.id])
    if any(row.sequence == sequence for row in on_the_way):
        return Entry.ALREADY
    doors = [one.door for one in every]
    if not all(may_share(here.entrance.program, row.sequence, doors) for row in on_the_way):
        is_new = store.add_pending(session, sequence, contact.id, because, now)
        mark_changed(session, [contact.id], now)
        return Entry.WAITS if is_new else Entry.ALREADY
    return Entry.ENROLLED if _insert(session, here, [contact.id], because, now) else Entry.ALREADY


def enroll_entrants(
    session: Session, language: Language, ids: Sequence[int], now: datetime, *, only_time: bool = False
) -> int:
    """Enroll those of these contacts whom something lets in; how many came in.

    What lets them in is asked in one statement for all sequences, and decided in one go. `only_time`: ask only the
    sequences whose entrants need not have changed.
    """
    every = list_open(session, language)
    asked = [one for one in every if not only_time or one.entrance.asks_as_time_passes]
    triggers = [trigger for one in asked for trigger in _triggers(session, language, one, now)]
    occasions = store.pending_of(session, ids)
    for trigger, met in zip(triggers, store.list_met(session, ids, [one.clause for one in triggers]), strict=True):
        found = occasions.setdefault(trigger.sequence, [])
        found += [Occasion(contact_id, trigger.because, trigger.passes) for contact_id in met]
    allowed = _allowed(session, every, occasions, now)
    if not any(allowed.values()):
        return 0
    concerned = sorted({one.contact_id for found in allowed.values() for one in found})
    ways: dict[int, list[Way]] = {}
    for row in store.list_enrollments(session, concerned):
        ways.setdefault(row.contact_id, []).append(Way(row.sequence, row.ended_at))
    return _carry_out(session, every, admit([one.door for one in every], allowed, ways, now), now)


def _allowed(
    session: Session, every: Sequence[Open], occasions: Mapping[str, Sequence[Occasion]], now: datetime
) -> dict[str, list[Occasion]]:
    """The occasions of those who may be mailed about the topic; whoever may not would only leave again at once."""
    allowed = {}
    for one in every:
        found = occasions.get(one.name, ())
        standings = consents.standings(session, [each.contact_id for each in found], one.topic) if found else {}
        allowed[one.name] = [
            each for each in found if may_send(Purpose.CAMPAIGN, standings[each.contact_id], now).is_allowed
        ]
    return allowed


def _carry_out(session: Session, every: Sequence[Open], admissions: Sequence[Admission], now: datetime) -> int:
    here = {one.name: one for one in every}
    entered = 0
    for one in admissions:
        match one.outcome:
            case Outcome.WAITS:
                store.add_pending(session, one.sequence, one.contact_id, one.because, now)
            case Outcome.STAYS_OUT:
                _insert(session, here[one.sequence], [one.contact_id], one.because, now, stays_out=True)
            case Outcome.COMES_IN:
                _end_others(session, one, now)
                entered += _insert(session, here[one.sequence], [one.contact_id], one.because, now)
                store.drop_pending(session, one.sequence, one.contact_id)
    return entered


def asks_as_time_passes(session: Session, language: Language) -> bool:
    """Whether any sequence wants to look at everybody once a day."""
    return any(one.entrance.asks_as_time_passes for one in list_open(session, language))


@dataclass(frozen=True)
class Trigger:
    """What lets somebody into a sequence, as a clause on `contact`."""

    sequence: str
    clause: Clause
    because: str
    passes: bool = False


def _triggers(session: Session, language: Language, here: Open, now: datetime) -> Iterator[Trigger]:
    """Every trigger of a sequence."""
    entry, words = here.entrance.entry, here.entrance.words
    when, did = here.entrance.when, here.entrance.did
    if when is not None and entry.when:
        yield Trigger(here.name, language.clause_of(session, when, words, now), entry.when)
    if entry.joined or entry.did or entry.submitted:
        began_at = campaigns.first_published_at(session, here.campaign_id)
        if entry.joined:
            joined = contacts.joined_since(entry.joined, began_at, _not_since(here.name))
            yield Trigger(here.name, joined, f'joined "{entry.joined}"')
        recent = min(GRACE, now - began_at)
        if entry.submitted:
            asks = Asks("submitted", (("form", entry.submitted), ("within", recent)))
            sent = language.clause_of(session, asks, words, now)
            is_new = ~store.has_come_in_since(here.name, now - recent)
            yield Trigger(here.name, sent & is_new, f'submitted "{entry.submitted}"', passes=True)
        if did is not None and entry.did:
            done = language.clause_of(session, _recently(did, recent), words, now)
            yield Trigger(here.name, done & ~store.has_come_in_since(here.name, now - recent), entry.did, passes=True)
    if entry.on_date:
        came = language.clause_of(session, _on_date(entry.on_date, now), words, now)
        yield Trigger(here.name, came & ~store.has_come_in_since(here.name, now - GRACE), entry.on_date, passes=True)


def _not_since(sequence: str) -> Any:
    """Of a moment in SQL: they have not come in since."""
    return lambda at: ~store.has_come_in_since(sequence, at)


def _recently(condition: Condition, length: timedelta) -> Condition:
    assert isinstance(condition, Asks)
    given = dict(condition.arguments)
    earlier = given.get("within")
    within = min(earlier, length) if isinstance(earlier, timedelta) else length
    return Asks(condition.predicate, tuple(sorted({**given, "within": within}.items(), key=lambda pair: pair[0])))


def _on_date(text: str, now: datetime) -> Condition:
    """The date in the field came by today, and not too long ago; dates are kept as ISO text, which sorts by time."""
    moment = parse_moment(text, time(0))
    assert moment.field is not None
    today = now.date() - timedelta(days=moment.offset.exact.days)
    return AllOf(
        (
            Compare(moment.field, "<=", today.isoformat()),
            Compare(moment.field, ">", (today - GRACE).isoformat()),
        )
    )


def _end_others(session: Session, admission: Admission, now: datetime) -> None:
    """Sequences of lower priority give way."""
    if admission.replaces:
        for row in store.list_on_the_way(session, [admission.contact_id]):
            if row.sequence in admission.replaces:
                end(session, row, "replaced", f"{admission.sequence} took over", now)


def end(session: Session, row: EnrollmentRow, reason: str, because: str, now: datetime) -> bool:
    """End an enrollment from outside; False when it moved on meanwhile, and nothing happened."""
    values = {
        "status": State.EXITED, "step": row.step, "visit": row.visit, "since": row.since, "wake_at": None,
        "revision": row.revision + 1, "exit_reason": reason, "ended_at": now,
    }  # fmt: skip
    is_ended = bool(store.save_decided(session, [store.Saving(row.id, row.revision, values)]))
    if is_ended:
        deliveries.stop_enrollments(session, [row.id], because, now)
        mark_changed(session, [row.contact_id], now)
    return is_ended


def _insert(
    session: Session, here: Open, ids: Sequence[int], because: str, now: datetime, *, stays_out: bool = False
) -> int:
    """Rows for those who come in, or for those who had their chance while they were busy elsewhere."""
    rows = [
        {
            "id": new_id(), "contact_id": contact_id, "sequence": here.name, "version_id": here.version_id,
            "status": State.EXITED if stays_out else State.ACTIVE, "step": here.entrance.program.first, "visit": 1,
            "since": now, "wake_at": None if stays_out else now, "revision": 0, "because": because,
            "enrolled_at": now, "ended_at": now if stays_out else None,
            "exit_reason": "busy" if stays_out else "", "is_moved": False,
        }
        for contact_id in ids
    ]  # fmt: skip
    mark_changed(session, ids, now)
    return store.insert_enrollments(session, rows)
