"""The port to the relays: what the sender needs of SMTP, and nothing more. `adapters.smtp` is the real one.

A message has two halves. `begin` offers its envelope, `finish` writes its body. Between them nothing was handed over, so
whoever loses the permission to send may still `abandon`. Where the relay offers PIPELINING (RFC 2920) the envelope of
the next message travels in the same write as the body of the one at hand, and its `begin` only reads the answers: one
round trip a message. A connection never has more than one body without an answer.

A conversation of the sender with one connection:

    while True:
        outcome = await connection.begin(envelope)          # None: the relay waits for the body
        if outcome is None:
            outcome = await connection.finish(body, ahead=next_envelope)    # ahead only if `can_pipeline`
        if not connection.is_usable: take another connection and begin `next_envelope` anew; nothing of it was heard
        if the next one may not leave: await connection.abandon()           # and take another connection

As long as nothing is wrong nobody need wait in a coroutine: `is_begun` says that the relay has said yes already, and
`hand_over` is `finish` with somebody to call.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from nurture.delivery.rules import Outcome

#: A message as it goes over the wire: in one piece or in several, head first.
Body: TypeAlias = bytes | Sequence[bytes]


class RelayDown(Exception):
    """No connection to the relay: nothing was tried, nothing counts as an attempt."""


class Envelope(NamedTuple):
    """Who a message comes from and goes to, and how long it is (0: nobody knows yet)."""

    mail_from: str
    rcpt_to: str
    size: int = 0
    #: What a report about it should call it (RFC 3461, ENVID), where the relay offers reports; empty: ask for none.
    report_as: str = ""
    #: Whether its headers are UTF-8, for a sender beyond ASCII; who carries it then needs SMTPUTF8 (RFC 6531).
    is_utf8: bool = False


class Connection(Protocol):
    """One warm connection to a relay; none of its methods raises for what a relay does."""

    @property
    def relay(self) -> str:
        """The name of the relay it leads to."""

    @property
    def is_usable(self) -> bool:
        """Whether another message may follow."""

    @property
    def can_pipeline(self) -> bool:
        """Whether an envelope may be sent ahead; without it `finish` ignores `ahead`."""

    async def begin(self, envelope: Envelope) -> Outcome | None:
        """Offer an envelope, or read the answers if it was sent ahead; None when the relay waits for the body.

        Anything else is how this try ended: nothing was handed over, and the connection says itself whether it
        `is_usable`. After a 421 and after LOST the message may be begun again over another connection at once.
        """

    def is_begun(self, envelope: Envelope) -> bool:
        """Whether this one was sent ahead and all answers are here, and all say yes: then it is begun, without waiting.

        Otherwise nothing has changed, and `begin` says what is the matter.
        """

    async def finish(self, body: Body, ahead: Envelope | None = None, *, is_clean: bool = False) -> Outcome:
        """Write the body of the envelope that was begun, and with it the envelope that follows; how that ended.

        Only what is `is_clean` is written as it is: every line ends with CR LF, none begins with a dot, the last one
        is ended. Whoever does not vouch for it has it looked at: dots are doubled, half line ends refused (nothing is
        written then, and the connection is closed).
        """

    def hand_over(
        self, body: Body, heard: Callable[[Outcome], object], ahead: Envelope | None = None, *, is_clean: bool = False
    ) -> None:
        """As `finish`, but calls `heard` with how it ended: once, as soon as that is known, perhaps before it returns."""

    async def abandon(self) -> None:
        """The envelope that was begun or sent ahead must not get its body: end the connection before a dot is said."""

    async def close(self) -> None:
        """Say good-bye, where that is possible without delivering half a mail."""


class Mailer(Protocol):
    """Knows the relays and opens connections to them."""

    @property
    def places(self) -> Sequence[str]:
        """The name of a relay for each connection that may be open at once."""

    def choose(self, sender: str, domain: str, lot: int) -> str | None:
        """The relay for mail of this sender to this domain: by route, then by weight and `lot` among those in reach.

        The same mail gets the same relay as long as the same relays are in reach, and if none is, one that is not. None
        when no relay carries such mail: it has to wait for other settings. Sender and domain are in small letters.
        """

    async def connect(self, relay: str = "") -> Connection:
        """A new connection, greeted, encrypted and signed in; to the first relay unless one is named.

        Raises `RelayDown`; a relay that could not be reached rests for a while, and `choose` passes it over: choose
        again, and only if that gives the same relay nobody can be reached.
        """
