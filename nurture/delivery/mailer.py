"""The port to the relay: what the sender needs of SMTP, and nothing more. `adapters.smtp` is the real one."""

from typing import Protocol

from nurture.delivery.rules import Outcome


class RelayDown(Exception):
    """No connection to the relay: nothing was tried, nothing counts as an attempt."""


class Connection(Protocol):
    """One warm connection to a relay; it carries one message at a time."""

    @property
    def is_usable(self) -> bool:
        """Whether another message may follow."""

    async def send(self, mail_from: str, rcpt_to: str, content: bytes) -> Outcome:
        """Hand over one message and say how that ended; never raises for what a relay does."""

    async def close(self) -> None:
        """Say good-bye."""


class Mailer(Protocol):
    """Opens connections."""

    async def connect(self) -> Connection:
        """A new connection, greeted, encrypted and signed in; raises `RelayDown`."""
