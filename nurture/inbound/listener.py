"""A small SMTP server for mail that comes back to `inbound.domain`: replies, opt-outs by mail, bounces, complaints.

It takes mail for its own domains only, a message at a time, and answers 250 after what the mail means is committed: a
250 that was followed by a crash would lose somebody's "stop".
"""

import email
import logging
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import EmailPolicy

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from nurture.delivery.urls import is_handed_out
from nurture.inbound.server import SmtpServer

log = logging.getLogger(__name__)

_MOST_BYTES = 5_000_000
_MOST_RECIPIENTS = 10
#: Postfix opens 20 to one place (default_destination_concurrency_limit).
MOST_CONNECTIONS = 40
IDLE_SECONDS = 60.0
#: The library reads a header in time that grows with the square of its length.
_MOST_CHARACTERS_OF_A_HEADER = 2_000

Take = Callable[[list[str], EmailMessage, bytes], None]


class Listener(SmtpServer):
    """Takes mail for one domain, and for that of the return path; `take` is called in the server's thread with each."""

    def __init__(
        self,
        host: str,
        port: int,
        domain: str,
        take: Take,
        *,
        return_path_domain: str = "",
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        super().__init__(
            _Reception(frozenset({domain.lower(), return_path_domain.lower()} - {""}), take),
            host,
            port,
            most_bytes=_MOST_BYTES,
            most_connections=MOST_CONNECTIONS,
            idle_seconds=idle_seconds,
        )


class _ShortHeaders(EmailPolicy):
    """Reads no more of a header than one of ours and one of a mail program can be long, and what it can of a broken one.

    A header on which the library stumbles would keep the whole mail out, with the "stop" in it.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_MOST_CHARACTERS_OF_A_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:
        try:
            found: str = super().header_fetch_parse(name, value)
        except Exception:  # noqa: BLE001 — of what the library raises for headers nobody has a list
            return "".join(character for character in value if " " <= character <= "~")
        return found


_POLICY = _ShortHeaders()


class _Reception:
    def __init__(self, domains: frozenset[str], take: Take) -> None:
        self._domains = domains
        self._take = take

    async def handle_RCPT(  # noqa: N802 — aiosmtpd names its hooks after the commands
        self, server: SMTP, session: SmtpSession, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.rpartition("@")[2].lower() not in self._domains:
            return "550 5.7.1 We take mail for our own domain only"
        if not is_handed_out(address.rpartition("@")[0]):
            return "550 5.1.1 Nobody reads mail to this address; write to the person who wrote to you"
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        try:
            message = email.message_from_bytes(content, policy=_POLICY)
            assert isinstance(message, EmailMessage)
            self._take(list(envelope.rcpt_tos), message, content)
        except Exception:
            log.exception("a mail could not be taken in; its sender will try again")
            return "451 4.3.0 Try again later"
        return "250 OK"
