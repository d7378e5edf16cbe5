"""`nurture relays`: what is known about the relays people have."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import Json
from nurture.cli.output import emit, say, table
from nurture.cli.workspace import folder

if TYPE_CHECKING:
    from nurture.relays.profiles import Profile
    from nurture.settings import Settings

Relay = Annotated[str, typer.Argument(metavar="RELAY", help="The relay, as `nurture relays` lists it.")]


def register(app: typer.Typer) -> None:
    relays = typer.Typer(invoke_without_command=True)
    relays.callback()(list_relays)
    relays.command("show")(show)
    app.add_typer(relays, name="relays")


def list_relays(context: typer.Context, as_json: Json = False) -> None:
    """List the relays that `nurture connect` knows, and under which names they are connected here.

    A relay that settings.toml names by its host counts as well, however it came there.

    Example: nurture relays
    """
    from nurture.relays.profiles import list_profiles
    from nurture.settings import SETTINGS_FILE, read_settings

    if context.invoked_subcommand:
        return
    here = _connected(read_settings(folder())) if (folder() / SETTINGS_FILE).exists() else {}
    profiles = list_profiles()
    if as_json:
        emit(
            [
                {**_as_document(one), "connected": one.name in here, "connected_as": here.get(one.name, [])}
                for one in profiles
            ]
        )
        return
    table(
        ("relay", "what it is", "wants an opt-in", "connected as"),
        [(one.name, one.title, one.terms.demand_opt_in, ", ".join(here.get(one.name, []))) for one in profiles],
        empty="There is none.",
    )


def _connected(settings: "Settings") -> dict[str, list[str]]:
    """The names of the relays of settings.toml, by which known one each is; one that nobody described is our own."""
    from nurture.delivery.rules import is_loopback
    from nurture.relays.hosts import find_profile_of

    places = [(one.name, one.provider, one.host) for one in settings.relays]
    if not places and not is_loopback(settings.smtp.host):  # else it is as nobody has changed it yet
        places = [("smtp", "", settings.smtp.host)]
    found: dict[str, list[str]] = {}
    for name, provider, host in places:
        profile = find_profile_of(provider, host)
        found.setdefault(profile.name if profile else "own", []).append(name)
    return found


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
