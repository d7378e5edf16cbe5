"""`nurture hold`: hands off, this is my deal."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.output import emit, say, table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("hold")(hold)


def hold(
    target: Annotated[
        str, typer.Argument(metavar="EMAIL|COMPANY", help="A contact, or a company by its domain or name.")
    ] = "",
    length: Annotated[str, typer.Option("--for", metavar="TIME", help='How long, such as 30d or "6 weeks".')] = "",
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; colleagues will read it.")] = "",
    by: Annotated[
        str, typer.Option("--by", metavar="OPERATOR", help="Who holds them, by address; else their owner.")
    ] = "",
    lift: Annotated[bool, typer.Option("--lift", help="End the hold now.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Show who is held, by whom and until when.")] = False,
    as_json: Json = False,
) -> None:
    """Hands off, this is my deal: no campaign mail and no step of a sequence for a contact or a company.

    Only their owner, marketing or an admin may hold somebody. Sequences stand still and go on where they were when the
    hold ends or is lifted; what a person just asked for (service mail) still reaches them. An opt-out stays an opt-out.

    Example: nurture hold ana@reader.example --for 30d --because "negotiating the renewal"
    """
    from nurture.errors import BadInput

    with opened() as house:
        if show:
            _show_all(house, as_json)
        elif not target:
            raise BadInput("say whom: an address, or a company by its domain; `nurture hold --list` shows who is held.")
        elif lift:
            _lift(house, target, as_json)
        else:
            _place(house, target, length, because, by, as_json)


def _place(house: "App", text: str, length: str, because: str, by: str, as_json: bool) -> None:
    from nurture.consent.holds.actions import find_target, place
    from nurture.errors import BadInput
    from nurture.timing import parse_length

    if not length:
        raise BadInput("say for how long, such as --for 30d; a hold that nobody ends ends by itself.")
    with house.database.writing(durable=True) as session:
        target = find_target(session, text)
        made, operator = place(
            session, target, length=parse_length(length), because=because, by=by, now=house.clock.now()
        )
    if as_json:
        emit({"held": target.name, "by": operator.email, "until": made.until, "because": made.because})
    else:
        say(f"{operator.name} holds {target.name} until {made.until:%Y-%m-%d %H:%M} UTC: “{made.because}”.")


def _lift(house: "App", text: str, as_json: bool) -> None:
    from nurture.consent.holds.actions import find_target, lift

    with house.database.writing(durable=True) as session:
        target = find_target(session, text)
        count = lift(session, target, house.clock.now())
    if as_json:
        emit({"lifted": target.name, "holds": count})
    else:
        say(f"Nobody holds {target.name} any more; `nurture run` looks again at everything that stood still.")


def _show_all(house: "App", as_json: bool) -> None:
    from nurture.consent.holds.store import list_holds

    with house.database.reading() as session:
        found = list_holds(session, house.clock.now())
    if as_json:
        emit(
            [
                {"held": on or hold.domain, "by": by, "until": hold.until, "because": hold.because,
                 "placed_at": hold.placed_at, "people": people}
                for hold, by, on, people in found
            ]
        )  # fmt: skip
        return
    table(
        ("held", "by", "until", "because", "people"),
        [(on or hold.domain, by, hold.until, hold.because, people) for hold, by, on, people in found],
        empty="Nobody is held.",
    )
