"""`nurture pause`, `resume` and `cancel`: all mail, or one campaign while it goes out."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.output import emit, say, warn
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.database.engine import Session
    from nurture.delivery.pausing.actions import Stopped

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Campaign = Annotated[
    str, typer.Argument(help="Only this campaign, such as newsletter:weekly or weekly; left out: everything.")
]


_BY_HAND = "paused by hand"


def register(app: typer.Typer) -> None:
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("cancel")(cancel)


def pause(
    campaign: Campaign = "",
    because: Annotated[str, typer.Option(help="Why, for whoever finds it paused.")] = _BY_HAND,
    as_json: Json = False,
) -> None:
    """Stop all sending, or that of one campaign, within two seconds; it stays stopped, over restarts, until `nurture resume`.

    What a relay is being told at that moment is finished: one message per connection at most. Everything else waits. A
    newsletter that is paused announces nothing and opens no slot; people in a paused sequence stand where they are.

    Example: nurture pause weekly --because "wrong price in the March issue"
    """
    import getpass

    from nurture.cli.briefing import with_way_on
    from nurture.database import installation
    from nurture.delivery.pausing import actions

    because = because.strip() or _BY_HAND
    with opened() as house:
        if campaign:
            stopped = actions.pause(
                house.database, _named(house, campaign), because=because, by=getpass.getuser(), now=house.clock.now()
            )
            # Why it stopped first stands: what stopped by itself is not to go on because somebody paused it once more.
            already = f"was paused already, because {stopped.because}"
            _tell(stopped, "is paused" if stopped.was_new else already, as_json=as_json)
            return
        with house.database.writing(durable=True) as session:
            was_new = installation.pause(session, because=because, now=house.clock.now())
            if (stands := installation.get_pause(session)) is not None:
                because = stands[1]
        if as_json:
            emit({"paused": True, "was_paused": not was_new, "because": because})
        elif was_new:
            say("Sending is paused. `nurture resume` goes on.")
        else:
            say(f"Sending was paused already, because {with_way_on(because)}")


def resume(
    campaign: Campaign = "",
    because: Annotated[
        str, typer.Option(help="Why it may go on, for a campaign that stopped by itself; it is written down.")
    ] = "",
    here: Annotated[bool, typer.Option("--here", help="This copy of the database is the one that sends.")] = False,
    as_json: Json = False,
) -> None:
    """Go on sending, or with one campaign. A database that was restored, copied or moved needs --here.

    No other copy of it may send then. What the journal beside the database knows and it does not is put back first: people
    who left, mails that were sent.

    Example: nurture resume
    """
    from nurture.cli.briefing import words_of_pause
    from nurture.delivery.pausing import actions

    with opened() as house:
        if campaign:
            name = _named(house, campaign)
            _say_why(house, name, because)
            going = actions.go_on(house.database, name, house.clock.now())
            _tell(going, "goes on" if going.was_new else "was not paused", as_json=as_json)
            with house.database.reading() as session:
                pause_of_all = words_of_pause(session)
            if pause_of_all:
                warn(pause_of_all)  # the campaign may, and nothing leaves all the same
            return
        _resume_all(house, here=here, as_json=as_json)


def _say_why(house: "App", campaign: str, because: str) -> None:
    """Whoever lets a campaign go on that stopped by itself says why, and it is written down."""
    import getpass

    from nurture.database import audit
    from nurture.delivery.pausing.store import find_pause
    from nurture.delivery.waves.actions import BY_ITSELF
    from nurture.errors import BadInput

    with house.database.writing(durable=True) as session:
        paused = find_pause(session, campaign)
        if paused is None or paused.paused_by != BY_ITSELF:
            return
        if not because.strip():
            raise BadInput(
                f'{campaign} stopped by itself, because {paused.because}; say why it may go on: --because "…".'
            )
        audit.log(
            session, audit.LET_GO_ON, who=getpass.getuser(), at=house.clock.now(), about=campaign, because=because
        )


def _resume_all(house: "App", *, here: bool, as_json: bool) -> None:
    from nurture.database import installation
    from nurture.delivery.pausing.store import list_paused
    from nurture.delivery.waves.actions import BY_ITSELF
    from nurture.engines.catching_up import catch_up

    caught_up = catch_up(house.database, house.clock.now())
    has_journal = house.database.journal is not None and bool(house.database.journal.name)
    with house.database.writing(durable=True) as session:
        was_paused = installation.get_pause(session) is not None
        installation.resume(session, home=house.home, here=here)
        still = [(one.campaign, ' --because "…"' * (one.paused_by == BY_ITSELF)) for one in list_paused(session)]
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
    for one, why in still:
        warn(f"{one} stays paused; `nurture resume {one}{why}` goes on with it.")
    if caught_up:
        warn(str(caught_up))
    if here and not has_journal:
        warn(
            "There is no journal beside this database: whoever left after the backup is missing here. Copy the folder "
            ".nurture/journal from where it ran, or enter them with `nurture opt-out`."
        )


def cancel(
    campaign: Annotated[str, typer.Argument(help="The campaign, such as newsletter:weekly or weekly.")],
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take back for good whatever of a campaign has not left yet, also while it goes out; it is paused afterwards.

    An issue that was going out reaches nobody more. People in a sequence whose mail is cancelled leave the sequence. What
    has left stays as it is; `nurture deliveries --campaign` tells all of it.

    Example: nurture cancel weekly --yes
    """
    import getpass

    from nurture.database.claiming import wait_for_lock
    from nurture.delivery.pausing import actions
    from nurture.errors import BadInput
    from nurture.newsletters.store import stop_queueing

    with opened() as house:
        name = _named(house, campaign)
        if not is_sure:
            with house.database.reading() as session:
                waiting = actions.counts_of(session, name).waiting
            if as_json:
                raise BadInput(
                    f"--yes: {counted(waiting, 'mail')} of {name} would be cancelled for good; say that you mean it."
                )
            typer.confirm(f"Cancel {counted(waiting, 'mail')} of {name}, for good?", abort=True, err=True)
        now = house.clock.now()
        kind, _, own_name = name.partition(":")

        def stop(session: "Session") -> None:
            if kind == "newsletter":
                wait_for_lock(session, "issues")
                stop_queueing(session, own_name, now)

        stopped = actions.cancel(house.database, name, by=getpass.getuser(), now=now, stop_queueing=stop)
        _tell(stopped, f"is paused, and {stopped.moved:,} of its mails are cancelled", as_json=as_json)


def _named(house: "App", campaign: str) -> str:
    from nurture.campaigns.naming import find_named

    with house.database.reading() as session:
        return find_named(session, campaign)


def _tell(stopped: "Stopped", what: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        emit(
            {"campaign": stopped.campaign, "moved": stopped.moved, "mails": stopped.counts.audience}
            | ({"because": stopped.because} if stopped.because else {})
            | asdict(stopped.counts)
        )
        return
    say(f"{stopped.campaign} {what}. {str(stopped.counts)[:1].upper()}{str(stopped.counts)[1:]}.")
