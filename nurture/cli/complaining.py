"""`nurture complaints`: how many readers call our mail spam, by provider, and what providers' own tools say."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table, warn
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.delivery.complaints.rules import Rate

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    complaints = typer.Typer(invoke_without_command=True)
    complaints.callback()(list_complaints)
    complaints.command("set")(enter)
    app.add_typer(complaints, name="complaints")


def list_complaints(context: typer.Context, as_json: Json = False) -> None:
    """How many readers called our mail spam within 30 days, by provider; receivers ask for less than 0.1 %.

    Google sends no reports: its rate is not measured here until somebody enters the one that Postmaster Tools shows, with
    `nurture complaints set`; after a month it is not known any more. From 0.3 % on providers block; a campaign that reaches
    it stops by itself.

    Example: nurture complaints --json
    """
    from nurture.delivery.complaints.store import list_rates

    if context.invoked_subcommand:
        return
    with opened() as house, house.database.reading() as session:
        rates = list_rates(session, house.clock.now())
    if as_json:
        emit([_as_document(one) for one in rates])
        return
    table(
        ("provider", "mails", "complaints", "rate"),
        [(one.provider, one.mailed, one.complained, one.in_words) for one in rates],
        empty="No campaign mailed anybody within 30 days.",
    )


def _as_document(one: "Rate") -> dict[str, Any]:
    return {
        "provider": one.provider, "mailed": one.mailed, "complained": one.complained, "percent": one.percent,
        "measured": one.in_words, "entered_on": one.figure.on if one.figure else None, "too_high": one.is_too_high,
    }  # fmt: skip


def enter(
    domain: Annotated[str, typer.Argument(help="The provider or one of its domains, such as gmail.com.")],
    percent: Annotated[
        float, typer.Argument(min=0, max=100, help="The rate its tools show, in percent, such as 0.08.")
    ],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="The day it is about, such as 2026-03-09.")],
    as_json: Json = False,
) -> None:
    """Write down the complaint rate that a provider's own tools show, such as Google's Postmaster Tools.

    Example: nurture complaints set gmail.com 0.08 --on 2026-03-09
    """
    import getpass
    from datetime import date, timedelta

    from nurture.delivery.complaints.rules import LOOK_BACK, Figure
    from nurture.delivery.complaints.store import enter as keep
    from nurture.delivery.complaints.store import provider_meant
    from nurture.delivery.pacing.providers import PROVIDERS, SILENT_ABOUT_COMPLAINTS
    from nurture.errors import BadInput
    from nurture.merging.correcting import get_right_domain

    try:
        day = date.fromisoformat(on)
    except ValueError:
        raise BadInput(f'--on "{on}" is no day; write it such as 2026-03-09.') from None
    figure = Figure(provider_meant(domain), percent, day)
    if figure.provider not in SILENT_ABOUT_COMPLAINTS:
        if figure.provider not in PROVIDERS:
            get_right_domain(domain)
        raise BadInput(
            f'"{domain}" is not {" or ".join(sorted(SILENT_ABOUT_COMPLAINTS))}: a rate is entered for no other provider. '
            "The rate of each is counted here from the complaints that are reported to us."
        )
    with opened() as house, house.database.writing() as session:
        today = house.clock.now().date()
        if day > today + timedelta(days=1):  # it is tomorrow somewhere
            raise BadInput(f"--on {on}: that day has not come yet.")
        keep(session, figure, getpass.getuser(), house.clock.now())
    if as_json:
        emit({"provider": figure.provider, "percent": figure.percent, "on": figure.on})
    else:
        say(f"{figure.provider}: {figure.percent:g} % of its readers called our mail spam on {figure.on}.")
    if figure.is_old(today):
        warn(f"After {LOOK_BACK.days} days such a figure is not used any more; enter the last one that its tools show.")
