"""A question of `campaigns/questions.yaml`, which of several somebody is asked, and what its answer says of them. Pure.

Nobody is asked what they answered before, or what is known of them already.
"""

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from nurture.conditions import Value
from nurture.contacts.fields import ABILITIES, UNKNOWN
from nurture.errors import BadInput, did_you_mean

#: Who said so when it was the person, and no colleague on their behalf.
THEMSELVES = "themselves"


class CanBuy(Protocol):
    """What is known of whether somebody can buy: `ability_said` holds by, how and at of each ability that is known."""

    authority: str
    budget: str
    timing: str
    ability_said: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One answer: what its link says, and what it sets."""

    label: str
    value: Value


@dataclass(frozen=True)
class Translation:
    """A question in another language, its answers in the same order."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question with its answers; `sets` is a contact field, or one of the abilities to buy."""

    name: str
    text: str
    sets: str
    answers: tuple[Answer, ...]
    translations: Mapping[str, Translation] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "text": self.text,
            "sets": self.sets,
            "answers": [{"label": one.label, "value": one.value} for one in self.answers],
            "translations": {
                language: {"text": one.text, "answers": list(one.answers)}
                for language, one in sorted(self.translations.items())
            },
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Question":
        return cls(
            kept["name"],
            kept["text"],
            kept["sets"],
            tuple(Answer(one["label"], one["value"]) for one in kept["answers"]),
            {
                language: Translation(one["text"], tuple(one["answers"]))
                for language, one in kept["translations"].items()
            },
        )

    def shown_in(self, language: str) -> Translation:
        """The question as a mail in this language asks it; as it was written where nobody translated it."""
        code = language.partition("-")[0].lower()
        return self.translations.get(code) or Translation(self.text, tuple(one.label for one in self.answers))

    def find_answer(self, key: str) -> Answer | None:
        """The answer of that key, as conditions and activities name it."""
        return next((one for one in self.answers if answer_key(one.label) == key), None)


def answer_key(label: str) -> str:
    """How an answer is known, however it is capitalized and its accents are put together."""
    return unicodedata.normalize("NFC", " ".join(label.split())).lower()


def choose_question(
    questions: Sequence[Question], answered: Collection[str], value_of: Callable[[str], Value | None]
) -> Question | None:
    """The first of these that is still open for somebody; None when all is said."""
    for one in questions:
        if one.name not in answered and value_of(one.sets) in {None, "", UNKNOWN}:
            return one
    return None


def abilities_told(person: CanBuy) -> dict[str, str]:
    """What somebody said about whether this person can buy, with who and when; only what is known."""
    told = {}
    for name in ABILITIES:
        entry = person.ability_said.get(name)
        if entry is not None:
            who = "they" if entry["by"] == THEMSELVES else entry["by"]
            told[name] = f"{getattr(person, name)}, {who} said so on {datetime.fromisoformat(entry['at']):%-d %B %Y}"
    return told


def check_of(questions: Mapping[str, Question]) -> Callable[[Mapping[str, object]], None]:
    """What holds the arguments of `answered(…)` to the questions there are."""

    def check(given: Mapping[str, object]) -> None:
        name = str(given["question"])
        if name not in questions:
            raise BadInput(f'questions.yaml has no question "{name}".{did_you_mean(name, questions)}')
        answer = given.get("answer")
        if isinstance(answer, str) and questions[name].find_answer(answer) is None:
            labels = [one.label for one in questions[name].answers]
            near = did_you_mean(answer, [answer_key(one) for one in labels])
            said = ", ".join(f'"{one}"' for one in labels)
            raise BadInput(f'"{answer}" is no answer to "{name}": there are {said}.{near}')

    return check
