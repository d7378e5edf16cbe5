"""Reads, checks and freezes sequences: from files to units that can be published, and from a version to a program."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nurture.campaigns.mails import Taken, questions_asked, take_template
from nurture.campaigns.many import read_each
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
from nurture.contacts.segments import Language, rests_on
from nurture.database.engine import Session
from nurture.delivery.offering import SAMPLE_MEETING
from nurture.rendering.source import MailSource
from nurture.scoring.definition import read_model
from nurture.scoring.rules import Model
from nurture.sequences.building import build
from nurture.sequences.checks import (
    check_conditions,
    check_expectations,
    check_moments,
    check_names,
    check_others,
    check_steps,
    date_fields,
)
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.limits import check_limits
from nurture.sequences.moving.actions import PeopleInFlight
from nurture.sequences.numbering import Numbered, read_steps, walk_all
from nurture.sequences.program import Sequence
from nurture.sequences.remarks.judged import Judged
from nurture.sequences.remarks.points import unreachable_threshold
from nurture.sequences.remarks.rules import judge
from nurture.sequences.remarks.together import Outline, outline, remark_together
from nurture.sequences.steps import OfferMeetingStep
from nurture.sequences.store import count_on_the_way

KIND = "sequence"
FOLDER = "sequences"


@dataclass(frozen=True)
class SequenceFile:
    """One file of a sequence as far as it could be read; `unit` only when it has no errors."""

    file: YamlFile
    definition: SequenceDefinition | None
    steps: list[Numbered]
    mails: Mapping[str, MailSource]
    unit: Unit | None = None
    outline: Outline | None = None  # for remarks about several; as the unit

    @property
    def every(self) -> list[Numbered]:
        return list(walk_all(self.steps))


class SequenceKind(PeopleInFlight):
    """All files of campaigns/sequences/."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        units: list[Unit] = []
        model = read_model(workspace)
        found = read_each(_paths(workspace), partial(_read_file, workspace, model), problems)
        for one in found:
            one.file.problems = problems
        names = [one.definition.sequence for one in found if one.definition]
        for one in found:
            if one.definition is not None:
                check_others(one.file, one.definition, one.every, names)
            if one.unit is None:
                continue
            twin = next((other for other in units if other.name == one.unit.name), None)
            if twin is not None:
                message = f'the sequence "{twin.name}" is defined in {twin.file} already; give one another name.'
                problems.add(Problem(one.unit.file, 1, 1, "NS204", message))
                continue
            units.append(one.unit)
        outlines = [one.outline for one in found if one.outline is not None]
        remark_together(outlines, names)
        if model is not None:
            unreachable_threshold(workspace, model, sum(one.points for one in outlines), problems)
        return units

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        definition = content["definition"]
        mails = content["mails"]
        inside = {"then", "elif_", "else_", "split", "silence"}
        steps = {
            one.id: {**one.step.model_dump(mode="json", by_alias=True, exclude=inside), **mails.get(one.id, {})}
            for one in walk_all(read_steps(PublishedFile(definition["sequence"], definition), definition["steps"]))
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


def _paths(workspace: Workspace) -> list[Path]:
    return sorted((workspace.campaigns / FOLDER).glob("*.y*ml"))


def _read_file(workspace: Workspace, model: Model | None, path: Path, problems: Problems) -> SequenceFile | None:
    file = open_yaml(workspace, path, problems)
    if file is None:
        return None
    before = len(problems.errors)
    definition = read_definition(file, SequenceDefinition)
    # Whatever is wrong above them, the steps are looked at all the same.
    raw = definition.steps if definition else file.data.get("steps")
    steps = read_steps(file, raw) if isinstance(raw, list) else []
    every = list(walk_all(steps))
    texts = check_conditions(file, definition, every, workspace)
    check_moments(file, definition, every, workspace)
    check_steps(file, every, workspace)
    check_limits(file, definition, every)
    taken = {one.id: mail for one in every if (mail := _read_mail(file, one, workspace, problems)) is not None}
    mails = {step: mail.source for step, mail in taken.items()}
    if definition is not None:
        check_names(file, definition, workspace)
        check_expectations(file, definition, every)
    read = SequenceFile(file, definition, steps, mails)
    if definition is None or len(problems.errors) > before:
        return read
    program = build(definition, steps, workspace.words)
    content = {
        "definition": definition.model_dump(mode="json", by_alias=True),
        "first": program.first,
        "mails": {step: mail.to_json() for step, mail in mails.items()},
        "about": {"title": definition.name or definition.sequence, "kind": KIND},
        "rests_on": rests_on(texts, workspace.words, date_fields(definition, every)),
        **questions_asked(workspace, mails),
    }
    if meetings := {one.id: one.step.offer_meeting.slots for one in every if isinstance(one.step, OfferMeetingStep)}:
        content["meetings"] = meetings
    links = {step: mail.links for step, mail in taken.items()}
    judged = Judged(file, definition, steps, program, workspace, mails, links, model)
    judge(judged)
    unit = Unit(KIND, definition.sequence, file.name, content)
    return SequenceFile(file, definition, steps, mails, unit, outline(judged))


def _read_mail(file: YamlFile, one: Numbered, workspace: Workspace, problems: Problems) -> Taken | None:
    mail, path = one.mail, one.mail_path
    if mail is None:
        return None
    subject, preheader = (
        file.original((*path, key), text.strip()) if text is not None else None
        for key, text in (("subject", mail.subject), ("preheader", mail.preheader))
    )
    return take_template(
        workspace,
        mail.send,
        problems,
        asked_at=(file.name, *file.place((*path, "send"))),
        subject=subject,
        preheader=preheader,
        about_mail={"meeting": SAMPLE_MEETING} if isinstance(one.step, OfferMeetingStep) else {},
        kind=mail.kind,
    )
