"""The relays of settings.toml as the adapter knows them, each with whatever lets us in."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from nurture.adapters.oauth import Provider, TokenSource
from nurture.adapters.smtp import Relay
from nurture.delivery.relayed.rules import OwnIds
from nurture.delivery.routing import Route
from nurture.errors import BadSettings
from nurture.relays.hosts import find_profile_of
from nurture.relays.oauth import Client
from nurture.relays.profiles import find_profile
from nurture.settings import Settings
from nurture.settings.sections import RelaySettings
from nurture.settings.writing import renew_secret


def relays_of(settings: Settings, folder: Path, elapsed: Callable[[], float]) -> tuple[Relay, ...]:
    """Every relay that mail may go to: those of `[[relays]]`, else the one of `[smtp]`."""
    smtp = settings.smtp
    twice = [name for name, count in Counter(one.name for one in settings.relays).items() if count > 1]
    if twice:
        raise BadSettings(f"relays.name: two relays are called {twice[0]}; give each a name of its own.")
    if not settings.relays:
        return (
            Relay(
                smtp.host, smtp.port, smtp.tls, smtp.username, smtp.password, smtp.timeout_seconds, auth=smtp.auth,
                connections=smtp.connections, hello=_hello(settings),
                may_pipeline=smtp.pipelining,
            ),
        )  # fmt: skip
    return tuple(relay_named(settings, one.name, elapsed, _keeping(folder, one.name)) for one in settings.relays)


def relay_named(settings: Settings, name: str, elapsed: Callable[[], float], keep: Callable[[str], None]) -> Relay:
    """One of `[[relays]]`; `keep` is told a refresh token that took the place of the last one."""
    one = next(one for one in settings.relays if one.name == name)
    route = Route(
        one.name,
        one.weight,
        frozenset(sender.lower() for sender in one.senders),
        frozenset(domain.lower() for domain in one.domains),
    )
    source = _token_of(one, elapsed, keep)
    return Relay(
        one.host, one.port, one.tls, one.username, one.password, settings.smtp.timeout_seconds, name=one.name,
        auth=one.auth, connections=one.connections, route=route, token=source,
        forget_token=source.forget if source else None,
        headers=one.headers, hello=_hello(settings), may_pipeline=one.pipelining,
    )  # fmt: skip


def _hello(settings: Settings) -> str:
    """How we introduce ourselves: some relays let nobody in who is called localhost."""
    domain = settings.senders.default.email.rpartition("@")[2]
    return domain if domain.isascii() and "." in domain else "localhost"


def own_ids_of(settings: Settings) -> OwnIds:
    """Which relays put Message-IDs of their own, and how their answers name them."""
    if not settings.relays:
        profile = find_profile_of("", settings.smtp.host)
        return OwnIds({"default": profile.changes.answer} if profile else {})
    profiles = {one.name: find_profile_of(one.provider, one.host) for one in settings.relays}
    return OwnIds({name: profile.changes.answer for name, profile in profiles.items() if profile})


def _token_of(one: RelaySettings, elapsed: Callable[[], float], keep: Callable[[str], None]) -> TokenSource | None:
    """Where the tokens of a relay come from, if it wants any."""
    if one.auth != "xoauth2" or not one.token_url:
        return None
    again = f"nurture connect {one.provider or 'own'}" + (f" --name {one.name}" if one.name != one.provider else "")
    client = Client(one.client_id, one.token_url, one.scope, one.client_secret)
    profile = find_profile(one.provider)
    return TokenSource(
        Provider(client, profile.oauth_hosts if profile else frozenset()), one.refresh_token, elapsed, keep, again
    )


def _keeping(folder: Path, name: str) -> Callable[[str], None]:
    return lambda token: renew_secret(folder, ("relays", name, "refresh_token"), token)
