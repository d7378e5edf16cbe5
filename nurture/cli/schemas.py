"""`nurture schema`: what editors need to complete keys and underline slips while a file is being written.

A JSON Schema (draft 2020-12) for each format, made from the definitions that `check` reads it with. A schema knows keys,
kinds of values and how texts look; what a name refers to and whether a condition can be read, only `check` knows.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say
from nurture.cli.workspace import folder

if TYPE_CHECKING:
    from nurture.campaigns.definitions import Definition

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Which files have which format, as editors take it; front matter stands in Markdown, which they do not read so.
_FILES = {
    "sequence": "campaigns/sequences/*.yaml",
    "newsletter": "campaigns/newsletters/*/newsletter.yaml",
    "segments": "campaigns/segments.yaml",
    "questions": "campaigns/questions.yaml",
    "scoring": "campaigns/scoring.yaml",
    "handoff": "campaigns/handoff.yaml",
    "forms": "campaigns/forms.yaml",
    "consent": "campaigns/consent.yaml",
    "behavior": "behavior.yaml",
}


def register(app: typer.Typer) -> None:
    app.command("schema")(schema)


def schema(
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; default: .nurture/schemas.")] = None,
    as_json: Json = False,
) -> None:
    """Write a JSON Schema of each file format, for editors: they complete keys and underline mistakes.

    Example: nurture schema --out schemas
    """
    place = (out or schemas_folder(folder())).resolve()
    written = write_schemas(place)
    mapping = {f"{_as_seen(place)}/{name}.json": files for name, files in _FILES.items()}
    if as_json:
        emit({"folder": str(place), "schemas": [path.name for path in written], "yaml.schemas": mapping})
        return
    say(f"Wrote {len(written)} schemas to {place}.")
    say('\nIn VS Code with the extension "YAML" (redhat.vscode-yaml), and in every editor with yaml-language-server,')
    say("a file knows its format by its first line:")
    say(f"  # yaml-language-server: $schema=../../{_as_seen(place)}/sequence.json")
    say("or all files do by .vscode/settings.json:")
    say("  " + json.dumps({"yaml.schemas": mapping}, indent=2).replace("\n", "\n  "))


def _as_seen(place: Path) -> str:
    workspace = folder()
    return place.relative_to(workspace).as_posix() if place.is_relative_to(workspace) else place.as_posix()


def schemas_folder(workspace: Path) -> Path:
    """Where `init` writes them: beside what is this workspace's own and no part of what is published."""
    from nurture.settings import STATE_FOLDER

    return workspace / STATE_FOLDER / "schemas"


def write_schemas(place: Path) -> list[Path]:
    """Write every schema; the files that were written."""
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in make_schemas().items():
        path = place / f"{name}.json"
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written


def make_schemas() -> dict[str, dict[str, Any]]:
    """Every format by its name."""
    from nurture.consent.definition import ConsentDefinition
    from nurture.contacts.questions.kind import QuestionsDefinition
    from nurture.contacts.segments import SegmentsDefinition
    from nurture.forms.definition import FormsDefinition
    from nurture.handoff.definition import HandoffDefinition
    from nurture.newsletters.definition import AnnouncementFrontMatter, IssueFrontMatter, NewsletterDefinition
    from nurture.scoring.definition import ScoringDefinition
    from nurture.sequences.definition import SequenceDefinition
    from nurture.sequences.simulation.behavior import BehaviorDefinition

    models: dict[str, type[Definition]] = {
        "newsletter": NewsletterDefinition,
        "issue": IssueFrontMatter,
        "announcement": AnnouncementFrontMatter,
        "segments": SegmentsDefinition,
        "questions": QuestionsDefinition,
        "scoring": ScoringDefinition,
        "handoff": HandoffDefinition,
        "forms": FormsDefinition,
        "consent": ConsentDefinition,
        "behavior": BehaviorDefinition,
    }
    return {
        "sequence": _document("sequence", _with_steps(SequenceDefinition.model_json_schema())),
        **{name: _document(name, model.model_json_schema()) for name, model in models.items()},
    }


def _document(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a file, with what editors show and without the titles pydantic makes of every key."""
    tidied = _tidied(schema)
    return {"$schema": _DIALECT, "title": f"nurture: {name}", **tidied}


def _with_steps(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a sequence, in which every list of steps holds one of the steps there are, to any depth."""
    from nurture.sequences.steps import VERBS

    definitions: dict[str, Any] = dict(schema.get("$defs", {}))
    choices = []
    for verb, model in VERBS.items():
        step = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(step.pop("$defs", {}))
        # What a step is called by is what makes it one, whatever it may leave out behind that.
        step["required"] = sorted({verb, *step.get("required", [])})
        step["description"] = inspect.cleandoc(model.__doc__ or "")
        definitions[model.__name__] = step
        choices.append({"$ref": f"#/$defs/{model.__name__}"})
    definitions["Step"] = {"description": "One step: it is called by what it does.", "oneOf": choices}
    whole = {**schema, "$defs": definitions}
    for array in _arrays(whole):
        if array.get("items") == {}:
            array["items"] = {"$ref": "#/$defs/Step"}
    return whole


def _arrays(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "array":
            yield node
        for inner in node.values():
            yield from _arrays(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _arrays(inner)


def _tidied(node: Any, *, are_names: bool = False) -> Any:
    """The same without titles; below `properties` and `$defs` stand names that may be called anything."""
    if isinstance(node, Mapping):
        return {
            key: _tidied(inner, are_names=key in {"properties", "$defs"} and not are_names)
            for key, inner in node.items()
            if are_names or key != "title"
        }
    return [_tidied(inner) for inner in node] if isinstance(node, list) else node
