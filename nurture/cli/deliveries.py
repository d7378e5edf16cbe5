"""`nurture deliveries`: what went to whom, what became of each campaign's mails, and which are in doubt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.options import MOST
from nurture.cli.output import emit, emit_each, read_id, say, table, warn
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.app.house import App
    from nurture.delivery.doubts.actions import Resolved
    from nurture.delivery.store import Delivery

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


#: Rows of a table that nobody gave a limit.
_SHOWN = 1000


def register(app: typer.Typer) -> None:
    deliveries = typer.Typer(invoke_without_command=True)
    deliveries.callback()(show_deliveries)
    deliveries.command("show")(show_delivery)
    deliveries.command("counts")(show_counts)
    deliveries.command("uncertain")(show_uncertain)
    deliveries.command("resolve")(resolve)
    app.add_typer(deliveries, name="deliveries")


def show_deliveries(
    context: typer.Context,
    contact: Annotated[str, typer.Option("--contact", help="Only to this address.")] = "",
    status: Annotated[str, typer.Option(help="Only in this state, such as uncertain.")] = "",
    campaign: Annotated[
        str, typer.Option("--campaign", help="Only of this campaign, such as weekly; also what became of all of them.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=0, max=MOST, help="At most so many; 0: all. Left out: 1,000 in the table, all in JSON."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List mails with what became of them, the newest first.

    Example: nurture deliveries --status uncertain
    """
    if context.invoked_subcommand:
        return
    from nurture.campaigns.naming import find_named
    from nurture.cli.briefing import words_of_pause
    from nurture.contacts.actions import get_contact
    from nurture.delivery.pausing.actions import counts_of
    from nurture.delivery.rules import Status
    from nurture.errors import BadInput, did_you_mean
    from nurture.reports.outbox import Wanted, count_deliveries, walk_deliveries

    if status and status not in list(Status):
        raise BadInput(
            f'"{status}" is no state of a delivery.{did_you_mean(status, Status)} Known: {", ".join(Status)}.'
        )
    with opened() as house, house.database.reading() as session:
        of = find_named(session, campaign) if campaign else ""
        wanted = Wanted(get_contact(session, contact).id if contact else None, status, of)
        if as_json:
            emit_each(_document(one, email) for one, email in walk_deliveries(session, wanted, limit or None))
            return
        most = _SHOWN if limit is None else limit
        shown = list(walk_deliveries(session, wanted, most or None))
        hidden = count_deliveries(session, wanted) - len(shown)
        counts = counts_of(session, of) if of else None
        now = house.clock.now()
        waits_for = words_of_pause(session) if any(one.status == Status.QUEUED for one, _ in shown) else ""
    table(
        ("id", "to", "status", "mail", "tries", "queued", "settled", "why, or what the relay said"),
        [
            (
                str(one.id), email, one.status, f"{one.campaign} {one.mail}", one.attempts, one.queued_at,
                one.settled_at, _why(one, now),
            )
            for one, email in shown
        ],
        empty="No mail is like that."
        if wanted != Wanted()
        else "No mail yet. Publish a newsletter or a sequence, then `nurture run`.",
    )  # fmt: skip
    if counts is not None:
        warn(f"{of}: {counts}.")
    if waits_for:
        warn(waits_for)
    if hidden > 0:
        warn(f"These are the newest {len(shown):,}; {hidden:,} more are not shown, and --limit 0 shows all.")


def _document(one: "Delivery", email: str) -> dict[str, object]:
    return {
        "id": str(one.id), "email": email, "status": one.status, "because": one.because,
        "purpose": one.purpose, "campaign": one.campaign, "step": one.mail, "message_id": one.message_id,
        "attempts": one.attempts, "reply": one.reply, "queued_at": one.queued_at, "due_at": one.due_at,
        "held_until": one.held_until, "settled_at": one.settled_at,
    }  # fmt: skip


def _why(one: "Delivery", now: "datetime") -> str:
    """Why it stands where it does, and what it waits for."""
    if one.because:
        return one.because + (f" until {one.held_until:%Y-%m-%d %H:%M} UTC" if one.held_until else "")
    is_early = one.status == "queued" and one.due_at > now
    return "; ".join([one.reply] * bool(one.reply) + [f"due {one.due_at:%Y-%m-%d %H:%M} UTC"] * is_early)


def show_delivery(
    delivery: Annotated[str, typer.Argument(help="The delivery's id.")],
    as_json: Json = False,
) -> None:
    """Show one mail with each of its tries: when it ended, through which relay, and what the relay said.

    A try that is going on, or whose end nobody heard, is not among them.

    Example: nurture deliveries show 195964323924347425
    """
    from nurture.errors import NotFound
    from nurture.reports.outbox import Wanted, list_tries, walk_deliveries

    number = read_id(delivery, "delivery", "nurture deliveries")
    with opened() as house, house.database.reading() as session:
        found = next(walk_deliveries(session, Wanted(number=number)), None)
        if found is None:
            raise NotFound(f"There is no delivery {number}; `nurture deliveries` lists them.")
        one, email = found
        tries = list_tries(session, number)
        now = house.clock.now()
    if as_json:
        heard = [
            {
                "number": each.number, "ended_at": each.ended_at, "heard": each.heard, "code": each.code,
                "reply": each.reply, "relay": each.relay,
            }
            for each in tries
        ]  # fmt: skip
        emit(_document(one, email) | {"attempted_at": one.attempted_at, "tries": heard})
        return
    say(f"{one.campaign} {one.mail} to {email}, queued {one.queued_at:%Y-%m-%d %H:%M} UTC: {one.status}.")
    if because := _why(one, now):
        say(because)
    unheard = one.attempts - len(tries) - (one.status == "sending")
    if tries or unheard <= 0:
        table(
            ("try", "ended", "heard", "relay", "what the relay said"),
            [(each.number, each.ended_at, each.heard, each.relay, each.reply) for each in tries],
            empty="No try of it has ended yet." if one.attempts or one.settled_at is None else "It was never tried.",
        )
    if unheard > 0:
        say(f"How {counted(unheard, 'try', 'tries')} of it ended, nobody heard.")


def show_counts(
    campaign: Annotated[str, typer.Option("--campaign", help="Only of this campaign, such as weekly.")] = "",
    as_json: Json = False,
) -> None:
    """Count what became of every mail of each campaign; each mail is in one column, so that they add up to all of them.

    Example: nurture deliveries counts --campaign weekly
    """
    from dataclasses import asdict

    from nurture.campaigns.naming import find_named
    from nurture.delivery.pausing import store
    from nurture.delivery.pausing.actions import counts_of

    with opened() as house, house.database.reading() as session:
        names = [find_named(session, campaign)] if campaign else store.list_campaigns(session)
        counts = {name: counts_of(session, name) for name in names}
        paused = {one.campaign: one.because for one in store.list_paused(session)}
    if as_json:
        emit(
            [
                {"campaign": name, "mails": one.audience, **asdict(one), "paused_because": paused.get(name)}
                for name, one in counts.items()
            ]
        )
        return
    table(
        ("campaign", "mails", "sent", "refused", "cancelled", "failed", "expired", "uncertain", "waiting", "paused"),
        [(name, one.audience, *asdict(one).values(), paused.get(name, "")) for name, one in counts.items()],
        empty="No campaign has any mail yet.",
    )


def show_uncertain(
    campaign: Annotated[str, typer.Option("--campaign", help="Only of this campaign, such as weekly.")] = "",
    as_json: Json = False,
) -> None:
    """List the mails of which nobody knows whether they arrived: for how long, since what, and what to look for.

    One that is opened, answered, sent back or left by is settled as sent by itself. For the others look for the Message-ID
    in the log of the relay, or have `nurture deliveries resolve --log` do it.

    Example: nurture deliveries uncertain
    """
    from nurture.campaigns.naming import find_named
    from nurture.reports.outbox import Wanted, walk_deliveries

    with opened() as house, house.database.reading() as session:
        of = find_named(session, campaign) if campaign else ""
        now = house.clock.now()
        found = [*walk_deliveries(session, Wanted(status="uncertain", campaign=of))]
    if as_json:
        emit([_document(one, email) | {"attempted_at": one.attempted_at} for one, email in found])
        return
    table(
        ("id", "to", "mail", "for", "why", "Message-ID"),
        [
            (str(one.id), email, f"{one.campaign} {one.mail}", _age(one, now), one.because, one.message_id or "")
            for one, email in found
        ],
        empty="No mail is in doubt.",
    )


def _age(one: "Delivery", now: "datetime") -> str:
    from nurture.timing import in_words

    return in_words(now - (one.attempted_at or one.queued_at))


def resolve(
    delivery: Annotated[str, typer.Argument(help="The delivery's id; left out: all that are uncertain.")] = "",
    verdict: Annotated[str, typer.Option("--as", help="sent, failed, or resend.")] = "",
    campaign: Annotated[str, typer.Option("--campaign", help="All uncertain ones of this campaign.")] = "",
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", help="The log of the relay: what it took is sent, what it sent back bounced. - reads stdin."
        ),
    ] = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Settle uncertain deliveries by what you found out: one, all, those of a campaign, or those a log tells of.

    Sent: it arrived. Failed: it did not, and is not sent again. Resend: send the same message with the same Message-ID.

    Example: nurture deliveries resolve 195964323924347425 --as sent
    """
    from nurture.delivery import actions
    from nurture.errors import BadInput

    if log is not None:
        if delivery or verdict or campaign:
            raise BadInput("--log: the log itself says which and how; leave ID, --as and --campaign out.")
        with opened() as house:
            _tell(_by_log(house, log), as_json=as_json)
        return
    if not verdict:
        raise BadInput("--as: say what became of it: sent, failed or resend.")
    if not delivery:
        actions.check_verdict(verdict)
        with opened() as house:
            _tell(_all(house, campaign, verdict, is_sure=is_sure, as_json=as_json), as_json=as_json)
        return
    if campaign:
        raise BadInput("--campaign: one delivery is named; leave its ID or --campaign out.")
    number = read_id(delivery, "delivery", "nurture deliveries")
    with opened() as house, house.database.writing(durable=True) as session:
        settled = actions.resolve(session, number, verdict, house.clock.now())
    if as_json:
        emit({"id": str(settled.id), "status": settled.status})
    else:
        say(f"Delivery {settled.id} is {settled.status} now.")


def _all(house: "App", campaign: str, verdict: str, *, is_sure: bool, as_json: bool) -> "Resolved":
    from nurture.campaigns.naming import find_named
    from nurture.delivery.doubts import store
    from nurture.delivery.doubts.actions import resolve_all
    from nurture.errors import BadInput

    with house.database.reading() as session:
        of = find_named(session, campaign) if campaign else ""
        count = store.count_uncertain(session, of)
    if count and not is_sure:
        mails = f"{counted(count, 'uncertain mail')}{f' of {of}' if of else ''}"
        if as_json:
            raise BadInput(f"--yes: {mails} would be settled as {verdict}; say that you mean it.")
        typer.confirm(f"Settle {mails} as {verdict}?", abort=True, err=True)
    return resolve_all(house.database, of, verdict, house.clock.now())


def _by_log(house: "App", log: Path) -> "Resolved":
    import sys

    from nurture.delivery.doubts.actions import resolve_by_log
    from nurture.errors import NotFound

    if str(log) == "-":
        return resolve_by_log(house.database, sys.stdin, house.clock.now())
    if log.is_dir() or not log.exists():
        raise NotFound(f"--log: there is no file {log}; name the log that the relay writes, or - for what is piped in.")
    with log.open(encoding="utf-8", errors="replace") as lines:
        return resolve_by_log(house.database, lines, house.clock.now())


def _tell(resolved: "Resolved", *, as_json: bool) -> None:
    if as_json:
        emit({"settled": resolved.settled, "left": resolved.left})
    else:
        say(f"{resolved.settled:,} settled, {resolved.left:,} still uncertain.")
