"""Who is really asking when reverse proxies stand in between.

`X-Forwarded-For` is written by whoever sends the request, so it is believed only as far as trusted proxies wrote it:
from the right, hop by hop, until the first address that is not one of ours.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nurture.errors import BadSettings

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustedProxies:
    """The proxies whose word counts: addresses, or networks such as 10.0.0.0/8."""

    networks: tuple[_Network, ...] = ()

    @classmethod
    def read(cls, names: Iterable[str]) -> "TrustedProxies":
        """Read `web.trusted_proxies`."""
        networks = []
        for name in names:
            try:
                networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                raise BadSettings(
                    f'web.trusted_proxies: "{name}" is neither an address nor a network; write one such as "10.0.0.7".'
                ) from None
        return cls(tuple(networks))

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address a request came from: `peer` speaks to us, `forwarded` are its X-Forwarded-For headers in order."""
        address = _read(peer)
        if address is None:
            return ""
        hops = [hop for header in forwarded for hop in header.split(",")]
        for hop in reversed(hops):
            if not self._has(address):
                break
            before = _read(hop)
            if before is None:
                # Nobody can say what stood before a hop that is no address.
                break
            address = before
        return str(address)

    def _has(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


def _read(text: str) -> _Address | None:
    """An address as peers and proxies write it: bare, in brackets, with a port, or IPv4 in IPv6."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
