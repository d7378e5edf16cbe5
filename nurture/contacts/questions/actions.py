"""What an answer says of somebody is kept: a field, or whether they can buy, with who said so and when."""

from collections.abc import Mapping
from datetime import datetime

from nurture.contacts.actions import change_contact, mark_changed
from nurture.contacts.fields import ABILITIES, ABILITY_WORDS
from nurture.contacts.history import actions as history
from nurture.contacts.history.rules import Author, change_of
from nurture.contacts.questions.rules import THEMSELVES, Answer, Question
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.errors import BadInput, did_you_mean


def take_answer(session: Session, contact: Contact, question: Question, answer: Answer, now: datetime) -> None:
    """Set what the answer says; it is the person's own word."""
    author = Author("page", f'their answer to "{question.name}"')
    if question.sets in ABILITIES:
        set_abilities(session, contact, {question.sets: str(answer.value)}, THEMSELVES, author, now)
    else:
        change_contact(session, contact, {question.sets: answer.value}, now, author)


def read_ability(text: str) -> tuple[str, str]:
    """`budget=yes`, as it is typed."""
    name, _, word = (part.strip().lower() for part in text.partition("="))
    if name not in ABILITIES:
        raise BadInput(f'"{text}": write {", ".join(ABILITIES)} = yes, no or unknown.{did_you_mean(name, ABILITIES)}')
    if word not in ABILITY_WORDS:
        raise BadInput(f'"{text}": {name} is yes, no or unknown.{did_you_mean(word, ABILITY_WORDS)}')
    return name, word


def take_over_abilities(keep: Contact, other: Contact) -> list[str]:
    """Of two contacts who are one person, what was said last counts; the names of those that changed."""
    taken = {
        name: entry
        for name, entry in other.ability_said.items()
        if entry["at"] > keep.ability_said.get(name, {}).get("at", "")
    }
    changed = [name for name in taken if getattr(keep, name) != getattr(other, name)]
    for name in taken:
        setattr(keep, name, getattr(other, name))
    keep.ability_said = {**keep.ability_said, **taken}
    return changed


def set_abilities(
    session: Session, contact: Contact, said: Mapping[str, str], said_by: str, author: Author, now: datetime
) -> list[str]:
    """Whether they can buy, as somebody said it; the names of those that really changed.

    Who says the same again is who said it last.
    """
    changed = [name for name, word in said.items() if getattr(contact, name) != word]
    if changed:
        rows = [change_of(name, getattr(contact, name), said[name]) for name in changed]
        history.note(session, history.rows_of(contact.id, rows, author, now))
        mark_changed(session, [contact.id], now)
    for name, word in said.items():
        setattr(contact, name, word)
    entry = {"by": said_by, "how": author.how, "at": now.isoformat()}
    contact.ability_said = {**contact.ability_said, **dict.fromkeys(said, entry)}
    contact.changed_at = now
    session.add(contact)
    return changed
