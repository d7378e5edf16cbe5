"""The schemas that editors get: what is right passes, and a slip is underlined."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from nurture.cli.schemas import make_schemas
from tests.campaigns.cases import STARTER, Case, cases

SCHEMAS = make_schemas()


def format_of(path: Path) -> str:
    if path.parent.name == "sequences":
        return "sequence"
    if path.suffix == ".md":
        return "announcement" if path.stem == "announcement" else "issue"
    return path.stem


#: The starter's files, with the format of each.
FILES = [
    (format_of(path), path)
    for path in sorted((STARTER / "campaigns").rglob("*"))
    if path.suffix in {".yaml", ".md"} and format_of(path) in SCHEMAS
]
VALID = [case for case in cases("valid") if case.kind in SCHEMAS]
UNKNOWN_KEYS = [
    case
    for case in cases("invalid")
    if case.kind in SCHEMAS
    and "[NS002]" in case.expected.read_text(encoding="utf-8")
    and "silence" not in case.file.stem
]


def data_of(path: Path) -> Any:
    """What an editor sees: YAML 1.2, in which a date is text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = text.split("---", 2)[1]
    return as_json(YAML(typ="safe", pure=True).load(text))


def as_json(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): as_json(inner) for key, inner in value.items()}
        case list():
            return [as_json(inner) for inner in value]
        case date():
            return value.isoformat()
    return value


def complaints(kind: str, data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMAS[kind])
    return [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_one(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda one: one if isinstance(one, str) else one.name)
def test_every_file_of_the_starter_fits_its_schema(kind: str, path: Path) -> None:
    assert complaints(kind, data_of(path)) == []


@pytest.mark.parametrize("case", VALID, ids=str)
def test_every_file_that_check_takes_fits_its_schema(case: Case) -> None:
    assert complaints(case.kind, data_of(case.file)) == []


@pytest.mark.parametrize("case", UNKNOWN_KEYS, ids=str)
def test_a_key_that_check_does_not_know_is_underlined(case: Case) -> None:
    assert complaints(case.kind, data_of(case.file)) != []


def with_one_typo(data: Any) -> Iterator[tuple[str, Any]]:
    """The same data with one key misspelt, for every key of the file itself and of its steps at any depth."""
    for place in places(data):
        for key in list(walk_to(data, place)):
            changed = deepcopy(data)
            group = walk_to(changed, place)
            group[f"{key}x"] = group.pop(key)
            yield f"{place} {key}", changed


def places(data: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    waiting: list[tuple[Any, ...]] = [("steps",)] if "steps" in data else []
    while waiting:
        for number, step in enumerate(walk_to(data, place := waiting.pop())):
            yield (*place, number)
            waiting += [(*place, number, way) for way in ("then", "else") if way in step]


def walk_to(data: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        data = data[step]
    return data


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda one: one if isinstance(one, str) else one.name)
def test_a_slip_in_any_key_of_the_starter_is_underlined(kind: str, path: Path) -> None:
    slips = list(with_one_typo(data_of(path)))
    assert slips
    for name, data in slips:
        assert complaints(kind, data), name


@pytest.mark.parametrize("wait", ["3 dayz", "soon", "", "3"])
def test_a_wait_that_is_none_is_underlined(wait: str) -> None:
    data = {"format": 1, "sequence": "a", "topic": "b", "steps": [{"wait": wait}]}
    assert complaints("sequence", data)
    assert not complaints("sequence", {**data, "steps": [{"wait": "3 days"}]})
