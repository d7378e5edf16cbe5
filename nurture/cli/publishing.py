"""`nurture publish`, `rollback` and `history`: the files become what everybody gets, and back, and who did that."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.checking import refuse_errors
from nurture.cli.options import MOST
from nurture.cli.output import emit, say, table, warn
from nurture.cli.workspace import folder, opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.campaigns.planning import Change, Order, Plan
    from nurture.campaigns.publications.history import Entry
    from nurture.campaigns.publications.undoing import Undoing
    from nurture.database.engine import Session

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
InFlight = Annotated[
    list[str] | None,
    typer.Option(
        help="What becomes of people on their way: keep, move, restart; for what is retired keep or end. "
        "NAME=move says it for one sequence. Left out: keep."
    ),
]
Note = Annotated[str, typer.Option(help="Why, for the history.")]

_MOST_CHANGES = 6


def register(app: typer.Typer) -> None:
    app.command("publish")(publish)
    app.command("rollback")(rollback)
    app.command("history")(history)


def publish(
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would change, and for whom.")] = False,
    in_flight: InFlight = None,
    retire: Annotated[list[str] | None, typer.Option(help="End what has no file any more: nobody comes in.")] = None,
    expect: Annotated[str, typer.Option(help="Publish only if the plan is the one of this fingerprint.")] = "",
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Make the files what everybody gets from now on.

    Every file is checked first; if one has errors, or was taken away without --retire, nothing is published. What
    changed gets its next version. People on their way through an older one stay on it; with `--in-flight move` they go
    on in the new one where they stand, with `restart` they begin it anew and pass what they have had. Nobody gets a
    mail twice.

    Example: nurture publish --plan --in-flight evaluators=move
    """
    from nurture.campaigns import planning

    with opened() as house:
        reading = house.read_files()
        refuse_errors(reading)
        order = _order(in_flight or [], retire or [], expect, note)
        with house.database.reading() as session:
            # What would be lost, or begin anew, is counted before it is.
            planned = planning.plan(session, house.kinds(), reading.units, order)
            planned = planning.with_people(session, house.kinds(), planned, reading.units)
            gone = planning.list_missing(session, house.kinds(), reading.units)
        if not plan:
            house.publish(reading, published_by=getpass.getuser(), order=order)
        unsaid = [] if plan else _whose_yes_is_missing(house)
    _tell(planned, as_json=as_json, is_plan=plan, verb="published")
    for sentence in unsaid:
        warn(sentence)
    retired = {(one.kind, one.name) for one in planned.changes if one.new is None}
    for one in gone:
        if (one.kind, one.name) not in retired:
            warn(planning.missing_sentence(one))
    if not planned.changes:
        from nurture.errors import BadInput

        raise BadInput(f"{folder()}: there is nothing to publish; `nurture init` writes a starter.")


def _whose_yes_is_missing(house: "App") -> list[str]:
    from nurture.delivery.owners import list_missing

    with house.database.reading() as session:
        return [str(one) for one in list_missing(session)]


def rollback(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[[KIND] NAME]", help="What; left out: the last publish as a whole.")
    ] = None,
    to: Annotated[int | None, typer.Option(min=1, max=MOST, help="The version; left out: the one before.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would change, and for whom.")] = False,
    in_flight: InFlight = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Bring back what was published before: it becomes the next version, and nothing is deleted.

    The files still hold the newer text; edit them too, or the next publish brings it back.

    Example: nurture rollback evaluators --to 1 --in-flight move
    """
    from nurture.campaigns import planning
    from nurture.campaigns.publications import undoing

    order = _order(in_flight or [], [], "", note)

    def find(session: "Session") -> "Undoing":
        words = what or []
        if not words and to is None:
            return undoing.plan_last(session, house.kinds(), order)
        if len(words) not in {1, 2}:
            raise typer.BadParameter("Name one thing, such as `evaluators` or `newsletter weekly`.")
        return undoing.plan_one(session, house.kinds(), undoing.find_one(session, words[-1], *words[:-1]), to, order)

    with opened() as house:
        with house.database.reading() as session:
            found = find(session)
            contents = undoing.units_of(found)
            planned = planning.with_people(session, house.kinds(), found.plan, contents)
        if not plan:
            house.roll_back(find, published_by=getpass.getuser(), order=order)
    _tell(planned, as_json=as_json, is_plan=plan, verb="rolled back")


def history(
    what: Annotated[list[str] | None, typer.Argument(metavar="[[KIND] NAME]", help="Of what; left out: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many publications, the latest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Tell who published what and when, and what changed each time.

    Example: nurture history evaluators
    """
    from nurture.campaigns.publications.history import find_kind, tell

    words = what or []
    if len(words) > 2:
        raise typer.BadParameter("Name one thing, such as `evaluators` or `newsletter weekly`.")
    with opened() as house, house.database.reading() as session:
        kind, name = find_kind(session, words[-1], *words[:-1]) if words else ("", "")
        entries = tell(session, house.kinds(), kind, name)[:limit]
    if as_json:
        emit([_entry_json(one) for one in entries])
        return
    rows = [_history_row(entry, number) for entry in entries for number in range(len(entry.events))]
    table(
        ("when (UTC)", "who", "what", "version", "changes", "note"),
        rows,
        empty="Nothing is published yet; `nurture publish` does.",
    )


def _order(in_flight: list[str], retire: list[str], expect: str, note: str) -> "Order":
    from nurture.campaigns.in_flight import Policies
    from nurture.campaigns.planning import Order
    from nurture.campaigns.revisions import revision_of

    return Order(Policies.read(in_flight), frozenset(retire), expect, note, revision_of(Path(folder())))


def _tell(planned: "Plan", *, as_json: bool, is_plan: bool, verb: str) -> None:
    if as_json:
        emit([_change_json(change, planned.fingerprint) for change in planned.changes])
    else:
        real = [change for change in planned.changes if change.is_real]
        for change in real:
            _show(change)
        would = "would be " if is_plan else ""
        fingerprint = f" This plan is {planned.fingerprint}." if is_plan else ""
        same = len(planned.changes) - len(real)
        say(f"{len(real):,} {would}{verb}, {same:,} unchanged.{fingerprint}")
    for change in planned.changes:
        for warning in change.warnings:
            warn(f"{change.kind} {change.name}: {warning}")


def _show(change: "Change") -> None:
    from nurture.campaigns.in_flight import InFlight as Policy

    is_new = change.old is None and change.new == 1
    details = "new" if is_new else "   ".join(change.changes[:_MOST_CHANGES])
    more = f"   and {len(change.changes) - _MOST_CHANGES:,} more" if len(change.changes) > _MOST_CHANGES else ""
    back = f"   rolled back to v{change.restores}" if change.restores else ""
    fate = {
        Policy.KEEP: f"stay on v{change.old}",
        Policy.MOVE: f"go on in v{change.new}",
        Policy.RESTART: f"begin v{change.new} anew",
        Policy.END: "end here",
    }[change.in_flight]
    people = f"   {change.people:,} on their way {fate}" if change.old and change.people else ""
    versions = f"{_versions(change.old, change.new)}{back}"
    say(f"{change.kind} {change.name}   {versions}   {details}{'' if is_new else more}{people}")
    if change.standings:
        table(
            ("on step", "people", "keep", "move", "restart"),
            [
                (
                    one.step or "the end", one.people, f"v{one.version}", _where(one.move, is_gone=one.is_gone),
                    _where(one.restart),
                )
                for one in change.standings
            ],
            empty="",
        )  # fmt: skip
        again = "" if not change.warnings else ", but for what is the same mail in another step; see the warning"
        say(f"No step mails anybody twice, whichever you choose{again}.")


def _where(step: str | None, *, is_gone: bool = False) -> str:
    return f"→ {step or 'the end'}{' (its step is gone)' if is_gone else ''}"


def _versions(old: int | None, new: int | None) -> str:
    if new is None:
        return f"v{old} → retired"
    return f"v{old} → v{new}" if old and old != new else f"v{new}"


def _change_json(change: "Change", fingerprint: str) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "from": change.old,
        "to": change.new,
        "changes": list(change.changes),
        "people": change.people,
        "in_flight": change.in_flight,
        "restores": change.restores,
        "steps": [
            {
                "version": one.version, "step": one.step, "people": one.people, "keep": one.step, "move": one.move,
                "restart": one.restart,
            }
            for one in change.standings
        ],
        "warnings": list(change.warnings),
        "plan": fingerprint,
    }  # fmt: skip


def _entry_json(entry: "Entry") -> dict[str, Any]:
    return {
        "at": entry.at,
        "by": entry.by,
        "note": entry.note,
        "revision": entry.revision,
        "is_rollback": entry.is_rollback,
        "changes": [
            {
                "kind": one.now.kind, "name": one.now.name, "from": one.now.old, "to": one.now.new,
                "restores": one.now.restores, "in_flight": one.now.in_flight, "changes": list(one.changes),
            }
            for one in entry.events
        ],
    }  # fmt: skip


def _history_row(entry: "Entry", number: int) -> tuple[object, ...]:
    one = entry.events[number]
    version = _versions(one.now.old, one.now.new)
    if one.now.restores:
        version += f" (again v{one.now.restores})"
    more = f" and {len(one.changes) - _MOST_CHANGES:,} more" if len(one.changes) > _MOST_CHANGES else ""
    beside = " · ".join(word for word in (entry.note, entry.revision[:10]) if word)
    what = f"{one.now.kind} {one.now.name}"
    return (entry.at, entry.by, what, version, ", ".join(one.changes[:_MOST_CHANGES]) + more, beside)
