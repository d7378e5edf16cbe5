"""What `nurture doctor` looks at; each finding says what is wrong and what to type."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.app import App


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    check: str
    is_ok: bool
    what: str
    do: str = ""


def examine(house: "App") -> list[Finding]:
    """Look at everything; a check that cannot be made says so and the others go on."""
    checks: tuple[tuple[str, Callable[[App], Finding]], ...] = (
        ("database", _database),
        ("sending", _sending),
        ("files", _files),
        ("relay", _relay),
        ("links", _links),
        ("recipients", _recipients),
        ("SPF", _spf),
        ("DMARC", _dmarc),
        ("uncertain mail", _uncertain),
        ("blast guard", _guard),
    )
    findings = []
    for name, check in checks:
        try:
            findings.append(check(house))
        except NurtureError as error:
            findings.append(Finding(name, False, str(error), "mend that, then look again"))
    return findings


def _database(house: "App") -> Finding:
    from nurture.database import migrating

    kind = "SQLite" if house.database.is_sqlite else "PostgreSQL"
    with house.database.reading() as session:
        revision = migrating.current_revision(session.connection())
    return Finding("database", True, f"{kind}, revision {revision}")


def _sending(house: "App") -> Finding:
    from nurture.database.installation import get_pause, is_at_home

    with house.database.reading() as session:
        pause = get_pause(session)
        do = (
            "`nurture resume`" if is_at_home(session, house.home) else "`nurture resume --here`, if no other copy sends"
        )
    if pause is None:
        return Finding("sending", True, "is not paused")
    return Finding("sending", False, f"paused since {pause[0]:%Y-%m-%d %H:%M} UTC: {pause[1]}", f"type {do}")


def _files(house: "App") -> Finding:
    reading = house.read_files()
    if reading.errors:
        return Finding("files", False, f"{reading.errors} errors in the files", "type `nurture check`")
    return Finding("files", True, f"{reading.files} files, no errors")


def _relay(house: "App") -> Finding:
    from nurture.adapters.smtp import SmtpMailer
    from nurture.delivery.mailer import RelayDown

    async def say_hello() -> str:
        connection = await SmtpMailer(house.relay).connect()
        try:
            return connection.description
        finally:
            await connection.close()

    try:
        return Finding("relay", True, asyncio.run(say_hello()))
    except RelayDown as error:
        return Finding(
            "relay",
            False,
            str(error),
            "see smtp.host, smtp.port and smtp.tls in settings.toml, and NURTURE_SMTP__PASSWORD",
        )


def _links(house: "App") -> Finding:
    from nurture.delivery.rules import is_public_https

    url = house.settings.web.base_url
    if house.is_by_mail_alone:
        return _way_out_by_mail(house)
    if is_public_https(url):
        return Finding("links", True, f"mails link to {url}")
    if house.boundary.relay_is_loopback:
        return Finding("links", True, f"mails link to {url}; enough while the relay is on this machine")
    return Finding(
        "links", False, f"mails would link to {url}, where no reader could opt out",
        'set web.base_url to your public address, such as "https://news.example.com"',
    )  # fmt: skip


def _way_out_by_mail(house: "App") -> Finding:
    from nurture.delivery.rules import MOST_BY_MAIL_ALONE, is_public_domain

    domain = house.settings.inbound.domain
    if is_public_domain(domain):
        return Finding("links", True, f"readers leave by mail to {domain}; at most {MOST_BY_MAIL_ALONE:,} mails a day")
    return Finding(
        "links", False, 'web.way_out is "mailto", and no mail from outside reaches us, so no reader could opt out',
        "set inbound.domain to a domain whose mail is handed to inbound.host and inbound.port",
    )  # fmt: skip


def _recipients(house: "App") -> Finding:
    only_to = house.settings.sending.only_to
    if house.boundary.relay_is_loopback:
        return Finding("recipients", True, "the relay is on this machine, so nothing leaves it")
    if not only_to:
        return Finding(
            "recipients", False, "sending.only_to names nobody, so only senders.test_domains get mail",
            'write only_to = ["*"] below [sending] once you mean it',
        )  # fmt: skip
    return Finding("recipients", True, "everybody" if "*" in only_to else f"only {', '.join(only_to)}")


def _spf(house: "App") -> Finding:
    domain = house.declared.default_sender.domain
    return _record(
        "SPF", domain, "v=spf1", f'add a TXT record at {domain}, such as "v=spf1 include:your-relay.example ~all"'
    )


def _dmarc(house: "App") -> Finding:
    domain = house.declared.default_sender.domain
    return _record("DMARC", f"_dmarc.{domain}", "v=DMARC1", f'add a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"')


def _record(check: str, name: str, begins: str, do: str) -> Finding:
    from nurture.adapters.dns import find_texts

    texts = find_texts(name)
    if texts is None:
        return Finding(check, False, f"{name} could not be looked up from here", "try again where DNS works")
    found = [text for text in texts if text.lower().startswith(begins.lower())]
    if len(found) == 1:
        return Finding(check, True, f"{name}: {found[0]}")
    what = f"{name} has {len(found)} such records" if found else f"{name} has no such record"
    return Finding(check, False, what, do)


def _uncertain(house: "App") -> Finding:
    from nurture.delivery import store

    with house.database.reading() as session:
        count = store.count_by_status(session).get("uncertain", 0)
    if not count:
        return Finding("uncertain mail", True, "none")
    return Finding(
        "uncertain mail", False, f"{count:,} mail{'' if count == 1 else 's'} whose arrival nobody confirmed",
        "look with `nurture deliveries --status uncertain`, then `nurture deliveries resolve ID --as …`",
    )  # fmt: skip


def _guard(house: "App") -> Finding:
    from nurture.delivery.guard import store

    with house.database.reading() as session:
        stopped = store.list_stopped(session)
    if not stopped:
        return Finding("blast guard", True, "stopped no campaign")
    what = "; ".join(
        f"{campaign} is about to mail {count:,} people more than it ever did" for campaign, count in stopped
    )
    do = " and ".join(f"`nurture allow {campaign} --people N`" for campaign, _ in stopped)
    return Finding("blast guard", False, what, f"if that is meant, type {do}; if not, `nurture pause` and look why")
