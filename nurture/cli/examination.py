"""What `nurture doctor` looks at; each finding says what is wrong and what to type."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from nurture.doctor.findings import Finding
from nurture.errors import NurtureError
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.app.house import App


def examine(house: "App") -> list[Finding]:
    """Look at everything; a check that cannot be made says so and the others go on."""
    checks: tuple[tuple[str, Callable[[App], Finding | list[Finding]]], ...] = (
        ("database", _database),
        ("sending", _sending),
        ("files", _files),
        ("relay", _relay),
        ("relay TLS", _relay_tls),
        ("links", _links),
        ("tracking domain", _tracking),
        ("recipients", _recipients),
        ("identity", _identity),
        ("uncertain mail", _uncertain),
        ("blast guard", _guard),
        ("resting domains", _resting),
        ("campaigns", _campaigns),
        ("complaints", _complaints),
    )
    findings: list[Finding] = []
    for name, check in checks:
        try:
            found = check(house)
            findings += found if isinstance(found, list) else [found]
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
        return Finding("files", False, f"{counted(reading.errors, 'error')} in the files", "type `nurture check`")
    return Finding("files", True, f"{counted(reading.files, 'file')}, no errors")


def _relay(house: "App") -> Finding:
    from nurture.delivery.mailer import RelayDown

    async def say_hello(name: str) -> str:
        connection = await house.mailer.connect(name)
        try:
            return connection.description
        finally:
            await connection.close()

    is_reached, said = True, []
    for relay in house.relays:
        prefix = f"{relay.name}: " if len(house.relays) > 1 else ""
        try:
            said.append(prefix + asyncio.run(say_hello(relay.name)))
        except RelayDown as error:
            is_reached = False
            said.append(str(error))
    settings = "[[relays]]" if house.settings.relays else "smtp.host, smtp.port and smtp.tls"
    password = "the passwords" if house.settings.relays else "NURTURE_SMTP__PASSWORD"
    do = "" if is_reached else f"see {settings} in settings.toml, and {password}"
    return Finding("relay", is_reached, "; ".join(said), do)


def _links(house: "App") -> Finding:
    from nurture.delivery.boundary import is_public_https

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
    from nurture.delivery.boundary import is_public_domain
    from nurture.delivery.rules import MOST_BY_MAIL_ALONE

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


def _identity(house: "App") -> list[Finding]:
    from nurture.app.identity import identity_of
    from nurture.doctor.identity import examine_identity
    from nurture.doctor.servers import examine_relay_name

    identity = identity_of(house)
    if not identity.domains[0]:
        return [Finding("SPF", False, "senders.default.email is missing", "add it to settings.toml")]
    found = examine_identity(house.resolver, identity)
    return found + [examine_relay_name(house.resolver, one.host) for one in identity.carriers if one.is_ours]


def _relay_tls(house: "App") -> list[Finding]:
    from nurture.app.identity import doors_of
    from nurture.delivery.rules import is_loopback
    from nurture.doctor.servers import examine_relay

    return [examine_relay(one, house.clock.now(), is_loopback=is_loopback(one.host)) for one in doors_of(house)]


def _tracking(house: "App") -> list[Finding]:
    from urllib.parse import urlsplit

    from nurture.delivery.boundary import is_public_https
    from nurture.doctor.servers import examine_tracking

    url = urlsplit(house.settings.web.base_url)
    if house.is_by_mail_alone or not is_public_https(house.settings.web.base_url):
        return []  # what follows from that, `links` says
    domain = house.declared.default_sender.domain
    return [examine_tracking(house.resolver, url.hostname or "", url.port or 443, domain, house.clock.now())]


def _uncertain(house: "App") -> Finding:
    from nurture.delivery import store

    with house.database.reading() as session:
        count = store.count_by_status(session).get("uncertain", 0)
    if not count:
        return Finding("uncertain mail", True, "none")
    return Finding(
        "uncertain mail", False, f"{counted(count, 'mail')} whose arrival nobody confirmed",
        "look with `nurture deliveries --status uncertain`, then `nurture deliveries resolve ID --as …`",
    )  # fmt: skip


def _guard(house: "App") -> Finding:
    from nurture.delivery.guard import store

    with house.database.reading() as session:
        stopped = store.list_stopped(session)
    if not stopped:
        return Finding("blast guard", True, "stopped no campaign")
    what = "; ".join(
        f"{campaign} is about to mail {counted(count, 'person', 'people')} more than it ever did"
        for campaign, count in stopped
    )
    do = " and ".join(f"`nurture allow {campaign} --people N`" for campaign, _ in stopped)
    return Finding("blast guard", False, what, f"if that is meant, type {do}; if not, `nurture pause` and look why")


def _resting(house: "App") -> Finding:
    from nurture.delivery.resting.store import list_rests

    now = house.clock.now()
    with house.database.reading() as session:
        rests = [one for one in list_rests(session, now).values() if not one.is_free(now)]
    if not rests:
        return Finding("resting domains", True, "none")
    what = "; ".join(
        f"{one.name} {'comes back since' if one.is_over(now) else 'rests until'} {one.until:%Y-%m-%d %H:%M} UTC, because "
        f"it answered {one.reply}"
        for one in rests
    )
    do = "nothing is lost: its mail waits; look at SPF, DKIM and DMARC here, at `nurture complaints`, and send less"
    return Finding("resting domains", False, what, do)


def _campaigns(house: "App") -> Finding:
    from nurture.delivery.pausing.store import list_paused

    with house.database.reading() as session:
        paused = list_paused(session)
    if not paused:
        return Finding("campaigns", True, "none is paused")
    what = "; ".join(
        f"{one.campaign} is paused since {one.paused_at:%Y-%m-%d %H:%M} UTC: {one.because}" for one in paused
    )
    do = "type `nurture resume CAMPAIGN`, with --because if it stopped by itself, or `nurture cancel CAMPAIGN`"
    return Finding("campaigns", False, what, do)


def _complaints(house: "App") -> Finding:
    from nurture.delivery.complaints.store import list_rates

    with house.database.reading() as session:
        rates = list_rates(session, house.clock.now())
    what = "; ".join(f"{one.provider}: {one.in_words}" for one in rates) or "no campaign mailed anybody within 30 days"
    if not any(one.is_too_high for one in rates):
        return Finding("complaints", True, what)
    return Finding(
        "complaints",
        False,
        what,
        "receivers block from 0.3 % on: mail only those who read, and look at `nurture complaints`",
    )
