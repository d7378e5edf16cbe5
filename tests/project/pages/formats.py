"""docs/yaml.md: every key of every file, from the definitions that read them."""

import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml.nodes import MappingNode, SequenceNode

from nurture.campaigns import notations
from nurture.campaigns.definitions import Definition
from nurture.consent.definition import ConsentDefinition
from nurture.contacts.questions.kind import QuestionsDefinition
from nurture.contacts.segments import SegmentsDefinition
from nurture.forms.definition import FormsDefinition
from nurture.handoff.definition import HandoffDefinition
from nurture.newsletters.definition import AnnouncementFrontMatter, IssueFrontMatter, NewsletterDefinition
from nurture.scoring.definition import ScoringDefinition
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.simulation.behavior import BehaviorDefinition
from nurture.sequences.steps import VERBS
from nurture.yaml import plain_yaml
from tests.project.pages.markdown import NOTICE, code, fenced, table
from tests.project.pages.settings import REPOSITORY

#: Every key and every step; `check` reads it without a word, as tests/campaigns holds.
EVERYTHING = REPOSITORY / "tests" / "campaigns" / "valid" / "sequence" / "everything.yaml"

_INTRODUCTION = """\
# Files of a workspace

All are YAML 1.2 in UTF-8 (`country: NO` is Norway), and `nurture check` holds them against what stands here: an unknown
key is an error that names the nearest known one. Keys that have a default may be left out.
"""


@dataclass(frozen=True)
class Format:
    """One kind of file, or one part of it that has a section of its own."""

    title: str
    file: str
    model: type[Definition]
    example: str = ""  # a file of the starter that shows it


FORMATS = (
    Format("A sequence", "campaigns/sequences/NAME.yaml", SequenceDefinition, "campaigns/sequences/evaluators.yaml"),
    Format(
        "A newsletter",
        "campaigns/newsletters/NAME/newsletter.yaml",
        NewsletterDefinition,
        "campaigns/newsletters/weekly/newsletter.yaml",
    ),
    Format("An issue: its front matter", "campaigns/newsletters/NAME/ISSUE.md", IssueFrontMatter),
    Format("An announcement: its front matter", "campaigns/newsletters/NAME/announcement.md", AnnouncementFrontMatter),
    Format("Segments", "campaigns/segments.yaml", SegmentsDefinition, "campaigns/segments.yaml"),
    Format("Questions", "campaigns/questions.yaml", QuestionsDefinition, "campaigns/questions.yaml"),
    Format("Scoring", "campaigns/scoring.yaml", ScoringDefinition, "campaigns/scoring.yaml"),
    Format("Forms", "campaigns/forms.yaml", FormsDefinition, "campaigns/forms.yaml"),
    Format("Hand-off", "campaigns/handoff.yaml", HandoffDefinition, "campaigns/handoff.yaml"),
    Format("Consent", "campaigns/consent.yaml", ConsentDefinition, "campaigns/consent.yaml"),
    Format("Behavior, for `nurture simulate`", "any file, named with --behavior", BehaviorDefinition),
)

#: How texts with a meaning are called, what they look like, and what is said about them.
NOTATIONS: Mapping[str, tuple[Any, tuple[str, ...], str]] = {
    "duration": (
        notations.Length,
        ("90 minutes", "3 days", "5 working days", "60d"),
        "A number and a unit: seconds, minutes, hours, days, weeks, or working days (Monday to Friday).",
    ),
    "days": (notations.Days, ("mon-fri", "tue, thu", "daily"), "Days of the week."),
    "hours": (notations.Hours, ("09:00-17:00", "00:00-24:00"), "From and to, within one day. In quotes."),
    "time of day": (notations.TimeOfDay, ("09:00",), "In quotes, because YAML has ideas of its own about colons."),
    "`contact`, `owner` or zone": (
        notations.ContactOrZone,
        ("contact", "owner", "Europe/Berlin"),
        "The time zone of the contact, of their owner, or a named one.",
    ),
    "`sender`, `reader` or zone": (
        notations.ReaderOrZone,
        ("sender", "reader", "America/New_York"),
        "One moment for all in the sender's zone, each reader's own, or a named one.",
    ),
    "holidays": (
        notations.Holidays,
        ("DE", "DE-BY", "[DE, AT]", "contact"),
        "Whose public holidays: a country, a part of one, a list of them, or the contact's own.",
    ),
    "https address": (
        notations.WebhookUrl,
        ("https://crm.example/hooks/1",),
        "Without a name or a password in it; plain http only for this machine.",
    ),
}

_SCALARS: Mapping[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "`true` or `false`", date: "date", Any: "steps",
}  # fmt: skip


#: Keys behind which stands a condition, whatever file they are in.
_CONDITIONS = frozenset({"when", "if", "audience"})
_CONDITION = "[condition](sequences.md#conditions)"


@dataclass(frozen=True)
class Key:
    """One key: where it stands, and what may stand behind it."""

    path: str
    type: str
    default: str
    meaning: str


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[Key]:
    """The keys of a definition, those of its parts behind the part they belong to."""
    for name, field in model.model_fields.items():
        path = above + (field.alias or name)
        inner, mark = _part_of(field.annotation)
        if name == "format":
            yield Key(
                path, code("1"), "must be given" if field.is_required() else code("1"), "The format of this file."
            )
            continue
        type_ = _CONDITION if name.rstrip("_") in _CONDITIONS else _type_of(field)
        yield Key(path, type_, _default_of(field), field.description or "")
        if inner is not None:
            yield from keys_of(inner, f"{path}{mark}.")


def _part_of(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The definition inside a key, and how a place within it is written: `rules[].when`, `rejections.NAME.label`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    marks = {list: "[]", dict: ".NAME"}
    for argument in get_args(annotation):
        inner, mark = _part_of(argument)
        if inner is not None:
            return inner, marks.get(get_origin(annotation), "") + mark
    return None, ""


def _type_of(field: FieldInfo) -> str:
    # pydantic takes an Annotated apart; what it was is told by what it held.
    parts: list[Any] = [field.annotation, *field.metadata]
    text = _notation(field.metadata) or _name_of(field.annotation)
    return " ".join([text, *filter(None, map(_bound, parts[1:]))])


def _notation(metadata: Any) -> str:
    held = [get_args(notation)[1] for notation, _, _ in NOTATIONS.values()]
    return next((name for name, one in zip(NOTATIONS, held, strict=True) if one in metadata), "")


def _name_of(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _notation(arguments[1:]) or _name_of(arguments[0])
    if origin is Literal:
        return ", ".join(code(str(one)) for one in arguments)
    if origin in {Union, types.UnionType}:
        names = dict.fromkeys(_name_of(one) for one in arguments if one is not type(None))
        return " or ".join(_merged(list(names)))
    if origin is list:
        return "steps" if arguments[0] is Any else f"list of {_plural(_name_of(arguments[0]))}"
    if origin is dict:
        return "`{}`" if arguments[1] is Any else f"{_name_of(arguments[0])}: {_name_of(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "the keys below"
    return _SCALARS[annotation]


def _merged(names: list[str]) -> list[str]:
    """A whole number is a number; one word is enough."""
    return [name for name in names if name != "whole number" or "number" not in names]


def _plural(name: str) -> str:
    return {"text": "texts", "the keys below": "parts with the keys below"}.get(name, name)


def _bound(one: object) -> str:
    match one:
        case annotated_types.Ge(ge=least):
            return f"from {least}"
        case annotated_types.Gt(gt=least):
            return f"above {least}"
        case annotated_types.Le(le=most):
            return f"to {most}"
    pattern = getattr(one, "pattern", None)
    return "(a-z, 0-9 and hyphens)" if pattern == r"^[a-z0-9][a-z0-9-]*$" else ""


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    match field.default:
        case None | "":
            return ""
        case BaseModel():
            return ""
        case bool(value):
            return code(str(value).lower())
        case list() as items:
            return code(f"[{', '.join(map(str, items))}]") if items else ""
        case dict():
            return ""
    return code(str(field.default))


def _section(one: Format) -> str:
    parts = [f"## {one.title}", code(one.file) if "/" in one.file else one.file.capitalize() + "."]
    parts.append(_keys(one.model))
    if one.model is SequenceDefinition:
        parts += _steps()
        parts += ["### Every key at work", fenced(EVERYTHING.read_text(encoding="utf-8"), "yaml")]
    if one.example:
        text = (REPOSITORY / one.example).read_text(encoding="utf-8")
        parts += [f"The starter's {code(one.example)}:", fenced(text, "yaml")]
    return "\n\n".join(parts)


def _keys(model: type[BaseModel]) -> str:
    rows = [(code(key.path), key.type, key.default, key.meaning) for key in keys_of(model)]
    return table(("key", "what stands there", "default", "what it means"), rows)


def _steps() -> Iterator[str]:
    yield "### Steps"
    yield (
        "A step does one thing, and is called by it. Whatever it does, it may have an `id`; without one it gets one, such "
        "as `wait-2`, and keeps it as long as the steps before it stay."
    )
    for verb, model in VERBS.items():
        yield f"#### {verb}"
        yield inspect.cleandoc(model.__doc__ or "")
        yield fenced("\n".join(_examples_of(verb)) + "\n", "yaml")
        yield _keys(model)


def _examples_of(verb: str) -> Iterator[str]:
    """The steps of that verb in the file that shows everything, as they stand there."""
    text = EVERYTHING.read_text(encoding="utf-8")
    lines = text.splitlines()
    for step in _steps_in(plain_yaml().compose(text)):
        if verb not in {key.value for key, _ in step.value}:
            continue
        first, column = step.start_mark.line, step.start_mark.column
        if step.flow_style:
            yield f"- {lines[first][column : step.end_mark.column]}"
        else:
            # Behind the hyphen of its list, as far as anything in it reaches.
            yield from (line[column - 2 :] for line in lines[first : _last_line(step) + 1])


def _steps_in(node: Any) -> Iterator[MappingNode]:
    """Every step of a file, outermost first."""
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if key.value in {"steps", "then", "else"}:
            for step in value.value:
                yield step
                yield from _steps_in(step)
        elif isinstance(value, SequenceNode):
            for one in value.value:
                yield from _steps_in(one)
        else:
            for _, arm in value.value if isinstance(value, MappingNode) else ():
                yield from _steps_in(arm)


def _last_line(node: Any) -> int:
    if isinstance(node, MappingNode) and not node.flow_style:
        return max(_last_line(value) for _, value in node.value)
    if isinstance(node, SequenceNode) and not node.flow_style:
        return max(map(_last_line, node.value))
    line: int = node.end_mark.line
    return line


def _mappings(node: Any) -> Iterator[MappingNode]:
    if isinstance(node, MappingNode):
        yield node
    for one in node.value if isinstance(node, MappingNode | SequenceNode) else ():
        for inner in one if isinstance(one, tuple) else (one,):
            yield from _mappings(inner)


def keys_at_work() -> set[str]:
    """Every key that the file shows, as `keys_of` spells the keys of its part."""
    found: set[str] = set()
    for node in _mappings(plain_yaml().compose(EVERYTHING.read_text(encoding="utf-8"))):
        found.update(str(key.value) for key, _ in node.value)
    return found


def page() -> str:
    """The whole page."""
    rows = [(name, ", ".join(map(code, examples)), meaning) for name, (_, examples, meaning) in NOTATIONS.items()]
    texts = table(("called here", "such as", "what it is"), rows)
    contents = "\n".join(f"- [{one.title}](#{_anchor(one.title)})" for one in FORMATS)
    return "\n\n".join([NOTICE, _INTRODUCTION.strip(), contents, texts, *map(_section, FORMATS)]) + "\n"


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def every_definition() -> set[type[Definition]]:
    """All definitions there are, of whole files and of parts of one."""
    found: set[type[Definition]] = set()
    waiting: list[type[Definition]] = [Definition]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting.extend(below)
    return found


def shown_definitions() -> set[type[BaseModel]]:
    """All definitions that the page shows, with those inside them and those they stand for."""
    waiting: list[type[BaseModel]] = [*(one.model for one in FORMATS), *VERBS.values()]
    found: set[type[BaseModel]] = set()
    while waiting:
        model = waiting.pop()
        found.add(model)
        inner = [_part_of(field.annotation)[0] for field in model.model_fields.values()]
        waiting += [one for one in [*inner, *model.__bases__] if isinstance(one, type) and issubclass(one, BaseModel)]
    return found
