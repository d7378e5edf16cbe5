"""Servers that have to be what they say: the relay and the tracking domain, their certificates, and the relay's name.

Looks from here, so that a certificate is judged as a receiver or a reader would: by the authorities of this machine.
"""

import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.doctor.findings import ASK_AGAIN, Finding
from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import is_aligned

_SECONDS = 10.0
#: So long before its end a certificate should have been renewed.
_SOON = timedelta(days=14)


@dataclass(frozen=True)
class Door:
    """A server with TLS: `how` is implicit or starttls."""

    host: str
    port: int
    how: str


def examine_relay(door: Door, now: datetime, *, is_loopback: bool) -> Finding:
    """Whether mail is encrypted on its way to a relay, with a certificate for its name."""
    check = "relay TLS"
    if is_loopback:
        return Finding(check, True, f"{door.host} is this machine, where mail needs none")
    try:
        certificate, version = _of_relay(door)
    except smtplib.SMTPNotSupportedError:
        return Finding(
            check,
            False,
            f"{door.host}:{door.port} offers no STARTTLS",
            "ask its owner, or try port 465 with implicit TLS",
        )
    except (ssl.SSLError, OSError, smtplib.SMTPException) as error:
        return _not_reached(check, f"{door.host}:{door.port}", error)
    return _dated(check, f"{door.host}:{door.port}, {version}", certificate, now)


def examine_relay_name(resolver: Resolver, host: str) -> Finding:
    """Whether a relay of our own has a name in reverse that leads back to it: receivers refuse one that has not."""
    check = "relay name"
    found = resolver.addresses(host)
    if found.failed:
        return Finding(check, False, f"{host} could not be looked up ({found.failed})", ASK_AGAIN)
    if not found.values:
        return Finding(check, False, f"{host} has no address", f"add an A record for {host}")
    for address in found.values:
        told = resolver.names_of(address)
        names = told.values
        back = [resolver.addresses(name) for name in names]
        if not any(address in one.values for one in back):
            silent = next((one.failed for one in (told, *back) if one.failed), "")
            if silent:
                what = f"the name of {address} could not be looked up ({silent})"
                return Finding(check, False, what, ASK_AGAIN)
            what = (
                f"{address} is called {names[0]}, which does not lead back to it" if names else f"{address} has no name"
            )
            return Finding(
                check, False, what, f"ask whoever gave you the address for the PTR record {address} → {host}"
            )
    return Finding(check, True, f"{host} has its name in reverse too")


def examine_tracking(resolver: Resolver, host: str, port: int, domain: str, now: datetime) -> Finding:
    """Whether the links in mails lead to a server of the sender's organization, with a certificate."""
    check = "tracking domain"
    found = resolver.addresses(host)
    if found.failed:
        return Finding(check, False, f"{host} could not be looked up ({found.failed})", ASK_AGAIN)
    if not found.values:
        what = f"{host} has no address, so no link in a mail works"
        return Finding(check, False, what, f"add an A or CNAME record for {host}")
    if not is_aligned(host, domain):
        return Finding(
            check, False, f"mails from {domain} link to {host}, which looks like somebody else's",
            f"let web.base_url be below {domain}, such as https://news.{domain}",
        )  # fmt: skip
    try:
        certificate, version = _of_web(host, port)
    except (ssl.SSLError, OSError) as error:
        return _not_reached(check, f"https://{host}", error)
    return _dated(check, f"https://{host}, {version}", certificate, now)


def _of_relay(door: Door) -> tuple[Mapping[str, Any], str]:
    context = ssl.create_default_context()
    if door.how == "implicit":
        with closing(smtplib.SMTP_SSL(door.host, door.port, timeout=_SECONDS, context=context)) as client:
            return _seen(client.sock)
    with closing(smtplib.SMTP(door.host, door.port, timeout=_SECONDS)) as client:
        client.ehlo()
        client.starttls(context=context)
        return _seen(client.sock)


def _of_web(host: str, port: int) -> tuple[Mapping[str, Any], str]:
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), _SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return _seen(wrapped)


def _seen(connection: Any) -> tuple[Mapping[str, Any], str]:
    return connection.getpeercert() or {}, connection.version() or "TLS"


def _not_reached(check: str, where: str, error: Exception) -> Finding:
    if isinstance(error, ssl.SSLCertVerificationError):
        do = f"get a certificate for that name from an authority that everybody knows, such as {_FREE}"
        return Finding(check, False, f"{where}: {error.verify_message}", do)
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        told = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return Finding(
            check,
            False,
            f"{where} answers {error.smtp_code} {' '.join(told.split())}",
            "ask its owner why, or try again later",
        )
    words = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return Finding(check, False, f"{where} could not be reached: {words}", "let it answer, or name another one")


_FREE = "Let's Encrypt"


def _dated(check: str, where: str, certificate: Mapping[str, Any], now: datetime) -> Finding:
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    until = f"certificate until {ends_at:%Y-%m-%d}"
    if ends_at - now < _SOON:
        return Finding(check, False, f"{where}: {until}", "renew the certificate, and see why it did not renew itself")
    return Finding(check, True, f"{where}, {until}")
