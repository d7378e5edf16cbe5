"""`nurture connect`: a relay is asked for, tried, and written into settings.toml."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import Json
from nurture.cli.output import emit, say, warn
from nurture.cli.workspace import folder

if TYPE_CHECKING:
    from nurture.app.connecting import Answers, Tried
    from nurture.relays.profiles import Profile
    from nurture.settings import Settings
    from nurture.settings.writing import Wanted
    from nurture.toml.editing import Value

Relay = Annotated[
    str,
    typer.Argument(
        metavar="RELAY",
        help="google-workspace, microsoft-365, ses, postmark, mailgun, brevo, or own for any other one.",
    ),
]
Name = Annotated[
    str, typer.Option(help="What settings.toml calls it; default: RELAY. Another name makes another relay.")
]
SecretFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A file with the password; - reads stdin.")]


def register(app: typer.Typer) -> None:
    app.command("connect")(connect)


def connect(
    relay: Relay,
    name: Name = "",
    sender_name: Annotated[
        str, typer.Option(help="Who writes, as people see it; default: as settings.toml has it.")
    ] = "",
    sender: Annotated[str, typer.Option(metavar="ADDRESS", help="The address mail comes from.")] = "",
    region: Annotated[
        str, typer.Option(help="Of a relay that has several; `nurture relays show RELAY` lists them.")
    ] = "",
    host: Annotated[str, typer.Option(help="Where a relay of your own is.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0: the relay's usual one.")] = 0,
    sign_in: Annotated[str, typer.Option(help="password, oauth or address, where a relay has several ways in.")] = "",
    username: Annotated[str, typer.Option(help="The user name.")] = "",
    password_file: SecretFile = None,
    client_id: Annotated[str, typer.Option(help="oauth: the number of your app.")] = "",
    client_secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="oauth: a file with your app's secret; - reads stdin.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="oauth: the directory (tenant) of your organization at Microsoft.")] = "",
    token_url: Annotated[str, typer.Option(help="oauth at a relay of your own: where tokens come from.")] = "",
    device_url: Annotated[
        str, typer.Option(help="oauth at a relay of your own: where codes come from (RFC 8628).")
    ] = "",
    scope: Annotated[str, typer.Option(help="oauth at a relay of your own: what to ask for.")] = "",
    header: Annotated[
        list[str] | None, typer.Option(help='A header for every mail, such as "X-SES-CONFIGURATION-SET: news".')
    ] = None,
    connections: Annotated[int, typer.Option(min=0, max=100, help="Connections at once; 0: as proposed.")] = 0,
    per_second: Annotated[float, typer.Option(min=-1, help="Mails in a second, 0 for no limit; -1: as proposed.")] = -1,
    per_hour: Annotated[int, typer.Option(min=-1, help="Mails in an hour, 0 for no limit; -1: as proposed.")] = -1,
    per_day: Annotated[int, typer.Option(min=-1, help="Mails in 24 hours, 0 for no limit; -1: as proposed.")] = -1,
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="Who gets the test; default: the sender.")] = "",
    test: Annotated[bool, typer.Option("--test/--no-test", help="Try it before anything is written.")] = True,
    as_json: Json = False,
) -> None:
    """Connect a relay: asks what it needs, signs in, sends a test to you, and writes settings.toml. Run again, it changes it.

    What an option says is not asked. Nothing is written unless signing in and the test worked; passwords and tokens go to
    .nurture/secrets, which only you may read.

    Example: nurture connect ses --region eu-central-1
    """
    from nurture.app.connecting import try_out, wanted_of
    from nurture.app.relaying import relay_named
    from nurture.cli.entering import Asked, find_recipient, gather_answers
    from nurture.cli.questions import is_there_somebody
    from nurture.clock import SystemClock
    from nurture.relays.profiles import get_profile
    from nurture.settings.writing import write

    profile = get_profile(relay)
    settings = _settings()
    asked = Asked(
        region, host, port, sign_in, username, password_file, client_id, client_secret_file, tenant, token_url,
        device_url, scope,
    )  # fmt: skip
    limits = {"connections": connections or -1, "per_second": per_second, "per_hour": per_hour, "per_day": per_day}
    given: dict[str, Value] = {key: value for key, value in limits.items() if value >= 0}
    if header:
        given["headers"] = header
    if is_there_somebody():
        _introduce(profile)
    answers = gather_answers(profile, settings, name or profile.name, sender_name, sender, asked, given)
    recipient = find_recipient(settings, answers, to)
    wanted = wanted_of(settings, answers)
    becoming = _read_with(wanted)
    _refuse_borrowed(becoming, answers)
    clock = SystemClock()
    tried = None
    if test:
        if is_there_somebody():
            warn(f"Signing in at {answers.host}:{answers.port} and sending a test to {recipient} …")
        kept: dict[str, str] = {}
        made = relay_named(becoming, answers.name, clock.elapsed, lambda token: kept.update(refresh_token=token))
        tried = try_out(made, profile, becoming, recipient, clock.now())
        if kept:
            renewed: dict[tuple[str, ...], Value] = {("relays", answers.name, "refresh_token"): kept["refresh_token"]}
            wanted = replace(wanted, secrets={**wanted.secrets, **renewed})
    write(folder(), wanted)
    report = _report(profile, settings, becoming, answers, recipient, tried)
    if as_json:
        emit(report)
    else:
        _tell(profile, report)


def _settings() -> "Settings":
    """As the files have them: what the environment says of a relay that is not there yet is no mistake here."""
    from nurture.errors import NotFound
    from nurture.settings import SETTINGS_FILE, read_settings
    from nurture.settings.places import OF_RELAYS

    if not (folder() / SETTINGS_FILE).exists():
        raise NotFound(f"{folder()}: there is no settings.toml here; `nurture init` makes a workspace.")
    return read_settings(folder(), {key: value for key, value in os.environ.items() if not key.startswith(OF_RELAYS)})


def _read_with(wanted: "Wanted") -> "Settings":
    """The settings as they would be. What is wrong with them was said just now, and stands in no line of a file yet."""
    import re

    from nurture.errors import BadInput, BadSettings
    from nurture.settings.writing import read_with

    try:
        read_with(folder(), replace(wanted, secrets={}))  # what is no name is told before its secrets look for it
        return read_with(folder(), wanted)
    except BadSettings as error:
        said = re.sub(r"^settings\.toml:\d+(:\d+)?: ", "", str(error), flags=re.MULTILINE)
        raise BadInput(f"{said} Nothing was written.") from None


def _refuse_borrowed(becoming: "Settings", answers: "Answers") -> None:
    """Nobody becomes a sender whom `check` and `publish` would refuse afterwards."""
    from nurture.app.declaring import borrowed_domains, declared_of
    from nurture.errors import NotAllowed

    domain = answers.sender_email.rpartition("@")[2].lower()
    if domain in borrowed_domains(declared_of(becoming), [one.host for one in becoming.relays]):
        raise NotAllowed(
            f"--sender: mail from {domain} is {domain}'s to send: its DMARC record has everybody refuse ours; write from a "
            f"domain of your own, or connect the relay of {domain}. Nothing was written."
        )


def _introduce(profile: "Profile") -> None:
    """What it is, and what has to be done there first."""
    warn(f"{profile.title}. {profile.about}")
    for number, step in enumerate(profile.steps, 1):
        warn(f"  {number}. {step}")


def _report(
    profile: "Profile", before: "Settings", after: "Settings", answers: "Answers", to: str, tried: "Tried | None"
) -> dict[str, Any]:
    """What was connected, how the test went, and what comes next."""
    one = next(one for one in after.relays if one.name == answers.name)
    remarks = list(tried.remarks) if tried else ["It was not tried: `nurture doctor` does."]
    if not before.relays and before.smtp.host not in {"127.0.0.1", "localhost", "::1"}:
        remarks.append(
            f"[smtp] ({before.smtp.host}) counts no more, because [[relays]] takes its place; to keep it, type "
            f"`nurture connect own --host {before.smtp.host}`."
        )
    if one.accepts:
        remarks.append(
            f"Its terms want people to have agreed: {profile.terms.says} So mail to people on any other basis than "
            f"{', '.join(one.accepts)} waits (relays.accepts)."
        )
    return {
        "relay": answers.name, "provider": profile.name, "host": one.host, "port": one.port, "username": one.username,
        "auth": one.auth, "tested": tried is not None, "to": to if tried else "", "reply": tried.reply if tried else "",
        "offers": tried.offers if tried else "",
        "limits": {key: getattr(one, key) for key in ("connections", "per_second", "per_hour", "per_day")},
        "accepts": list(one.accepts), "headers": list(one.headers), "remarks": remarks,
        "next": _next(profile, before, after, is_tested=tried is not None),
    }  # fmt: skip


def _next(profile: "Profile", before: "Settings", after: "Settings", *, is_tested: bool) -> list[str]:
    from nurture.delivery.rules import is_loopback

    domain = after.senders.default.email.rpartition("@")[2]
    look = f"Look at the source of the test mail: SPF, DKIM and DMARC should pass for {domain}."
    steps = [look] if is_tested else []
    if profile.names.spf:
        steps.append(f"SPF: include:{profile.names.spf}. {profile.names.spf_says}")
    steps.append(f"DKIM: {profile.names.dkim_says}")
    steps.append(f"Limits: {profile.limits.says}")
    if before.senders != after.senders:
        steps.append("`nurture publish`: mail comes from the new sender once it is published.")
    if not after.sending.only_to and not all(is_loopback(one.host) for one in after.relays):
        steps.append(
            'sending.only_to names nobody yet, so nothing leaves but tests: name domains of readers there, then ["*"].'
        )
    steps.append("`nurture doctor`, then start `nurture run` again: it reads settings when it starts.")
    return steps


def _tell(profile: "Profile", report: dict[str, Any]) -> None:
    if report["tested"]:
        say(f"{profile.title} took the test for {report['to']}: {report['reply']}")
    say(f"settings.toml has it as the relay {report['relay']}.")
    for remark in report["remarks"]:
        say(f"  · {remark}")
    say("\nWhat next:")
    for step in report["next"]:
        say(f"  · {step}")
