"""`campaigns/questions.yaml`: reads, checks and freezes the questions that mails may ask.

A campaign whose mails ask one keeps it with its own version, so that a mail asks what it asked when it was published.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field
from ruamel.yaml.error import YAMLError

from nurture.campaigns.complaints import Path_
from nurture.campaigns.definitions import Definition, FileDefinition
from nurture.campaigns.reading import Problems, Unit, Workspace, YamlFile, open_yaml, read_definition
from nurture.conditions import FieldType
from nurture.contacts.fields import ABILITIES, ABILITY_WORDS, BUILT_IN
from nurture.contacts.questions.rules import Answer, Question, Translation, answer_key
from nurture.database.engine import Session
from nurture.errors import did_you_mean
from nurture.yaml import plain_yaml

KIND = "questions"
NAME = "questions"
FILE = "questions.yaml"


class AnswerDefinition(Definition):
    """One answer."""

    label: str = Field(min_length=1, max_length=60, description="What its link says, in a few words.")
    value: str | bool | int | float | date = Field(
        description='What it sets: a value of the field, or "yes", "no" or "unknown" for an ability.'
    )


class TranslationDefinition(Definition):
    """The question in another language."""

    text: str = Field(min_length=1, max_length=200, description="The question.")
    answers: list[str] = Field(min_length=2, max_length=4, description="The labels, in the same order.")


class QuestionDefinition(Definition):
    """One question, answered by one press."""

    text: str = Field(min_length=1, max_length=200, description="The question as its reader sees it.")
    sets: str = Field(
        description="What an answer sets: a field of settings.toml, or `authority`, `budget` or `timing`."
    )
    answers: list[AnswerDefinition] = Field(min_length=2, max_length=4, description="Two to four answers.")
    translations: dict[str, TranslationDefinition] = Field(
        {}, description="The same in other languages, by their codes (`de`); a mail asks in its own language."
    )


class QuestionsDefinition(FileDefinition):
    """The whole file."""

    questions: dict[str, QuestionDefinition] = Field(
        {}, description='Questions by the name under which mails ask them: `{{ question("timing") }}`.'
    )


class QuestionsKind:
    """The questions of a workspace."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        path = workspace.campaigns / FILE
        if not path.exists():
            return []
        file = open_yaml(workspace, path, problems)
        definition = read_definition(file, QuestionsDefinition) if file else None
        if file is None or definition is None:
            return []
        for name, one in definition.questions.items():
            _check(file, name, one, workspace)
        content = {name: question_of(name, one).to_json() for name, one in definition.questions.items()}
        return [Unit(KIND, NAME, file.name, {"questions": content})]

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(content["questions"])

    def count_people(self, session: Session, name: str) -> int:
        return 0


def question_of(name: str, given: QuestionDefinition) -> Question:
    """The question that a definition is; a date is kept as the fields keep theirs."""
    answers = tuple(
        Answer(one.label, one.value.isoformat() if isinstance(one.value, date) else one.value) for one in given.answers
    )
    translations = {
        language.lower(): Translation(one.text, tuple(one.answers)) for language, one in given.translations.items()
    }
    return Question(name, given.text, given.sets, answers, translations)


def questions_in(folder: Path) -> dict[str, Question]:
    """The questions of a workspace as far as they can be read; their kind complains about the rest."""
    path = folder / "campaigns" / FILE
    if not path.is_file():
        return {}
    try:
        found = plain_yaml().load(path.read_text(encoding="utf-8-sig"))
        return {
            name: question_of(name, one) for name, one in QuestionsDefinition.model_validate(found).questions.items()
        }
    except (YAMLError, ValueError):
        return {}


def _check(file: YamlFile, name: str, one: QuestionDefinition, workspace: Workspace) -> None:
    at = ("questions", name)
    declared = {field: known.type for field, known in workspace.words.fields.items() if field not in BUILT_IN}
    if one.sets not in declared and one.sets not in ABILITIES:
        known = [*ABILITIES, *declared]
        hint = did_you_mean(one.sets, known).strip() or f"Known: {', '.join(known)}."
        file.complain("NS350", (*at, "sets"), f'"{one.sets}" is nothing that an answer can set.', hint)
    seen: set[str] = set()
    for number, answer in enumerate(one.answers):
        place: Path_ = (*at, "answers", number)
        if answer_key(answer.label) in seen:
            message = f'there is an answer "{answer.label}" already.'
            file.complain("NS352", (*place, "label"), message, "Say something else, or leave one out.")
        seen.add(answer_key(answer.label))
        if one.sets in ABILITIES and answer.value not in ABILITY_WORDS:
            message = f"{one.sets} is yes, no or unknown, and {answer.value!r} is not."
            file.complain(
                "NS351", (*place, "value"), message, 'Write "yes", "no" or "unknown"; the label says the rest.'
            )
        elif one.sets in declared and not _fits(declared[one.sets], answer.value):
            message = f"{one.sets} is a {declared[one.sets]}, and {answer.value!r} is not."
            file.complain("NS351", (*place, "value"), message, "Write a value of that type.")
    _check_translations(file, at, one)


def _check_translations(file: YamlFile, at: Path_, one: QuestionDefinition) -> None:
    for language, translation in one.translations.items():
        place = (*at, "translations", language)
        if not (len(language) == 2 and language.isascii() and language.isalpha() and language.islower()):
            file.complain("NS353", place, f'"{language}" is no language.', 'Write its code, such as "de".', at_key=True)
        if len(translation.answers) != len(one.answers):
            message = f"there are {len(one.answers)} answers, and here are {len(translation.answers)}."
            file.complain("NS353", (*place, "answers"), message, "Translate each of them, in the same order.")
        elif len({answer_key(label) for label in translation.answers}) < len(translation.answers):
            file.complain("NS352", (*place, "answers"), "two answers are called alike.", "Say something else.")


def _fits(kind: FieldType, value: object) -> bool:
    match kind:
        case FieldType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldType.FLAG:
            return isinstance(value, bool)
        case FieldType.DATE:
            return isinstance(value, date)
    return isinstance(value, str) and value != ""
