"""`nurture warm-up`: where new sender domains stand, which campaigns meet people in waves, and how long a mailing takes."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.options import MOST
from nurture.cli.output import emit, say, table
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.delivery.pacing.outlook import Outlook

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("warm-up")(warm_up)


def warm_up(
    people: Annotated[
        int,
        typer.Option("--people", min=0, max=MOST, metavar="N", help="Say how many days a mailing to so many takes."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Show how far sender domains that are new to receivers have come, and each campaign's waves of first mails.

    What may leave today is counted for a domain as a whole, and for each provider by itself from the first day on which
    mail goes there. The plan stands in settings.toml below [warm_up], the waves in sending.first_wave.

    Example: nurture warm-up --people 5000
    """
    from nurture.app.pacing import pacing_of
    from nurture.delivery.pacing.outlook import look_ahead

    with opened() as house, house.database.reading() as session:
        outlook = look_ahead(session, pacing_of(house.settings), people, house.clock.now())
    if as_json:
        emit(
            {
                "warm_up": [one.as_document() for one in outlook.lanes],
                "first_waves": [one.as_document() for one in outlook.waves],
                "days": outlook.days if people else None,
            }
        )
        return
    _tell(outlook, people)


def _tell(outlook: "Outlook", people: int) -> None:
    if not outlook.senders:
        say("No sender domain warms up: warm_up.senders in settings.toml names none.")
    else:
        table(
            ("sender", "provider", "since", "today", "of", "busiest day"),
            [
                (one.sender, one.provider or "all", one.days.since.date() if one.days.since else "", one.days.today,
                 "no limit" if one.allowance is None else one.allowance, one.days.busiest)
                for one in outlook.lanes
            ],
            empty=f"{', '.join(sorted(outlook.senders))}: no mail has left yet.",
        )  # fmt: skip
    if outlook.waves:
        table(
            ("campaign", "wave", "people", "of", "began"),
            [(one.campaign, one.number, one.people, one.size, one.began_at) for one in outlook.waves],
            empty="",
        )
    if people:
        say(f"A mailing to {counted(people, 'person', 'people')} takes {counted(outlook.days, 'day')}.")
