"""What must be right about a sequence's file before a program can be made of it: names that exist, conditions that read.

Everything here is an error. What a careful colleague would merely remark is in `remarks`.
"""

from collections.abc import Callable, Mapping
from datetime import date, time

from nurture.campaigns.reading import Workspace, YamlFile, sentence
from nurture.conditions import Asks, Condition, FieldType, walk
from nurture.contacts.countries import find_country
from nurture.contacts.fields import ABILITIES, SOURCES
from nurture.errors import BadInput, did_you_mean
from nurture.handoff.tasks import find_fault as find_fault_in_text
from nurture.outgoing.rules import find_fault
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.numbering import Numbered, Place
from nurture.sequences.simulation.expectations import unknown_steps
from nurture.sequences.steps import (
    EnrollStep,
    GotoStep,
    NotifyDefinition,
    NotifyStep,
    SetStep,
    TaskDefinition,
    TaskStep,
    UntilDefinition,
    WaitStep,
    WebhookDefinition,
    WebhookStep,
)
from nurture.timing import find_zone, parse_moment
from nurture.tracking.rules import ANSWERED_BY

#: Fields that take only what we know how to read, as imports do.
_CLOSED: Mapping[str, Callable[[str], bool]] = {
    "country": lambda text: find_country(text) == text,
    "timezone": lambda text: find_zone(text) is not None,
    "language": lambda text: len(text) == 2 and text.isascii() and text.isalpha() and text.islower(),
    "source": lambda text: text in SOURCES,
}
_EXAMPLES = {"country": '"DE"', "timezone": '"Europe/Berlin"', "language": '"de"', "source": '"trade show"'}

#: Nobody sets these by hand: they follow from what people did, said, or are.
_COMPUTED = frozenset({"email", "domain", "score", "fit", "stage", "interest", "owner", *ABILITIES})


def check_names(file: YamlFile, definition: SequenceDefinition, workspace: Workspace) -> None:
    """Topic and senders must be declared."""
    if definition.topic not in workspace.topics:
        known = ", ".join(workspace.topics) or "none is declared"
        hint = did_you_mean(definition.topic, workspace.topics).strip() or f"Known: {known}."
        file.complain("NS205", ("topic",), f'settings.toml declares no topic "{definition.topic}".', hint)
    for key, name, words in (
        ("sender", definition.sender, ("default", "owner")),
        ("until_owner_agrees", definition.until_owner_agrees, ("default", "wait")),
    ):
        if name not in {*words, *workspace.senders}:
            hint = did_you_mean(name, [*words, *workspace.senders]).strip()
            file.complain("NS206", (key,), f'settings.toml declares no sender "{name}".', hint)


def check_conditions(
    file: YamlFile, definition: SequenceDefinition | None, every: list[Numbered], workspace: Workspace
) -> list[str]:
    """Complain about conditions that cannot be read or ask about mails this file does not send; hand back the rest."""
    asked: list[tuple[Place, str]] = [pair for one in every for pair in one.conditions]
    if definition is not None:
        asked += [(("exit", number, "when"), one.when) for number, one in enumerate(definition.exit)]
        entry = definition.enroll
        asked += [(("enroll", key), text) for key, text in (("when", entry.when), ("did", entry.did)) if text]
    mails = [one.id for one in every if one.mail]
    good = []
    for path, text in asked:
        condition = file.read_condition(path, text, workspace.words)
        if condition is None:
            continue
        good.append(text)
        if path[0] != "enroll":
            _check_mails_asked_about(file, path, condition, mails)
        elif path[1] == "did" and not (isinstance(condition, Asks) and condition.predicate in ANSWERED_BY):
            known = ", ".join(f"{word}(…)" for word in ANSWERED_BY)
            file.complain("NS216", path, "this is not one thing somebody does.", f"Write one of {known}.")
    return good


def _check_mails_asked_about(file: YamlFile, path: Place, condition: Condition, mails: list[str]) -> None:
    for part in walk(condition):
        if isinstance(part, Asks):
            mail = dict(part.arguments).get("mail")
            if isinstance(mail, str) and "/" not in mail and mail not in mails:
                hint = did_you_mean(mail, mails).strip() or f"It sends: {', '.join(mails) or 'nothing'}."
                message = f'{part.predicate}("{mail}"): no step of this file sends a mail called "{mail}".'
                file.complain("NS207", path, message, hint)


def check_moments(
    file: YamlFile, definition: SequenceDefinition | None, every: list[Numbered], workspace: Workspace
) -> None:
    """Dates to wait for, and the date that lets people in, must be readable and rest on date fields."""
    for one in every:
        if isinstance(one.step, WaitStep) and isinstance(one.step.wait, UntilDefinition):
            _check_moment(file, (*one.path, "wait", "until"), one.step.wait.until, workspace, must_be_field=False)
    if definition is not None and definition.enroll.when and definition.enroll.again == "always":
        message = '"always" would let somebody in again and again, as long as `when` holds; write "after 180 days".'
        file.complain("NS219", ("enroll", "again"), message)
    if definition is not None and definition.enroll.on_date:
        _check_moment(file, ("enroll", "on_date"), definition.enroll.on_date, workspace, must_be_field=True)


def _check_moment(file: YamlFile, path: Place, given: object, workspace: Workspace, *, must_be_field: bool) -> None:
    try:
        moment = parse_moment(given, time(0))
    except BadInput as error:
        file.complain("NS004", path, str(error))
        return
    dates = [name for name, field in workspace.words.fields.items() if field.type is FieldType.DATE]
    if moment.field is not None and moment.field not in dates:
        hint = did_you_mean(moment.field, dates).strip() or f"Date fields: {', '.join(dates) or 'none is declared'}."
        file.complain("NS212", path, f'settings.toml declares no date field "{moment.field}".', hint)
    elif moment.field is None and must_be_field:
        file.complain("NS212", path, "this is the same day for everybody.", "Name a date field of the contact.")


def date_fields(definition: SequenceDefinition, every: list[Numbered]) -> set[str]:
    """The date fields that waits and the entry rest on; of a file whose moments can be read."""
    untils = [
        one.step.wait.until
        for one in every
        if isinstance(one.step, WaitStep) and isinstance(one.step.wait, UntilDefinition)
    ]
    asked = [*untils, *([definition.enroll.on_date] if definition.enroll.on_date else [])]
    return {field for text in asked if (field := parse_moment(text, time(0)).field)}


def check_steps(file: YamlFile, every: list[Numbered], workspace: Workspace) -> None:
    """Steps must name what exists: fields, operators, other steps."""
    for one in every:
        match one.step:
            case SetStep():
                _check_fields(file, one, one.step, workspace)
            case GotoStep(goto=to):
                _check_goto(file, one, to, [known.id for known in every])
            case NotifyStep(notify=note):
                _check_for_colleague(file, (*one.path, "notify"), note, workspace)
            case TaskStep(task=task):
                _check_for_colleague(file, (*one.path, "task"), task, workspace)
            case WebhookStep(webhook=given):
                webhook = given if isinstance(given, WebhookDefinition) else WebhookDefinition(url=given)
                _check_webhook(file, one, webhook, workspace)


def _check_goto(file: YamlFile, one: Numbered, to: str, known: list[str]) -> None:
    if to not in known:
        hint = did_you_mean(to, known).strip() or f"Steps: {', '.join(known)}."
        file.complain("NS211", (*one.path, "goto"), f'no step is called "{to}".', hint)


def _check_for_colleague(
    file: YamlFile, path: Place, given: str | NotifyDefinition | TaskDefinition, workspace: Workspace
) -> None:
    """A note or a task: whom it is for, and what its text takes from the contact."""
    texts: Mapping[Place, str] = {path: given} if isinstance(given, str) else {}
    if isinstance(given, NotifyDefinition):
        texts = {(*path, "subject"): given.subject, (*path, "text"): given.text}
    elif isinstance(given, TaskDefinition):
        texts = {(*path, "what"): given.what}
    if not isinstance(given, str):
        _check_operator(file, (*path, "to"), given.to, workspace)
    for place, text in texts.items():
        if fault := find_fault_in_text(text, workspace.words.fields):
            file.complain("NS208", place, sentence(fault))


def _check_operator(file: YamlFile, path: Place, to: str, workspace: Workspace) -> None:
    if to != "owner" and to.lower() not in workspace.operators:
        known = ["owner", *sorted(workspace.operators)]
        hint = did_you_mean(to, known).strip() or f"Known: {', '.join(known)}."
        file.complain("NS213", path, f'nobody who works here is called "{to}".', hint)


def _check_webhook(file: YamlFile, one: Numbered, webhook: WebhookDefinition, workspace: Workspace) -> None:
    for number, name in enumerate(webhook.send):
        if name not in workspace.words.fields:
            hint = did_you_mean(name, workspace.words.fields).strip()
            file.complain("NS217", (*one.path, "webhook", "send", number), f'there is no field "{name}".', hint)
    if fault := find_fault(webhook.url, webhook.headers):
        file.complain("NS218", (*one.path, "webhook"), fault)


def _check_fields(file: YamlFile, one: Numbered, step: SetStep, workspace: Workspace) -> None:
    settable = {name for name in workspace.words.fields if name not in _COMPUTED}
    for name, value in step.set.items():
        path = (*one.path, "set", name)
        if name not in settable:
            file.complain("NS209", path, f'"{name}" cannot be set.', did_you_mean(name, settable).strip(), at_key=True)
            continue
        kind = workspace.words.fields[name].type
        fits: Mapping[FieldType, bool] = {
            FieldType.TEXT: isinstance(value, str),
            FieldType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
            FieldType.FLAG: isinstance(value, bool),
            FieldType.DATE: isinstance(value, date) or (isinstance(value, str) and _is_date(value)),
        }
        if value is not None and not fits[kind]:
            file.complain("NS210", path, f"{name} is a {kind}, and {value!r} is not.")
        elif isinstance(value, str) and name in _CLOSED and not _CLOSED[name](value):
            file.complain("NS210", path, f'"{value}" is no {name}.', f"Write one such as {_EXAMPLES[name]}.")


def check_expectations(file: YamlFile, definition: SequenceDefinition, every: list[Numbered]) -> None:
    """What is expected of a step must be said of one that is there."""
    known = [id_ for one in every for id_ in one.ids]
    for number, step in unknown_steps(definition.expect, known):
        hint = did_you_mean(step, known).strip() or f"Steps: {', '.join(known)}."
        file.complain("NS291", ("expect", number), f'no step is called "{step}".', hint)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def check_others(file: YamlFile, definition: SequenceDefinition, every: list[Numbered], known: list[str]) -> None:
    """The other sequences that a file names must all be there."""
    compatible = definition.compatible_with if definition.compatible_with != "all" else []
    named: list[tuple[Place, str]] = [(("compatible_with", number), name) for number, name in enumerate(compatible)]
    named += [((*one.path, "enroll"), one.step.enroll) for one in every if isinstance(one.step, EnrollStep)]
    for path, name in named:
        if name not in known:
            hint = did_you_mean(name, known).strip() or f"Known: {', '.join(known)}."
            file.complain("NS215", path, f'there is no sequence "{name}".', hint)
