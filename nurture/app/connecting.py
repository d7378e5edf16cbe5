"""Connecting a relay: what was answered becomes settings, these are tried with a real mail, and only then written.

The mail goes through the very relay that production would make of these settings, to one of us, never to a contact.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid

from nurture.adapters.smtp import Relay, SmtpMailer
from nurture.delivery.mailer import Envelope, RelayDown
from nurture.delivery.rules import Heard
from nurture.errors import NotAllowed
from nurture.relays.oauth import Client
from nurture.relays.profiles import Profile, SignIn
from nurture.settings import Settings
from nurture.settings.writing import Wanted
from nurture.toml.editing import Value


@dataclass(frozen=True)
class Answers:
    """What somebody said about one relay; `given` are the limits and headers that were said and not only proposed."""

    profile: Profile
    name: str
    sender_name: str
    sender_email: str
    host: str
    port: int
    tls: str
    username: str = ""
    sign_in: SignIn = "password"
    password: str = field(default="", repr=False)
    client: Client | None = None
    refresh_token: str = field(default="", repr=False)
    given: Mapping[str, Value] = field(default_factory=dict)


def wanted_of(settings: Settings, answers: Answers) -> Wanted:
    """What the files have to say. Of a relay that is there already, what its owner has changed stays."""
    profile, known = answers.profile, next((one for one in settings.relays if one.name == answers.name), None)
    of_relay: dict[str, Value] = {
        "provider": profile.name,
        "host": answers.host,
        "port": answers.port,
        "tls": answers.tls,
        "username": answers.username,
    }
    if answers.sign_in == "oauth":
        of_relay["auth"] = "xoauth2"
    elif known is None or known.auth == "xoauth2":
        of_relay["auth"] = "auto"
    if known is None or known.provider != profile.name:
        of_relay |= proposed(profile)
    of_relay |= answers.given
    client = answers.client
    of_relay |= {
        "client_id": client.client_id if client else None,
        "token_url": client.token_url if client else None,
        "scope": client.scope if client else None,
    }
    secrets = {
        "password": answers.password or None if answers.sign_in == "password" and answers.username else None,
        "client_secret": client.client_secret or None if client else None,
        "refresh_token": answers.refresh_token or None,
    }
    return Wanted(
        values=_of_sender(settings, answers),
        relay=answers.name,
        of_relay=of_relay,
        secrets={("relays", answers.name, key): value for key, value in secrets.items()},
    )


def proposed(profile: Profile) -> dict[str, Value]:
    """What a relay's data file proposes for a new entry."""
    limits = profile.limits
    return {
        "mail_from": profile.changes.mail_from,
        "connections": limits.connections,
        "per_second": limits.per_second,
        "per_hour": limits.per_hour,
        "per_day": limits.per_day,
        "accepts": list(profile.terms.accepts),
        "headers": [f"{name}: {value}" for name, value in profile.headers.items()],
    }


def _of_sender(settings: Settings, answers: Answers) -> dict[tuple[str, ...], Value]:
    """Who writes, where that is not what is there."""
    default, domain = settings.senders.default, answers.sender_email.rpartition("@")[2].lower()
    values: dict[tuple[str, ...], Value] = {}
    if answers.sender_name != default.name:
        values["senders", "default", "name"] = answers.sender_name
    if answers.sender_email != default.email:
        values["senders", "default", "email"] = answers.sender_email
    if domain not in {one.lower() for one in settings.senders.domains}:
        values["senders", "domains"] = [*settings.senders.domains, domain]
    return values


@dataclass(frozen=True)
class Tried:
    """How the test ended: the relay's answer, and what is worth knowing although it worked."""

    reply: str
    offers: str
    remarks: tuple[str, ...] = ()


def try_out(relay: Relay, profile: Profile, settings: Settings, to: str, now: datetime) -> Tried:
    """Sign in and hand over one mail to one of us; raises NotAllowed with the relay's own words if it takes none.

    It comes back to where the others will: a relay may take no mail of a domain that it has not seen proof of.
    """
    return asyncio.run(_try_out(relay, profile, settings, to, now))


async def _try_out(relay: Relay, profile: Profile, settings: Settings, to: str, now: datetime) -> Tried:
    sender = settings.senders.default
    returned = settings.senders.return_path_domain or settings.inbound.domain
    as_sender = not returned or any(one.name == relay.name and one.mail_from == "sender" for one in settings.relays)
    content = _test_mail(profile, (sender.name, sender.email), to, now)
    try:
        connection = await SmtpMailer(relay).connect()
    except RelayDown as error:
        raise NotAllowed(f"{profile.title}: {str(error).rstrip('.')}. Nothing was written.") from None
    try:
        outcome = await connection.begin(
            Envelope(sender.email if as_sender else f"nurture-test@{returned}", to, len(content))
        )
        if outcome is None:
            outcome = await connection.finish(content)
    finally:
        await connection.close()
    if outcome.heard is not Heard.ACCEPTED:
        raise NotAllowed(f"{profile.title} did not take the test: {outcome.reply}. Nothing was written.")
    offers = connection.description
    return Tried(outcome.reply, offers, _remarks(profile, offers, outcome.reply))


def _remarks(profile: Profile, offers: str, reply: str) -> tuple[str, ...]:
    """What the relay did otherwise than its data file says."""
    remarks = []
    offers_pipelining = "PIPELINING" in offers
    if profile.server.pipelining == "yes" and not offers_pipelining:
        remarks.append(
            "It offers no PIPELINING, which it used to: each mail takes four round trips. More connections help."
        )
    if profile.changes.answer and not re.search(profile.changes.answer, reply):
        remarks.append(
            "Its answer names no id that we know how to read, and it writes a Message-ID of its own: replies are matched by "
            "inbound.domain only."
        )
    return tuple(remarks)


def _test_mail(profile: Profile, sender: tuple[str, str], to: str, now: datetime) -> bytes:
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = formataddr(sender)
    message["To"] = to
    message["Subject"] = f"nurture can send through {profile.title}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid("nurture", sender[1].rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"This mail went through {profile.title}, as the others will.\n\nHave a look at its source: Authentication-Results "
        "should say that SPF, DKIM and DMARC pass for your domain. `nurture doctor` names the records that are missing.\n"
    )
    return bytes(message)
