"""`nurture deliveries` and `nurture newsletter`: what went to whom, and who was left out."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.output import emit, emit_each, read_id, say, table, warn
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.delivery.store import Delivery

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


#: Rows of a table that nobody gave a limit.
_SHOWN = 1000


def register(app: typer.Typer) -> None:
    deliveries = typer.Typer(invoke_without_command=True)
    deliveries.callback()(show_deliveries)
    deliveries.command("resolve")(resolve)
    app.add_typer(deliveries, name="deliveries")
    newsletter = typer.Typer(help="Newsletters: readers, issues, and who was left out.", no_args_is_help=True)
    newsletter.command("show")(show_newsletter)
    newsletter.command("left-out")(left_out)
    app.add_typer(newsletter, name="newsletter")


def show_deliveries(
    context: typer.Context,
    contact: Annotated[str, typer.Option("--contact", help="Only to this address.")] = "",
    status: Annotated[str, typer.Option(help="Only in this state, such as uncertain.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=0, help="At most so many; 0: all. Left out: 1,000 in the table, all in JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List mails with what became of them, the newest first.

    Example: nurture deliveries --status uncertain
    """
    if context.invoked_subcommand:
        return
    from nurture.contacts.actions import get_contact
    from nurture.delivery.rules import Status
    from nurture.errors import BadInput, did_you_mean
    from nurture.reports.outbox import Wanted, count_deliveries, walk_deliveries

    if status and status not in list(Status):
        raise BadInput(
            f'"{status}" is no state of a delivery.{did_you_mean(status, Status)} Known: {", ".join(Status)}.'
        )
    with opened() as house, house.database.reading() as session:
        wanted = Wanted(get_contact(session, contact).id if contact else None, status)
        if as_json:
            emit_each(_document(one, email) for one, email in walk_deliveries(session, wanted, limit or None))
            return
        most = _SHOWN if limit is None else limit
        shown = list(walk_deliveries(session, wanted, most or None))
        hidden = count_deliveries(session, wanted) - len(shown)
    table(
        ("id", "to", "status", "mail", "tries", "queued", "settled", "why, or what the relay said"),
        [
            (
                str(one.id), email, one.status, f"{one.campaign} {one.mail}", one.attempts, one.queued_at,
                one.settled_at, _why(one),
            )
            for one, email in shown
        ],
        empty="No mail yet. Publish a newsletter or a sequence, then `nurture run`.",
    )  # fmt: skip
    if hidden > 0:
        warn(f"These are the newest {len(shown):,}; {hidden:,} more are not shown, and --limit 0 shows all.")


def _document(one: "Delivery", email: str) -> dict[str, object]:
    return {
        "id": str(one.id), "email": email, "status": one.status, "because": one.because,
        "purpose": one.purpose, "campaign": one.campaign, "step": one.mail, "message_id": one.message_id,
        "attempts": one.attempts, "reply": one.reply, "queued_at": one.queued_at, "due_at": one.due_at,
        "held_until": one.held_until, "settled_at": one.settled_at,
    }  # fmt: skip


def _why(one: "Delivery") -> str:
    until = f" until {one.held_until:%Y-%m-%d %H:%M}" if one.held_until else ""
    return f"{one.because}{until}" if one.because else one.reply


def resolve(
    delivery: Annotated[str, typer.Argument(help="The delivery's id.")],
    verdict: Annotated[str, typer.Option("--as", help="sent, failed, or resend.")],
    as_json: Json = False,
) -> None:
    """Settle an uncertain delivery by what you found out.

    Example: nurture deliveries resolve 195964323924347425 --as sent
    """
    from nurture.delivery import actions

    number = read_id(delivery, "delivery", "nurture deliveries")
    with opened() as house, house.database.writing(durable=True) as session:
        settled = actions.resolve(session, number, verdict, house.clock.now())
    if as_json:
        emit({"id": str(settled.id), "status": settled.status})
    else:
        say(f"Delivery {settled.id} is {settled.status} now.")


def show_newsletter(
    name: Annotated[str, typer.Argument(help="The newsletter.")],
    as_json: Json = False,
) -> None:
    """Show readers, the next slot and what would go out then.

    Example: nurture newsletter show weekly
    """
    from nurture.newsletters import actions, store
    from nurture.newsletters.published import get_published

    with opened() as house, house.database.reading() as session:
        newsletter = get_published(session, name)
        outlook = actions.look_ahead(session, newsletter)
        readers = store.count_readers(session, name)
    facts = {
        "newsletter": name,
        "readers": readers,
        "next_slot_at": outlook.slot_at,
        "next_issue": outlook.issue,
    }
    if as_json:
        emit(facts)
        return
    say(f"{newsletter.content['about']['title']}: {readers:,} readers.")
    what = f'"{outlook.issue}"' if outlook.issue else "nothing: no issue is ready"
    say(f"Next slot {outlook.slot_at.astimezone(newsletter.zone):%A %-d %B %Y, %H:%M} ({newsletter.zone}): {what}.")


def left_out(
    name: Annotated[str, typer.Argument(help="The newsletter.")],
    issue: Annotated[str, typer.Option(help="An issue, as its file is called; default: the announcement.")] = "",
    as_json: Json = False,
) -> None:
    """Name everybody the announcement or an issue does not reach, and why.

    Example: nurture newsletter left-out weekly --issue five-questions
    """
    from nurture.newsletters.left_out import left_out_of_announcement, left_out_of_issue

    with opened() as house, house.database.reading() as session:
        now = house.clock.now()
        if issue:
            people = left_out_of_issue(session, house.language, name, issue, now)
        else:
            people = left_out_of_announcement(session, house.language, name, now)
    if as_json:
        emit([{"email": one.contact.email, "because": one.because} for one in people])
        return
    table(("who", "why"), [(one.contact.email, one.because) for one in people], empty="Nobody is left out.")
