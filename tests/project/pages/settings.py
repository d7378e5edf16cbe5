"""docs/settings.md: every setting with its type, default and variable, from `nurture.settings` and settings.toml."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nurture.settings import Settings
from tests.project.pages.markdown import NOTICE, code, fenced, table

REPOSITORY = Path(__file__).parents[3]

_INTRODUCTION = """\
# Settings

`settings.toml` in the workspace holds what is set; what it leaves out has the default below. A variable of the
environment wins over the file: `NURTURE_` and the place of the setting, its parts joined by two underscores. Lists are
written with commas there: `NURTURE_SENDING__ONLY_TO="acme.example, reader.example"`. A name that is no setting stops
every command with the nearest one that is.

Secrets never stand in settings.toml. `nurture init` writes them to `.nurture/secrets`, which only its owner may read.

What campaigns rest on (`senders`, `topics`, `fields`, `operators`, the caps) is published with them: changing it
changes nobody's mail before `nurture publish`. All other settings count from the next start.
"""
#: Sections that may come several times, or under a name of one's own, and how their header is written.
_REPEATED = {
    "relays": "[[relays]]",
    "operators": "[[operators]]",
    "assignment": "[[assignment]]",
    "topics": "[[topics]]",
    "fields": "[fields.NAME]",
    "senders.named": "[senders.named.NAME]",
}
#: Of these the environment names one by its `name`.
_BY_NAME = {"relays"}


@dataclass(frozen=True)
class Setting:
    """One setting."""

    section: str
    name: str
    type: str
    default: str
    meaning: str
    variable: str
    is_secret: bool

    @property
    def key(self) -> str:
        """Its place, as people write it: `smtp.host`."""
        return f"{self.section}.{self.name}" if self.section else self.name


def every_setting() -> list[Setting]:
    """All settings, in the order of the code."""
    return list(_walk(Settings, ""))


def _walk(model: type[BaseModel], section: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        place = f"{section}.{name}" if section else name
        inner = _section_in(field.annotation)
        if inner is not None:
            yield from _walk(inner, place)
            continue
        is_secret = not field.repr
        has_variable = section not in _REPEATED or section in _BY_NAME
        path = f"{section}.name.{name}" if section in _BY_NAME else place
        variable = "NURTURE_" + path.replace(".", "__").upper() if has_variable else ""
        yield Setting(
            section, name, _type_of(field), _default_of(field, is_secret), field.description or "", variable, is_secret
        )


def _section_in(annotation: Any) -> type[BaseModel] | None:
    candidates = [annotation, *get_args(annotation)]
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _type_of(field: FieldInfo) -> str:
    bounds = [_bound(one) for one in field.metadata]
    return " ".join([_name_of(field.annotation), *filter(None, bounds)])


def _name_of(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _name_of(arguments[0])
    if origin is Literal:
        return ", ".join(code(str(one)) for one in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(_name_of(one) for one in arguments if one is not type(None))
    if origin in {list, tuple}:
        return "list of texts"
    names: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names[annotation]


def _bound(one: object) -> str:
    match one:
        case annotated_types.Ge(ge=least):
            return f"from {least:g}"
        case annotated_types.Gt(gt=least):
            return f"above {least:g}"
        case annotated_types.Le(le=most):
            return f"to {most:.12g}"
    return ""


def _default_of(field: FieldInfo, is_secret: bool) -> str:
    if is_secret:
        return ""
    match field.default:
        case value if value is PydanticUndefined:
            return "must be given"
        case tuple():
            return code("[]")
        case str(text):
            return code(f'"{text}"')
        case bool(value):
            return code(str(value).lower())
    return code(f"{field.default:g}")


def page() -> str:
    """The whole page."""
    settings = every_setting()
    parts = [NOTICE, _INTRODUCTION.strip()]
    for section in dict.fromkeys(one.section for one in settings if not one.is_secret):
        within = [one for one in settings if one.section == section and not one.is_secret]
        parts += [f"## {_REPEATED.get(section, f'[{section}]')}", _explained(section), _table(within)]
    secrets = [one for one in settings if one.is_secret]
    parts += [
        "## Secrets",
        table(("setting", "what it is", "variable"), [(code(s.key), s.meaning, code(s.variable)) for s in secrets]),
        "## The file `nurture init` writes",
        fenced((REPOSITORY / "settings.toml").read_text(encoding="utf-8"), "toml"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _explained(section: str) -> str:
    """What the section is for, where the settings say so."""
    model: Any = Settings
    description = ""
    for part in section.split("."):
        field = model.model_fields[part]
        description, model = field.description or "", _section_in(field.annotation)
    return description


def _table(settings: list[Setting]) -> str:
    rows = [
        (code(one.name), one.type, one.default, one.meaning, *([code(one.variable)] if one.variable else []))
        for one in settings
    ]
    columns = ("setting", "type", "default", "what it means", "variable")
    return table(columns[: len(rows[0])], rows)
