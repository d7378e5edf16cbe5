"""Where mail is handed over, and how to sign in there: what `[smtp]` or one of `[[relays]]` says."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from nurture.delivery.routing import Route
from nurture.delivery.rules import is_loopback

Encryption: TypeAlias = Literal["auto", "starttls", "implicit", "off"]
#: Where TLS begins with the first byte (RFC 8314, 7.3; 2465 is Amazon's): whoever waits for a greeting there waits in vain.
_IMPLICIT_PORTS = frozenset({465, 2465})
SigningIn: TypeAlias = Literal["auto", "plain", "login", "xoauth2"]


def tls_at(port: int, usual: Encryption) -> Encryption:
    """How a relay is spoken to at a port of its, where it is usually spoken to otherwise."""
    return "implicit" if port in _IMPLICIT_PORTS else usual


@dataclass(frozen=True)
class Relay:
    """One relay."""

    host: str
    port: int
    tls: Encryption = "auto"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 60
    hello: str = "localhost"
    name: str = "default"
    auth: SigningIn = "auto"
    connections: int = 4
    may_pipeline: bool = True
    route: Route = field(default_factory=Route)
    #: Lines that stand above every mail that goes through it.
    headers: tuple[str, ...] = ()
    #: A fresh OAuth token for each sign-in; may take its time, for it is asked in a thread. None: the password is one.
    token: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    #: Told when the relay did not take that token.
    forget_token: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def is_implicit(self) -> bool:
        """Whether TLS begins with the first byte."""
        return self.tls == "implicit" or (self.tls == "auto" and not self.is_loopback and self.port in _IMPLICIT_PORTS)

    @property
    def must_encrypt(self) -> bool:
        return self.tls in {"starttls", "implicit"} or (self.tls == "auto" and not self.is_loopback)

    @cached_property
    def first_lines(self) -> bytes:
        """The headers of its own, as they are written."""
        return "".join(f"{line}\r\n" for line in self.headers).encode("ascii")

    @cached_property
    def tls_context(self) -> ssl.SSLContext:
        """Verified names and TLS 1.2 at least; made once, for reading the authorities takes tens of milliseconds."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
