"""What does not fit a file format, in words an author can act on. Pure.

pydantic finds it; here it is told once per place, with the key's own description where that helps, and without the names of
alternatives that nobody wrote.
"""

import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from nurture.errors import did_you_mean

Path_: TypeAlias = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text; put it in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a group of `key: value` lines",
    "model_type": "a group of `key: value` lines",
    "model_attributes_type": "a group of `key: value` lines",
    "date_type": "a date such as 2026-01-31",
    "date_parsing": "a date such as 2026-01-31",
    "date_from_datetime_parsing": "a date such as 2026-01-31",
}
_LIMITS = {
    "greater_than": "is too small; write more than {gt:g}",
    "greater_than_equal": "is too small; write {ge:g} or more",
    "less_than": "is too large; write less than {lt:g}",
    "less_than_equal": "is too large; write {le:.15g} or less",
    "string_too_short": "is too short; write at least {min_length} characters",
    "string_too_long": "is too long; write at most {max_length} characters",
    "string_pattern_mismatch": "is no name; write small letters, digits and hyphens, such as spring-2026",
    "finite_number": "is no number to count with; write one such as 10",
    "too_short": "is not enough; write at least {min_length}",
    "too_long": "is too much; write at most {max_length}",
}


@dataclass(frozen=True)
class Complaint:
    """What is wrong at a place of the data, or with the key there."""

    code: str
    path: Path_
    message: str
    hint: str = ""
    is_about_key: bool = False


def complaints(error: ValidationError, model: type[BaseModel], data: Any) -> Iterator[Complaint]:
    """One complaint per place; several problems there are alternatives of which none fits."""
    found: dict[Path_, list[Any]] = {}
    for problem in error.errors():
        found.setdefault(_path_in(data, problem), []).append(problem)
    for path, problems in found.items():
        is_told_inside = any(other[: len(path)] == path != other for other in found)
        # A list with something wrong in it is no word that was misspelt.
        if not (is_told_inside and all(one["type"] == "literal_error" for one in problems)):
            yield _complaint(model, path, problems)


def _path_in(data: Any, problem: Any) -> Path_:
    """Where in the data something is wrong; pydantic also names the alternatives it tried."""
    path: list[str | int] = []
    for step in problem["loc"]:
        if isinstance(data, dict) and (keys := [key for key in data if step in {key, repr(key)}]):
            path.append(_written(keys[0]))
            data = data[keys[0]]
        elif isinstance(data, list) and isinstance(step, int):
            path.append(step)
            data = data[step]
        elif problem["type"] == "missing" and step == problem["loc"][-1]:
            path.append(step)
    return tuple(path)


def _written(key: object) -> str:
    """A key as its file has it: YAML makes numbers, dates and more of some."""
    match key:
        case None:
            return "null"
        case bool():
            return str(key).lower()
        case tuple():
            return "[…]"
    return str(key)


def _complaint(model: type[BaseModel], path: Path_, problems: list[Any]) -> Complaint:
    words = [word for one in problems if one["type"] == "literal_error" for word in _words_of(one)]
    # A number that is none is told as such, whatever else could stand there.
    ranked = sorted(problems, key=lambda one: (one["type"] == "literal_error", one["type"] != "finite_number"))
    problem = ranked[0]
    given, context, last = problem["input"], problem.get("ctx", {}), str(path[-1]) if path else ""
    meant = _description(model, path)
    match problem["type"]:
        case "extra_forbidden" | "invalid_key":
            known = list(_fields_beside(model, path))
            near = did_you_mean(last, known).strip() or f"Known here: {', '.join(sorted(known))}."
            if given is None and any(sign in last for sign in "()='\""):
                near = "A comma ended what stands before it; put the whole condition in quotes."
            return Complaint("NS002", path, "there is no such key.", near, is_about_key=True)
        case "missing":
            return Complaint("NS003", path[:-1], f'"{last}" is missing; add it.', meant)
        case "literal_error" if given is None:
            return Complaint("NS004", path, f"nothing stands here; write {' or '.join(words)}.")
        case "literal_error" if len(words) == 1:
            return Complaint("NS004", path, f"{shown(given)} cannot stand here; write {words[0]}.")
        case "literal_error":
            near = did_you_mean(str(given), words).strip()
            is_about_key = problem["loc"][-1] == "[key]"
            return Complaint("NS004", path, f"{shown(given)} is not one of {', '.join(words)}.", near, is_about_key)
        case "value_error":
            message = str(context["error"])
            other = f", or {' or '.join(words)}." if words else ""
            return Complaint("NS004", path, message.removesuffix(".") + other if other else message)
    return Complaint("NS004", path, _misfit(problem), meant, is_about_key=problem["loc"][-1] == "[key]")


def _misfit(problem: Any) -> str:
    """What is wrong with a value of the wrong kind or size."""
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind in _EXPECTED and given is None:
        return f"nothing stands here; write {_EXPECTED[kind].partition(';')[0]}."
    if kind in _EXPECTED:
        return f"{shown(given)} is not {_EXPECTED[kind]}."
    if context.get("min_length") == 1:
        return "this is empty; write something."
    if context.get("max_length") == 0:
        return "nothing can stand in here."
    if kind in _LIMITS:
        return f"{shown(given)} {_LIMITS[kind].format(**context)}."
    return f"{shown(given)} cannot stand here; docs/yaml.md shows what can."


def _words_of(problem: Any) -> list[str]:
    return [word.strip("' ") for word in re.split(r", | or ", problem["ctx"]["expected"])]


def shown(value: object) -> str:
    """A value as a complaint quotes it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case dict() | list():
            return "this"
    text = str(value)
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}…"'


def _description(model: type[BaseModel], path: Path_) -> str:
    """What the key at `path`, or around it, is for, where that is more than its name says."""
    while path and not isinstance(path[-1], str):
        path = path[:-1]
    if path == ("format",):
        return "Begin the file with `format: 1`."
    field = _fields_beside(model, path).get(str(path[-1])) if path else None
    meant = (field.description or "") if field else ""
    return meant if len(meant.split()) > 2 else ""


def _fields_beside(model: type[BaseModel], path: Path_) -> dict[str, FieldInfo]:
    """The keys that could stand where the last step of `path` does."""
    for step in path[:-1]:
        fields = _fields_of(model)
        inner = list(_models_in(fields[step].annotation)) if isinstance(step, str) and step in fields else []
        model = inner[0] if inner else model
    return _fields_of(model)


def _fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, types.UnionType, list, tuple, dict} or get_args(annotation):
        for argument in get_args(annotation):
            yield from _models_in(argument)
