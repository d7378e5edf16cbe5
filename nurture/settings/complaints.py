"""What is wrong with a setting: where it was set, what is wrong with it, what to do."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from nurture.errors import did_you_mean
from nurture.settings.places import PREFIX, SETTINGS_FILE, variable_of
from nurture.settings.sections import Settings
from nurture.toml import Place, line_of


def sentence(text: str, origins: Mapping[Place, str], problem: Any) -> str:
    """Where it was set, what is wrong with it, what to do."""
    place: Place = problem["loc"]
    origin = next((origins[place[:end]] for end in range(len(place), 0, -1) if place[:end] in origins), "")
    line = line_of(text, place)
    where = origin or (f"{SETTINGS_FILE}:{line}" if line else SETTINGS_FILE)
    key = ".".join(str(step) for step in place if not isinstance(step, int))
    said = where if origin.startswith(PREFIX) else f"{where}: {key}"
    given, context = problem["input"], problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden" if origin.startswith(PREFIX):
            return f"{said}: there is no such setting.{nearest(origin)}"
        case "extra_forbidden":
            return f"{said}: there is no such setting.{did_you_mean(str(place[-1]), _names_beside(place))}"
        case "missing":
            return f"{said} is missing; add it."
        case "literal_error":
            known = [word.strip("' ") for word in re.split(r", | or ", context["expected"])]
            return f"{said}: {_shown(given)} is not one of {', '.join(known)}.{did_you_mean(str(given), known)}"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than" as kind:
            limit = next(iter(context.values()))
            return f"{said}: {_shown(given)} is too {_BOUNDS[kind].format(f'{limit:.12g}')}."
        case "model_type" | "model_attributes_type":
            return f"{said}: this is a section and {_shown(given)} is a value; set what is in it, such as {key}.{_first_in(place)}."
        case "value_error":
            return f"{said}: {_shown(given)} {context['error']}."
        case kind if kind in _EXPECTED:
            return f"{said}: {_shown(given)} is not {_EXPECTED[kind]}."
    return f"{said}: {_shown(given)}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


_BOUNDS = {
    "greater_than_equal": "small; write {} or more",
    "greater_than": "small; write more than {}",
    "less_than_equal": "large; write {} or less",
    "less_than": "large; write less than {}",
}
_EXPECTED = {
    "string_type": "a text; put it in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number that ends; write it in digits",
    "tuple_type": 'a list; write it as ["…", "…"]',
    "dict_type": "a section; give each entry a [section.NAME] of its own",
}


def _shown(value: object) -> str:
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)[1:-1]
        return f'"{text}"'
    return f"{value!r}"


def _first_in(place: Place) -> str:
    """A setting of that section, as an example."""
    return next(iter(_names_beside((*place, ""))), "name")


def _names_beside(place: Place) -> list[str]:
    """The settings that could stand where the last step of `place` does."""
    model: Any = Settings
    for part in place[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        inner = [annotation, *getattr(annotation, "__args__", ())]
        sections = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        model = sections[0] if sections else model
    return list(model.model_fields)


def _variables(model: type[BaseModel] = Settings, section: str = "") -> Iterator[str]:
    """Every setting as the environment calls it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{section}{name}.")
        else:
            yield variable_of(f"{section}{name}")


def nearest(variable: str) -> str:
    """Their common beginning makes no two variables alike."""
    known = [one.removeprefix(PREFIX) for one in _variables()]
    return did_you_mean(variable.removeprefix(PREFIX), known).replace('"', f'"{PREFIX}', 1)
