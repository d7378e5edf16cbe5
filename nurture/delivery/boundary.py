"""Whom real mail may go to: the last look before a connection is used. Pure.

Nothing leaves this machine before somebody said for which domains, nothing that its reader could not opt out of, and
nothing that the terms of the relay forbid.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Boundary:
    """Who real mail may go to; the last look before a connection is used."""

    relay_is_loopback: bool
    base_url: str
    only_to: frozenset[str]
    test_domains: frozenset[str]
    is_by_mail_alone: bool = False
    inbound_domain: str = ""
    accepts: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by relay: the bases its terms leave room for

    def find_terms(self, relay: str, basis: str | None) -> str | None:
        """Why a campaign's mail to somebody on this basis may not go through this relay, with the line to change."""
        accepted = self.accepts.get(relay)
        if not accepted or basis in accepted:
            return None
        return (
            f"the terms of the relay {relay} leave room for {', '.join(sorted(accepted))}, and this is "
            f"{basis or 'nobody we have a basis for'}; change relays.accepts in settings.toml if they allow it, or let "
            "another relay carry it"
        )

    def find_objection(self, domain: str) -> str | None:
        """Why nothing may be handed over for this domain, with the line to change; None when it may."""
        if self.relay_is_loopback or domain in self.test_domains:
            return None
        if self.is_by_mail_alone and not is_public_domain(self.inbound_domain):
            return (
                'web.way_out is "mailto", but no mail from outside reaches us, so no reader could opt out; set '
                "inbound.domain to the domain whose mail is handed to inbound.host and inbound.port"
            )
        if not self.is_by_mail_alone and not is_public_https(self.base_url):
            return (
                f"web.base_url is {self.base_url}, where no reader could opt out; set it to your public https address, "
                'or let readers leave by mail (web.way_out = "mailto"), or write to senders.test_domains only'
            )
        if domain not in self.only_to and "*" not in self.only_to:
            return f'sending.only_to does not name {domain}; add it in settings.toml, or ["*"] for everybody'
        return None


def is_public_https(url: str) -> bool:
    """Whether a reader anywhere could open this: https, and neither loopback nor a private address."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" or not host or host == "localhost" or host.endswith((".localhost", ".local")):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host


def is_public_domain(domain: str) -> bool:
    """Whether mail from anywhere could be addressed to it."""
    return "." in domain and not domain.endswith((".localhost", ".local", ".invalid"))
