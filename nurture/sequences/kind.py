"""Reads, checks and freezes sequences: what a careful colleague would find before launch, and what a version contains."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nurture.campaigns.mails import take_mail
from nurture.campaigns.reading import (
    Problem,
    Problems,
    PublishedFile,
    Unit,
    Workspace,
    YamlFile,
    open_yaml,
    read_definition,
)
from nurture.conditions import Asks, Condition, FieldType, walk
from nurture.contacts.segments import Language, rests_on
from nurture.database.engine import Session
from nurture.errors import did_you_mean
from nurture.rendering.loading import read_template
from nurture.rendering.source import MailSource
from nurture.sequences.definition import (
    IfStep,
    Numbered,
    SendStep,
    SequenceDefinition,
    SetStep,
    build,
    read_steps,
)
from nurture.sequences.engine import Sequence
from nurture.sequences.store import count_on_the_way

KIND = "sequence"
FOLDER = "sequences"


class SequenceKind:
    """All files of campaigns/sequences/."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        units: list[Unit] = []
        for path in sorted((workspace.campaigns / FOLDER).glob("*.y*ml")):
            unit = _read_file(workspace, path, problems)
            if unit is None:
                continue
            twin = next((other for other in units if other.name == unit.name), None)
            if twin is not None:
                message = f'the sequence "{unit.name}" is defined in {twin.file} already; give one another name.'
                problems.add(Problem(unit.file, 1, 1, "NS204", message))
                continue
            units.append(unit)
        return units

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        definition = content["definition"]
        mails = content["mails"]
        steps = {
            one.id: {
                **one.step.model_dump(mode="json", by_alias=True, exclude={"then", "else_"}),
                **mails.get(one.id, {}),
            }
            for outer in read_steps(PublishedFile(definition["sequence"], definition), definition["steps"])
            for one in outer.walk()
        }
        rest = {key: value for key, value in definition.items() if key != "steps"}
        return {**steps, **rest}

    def count_people(self, session: Session, name: str) -> int:
        return count_on_the_way(session, name)


def load_sequence(content: Mapping[str, Any], language: Language) -> Sequence:
    """The program of a published sequence."""
    definition = SequenceDefinition.model_validate(content["definition"])
    steps = read_steps(PublishedFile(definition.sequence, content["definition"]), definition.steps)
    return build(definition, steps, language.words(content["rests_on"]))


def _read_file(workspace: Workspace, path: Path, problems: Problems) -> Unit | None:
    file = open_yaml(workspace, path, problems)
    if file is None:
        return None
    before = len(problems.errors)
    definition = read_definition(file, SequenceDefinition)
    # Whatever is wrong above them, the steps are looked at all the same.
    raw = definition.steps if definition else file.data.get("steps")
    steps = read_steps(file, raw) if isinstance(raw, list) else []
    every = [one for outer in steps for one in outer.walk()]
    texts = _check_conditions(file, definition, every, workspace)
    mails = {one.id: mail for one in every if (mail := _read_mail(file, one, workspace, problems)) is not None}
    for one in every:
        _check_fields(file, one, workspace)
    if definition is None:
        return None
    _check_names(file, definition, workspace)
    if len(problems.errors) > before:
        return None
    program = build(definition, steps, workspace.words)
    content = {
        "definition": definition.model_dump(mode="json", by_alias=True),
        "first": program.first,
        "mails": {step: mail.to_json() for step, mail in mails.items()},
        "about": {"title": definition.name or definition.sequence, "kind": KIND},
        "rests_on": rests_on(texts, workspace.words),
    }
    return Unit(KIND, definition.sequence, file.name, content)


def _check_names(file: YamlFile, definition: SequenceDefinition, workspace: Workspace) -> None:
    if definition.topic not in workspace.topics:
        known = ", ".join(workspace.topics) or "none is declared"
        hint = did_you_mean(definition.topic, workspace.topics).strip() or f"Known: {known}."
        file.complain("NS205", ("topic",), f'settings.toml declares no topic "{definition.topic}".', hint)
    if definition.sender not in {"default", "owner", *workspace.senders}:
        hint = did_you_mean(definition.sender, ["default", "owner", *workspace.senders]).strip()
        file.complain("NS206", ("sender",), f'settings.toml declares no sender "{definition.sender}".', hint)


def _check_conditions(
    file: YamlFile, definition: SequenceDefinition | None, every: list[Numbered], workspace: Workspace
) -> list[str]:
    """Complain about conditions that cannot be read or ask about mails this file does not send; hand back the rest."""
    asked: list[tuple[tuple[str | int, ...], str]] = [
        ((*one.path, "if"), one.step.if_) for one in every if isinstance(one.step, IfStep)
    ]
    if definition is not None:
        asked += [(("exit", number, "when"), one.when) for number, one in enumerate(definition.exit)]
        asked += [(("enroll", "when"), definition.enroll.when)] if definition.enroll.when else []
    mails = [one.id for one in every if isinstance(one.step, SendStep)]
    good = []
    for path, text in asked:
        condition = file.read_condition(path, text, workspace.words)
        if condition is None:
            continue
        good.append(text)
        if path[0] != "enroll":
            _check_mails_asked_about(file, path, condition, mails)
    return good


def _check_mails_asked_about(
    file: YamlFile, path: tuple[str | int, ...], condition: Condition, mails: list[str]
) -> None:
    for part in walk(condition):
        if isinstance(part, Asks):
            mail = dict(part.arguments).get("mail")
            if isinstance(mail, str) and "/" not in mail and mail not in mails:
                hint = did_you_mean(mail, mails).strip() or f"It sends: {', '.join(mails) or 'nothing'}."
                file.complain(
                    "NS207",
                    path,
                    f'{part.predicate}("{mail}"): no step of this file sends a mail called "{mail}".',
                    hint,
                )


def _read_mail(file: YamlFile, one: Numbered, workspace: Workspace, problems: Problems) -> MailSource | None:
    if not isinstance(one.step, SendStep):
        return None
    step = one.step
    subject, preheader = (
        file.original((*one.path, key), text.strip()) if text is not None else None
        for key, text in (("subject", step.subject), ("preheader", step.preheader))
    )
    reading = read_template(workspace.templates, step.send, subject=subject, preheader=preheader)
    asked_at = (file.name, *file.place((*one.path, "send")))
    given = [line for line in (subject, preheader) if line is not None]
    return take_mail(workspace, reading, problems, asked_at=asked_at, given=given)


def _check_fields(file: YamlFile, one: Numbered, workspace: Workspace) -> None:
    if not isinstance(one.step, SetStep):
        return
    settable = {name for name in workspace.words.fields if name not in _COMPUTED}
    for name, value in one.step.set.items():
        path = (*one.path, "set", name)
        if name not in settable:
            file.complain("NS209", path, f'"{name}" cannot be set.', did_you_mean(name, settable).strip(), at_key=True)
            continue
        kind = workspace.words.fields[name].type
        fits = {
            FieldType.TEXT: isinstance(value, str),
            FieldType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
            FieldType.FLAG: isinstance(value, bool),
            FieldType.DATE: isinstance(value, str),
        }
        if value is not None and not fits[kind]:
            file.complain("NS210", path, f"{name} is a {kind}, and {value!r} is not.")


#: Nobody sets these by hand: they follow from what people did, said, or are.
_COMPUTED = {"email", "domain", "score", "fit", "stage", "interest", "owner"}
