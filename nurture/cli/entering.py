"""The way into a relay: what `nurture connect` has to know, asked for where no option said it, and the sign-in itself."""

import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nurture.adapters.oauth import Landing, Provider, wait_for_consent
from nurture.adapters.smtp.relay import Encryption, tls_at
from nurture.app.connecting import Answers
from nurture.cli.output import warn
from nurture.cli.questions import ask, ask_for, ask_secret, choose, is_there_somebody
from nurture.clock import SystemClock
from nurture.contacts.addresses import get_address
from nurture.errors import BadInput, NotAllowed
from nurture.relays.oauth import Client, Token
from nurture.relays.profiles import Profile, SignIn
from nurture.settings import Settings
from nurture.settings.places import variable_of_relay
from nurture.settings.sections import RelaySettings
from nurture.toml.editing import Value

#: How long a page may stay open before somebody agrees.
_PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Asked:
    """What the options said about the way in."""

    region: str
    host: str
    port: int
    sign_in: str
    username: str
    password_file: Path | None
    client_id: str
    client_secret_file: Path | None
    tenant: str
    token_url: str
    device_url: str
    scope: str


def gather_answers(
    profile: Profile,
    settings: Settings,
    name: str,
    sender_name: str,
    sender: str,
    asked: Asked,
    given: dict[str, Value],
) -> Answers:
    """Everything that has to be known, asked for in the order in which people have it at hand.

    Of a relay that is there already, what is there is proposed.
    """
    default = settings.senders.default
    known = next((one for one in settings.relays if one.name == name and one.provider in {profile.name, ""}), None)
    who = sender_name or ask("Your name, as readers see it", "--sender-name", default.name)
    email = ask_for(get_address, "Your address, which mail comes from", "--sender", default.email, said=sender).email
    server = profile.server
    region = asked.region.strip().lower()
    if server.regions and not region:
        at = next((one for one in server.regions if known and profile.host_in(one) == known.host), "")
        region = choose(server.region_question, "--region", server.regions, at)
    if server.host and asked.host:
        raise BadInput(f"--host: {profile.title} is at {server.host}; connect any other relay as own.")
    host = profile.host_in(region) or ask_for(
        _host_of, "Host of the relay", "--host", known.host if known else "", said=asked.host
    )
    port, tls = _door(profile, known, host, asked.port)
    sign_in = _way_in(profile, asked.sign_in, known)
    username = asked.username
    if sign_in != "address" and not username:
        proposed = known.username if known else email if profile.oauth is not None else ""
        username = ask(profile.sign_in.username, "--username", proposed, may_be_empty=profile.name == "own")
    password, client, refresh_token = "", None, ""
    if sign_in == "oauth":
        client, refresh_token = _sign_in(profile, asked, known)
    elif sign_in == "password" and username and variable_of_relay(name, "password") not in os.environ:
        password = ask_secret(profile.sign_in.password, "--password-file", asked.password_file)
    return Answers(
        profile, name, who, email, host, port, tls, username, sign_in, password, client, refresh_token, given,
    )  # fmt: skip


def _host_of(said: str) -> str:
    """A host as somebody types it, and nothing that would be looked up as a name that nobody has."""
    host = said.strip()
    if "/" in host or (host.count(":") == 1 and not host.startswith("[")):
        name = host.partition("://")[2] or host
        name = name.partition("/")[0].partition(":")[0]
        raise BadInput(f"--host: {host} is more than the name of a host; write {name}, and its port as --port.")
    return host


def _door(profile: Profile, known: RelaySettings | None, host: str, said: int) -> tuple[int, Encryption]:
    """At which port, and how encrypted: as it is there already, else as is usual there."""
    if known is not None and known.host == host and said in {0, known.port}:
        return known.port, known.tls
    port = said or profile.server.port
    return port, tls_at(port, profile.server.tls)


def _way_in(profile: Profile, said: str, known: RelaySettings | None) -> SignIn:
    """How to sign in; a relay of one's own does so by password unless somebody says otherwise."""
    kinds = profile.sign_in.kinds
    before: SignIn | None = None
    if known is not None:
        before = "oauth" if known.auth == "xoauth2" else "password" if known.username else "address"
    if not said and (len(kinds) == 1 or profile.name == "own"):
        return before if before in kinds and before == "oauth" else kinds[0]
    wanted = said or choose("How to sign in", "--sign-in", kinds, before if before in kinds else "")
    for kind in kinds:
        if kind == wanted:
            return kind
    raise BadInput(f'--sign-in: {profile.title} has no way in by "{wanted}", but by {", ".join(kinds)}.')


def _sign_in(profile: Profile, asked: Asked, known: RelaySettings | None) -> tuple[Client, str]:
    """A refresh token, for which somebody agrees on a page of the provider's."""
    oauth = profile.oauth
    told = known or RelaySettings(name="none", host="none")
    client_id = asked.client_id or ask(
        oauth.client if oauth else "Number of your app (client ID)", "--client-id", told.client_id
    )
    tenant = ""
    if oauth and oauth.asks_tenant:
        tenant = asked.tenant or ask("Directory (tenant) ID", "--tenant", oauth.tenant_in(told.token_url))
    secret = ""
    if asked.client_secret_file or (oauth and oauth.asks_secret):
        secret = ask_secret("Secret of your app", "--client-secret-file", asked.client_secret_file)
    if oauth is None:
        token_url = asked.token_url or ask("Address that gives tokens", "--token-url", told.token_url)
        device_url = asked.device_url or ask("Address that gives codes (RFC 8628)", "--device-url")
        scope = asked.scope or ask("Scope", "--scope", told.scope, may_be_empty=True)
        return _by_device(Provider(Client(client_id, token_url, scope, secret)), device_url)
    client = Client(client_id, oauth.at(oauth.token_url, tenant), oauth.scope, secret)
    provider = Provider(client, profile.oauth_hosts)
    if oauth.flow == "device":
        return _by_device(provider, oauth.at(oauth.device_url, tenant))
    return _by_page(provider, oauth.authorize_url)


def _by_device(provider: Provider, device_url: str) -> tuple[Client, str]:
    shown = provider.ask_for_code(device_url)
    warn(f"\nOpen {shown.verification_uri} on any device and type this code: {shown.user_code}\nWaiting …")
    token = wait_for_consent(provider, shown, SystemClock().elapsed, time.sleep)
    return provider.client, _lasting(token)


def _by_page(provider: Provider, authorize_url: str) -> tuple[Client, str]:
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    landing = Landing()
    try:
        page = provider.client.page(authorize_url, landing.address, state, verifier)
        warn(
            f"\nOpen this page in a browser and agree:\n  {page}\nIf that browser is on another machine, it ends at an address "
            "it cannot reach; paste that address here.\nWaiting …"
        )
        code = landing.wait(state, _PATIENCE_SECONDS, SystemClock().elapsed, sys.stdin if is_there_somebody() else None)
        return provider.client, _lasting(provider.redeem(code, landing.address, verifier))
    finally:
        landing.close()


def _lasting(token: Token) -> str:
    """What brings further tokens; one that ends in an hour and has no successor is of no use here."""
    if not token.refresh_token:
        raise NotAllowed("the provider gave a token that cannot be renewed; ask for offline access in the scope.")
    return token.refresh_token


def find_recipient(settings: Settings, answers: Answers, to: str) -> str:
    """Who gets the test: one of us."""
    if not to:
        return answers.sender_email
    address = get_address(to)
    people = {one.email.lower() for one in settings.operators} | {answers.sender_email.lower()}
    domains = {one.lower() for one in settings.senders.test_domains}
    if address.email.lower() not in people and address.domain not in domains:
        raise NotAllowed(
            f"--to: {to} is neither an operator of settings.toml nor in senders.test_domains; a test goes to us."
        )
    return address.email
