"""`nurture check`: everything a careful colleague would say about the files, for people, for scripts and for GitHub."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, warn
from nurture.cli.workspace import folder, opened
from nurture.figures import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurture.campaigns.publishing import Reading
    from nurture.campaigns.reading import Problem
    from nurture.campaigns.silencing import Silenced

_EXPLAINED = 3  # anchors that the last line names


class Form(StrEnum):
    """How problems are told."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Only report on these files or folders.")] = None,
    form: Annotated[
        Form, typer.Option("--format", help="text, json, or github: annotations of a pull request.")
    ] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; as --format json.")] = False,
    silenced: Annotated[bool, typer.Option("--silenced", help="Also tell what files silence, and why.")] = False,
    simulated: Annotated[
        bool,
        typer.Option("--simulate", help="Also let invented people live through every sequence that has `expect:`."),
    ] = False,
    contacts: Annotated[Path | None, typer.Option(help="With --simulate: the people of this file instead.")] = None,
    seed: Annotated[int, typer.Option(help="With --simulate: other people, other chances.")] = 0,
) -> None:
    """Find everything that is wrong in the files of the workspace, at once.

    Each problem says where it is (file, line and column), what is wrong and what to do. Exits 1 if there are errors,
    0 with warnings only. Nothing is published.

    Example: nurture check campaigns/sequences --silenced
    """
    from nurture.cli.expecting import find_breaches

    wanted = [_find(path) for path in paths or []]
    with opened() as house:
        reading = house.read_files(with_people=True, from_memory=True)
        found = [*reading.problems, *(find_breaches(house, reading, contacts=contacts, seed=seed) if simulated else [])]
    problems = [one for one in sorted(found) if not wanted or _is_below(one.file, wanted)]
    unsaid = [one for one in reading.silenced if not wanted or _is_below(one.problem.file, wanted)]
    errors = sum(one.severity == "error" for one in problems)
    match Form.JSON if as_json else form:
        case Form.JSON:
            emit({
                "errors": errors,
                "warnings": len(problems) - errors,
                "problems": [_as_json(one) for one in problems],
                "silenced": [{**_as_json(one.problem), "reason": one.reason} for one in unsaid],
            })  # fmt: skip
        case Form.GITHUB:
            for one in problems:
                say(_annotation(one))
        case Form.TEXT:
            for one in problems:
                say(str(one))
            if silenced:
                _say_silenced(unsaid)
            say(in_short(problems, reading.files) + _unsaid(unsaid))
    if errors:
        raise typer.Exit(1)


def _find(path: Path) -> Path:
    """A file or folder as seen from here, or else from the workspace; nothing can be found about others."""
    from nurture.errors import BadInput, NotFound

    found = [place.resolve() for place in (path, folder() / path) if place.exists()]
    if not found:
        raise NotFound(f"{path}: there is no such file or folder.")
    workspace = folder().resolve()
    for place in found:
        if place.is_relative_to(workspace) or workspace.is_relative_to(place):
            return place
    raise BadInput(f"{path} is not in the workspace {workspace}; name a file or folder of it, or another --workspace.")


def _is_below(file: str, wanted: list[Path]) -> bool:
    path = (folder() / file).resolve()
    return any(path == one or one in path.parents for one in wanted)


def in_short(problems: "Sequence[Problem]", files: int) -> str:
    """How many problems there are, and where they are explained."""
    where = f"in {counted(files, 'file')}"
    if not problems:
        return f"No problems {where}."
    anchors = list(dict.fromkeys(f"#{one.code.lower()}" for one in problems))
    more = ", …" if len(anchors) > _EXPLAINED else ""
    explained = f"docs/checks.md{', '.join(anchors[:_EXPLAINED])}{more}"
    return f"{counted(len(problems), 'problem')} {where}. Explained at {explained}"


def refuse_errors(reading: "Reading") -> None:
    """Show what is wrong before something rests on these files; an error ends the command here."""
    for one in reading.problems:
        warn(str(one))
    if reading.errors:
        warn(f"{in_short(reading.problems, reading.files)}. Nothing was published.")
        raise typer.Exit(1)


def _unsaid(silenced: "Sequence[Silenced]") -> str:
    if not silenced:
        return ""
    return f"\n{counted(len(silenced), 'remark')} silenced; `--silenced` tells which and why."


def _say_silenced(silenced: "Sequence[Silenced]") -> None:
    for one in silenced:
        found = one.problem
        say(f"{found.file}:{found.line}:{found.column}: {found.message} [{found.code}, silenced]")
        say(f"    Because: {one.reason}")


def _as_json(one: "Problem") -> dict[str, Any]:
    return {
        "file": one.file, "line": one.line, "column": one.column, "code": one.code,
        "severity": one.severity, "message": one.message, "hint": one.hint,
    }  # fmt: skip


def _annotation(one: "Problem") -> str:
    """A workflow command; what it holds is escaped as GitHub's own toolkit does."""
    kind = "error" if one.severity == "error" else "warning"
    places = {"file": one.file, "line": one.line, "col": one.column, "title": one.code}
    told = ",".join(f"{name}={_escaped(str(value), in_property=True)}" for name, value in places.items())
    return f"::{kind} {told}::{_escaped(' '.join(filter(None, (one.message, one.hint))))}"


def _escaped(text: str, *, in_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text
