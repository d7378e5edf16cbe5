"""Makes two contacts one, in one transaction. `rules` says what holds afterwards, `store` where everything is.

What the other contact did, got and was told goes to the one that stays; its suppressions go along as far as they are a
person's word; its address is kept, by hash, as an earlier one of theirs, so that the way out in an old mail still works.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.consent import store as consents
from nurture.consent.identity.actions import carry_over
from nurture.consent.rhythms.rules import LENGTHS
from nurture.consent.rhythms.store import find_rhythm, save_rhythm
from nurture.consent.rules import ConsentPurpose, Proof
from nurture.contacts import store as contacts
from nurture.contacts.actions import changes_of, get_contact, mark_changed, move_stage, set_values
from nurture.contacts.fields import ABILITIES
from nurture.contacts.history import actions as history
from nurture.contacts.history.rules import MERGED, Author, Change, change_of
from nurture.contacts.questions.actions import take_over_abilities
from nurture.contacts.segments import Language
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.rules import MAY_HAVE_ARRIVED, SETTLED
from nurture.delivery.store import hold_for_recheck, stop_enrollments
from nurture.errors import BadInput, NotAllowed
from nurture.merging import store
from nurture.merging.rules import (
    Word,
    missing_values,
    renamed,
    stage_of_both,
    strictest_mail,
    strictest_tracking,
)
from nurture.scoring.actions import rescore
from nurture.scoring.definition import find_model
from nurture.sequences.store import EnrollmentRow

_MERGED = "merged"
_ELSEWHERE = "said for another address of theirs"


@dataclass
class Merged:
    """What a merge did, or would do."""

    keep: str
    other: str
    changes: list[Change] = field(default_factory=list)
    consents: list[tuple[str, str, str, str]] = field(default_factory=list)  # topic, purpose, before, after
    lost_yeses: list[str] = field(default_factory=list)  # topics that only the other contact agreed to
    suppressions: list[str] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)  # sequences of the other contact
    passed: dict[str, list[str]] = field(default_factory=dict)  # steps the kept one is not mailed again, by sequence
    score: float = 0


def merge(
    session: Session, language: Language, keep_address: str, other_address: str, now: datetime, author: Author
) -> Merged:
    """Make two contacts one; `keep_address` is the one that stays."""
    keep, other = get_contact(session, keep_address), get_contact(session, other_address)
    if keep.id == other.id:
        raise BadInput(f"{keep.email} and {other_address} are one contact already.")
    contacts.lock_contacts(session, sorted([keep.id, other.id]), exclusively=True)
    _refuse(session, keep, other)
    done = Merged(keep.email, other.email)
    other_hash, other_id = other.address_hash, other.id
    done.suppressions = carry_over(session, other_hash, keep.address_hash, _ELSEWHERE, now)
    _agree(session, done, keep, other, now)
    _fill(session, done, keep, other, now, author)
    _sequences(session, done, keep, other, now)
    _mails(session, keep, other, now)
    store.latest_rows(session, keep.id, other_id)
    _rhythm(session, keep.id, other_id, now)
    done.moved = store.move_rows(session, keep.id, other_id)
    store.delete_contact(session, other_id)
    contacts.save_former_addresses(session, keep.id, [other_hash], now)
    # A file that brings the other address again shall not bring back who said no here.
    carry_over(session, keep.address_hash, other_hash, _ELSEWHERE, now)
    history.note(session, history.rows_of(keep.id, [Change(MERGED, done.other, None)], author, now))
    hold_for_recheck(session, keep.id)
    mark_changed(session, [keep.id], now)
    model = find_model(session, language)
    if model is not None:
        rescore(session, model, [keep.id], now)
    done.score = session.get_one(Contact, keep.id).score
    return done


def _refuse(session: Session, keep: Contact, other: Contact) -> None:
    both = [keep.id, other.id]
    if store.is_being_mailed(session, both):
        raise NotAllowed(
            "a mail to one of them is leaving right now; type it again in a moment, or `nurture pause` first."
        )
    if len(store.open_hand_offs(session, both)) > 1:
        raise NotAllowed(
            f"{keep.email} and {other.email} are both with a rep; give a verdict on one of the two first (`nurture leads`)."
        )


def _agree(session: Session, done: Merged, keep: Contact, other: Contact, now: datetime) -> None:
    """The strictest word per topic and purpose, and where it changed, why, in the ledger."""
    mine, theirs = store.words_of(session, keep.id), store.words_of(session, other.id)
    rows = []
    for about in sorted({*mine, *theirs}):
        topic, purpose = about
        before, offered = mine.get(about), theirs.get(about)
        is_mail = purpose == ConsentPurpose.MAIL
        after = strictest_mail(before, offered, now) if is_mail else strictest_tracking(before, offered)
        if offered is not None and offered.state == "given" and is_mail and (before is None or before.is_silent):
            done.lost_yeses.append(topic)
        if after == before or after is None:
            continue
        done.consents.append((topic, purpose, _told(before), _told(after)))
        rows.append(_row(keep.id, topic, purpose, after, now))
        consents.add_event(
            session,
            Proof("merge with another contact of the same person"),
            contact_id=keep.id, address_hash=keep.address_hash, topic=topic, purpose=purpose, what=after.state,
            basis=after.basis, given_on=after.given_on, recorded_at=now,
        )  # fmt: skip
    consents.save_consents(session, rows)
    store.drop_words(session, other.id)


def _row(contact_id: int, topic: str, purpose: str, word: Word, now: datetime) -> dict[str, Any]:
    return {
        "contact_id": contact_id, "topic": topic, "purpose": purpose, "state": word.state, "basis": word.basis,
        "given_on": word.given_on, "pile": word.pile, "expires_at": word.expires_at, "afterwards": word.afterwards,
        "law": word.law, "changed_at": now,
    }  # fmt: skip


def _told(word: Word | None) -> str:
    if word is None:
        return "nothing said"
    return f"{word.state} as {word.basis}" if word.basis and word.state == "given" else word.state


def _fill(session: Session, done: Merged, keep: Contact, other: Contact, now: datetime, author: Author) -> None:
    """What the contact that stays does not know about itself, and what is about the person whichever address they used."""
    mine, theirs = _values(keep), _values(other)
    values = missing_values(mine, theirs)
    done.changes = list(changes_of(session, keep, values).values())
    set_values(session, keep, values, now, author)
    links = {**other.links, **keep.links}
    stage = stage_of_both(keep.stage, other.stage)
    if links != keep.links:
        done.changes.append(Change("links", ", ".join(sorted(keep.links)) or None, ", ".join(sorted(links))))
    if stage != keep.stage:
        done.changes.append(Change("stage", keep.stage, stage))
        move_stage(session, keep, stage, "merged with another contact of the same person", now)
    keep.links = links
    if other.interest is not None and (keep.interest_at is None or (other.interest_at or now) > keep.interest_at):
        keep.interest, keep.interest_at = other.interest, other.interest_at
        keep.interest_because = other.interest_because
    before = {name: getattr(keep, name) for name in ABILITIES}
    done.changes += [change_of(name, before[name], getattr(keep, name)) for name in take_over_abilities(keep, other)]
    keep.away_until = max((one for one in (keep.away_until, other.away_until) if one is not None), default=None)
    keep.created_at = min(keep.created_at, other.created_at)
    keep.changed_at = now
    session.add(keep)
    session.flush()


def _values(contact: Contact) -> dict[str, Any]:
    columns = {name: getattr(contact, name) for name in (*contacts.COLUMN_FIELDS, "owner_id", "owner_text")}
    return {**contact.fields, **columns}


def _sequences(session: Session, done: Merged, keep: Contact, other: Contact, now: datetime) -> None:
    """Nobody comes onto two sequences by a merge, nobody starts one again, and no step is mailed twice.

    What the other contact is on goes on only if the one that stays is on nothing and never was on that one. Where both
    are or were on the same, what either was mailed counts as mailed to the one that goes on.
    """
    mine, theirs = store.enrollments_of(session, keep.id), store.enrollments_of(session, other.id)
    is_busy = any(row.ended_at is None for row in mine)
    known = {row.sequence for row in mine}
    ending = [row for row in theirs if row.ended_at is None and (is_busy or row.sequence in known)]
    for row in ending:
        row.status, row.exit_reason, row.ended_at, row.wake_at = "exited", _MERGED, now, None
        row.revision += 1
        session.add(row)
    stop_enrollments(session, [row.id for row in ending], _MERGED, now)
    done.ended = [row.sequence for row in ending]
    for row in mine:
        if row.ended_at is None:
            _pass(session, done, row, theirs, now)
    for row in theirs:
        row.contact_id = keep.id
        session.add(row)
    session.flush()


def _pass(session: Session, done: Merged, row: EnrollmentRow, others: list[EnrollmentRow], now: datetime) -> None:
    twins = [one.id for one in others if one.sequence == row.sequence]
    steps = store.steps_mailed(session, twins) if twins else set()
    if steps:
        store.pass_steps(session, row, steps, now)
        row.wake_at = now
        done.passed[row.sequence] = sorted(steps)


def _mails(session: Session, keep: Contact, other: Contact, now: datetime) -> None:
    """Every mail is the one contact's; an issue or announcement that both were to get leaves once."""
    taken = {key: (number, status) for number, key, status in store.keys_of_mails(session, keep.id)}
    for number, key, status in store.keys_of_mails(session, other.id):
        values: dict[str, Any] = {} if status in SETTLED else {"domain": keep.domain}
        new_key = renamed(key, other.id, keep.id)
        twin = taken.get(new_key) if new_key is not None else None
        if new_key is not None and twin is None:
            values["key"] = new_key
        elif twin is not None and status not in SETTLED:
            values = store.cancelled(now)
        elif twin is not None and status in MAY_HAVE_ARRIVED and twin[1] not in SETTLED:
            store.move_mail(session, twin[0], keep, **store.cancelled(now))
        store.move_mail(session, number, keep, **values)


def _rhythm(session: Session, keep_id: int, other_id: int, now: datetime) -> None:
    """Whoever wanted fewer mails gets fewer."""
    chosen = [one for one in (find_rhythm(session, keep_id), find_rhythm(session, other_id)) if one is not None]
    save_rhythm(session, other_id, None, now)
    save_rhythm(session, keep_id, max(chosen, key=LENGTHS.__getitem__, default=None), now)
