"""`nurture outgoing`: the calls that steps of sequences make to other machines."""

from typing import Annotated

import typer

from nurture.cli.options import MOST
from nurture.cli.output import emit, read_id, say, table, warn
from nurture.cli.workspace import opened

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_SHOWN = 1000


def register(app: typer.Typer) -> None:
    outgoing = typer.Typer(invoke_without_command=True)
    outgoing.callback()(show_outgoing)
    outgoing.command("retry")(retry)
    outgoing.command("secret")(secret)
    app.add_typer(outgoing, name="outgoing")


def show_outgoing(
    context: typer.Context,
    status: Annotated[str, typer.Option(help="Only in this state: queued, claimed, sent, failed or refused.")] = "",
    limit: Annotated[int, typer.Option(min=0, max=MOST, help="At most so many; 0: all.")] = _SHOWN,
    as_json: Json = False,
) -> None:
    """List calls to other machines with what became of them, the newest first.

    Example: nurture outgoing --status failed
    """
    if context.invoked_subcommand:
        return
    from nurture.errors import BadInput, did_you_mean
    from nurture.outgoing.rules import Status
    from nurture.outgoing.store import list_calls

    if status and status not in list(Status):
        raise BadInput(f'"{status}" is no state of a call.{did_you_mean(status, Status)} Known: {", ".join(Status)}.')
    with opened() as house, house.database.reading() as session:
        # One more than is shown, to know whether there are more.
        found = list_calls(session, status=status, limit=limit + 1 if limit else None)
    calls = found[:limit] if limit else found
    if as_json:
        emit(
            [
                {
                    "id": str(one.id), "key": one.key, "kind": one.kind, "url": one.url, "email": email or None,
                    "status": one.status, "because": one.because, "attempts": one.attempts, "reply": one.reply,
                    "queued_at": one.queued_at, "due_at": one.due_at, "settled_at": one.settled_at,
                }
                for one, email in calls
            ]
        )  # fmt: skip
        return
    table(
        ("id", "to", "about", "status", "tries", "queued", "settled", "why, or what was answered"),
        [
            (
                str(one.id), one.url, email, one.status, one.attempts, one.queued_at, one.settled_at,
                one.because or one.reply,
            )
            for one, email in calls
        ],
        empty="No call yet. A `webhook` step of a sequence makes them.",
    )  # fmt: skip
    if len(found) > len(calls):
        warn(f"These are the newest {len(calls):,}; --limit 0 shows all.")


def retry(
    call: Annotated[str, typer.Argument(help="The call's id.")],
    as_json: Json = False,
) -> None:
    """Try a call again that failed or was refused, with the same key.

    Example: nurture outgoing retry 195964323924347425
    """
    from nurture.outgoing import actions

    number = read_id(call, "call", "nurture outgoing")
    with opened() as house, house.database.writing(durable=True) as session:
        queued = actions.retry(session, number, house.clock.now())
    if as_json:
        emit({"id": str(queued.id), "status": queued.status})
    else:
        say(f"Call {queued.id} is queued; `nurture run` makes it.")


def secret(as_json: Json = False) -> None:
    """Print the secret with which receivers check our calls, as libraries of Standard Webhooks take it.

    It follows from NURTURE_SECRET. While that lists two keys, calls are signed with both.

    Example: nurture outgoing secret
    """
    from nurture.outgoing.calling import secret_for_receivers

    with opened() as house:
        found = secret_for_receivers(house.keys)
    if as_json:
        emit({"secret": found})
    else:
        say(found)
