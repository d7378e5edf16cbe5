"""`nurture publish`: makes the files what everybody gets, and says beforehand what that changes."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.checking import counted
from nurture.cli.output import emit, say, warn
from nurture.cli.workspace import folder, opened

if TYPE_CHECKING:
    from nurture.campaigns.publishing import Change, Reading

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("publish")(publish)


def publish(
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Make the files what everybody gets from now on.

    Every file is checked first; if one has errors nothing is published. What changed gets its next version, and people
    on their way through an older version stay on it.

    Example: nurture publish --plan
    """
    from nurture.campaigns import publishing
    from nurture.errors import BadInput

    with opened() as house:
        reading = house.read_files()
        _refuse(reading)
        if plan:
            with house.database.reading() as session:
                changes = publishing.plan(session, house.kinds(), reading.units)
        else:
            changes = house.publish(reading, published_by=getpass.getuser())
        with house.database.reading() as session:
            gone = publishing.missing(session, reading.units)
    if as_json:
        emit([_change_json(change) for change in changes])
    else:
        _show(changes, plan=plan)
    for name in gone:
        warn(f"{name} has no file any more and stays published.")
    if not changes:
        raise BadInput(f"{folder()}: there is nothing to publish; `nurture init` writes a starter.")


def _refuse(reading: "Reading") -> None:
    """Show what is wrong; an error ends the command here."""
    for one in reading.problems:
        warn(str(one))
    if reading.errors:
        warn(f"{counted(list(reading.problems), reading.files)}. Nothing was published.")
        raise typer.Exit(1)


def _change_json(change: "Change") -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "from": change.old,
        "to": change.new,
        "changes": list(change.changes),
        "people": change.people,
    }


def _show(changes: list["Change"], *, plan: bool) -> None:
    real = [change for change in changes if change.old != change.new]
    for change in real:
        versions = f"v{change.old} → v{change.new}" if change.old else f"v{change.new}"
        people = f"   {change.people:,} on their way stay on v{change.old}" if change.old and change.people else ""
        details = "   ".join(change.changes[:6]) if change.old else "new"
        more = f"   and {len(change.changes) - 6} more" if change.old and len(change.changes) > 6 else ""
        say(f"{change.kind} {change.name}   {versions}   {details}{more}{people}")
    verb = "would be published" if plan else "published"
    same = len(changes) - len(real)
    say(f"{len(real):,} {verb}, {same:,} unchanged.")
