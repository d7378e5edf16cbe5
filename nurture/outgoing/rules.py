"""The life of a call: its states, which addresses one may go to, and what an answer makes of it. Pure.

A call is one HTTP request that a file decided, such as a webhook. It is queued by whoever decided it, claimed by a
worker, and settled by what the receiver answers. A call whose worker was killed is made again with the same key:
receivers that keep the key see it once.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit


class Status(StrEnum):
    """Where a call stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"  # a worker is at it
    SENT = "sent"  # answered with 2xx
    FAILED = "failed"  # answered with a no, or with nothing for too long
    REFUSED = "refused"  # this house does not let it out


#: The state chart, whole.
ARROWS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.CLAIMED}),
    # Back to queued: a try that may be repeated, or a worker that died.
    Status.CLAIMED: frozenset({Status.SENT, Status.FAILED, Status.REFUSED, Status.QUEUED}),
    Status.SENT: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),  # by hand, once the receiver is mended
    Status.REFUSED: frozenset({Status.QUEUED}),  # by hand, once settings.toml allows it
}

SETTLED = frozenset({Status.SENT, Status.FAILED, Status.REFUSED})


@dataclass(frozen=True)
class Answer:
    """How one try ended: the receiver's HTTP status and first words, or, without a status, why there was none.

    `is_refused`: nothing was said to anybody, because the house does not let this call out.
    """

    status: int | None
    words: str = ""
    retry_after: timedelta | None = None
    is_refused: bool = False


@dataclass(frozen=True)
class Settling:
    """The state a call moves to, why, and when it is tried again if it is not settled."""

    status: Status
    because: str = ""
    due_at: datetime | None = None


#: Minutes until the next try: a deployment is over in one, an outage seldom before the working day is.
_RETRY_MINUTES = (1, 5, 15, 30, 60, 120, 240, 480)
#: A receiver may ask for more time than that, but not for ever.
_MOST_PATIENCE = timedelta(days=1)
#: The noes that are about now and not about the call (RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4).
_NOT_NOW = frozenset({408, 425, 429})


def settle(answer: Answer, *, attempts: int, queued_at: datetime, now: datetime, give_up_after: timedelta) -> Settling:
    """What the answer to try number `attempts` (from 1) makes of a call."""
    code = answer.status
    if answer.is_refused:
        return Settling(Status.REFUSED, answer.words)
    if code is not None and 200 <= code < 300:
        return Settling(Status.SENT)
    if code is not None and 300 <= code < 400:
        return Settling(Status.FAILED, f"answered {code}, a redirect; none is followed: name the address it leads to")
    if code is not None and 400 <= code < 500 and code not in _NOT_NOW:
        return Settling(Status.FAILED, f"the receiver refused it with {code}")
    why = f"answered {code}" if code is not None else answer.words
    delay = timedelta(minutes=_RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES)) - 1])
    due_at = now + min(max(delay, answer.retry_after or delay), _MOST_PATIENCE)
    if due_at > queued_at + give_up_after:
        return Settling(Status.FAILED, f"given up after {attempts} {'try' if attempts == 1 else 'tries'}: {why}")
    return Settling(Status.QUEUED, why, due_at)


@dataclass(frozen=True)
class Outskirts:
    """How far calls may go. `only_loopback` while the present is moved: a rehearsal tells nobody."""

    allow: frozenset[str] = frozenset()
    only_loopback: bool = False

    def find_objection(self, host: str, address: str) -> str | None:
        """Why nothing may be said to this address of that host; None when it may.

        Whoever controls a name can point it at machines of ours: so the address that is really connected to is asked
        about, and not the name.
        """
        ip = _real(ipaddress.ip_address(address))
        if self.only_loopback and not ip.is_loopback:
            return f"the present is moved, and a rehearsal calls nobody but this machine; {host} is {address}"
        if ip.is_loopback and is_this_machine(host):
            return None
        if ip.is_global and not ip.is_multicast:
            return None
        if host.lower() in self.allow:
            return None
        return f"{host} is {address}, a private address; name {host} in webhooks.allow if it is meant"


def _real(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one only wraps: mapped, 6to4, and what NAT64 would make of it."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return inner or ip
    return ip


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
#: What we say ourselves, and what would change where or how a request is read.
_OURS = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-type", "host", "idempotency-key", "keep-alive",
        "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "webhook-id", "webhook-signature",
        "webhook-timestamp",
    }
)  # fmt: skip


def find_fault(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """What is wrong with where a call goes and what it says beside its body, as its author would mend it; None: nothing."""
    return _fault_of_url(url) or next((fault for one in headers.items() if (fault := _fault_of_header(*one))), None)


def _fault_of_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return f'"{url}" is no address; write one such as "https://crm.example/hooks/nurture".'
    if not url.isascii() or any(character <= " " or character in '"<>\\^`{|}\x7f' for character in url):
        return f'"{url}" holds a character that no address has; write it percent-encoded.'
    if parts.scheme not in {"http", "https"} or not host:
        return f'"{url}" is no address; write one such as "https://crm.example/hooks/nurture".'
    if parts.username is not None or parts.password is not None:
        return f'"{url}" holds a name or a password; take it out: receivers check the signature.'
    if parts.scheme == "http" and not is_this_machine(host):
        return f'"{url}" is not encrypted; write https://.'
    return None


def is_this_machine(host: str) -> bool:
    """Whether this names the machine it is said on, without asking anybody."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fault_of_header(name: str, value: str) -> str | None:
    if not _TOKEN.fullmatch(name):
        return f'"{name}" is no name of a header; write letters, digits and hyphens.'
    if name.lower() in _OURS:
        return f"{name} is written by nurture itself; take it out."
    if not value.isascii() or not value.isprintable():
        return f"the value of {name} must be printable ASCII on one line; mend it."
    return None
