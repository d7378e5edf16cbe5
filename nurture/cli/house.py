"""`nurture init`, `database upgrade`, `doctor`: the house itself."""

from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.output import emit, say
from nurture.cli.workspace import folder, opened
from nurture.figures import counted

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("doctor")(doctor)
    database = typer.Typer(help="The database's schema.", no_args_is_help=True)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="database")


def init(
    target: Annotated[Path | None, typer.Argument(metavar="DIR", help="The new folder; default: this one.")] = None,
    postal_address: Annotated[str, typer.Option(help="The address the law wants in every mail.")] = "",
) -> None:
    """Write a starter workspace: settings, templates, a newsletter, a sequence, scoring. Overwrites nothing.

    Example: nurture init spring-newsletter --postal-address "Acme Inc., 12 Example Street, 10115 Berlin, Germany"
    """
    from nurture.cli.starter import write_starter

    place = (target or folder()).resolve()
    written, kept = write_starter(place, postal_address)
    say(f"{place}: wrote {counted(len(written), 'file')}" + (f", left {len(kept):,} that were there." if kept else "."))
    cd = f"cd {target} && " if target else ""
    say("\nWhat next:")
    if not postal_address:
        say("  settings.toml        your postal address below [senders.default], and your name and address")
    say(f"  {cd}nurture contacts import FILE.csv --consent customer --consent-on 2026-01-31")
    say("  nurture check        what is still missing, line by line")
    say("  nurture send-test weekly:announcement --to you@your-domain, then nurture publish and nurture run")


def upgrade(as_json: Json = False) -> None:
    """Bring the database's schema up to this version of nurture; the only way up.

    Example: nurture database upgrade
    """
    from nurture.app import database_of
    from nurture.database import migrating

    database = database_of(folder())
    try:
        with database.engine.connect() as connection:
            before = migrating.current_revision(connection)
        migrating.upgrade(database)
        with database.engine.connect() as connection:
            after = migrating.current_revision(connection)
    finally:
        database.close()
    if as_json:
        emit({"from": before, "to": after})
    else:
        say(
            f"The database is at revision {after}."
            if before == after
            else f"Upgraded from {before or 'nothing'} to {after}."
        )


def doctor(
    round_trip: Annotated[
        bool, typer.Option("--round-trip", help="Send one mail of each kind to a mailbox we read; judge what arrives.")
    ] = False,
    to: Annotated[str, typer.Option(help="With --imap: that mailbox. Default: an address of inbound.domain.")] = "",
    imap: Annotated[
        str, typer.Option(help="Where the mailbox is read, such as imap.gmail.com. IMAP_PASSWORD is asked.")
    ] = "",
    user: Annotated[str, typer.Option(help="With --imap: the name to sign in with, if it is not the address.")] = "",
    wait: Annotated[float, typer.Option(min=1, max=3600, help="How many seconds the mails may take.")] = 120,
    as_json: Json = False,
) -> None:
    """Say what is wrong, in sentences, and what to type about it. Exits 1 if anything is.

    Example: nurture doctor
    """
    from nurture.cli.examination import examine
    from nurture.cli.round_tripping import make_round_trip
    from nurture.errors import BadInput

    if not round_trip and (to or imap or user):
        raise BadInput("--to, --imap and --user say where a round trip goes; add --round-trip, or leave them out.")

    with opened() as house:
        findings = make_round_trip(house, to=to, imap=imap, user=user, wait=wait) if round_trip else examine(house)
    if as_json:
        emit([{"check": one.check, "ok": one.is_ok, "what": one.what, "do": one.do} for one in findings])
    else:
        for one in findings:
            say(f"{'ok  ' if one.is_ok else 'LOOK'}  {one.check}: {one.what}")
            if not one.is_ok:
                say(f"        {one.do}")
    if not all(one.is_ok for one in findings):
        raise typer.Exit(1)
