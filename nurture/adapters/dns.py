"""What the name servers say: who takes mail for a domain, and what a domain says about its mail."""

from collections.abc import Callable, Sequence
from typing import Any

import dns.exception
import dns.nameserver
import dns.resolver
import dns.reversename

from nurture.consent.domains.rules import Answer
from nurture.doctor.resolving import Found
from nurture.errors import BadSettings

_SECONDS = 3.0
_PORT = 53


class Dns:
    """The resolver of the machine, or the name servers that were named instead."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._resolver = dns.resolver.Resolver(configure=False) if servers else None
        if self._resolver is not None:
            self._resolver.nameservers = [_server_at(one) for one in servers]

    def find_mail_hosts(self, domain: str) -> Answer:
        """Who takes mail for a domain: its MX records by preference, else its own address (RFC 5321, 5.1)."""
        try:
            found = self._ask(domain, "MX")
            return Answer(tuple(str(one.exchange) for one in sorted(found, key=lambda one: int(one.preference))))
        except dns.resolver.NoAnswer:
            return self._own_address(domain)
        except dns.resolver.NXDOMAIN:
            return Answer(exists=False)
        except dns.exception.DNSException as error:
            return Answer(failed=type(error).__name__)

    def texts(self, name: str) -> Found:
        return self._found(name, "TXT", lambda one: b"".join(one.strings).decode("utf-8", "replace"))

    def mail_hosts(self, domain: str) -> Found:
        found = self._found(domain, "MX", lambda one: f"{int(one.preference):05} {one.exchange}")
        return Found(tuple(one.partition(" ")[2].lower() for one in sorted(found.values)), found.failed)

    def addresses(self, host: str) -> Found:
        kinds = [self._found(host, kind, str) for kind in ("A", "AAAA")]
        values = tuple(value for one in kinds for value in one.values)
        return Found(values, "" if values else next((one.failed for one in kinds if one.failed), ""))

    def names_of(self, address: str) -> Found:
        return self._found(str(dns.reversename.from_address(address)), "PTR", lambda one: str(one).lower().rstrip("."))

    def _found(self, name: str, kind: str, spell: Callable[[Any], str]) -> Found:
        try:
            return Found(tuple(spell(one) for one in self._ask(name, kind)))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Found()
        except dns.exception.DNSException as error:
            return Found(failed=type(error).__name__)

    def _own_address(self, domain: str) -> Answer:
        for kind in ("A", "AAAA"):
            try:
                self._ask(domain, kind)
            except dns.resolver.NoAnswer:
                continue
            except dns.resolver.NXDOMAIN:
                return Answer(exists=False)
            except dns.exception.DNSException as error:
                return Answer(failed=type(error).__name__)
            return Answer((domain,))
        return Answer()

    def _ask(self, name: str, kind: str) -> Any:
        if self._resolver is not None:
            return self._resolver.resolve(name, kind, lifetime=_SECONDS)
        return dns.resolver.resolve(name, kind, lifetime=_SECONDS)


def _server_at(text: str) -> dns.nameserver.Nameserver:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if port and not port.isdigit():
        raise BadSettings(f'dns.servers: "{text}" is no name server; write one such as "9.9.9.9" or "127.0.0.1:5353".')
    return dns.nameserver.Do53Nameserver(host, int(port) if port else _PORT)
