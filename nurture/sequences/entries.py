"""Who comes into a sequence: by hand, by a trigger of its file, or put there by another sequence.

A contact is on one sequence at a time unless one of them says that they go together. When several want the same
contact, the one of higher priority takes them; what the others do is their `if_busy`. Triggers are asked in SQL about
contacts that changed, and once a day about everybody where only time has to pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
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
from nurture.sequences.decisions import State
from nurture.sequences.definition import EnrollDefinition
from nurture.sequences.kind import load_sequence
from nurture.sequences.program import Sequence as Program
from nurture.sequences.store import EnrollmentRow
from nurture.timing import parse_length, parse_moment

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

    @property
    def asks_as_time_passes(self) -> bool:
        """Whether somebody may become an entrant without changing."""
        when = self.entry.when
        return bool(self.entry.on_date) or (when is not None and depends_on_time(parse(when, self.words)))


@dataclass(frozen=True)
class Open:
    """A sequence that is published now."""

    version_id: int
    campaign_id: int
    entrance: Entrance

    @property
    def name(self) -> str:
        return self.entrance.program.name


def load_entrance(content: Mapping[str, Any], language: Language) -> Entrance:
    """The entrance of a published version."""
    entry = EnrollDefinition.model_validate(content["definition"]["enroll"])
    return Entrance(load_sequence(content, language), entry, language.words(content["rests_on"]))


def list_open(session: Session, language: Language) -> list[Open]:
    """Every sequence that takes people in, the most important first."""
    found = [
        Open(one.version_id, one.id, campaigns.derive(session, one.version_id, load_entrance, language))
        for one in campaigns.list_campaigns(session, "sequence")
        if one.version_id is not None
    ]
    return sorted(found, key=lambda one: (-one.entrance.program.priority, one.name))


def enroll(
    session: Session, language: Language, sequence: str, contact: Contact, *, because: str, now: datetime
) -> Entry:
    """Put one contact at the start of a sequence, by hand; whoever may not be mailed about it is refused."""
    campaigns.get_campaign(session, "sequence", sequence)
    every = list_open(session, language)
    here = next(one for one in every if one.name == sequence)
    topic = here.entrance.program.topic
    permission = may_send(Purpose.CAMPAIGN, consents.standings(session, [contact.id], topic)[contact.id], now)
    if not permission.is_allowed:
        raise NotAllowed(f"{contact.email} may not be mailed about {topic}: {permission.because}.")
    on_the_way = store.list_on_the_way(session, [contact.id])
    if any(row.sequence == sequence for row in on_the_way):
        return Entry.ALREADY
    if any(row.sequence not in _compatible(here, every) for row in on_the_way):
        is_new = store.add_pending(session, sequence, contact.id, because, now)
        mark_changed(session, [contact.id], now)
        return Entry.WAITS if is_new else Entry.ALREADY
    return Entry.ENROLLED if _insert(session, here, [contact.id], because, now) else Entry.ALREADY


def enroll_entrants(
    session: Session, language: Language, ids: Sequence[int], now: datetime, *, only_time: bool = False
) -> int:
    """Enroll those of these contacts whom something lets in; how many came in.

    `only_time`: ask only the sequences whose entrants need not have changed.
    """
    every = list_open(session, language)
    asked = [one for one in every if not only_time or one.entrance.asks_as_time_passes]
    return sum(_take_in(session, language, one, every, ids, now) for one in asked)


def asks_as_time_passes(session: Session, language: Language) -> bool:
    """Whether any sequence wants to look at everybody once a day."""
    return any(one.entrance.asks_as_time_passes for one in list_open(session, language))


def _take_in(
    session: Session, language: Language, here: Open, every: Sequence[Open], ids: Sequence[int], now: datetime
) -> int:
    # Whoever may not be mailed would only leave again at once.
    may_be_mailed = consents.may_be_mailed(Purpose.CAMPAIGN, here.entrance.program.topic, now)
    compatible = store.in_sequences(_compatible(here, every))
    pending = store.find_entrants(
        session, here.name, store.is_pending(here.name) & may_be_mailed, ids, again=now, compatible=compatible
    )
    entered = 0
    for contact_id, because in store.drop_pending(session, here.name, pending).items():
        entered += _insert(session, here, [contact_id], because, now)
    for trigger in _triggers(session, language, here, now):
        entered += _enroll_on(session, here, every, ids, trigger, may_be_mailed, now)
    return entered


def _enroll_on(
    session: Session,
    here: Open,
    every: Sequence[Open],
    ids: Sequence[int],
    trigger: "Trigger",
    may_be_mailed: Clause,
    now: datetime,
) -> int:
    """One trigger: whoever is free comes in; of the others some wait, some stay out, some change over."""
    occasion, because = trigger.clause & may_be_mailed, trigger.because
    match here.entrance.entry.again:
        case "never":
            again = None
        case "always":
            again = now
        case length:
            again = now - parse_length(length)
    program = here.entrance.program
    compatible = store.in_sequences(_compatible(here, every))
    if program.if_busy == "replace":
        lower = [one.name for one in every if one.entrance.program.priority < program.priority]
        found = store.find_entrants(
            session, here.name, occasion, ids, again=again, compatible=compatible | store.in_sequences(lower)
        )
        _end_others(session, found, _compatible(here, every), f"{here.name} took over", now)
        return _insert(session, here, found, because, now)
    found = store.find_entrants(session, here.name, occasion, ids, again=again, compatible=compatible)
    entered = _insert(session, here, found, because, now)
    if program.if_busy == "skip" or trigger.passes:
        busy = store.find_entrants(session, here.name, occasion, ids, again=again, compatible=store.everything())
        if program.if_busy == "skip":
            _insert(session, here, busy, because, now, stays_out=True)
        for contact_id in busy if program.if_busy == "wait" else ():
            store.add_pending(session, here.name, contact_id, because, now)
    return entered


@dataclass(frozen=True)
class Trigger:
    """What lets somebody in, as a clause on `contact`. One that `passes` is remembered for whoever is busy."""

    clause: Clause
    because: str
    passes: bool = False


def _compatible(here: Open, every: Sequence[Open]) -> list[str]:
    """Sequences that somebody on this one may be on too, itself included."""
    program = here.entrance.program
    others = [one.entrance.program for one in every if one.name != here.name]
    return [here.name, *(other.name for other in others if program.is_compatible_with(other))]


def _triggers(session: Session, language: Language, here: Open, now: datetime) -> Iterator[Trigger]:
    """Every trigger of a sequence."""
    entry, words = here.entrance.entry, here.entrance.words
    if entry.when:
        yield Trigger(language.clause_of(session, parse(entry.when, words), words, now), entry.when)
    if entry.joined or entry.did or entry.submitted:
        began_at = campaigns.first_published_at(session, here.campaign_id)
        if entry.joined:
            joined = contacts.joined_since(entry.joined, began_at, _not_since(here.name))
            yield Trigger(joined, f'joined "{entry.joined}"')
        recent = min(GRACE, now - began_at)
        if entry.submitted:
            asks = Asks("submitted", (("form", entry.submitted), ("within", recent)))
            sent = language.clause_of(session, asks, words, now)
            is_new = ~store.has_come_in_since(here.name, now - recent)
            yield Trigger(sent & is_new, f'submitted "{entry.submitted}"', passes=True)
        if entry.did:
            done = language.clause_of(session, _recently(parse(entry.did, words), recent), words, now)
            yield Trigger(done & ~store.has_come_in_since(here.name, now - recent), entry.did, passes=True)
    if entry.on_date:
        came = language.clause_of(session, _on_date(entry.on_date, now), words, now)
        yield Trigger(came & ~store.has_come_in_since(here.name, now - GRACE), entry.on_date, passes=True)


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


def _end_others(session: Session, ids: Sequence[int], compatible: Sequence[str], because: str, now: datetime) -> None:
    """Sequences of lower priority give way."""
    for row in store.list_on_the_way(session, ids):
        if row.sequence not in compatible:
            end(session, row, "replaced", because, now)


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
