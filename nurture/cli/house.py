"""`nurture init`, `pause`, `resume`, `database upgrade`, `doctor`: the house itself."""

from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.output import emit, say, warn
from nurture.cli.workspace import folder, opened

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("pause")(pause)
    app.command("resume")(resume)
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
    say(
        f"{place}: wrote {len(written):,} file{'' if len(written) == 1 else 's'}"
        + (f", left {len(kept):,} that were there." if kept else ".")
    )
    cd = f"cd {target} && " if target else ""
    say("\nWhat next:")
    if not postal_address:
        say("  settings.toml        your postal address below [senders.default], and your name and address")
    say(f"  {cd}nurture contacts import FILE.csv --consent customer --consent-on 2026-01-31")
    say("  nurture check        what is still missing, line by line")
    say("  nurture send-test weekly:announcement --to you@your-domain, then nurture publish and nurture run")


def pause(
    because: Annotated[str, typer.Option(help="Why, for whoever finds it paused.")] = "paused by hand",
    as_json: Json = False,
) -> None:
    """Stop all sending within two seconds; it stays stopped, over restarts, until `nurture resume`.

    Example: nurture pause --because "wrong price in the March issue"
    """
    from nurture.database import installation

    with opened() as house:
        with house.database.writing(durable=True) as session:
            installation.pause(session, because=because, now=house.clock.now())
        if as_json:
            emit({"paused": True, "because": because})
        else:
            say("Sending is paused. `nurture resume` goes on.")


def resume(
    here: Annotated[bool, typer.Option("--here", help="This copy of the database is the one that sends.")] = False,
    as_json: Json = False,
) -> None:
    """Go on sending. A database that was restored, copied or moved needs --here: no other copy of it may send.

    What the journal beside the database knows and it does not is put back first: people who left, mails that were sent.

    Example: nurture resume
    """
    from nurture.database import installation
    from nurture.engines.catching_up import catch_up

    with opened() as house:
        caught_up = catch_up(house.database, house.clock.now())
        has_journal = house.database.journal is not None and bool(house.database.journal.name)
        with house.database.writing(durable=True) as session:
            was_paused = installation.get_pause(session) is not None
            installation.resume(session, home=house.home, here=here)
        if as_json:
            emit(
                {
                    "paused": False,
                    "was_paused": was_paused,
                    "put_back": {"noes": caught_up.noes, "mails": caught_up.mails},
                }
            )
        else:
            say("Sending goes on." if was_paused else "Sending was not paused.")
        if caught_up:
            warn(str(caught_up))
        if here and not has_journal:
            warn(
                "There is no journal beside this database: whoever left after the backup is missing here. Copy the folder "
                ".nurture/journal from where it ran, or enter them with `nurture opt-out`."
            )


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


def doctor(as_json: Json = False) -> None:
    """Say what is wrong, in sentences, and what to type about it. Exits 1 if anything is.

    Example: nurture doctor
    """
    from nurture.cli.examination import examine

    with opened() as house:
        findings = examine(house)
    if as_json:
        emit([{"check": one.check, "ok": one.is_ok, "what": one.what, "do": one.do} for one in findings])
    else:
        for one in findings:
            say(f"{'ok  ' if one.is_ok else 'LOOK'}  {one.check}: {one.what}")
            if not one.is_ok:
                say(f"        {one.do}")
    if not all(one.is_ok for one in findings):
        raise typer.Exit(1)
