"""The question that a mail asks: which one its reader gets, what they see of it, and what its page needs to know.

It is chosen when the mail is first rendered and kept with its facts, so that a retry, `/view` and the page behind the
answers show the same one, whatever is published meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nurture.conditions import Value
from nurture.contacts.fields import ABILITIES
from nurture.contacts.questions.rules import Question, Translation, choose_question
from nurture.contacts.store import Contact
from nurture.delivery.claimed import Person


@dataclass(frozen=True)
class Asked:
    """A question as one mail asks it."""

    question: Question
    language: str

    @property
    def shown(self) -> Translation:
        """Its words in the language of the mail."""
        return self.question.shown_in(self.language)

    def to_json(self) -> dict[str, Any]:
        return {**self.question.to_json(), "language": self.language}


def choose_for(
    kept: Sequence[Mapping[str, Any]], contact: Contact | Person | None, answered: Collection[str], language: str
) -> Asked | None:
    """What this reader is asked of the questions of a mail; nobody in particular is asked the first."""

    def value_of(name: str) -> Value | None:
        if contact is None:
            return None
        found: Value | None = getattr(contact, name) if name in ABILITIES else contact.fields.get(name)
        return found

    chosen = choose_question([Question.from_json(one) for one in kept], answered, value_of)
    return Asked(chosen, language) if chosen else None


def read_asked(facts: Mapping[str, Any] | None) -> Asked | None:
    """The question that was kept with a mail; None for a mail that asks none."""
    kept = (facts or {}).get("question")
    return Asked(Question.from_json(kept), kept["language"]) if kept else None


def words_of(asked: Asked | None) -> dict[str, Any] | None:
    """What `mail.question` is in the mail."""
    if asked is None:
        return None
    return {"text": asked.shown.text, "answers": [{"label": label} for label in asked.shown.answers]}
