"""`nurture book`: everything about a campaign on one page, for whoever has to say yes to it."""

import getpass
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, warn, write
from nurture.cli.workspace import folder, opened
from nurture.figures import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurture.app.house import App
    from nurture.campaigns.planning import Change
    from nurture.campaigns.publishing import Reading
    from nurture.campaigns.reading import Unit
    from nurture.reports.book import Book

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_HASH = 12


def register(app: typer.Typer) -> None:
    app.command("book")(book)


def book(
    name: Annotated[str, typer.Argument(metavar="SEQUENCE|NEWSLETTER", help="The campaign, as its file calls it.")],
    out: Annotated[Path | None, typer.Option(help="Write it here; default: NAME.html.")] = None,
    is_shown: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    contacts: Annotated[
        Path | None, typer.Option(help="Who lives through a sequence: a CSV or spreadsheet; default: invented people.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 0,
    as_json: Json = False,
) -> None:
    """Write one page that holds all of a campaign: for whoever has to say yes and reads no YAML.

    Every mail as picture and text, the way through, what `check` remarks, what it would be like for people, the rules,
    consent and tracking, what changes, and a box to sign. It needs nothing from anywhere and prints on A4.

    Example: nurture book evaluators --out evaluators.html --open
    """
    from nurture.errors import BadInput
    from nurture.reports.book import write_book

    out = out or Path.cwd() / f"{name}.html"
    if out.suffix not in {".html", ".htm"}:
        raise BadInput(f"{out}: a book is one page; end the name with .html.")
    with opened() as house:
        made, facts = _bind(house, name, contacts, seed)
    write(out, write_book(made))
    if as_json:
        emit({**facts, "file": str(out)})
    else:
        warn(f"{out}: {out.stat().st_size:,} bytes, {counted(len(made.pages), 'mail')}.")
    if is_shown:
        webbrowser.open(out.resolve().as_uri())


def _bind(house: "App", name: str, contacts: Path | None, seed: int) -> "tuple[Book, dict[str, Any]]":
    """The book, and the facts of it that scripts want."""
    from nurture.campaigns import planning
    from nurture.campaigns.revisions import revision_of
    from nurture.cli.binding import of_newsletter, of_sequence

    reading = house.read_files(with_people=True)
    units = _units(reading, name)
    first = units[0]
    with house.database.reading() as session:
        plan = planning.plan(session, house.kinds(), reading.units)
        mine = {(unit.kind, unit.name) for unit in units}
        changes = [one for one in plan.changes if (one.kind, one.name) in mine]
        changes = list(planning.with_people(session, house.kinds(), planning.Plan(tuple(changes)), units).changes)
        is_sequence = first.kind == "sequence"
        made = (of_sequence if is_sequence else of_newsletter)(house, session, reading, units, contacts, seed)
    about, declared = first.content["about"], house.declared
    files = [unit.file for unit in units]
    problems, silenced = _remarks(reading, units)
    revision = revision_of(folder())
    real = [one for one in changes if one.is_real]
    made = replace(
        made,
        title=about["title"],
        facts=(
            (first.kind.capitalize(), name),
            ("File", ", ".join(files)),
            ("What it is now", f"{_version(changes[0])}; the files are {first.hash[:_HASH]}"),
            *((("Revision", revision[:_HASH] + ("+ what is not committed" if revision.endswith("+") else "")),) if revision else ()),
            ("Who would publish", getpass.getuser()),
            ("Made", f"{house.clock.now():%-d %B %Y, %H:%M} UTC"),
        ),
        problems=tuple(problems),
        silenced=tuple(silenced),
        changes=tuple(_said(one) for one in real if one.old is not None),
        since=_since(changes, real),
        plan=plan.fingerprint,
        topic=declared.topics[topic].label if (topic := first.content["definition"]["topic"]) in declared.topics else topic,
    )  # fmt: skip
    facts = {
        "kind": first.kind, "name": name, "hash": first.hash, "plan": plan.fingerprint,
        "mails": [page.name for page in made.pages], "errors": made.errors,
        "warnings": len(made.problems) - made.errors, "silenced": len(made.silenced),
        "expectations": [
            {"expect": one.text, "holds": one.holds} for one in (made.rehearsed.judged if made.rehearsed else ())
        ],
    }  # fmt: skip
    return made, facts


def _units(reading: "Reading", name: str) -> "list[Unit]":
    """The sequence, or the newsletter with its issues that are still to go out."""
    from nurture.errors import NotFound, did_you_mean

    kinds = ("sequence", "newsletter")
    known = {unit.name: unit for unit in reading.units if unit.kind in kinds}
    if name not in known:
        raise NotFound(
            f'there is no sequence or newsletter "{name}" without errors.{did_you_mean(name, known)} '
            "`nurture check` says more."
        )
    issues = [unit for unit in reading.units if unit.kind == "issue" and unit.content["newsletter"] == name]
    ready = [unit for unit in issues if unit.content["front"]["ready"]]
    return [known[name], *sorted(ready, key=lambda unit: int(unit.content["front"]["number"]))]


def _remarks(reading: "Reading", units: "Sequence[Unit]") -> tuple[list[Any], list[Any]]:
    """What is said about these files and the templates of their mails, and about settings.toml."""
    files = {unit.file for unit in units} | {"settings.toml"}
    files |= {mail["template"] for unit in units for mail in unit.content["mails"].values()}
    return (
        [one for one in reading.problems if one.file in files],
        [one for one in reading.silenced if one.problem.file in files],
    )


def _version(change: "Change") -> str:
    if change.old is None:
        return "not published yet"
    return f"v{change.old} is published" if change.is_real else f"published as v{change.old}"


def _since(changes: "Sequence[Change]", real: "Sequence[Change]") -> str:

    if not real:
        return "Nothing: what is published and what the files say is the same."
    if all(one.old is None for one in changes):
        return "Everything is new: nothing of this name is published."
    people = sum(one.people for one in changes)
    on_the_way = f" {counted(people, 'person is', 'people are')} on it now." if people else ""
    return f"Against what is published now.{on_the_way}"


def _said(change: "Change") -> str:
    from nurture.campaigns.in_flight import InFlight

    what = ", ".join(change.changes) or "nothing of itself"
    stay = (
        "" if change.in_flight is not InFlight.KEEP or not change.people else "; whoever is on it stays on that version"
    )
    return f"{change.kind} {change.name}, v{change.old} to v{change.new}: {what}{stay}"
