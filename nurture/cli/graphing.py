"""`nurture graph`: the flow of a sequence as a picture, with the people on it."""

import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, warn, write
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.app.house import App
    from nurture.campaigns.reading import Unit
    from nurture.database.engine import Session
    from nurture.sequences.graph.flow import Flow

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class Form(StrEnum):
    """How the flow is written down."""

    SVG = "svg"
    MERMAID = "mermaid"


_FORMS = {".svg": Form.SVG, ".html": Form.SVG, ".mmd": Form.MERMAID, ".md": Form.MERMAID}


def register(app: typer.Typer) -> None:
    app.command("graph")(graph)


def graph(
    sequence: Annotated[str, typer.Argument(help="The sequence, as its file calls it.")],
    form: Annotated[
        Form | None, typer.Option("--format", help="svg, or mermaid: text that GitHub draws; default: as --out ends.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it here: .svg, .html for a page around it, or .mmd or .md for Mermaid.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published/--files", help="What is published, or what the files say.")
    ] = False,
    is_shown: Annotated[bool, typer.Option("--open", help="Show the picture in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Draw the flow of a sequence: its steps in words, where they lead, what ends it early.

    Once it is published every step says how many people stand there now, and every choice which share went each way,
    of the people on the published version. Steps that are only in the files have nobody yet.

    Example: nurture graph evaluators --out evaluators.svg --open
    """
    from nurture.sequences.graph.drawing import draw, page
    from nurture.sequences.graph.mermaid import to_mermaid

    form = _form(form, out)
    with opened() as house:
        found = flow_of_files_or_published(house, sequence, published=published)
    if as_json:
        emit(_as_json(found))
        return
    text = to_mermaid(found) if form is Form.MERMAID else f"{draw(found)}\n"
    if out is not None and out.suffix == ".md":
        text = f"```mermaid\n{text}```\n"
    elif out is not None and out.suffix == ".html":
        text = f"{page(found)}\n"
    if is_shown and out is None:
        out = Path.cwd() / f"{sequence}.{'mmd' if form is Form.MERMAID else 'svg'}"
    if out is None:
        typer.echo(text, nl=False)
        return
    write(out, text)
    warn(f"{out}: the flow.")
    if is_shown:
        webbrowser.open(out.resolve().as_uri())


def _form(asked: Form | None, out: Path | None) -> Form:
    """As the file is called; a name that says nothing, or something else than --format, is not guessed at."""
    from nurture.errors import BadInput

    named = Form.SVG if out is None else _FORMS.get(out.suffix, asked)
    if named is None:
        raise BadInput(f"{out}: end the name with {', '.join(_FORMS)}, which says what to write.")
    if out is not None and asked not in {None, named}:
        raise BadInput(f"{out}: its name says {named}, and --format {asked}; leave --format out.")
    return asked or named


def flow_of_files_or_published(house: "App", sequence: str, *, published: bool) -> "Flow":
    """The flow with whoever is on it, if anybody may be."""
    from nurture.campaigns.store import find_current, get_campaign

    with house.database.reading() as session:
        if published:
            get_campaign(session, "sequence", sequence)
        current = find_current(session, "sequence", sequence)
        if published and current is not None:
            return flow_from(house, session, current[1])
        return flow_from(house, session, find_sequence(house, sequence).content)


def find_sequence(house: "App", name: str) -> "Unit":
    """A sequence of the files, or what stands in its way."""
    from nurture.cli.trying import units_of
    from nurture.errors import NotFound, did_you_mean

    known = {unit.name: unit for unit in units_of(house, "sequence")}
    if name not in known:
        raise NotFound(
            f'there is no sequence "{name}" without errors.{did_you_mean(name, known)} `nurture check` says more.'
        )
    return known[name]


def flow_from(house: "App", session: "Session", content: "Mapping[str, Any]") -> "Flow":
    """The flow of what a version contains or would contain; counted is what is published under that name."""
    from nurture.campaigns.declared import colleague_domains
    from nurture.campaigns.store import find_current_version
    from nurture.sequences.graph.flow import flow_of
    from nurture.sequences.graph.store import count_people
    from nurture.sequences.kind import load_sequence
    from nurture.sequences.program import ways_from

    program = load_sequence(content, house.language)
    subjects = {step: mail["subject"] for step, mail in content["mails"].items()}
    choices = [step.id for step in program.steps.values() if len(list(ways_from(step))) > 1]
    people = None
    if find_current_version(session, "sequence", program.name) is not None:
        people = count_people(session, program.name, choices, colleague_domains(session))
    return flow_of(program, content["about"]["title"], subjects, people)


def _as_json(flow: "Flow") -> dict[str, Any]:
    people = flow.people
    return {
        "sequence": flow.name,
        "title": flow.title,
        "version": people.version if people else None,
        "exits": list(flow.exits),
        "steps": [
            {"id": box.id or None, "shape": box.shape, "does": box.does, "detail": box.detail, "here": flow.here(box.id)}
            for box in flow.boxes
        ],
        "ways": [
            {
                "from": way.start, "way": way.name, "label": way.label, "to": way.end or None,
                "taken": flow.taken(way)[0], "of": flow.taken(way)[1],
            }
            for way in flow.ways
        ],
    }  # fmt: skip
