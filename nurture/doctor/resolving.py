"""The port to the name servers: four questions, each with the answer "nobody could be asked"."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Found:
    """What the name servers said: nothing at all if nobody could be asked (`failed` says why)."""

    values: tuple[str, ...] = ()
    failed: str = ""


class Resolver(Protocol):
    """Asks the name servers. `adapters.dns` is the real one."""

    def texts(self, name: str) -> Found:
        """The TXT records of a name, the strings of each joined."""

    def mail_hosts(self, domain: str) -> Found:
        """The MX records of a domain, the preferred one first; "." for a domain that takes no mail."""

    def addresses(self, host: str) -> Found:
        """The addresses of a host, both kinds."""

    def names_of(self, address: str) -> Found:
        """The names that an address has in reverse (PTR)."""
