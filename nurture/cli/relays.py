"""`nurture relays`: what is known about the relays people have."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import Json
from nurture.cli.output import emit, say, table
from nurture.cli.workspace import folder

if TYPE_CHECKING:
    from nurture.relays.profiles import Profile

Relay = Annotated[str, typer.Argument(metavar="RELAY", help="The relay, as `nurture relays` lists it.")]


def register(app: typer.Typer) -> None:
    relays = typer.Typer(invoke_without_command=True)
    relays.callback()(list_relays)
    relays.command("show")(show)
    app.add_typer(relays, name="relays")


def list_relays(context: typer.Context, as_json: Json = False) -> None:
    """List the relays that `nurture connect` knows, with their limits, and which of them are connected here.

    Example: nurture relays
    """
    from nurture.relays.profiles import list_profiles
    from nurture.settings import SETTINGS_FILE, read_settings

    if context.invoked_subcommand:
        return
    connected = [one.provider for one in read_settings(folder()).relays] if (folder() / SETTINGS_FILE).exists() else []
    profiles = list_profiles()
    if as_json:
        emit([{**_as_document(one), "connected": one.name in connected} for one in profiles])
        return
    table(
        ("relay", "what it is", "wants an opt-in", "connected"),
        [(one.name, one.title, one.terms.demand_opt_in, one.name in connected) for one in profiles],
        empty="There is none.",
    )


def show(
    relay: Relay,
    as_json: Json = False,
) -> None:
    """Show all that is known about a relay: limits, what it changes, its terms, its DNS, and where that is written.

    Example: nurture relays show ses
    """
    from nurture.relays.profiles import get_profile

    profile = get_profile(relay)
    if as_json:
        emit(_as_document(profile))
        return
    say(f"{profile.title}. {profile.about}\n")
    for head, text in profile.told():
        say(f"{head:<16} {text}")
    say("\nBefore `nurture connect`:")
    for number, step in enumerate(profile.steps, 1):
        say(f"  {number}. {step}")
    for head, lines in (("Not verified:", profile.unverified), ("Sources:", profile.sourced())):
        if lines:
            say(f"\n{head}")
            for line in lines:
                say(f"  · {line}")


def _as_document(profile: "Profile") -> dict[str, Any]:
    return {**profile.model_dump(mode="json"), "checked_on": profile.checked_on}
