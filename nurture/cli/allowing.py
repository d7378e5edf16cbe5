"""`nurture allow`: yes, this campaign is meant to mail so many people."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.options import MOST
from nurture.cli.output import emit, say
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.delivery.guard.actions import Yes

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("allow")(allow)


def allow(
    campaign: Annotated[str, typer.Argument(help="The campaign, such as newsletter:weekly or weekly.")],
    people: Annotated[int, typer.Option("--people", max=MOST, metavar="N", help="How many it may mail in a day.")],
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="How long this yes holds.")] = "3d",
    as_json: Json = False,
) -> None:
    """Say yes to a campaign that is about to mail far more people than it ever did.

    Nothing else stops at that number: consent, caps, windows and pauses hold as before. What waited for the yes leaves
    with the next `nurture run`; said beforehand, nothing has to wait.

    Example: nurture allow newsletter:weekly --people 12000
    """
    import getpass

    from nurture.delivery.guard.actions import allow as say_yes
    from nurture.timing import parse_length

    with opened() as house, house.database.writing(durable=True) as session:
        yes = say_yes(
            session, campaign, people, parse_length(length), allowed_by=getpass.getuser(), now=house.clock.now()
        )
    if as_json:
        emit({"campaign": yes.campaign, "people": yes.people, "until": yes.until, "released": yes.released})
        return
    say(
        f"{yes.campaign} may mail {counted(yes.people, 'person', 'people')} a day until {yes.until:%Y-%m-%d %H:%M} UTC.{_waited(yes)}"
    )


def _waited(yes: "Yes") -> str:
    if not yes.released:
        return ""
    if yes.released <= yes.people:
        return f" {counted(yes.released, 'mail that waited leaves', 'mails that waited leave')} with the next `nurture run`."
    return (
        f" Of {counted(yes.released, 'mail')} that waited, those it has room for leave with the next `nurture run`; the others "
        "wait for another yes, so say as many as you mean."
    )
