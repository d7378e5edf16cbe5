"""A real SMTP server that takes our mail, and can be told to misbehave."""

import asyncio
import email
import email.policy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from nurture.inbound.server import SmtpServer


@dataclass(frozen=True)
class Arrived:
    """One message as the relay got it."""

    mail_from: str
    rcpt_to: str
    content: bytes
    is_utf8: bool = False  # announced as such: SMTPUTF8

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def part(self, kind: str) -> str:
        """The text or HTML of the message."""
        body = self.message.get_body((kind,))
        assert body is not None
        content = body.get_content()
        assert isinstance(content, str)
        return content


@dataclass
class SmtpRelay:
    """What arrived, and how to answer: `on_rcpt` and `on_data` may return a reply instead of 250."""

    arrived: list[Arrived] = field(default_factory=list)
    on_rcpt: Callable[[str], str | None] = lambda _: None
    on_data: Callable[[str], str | None] = lambda _: None
    #: Set: a body that has arrived is answered only once this is released.
    hold_answers: threading.Event | None = None
    #: Set by the relay when a body has arrived and its answer is being held.
    is_holding: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def to(self, address: str) -> list[Arrived]:
        return [one for one in self.arrived if one.rcpt_to == address]

    async def handle_RCPT(  # noqa: N802 — aiosmtpd names its hooks after the commands
        self, server: SMTP, session: SmtpSession, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.on_rcpt(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802
        rcpt_to = envelope.rcpt_tos[0]
        answer = self.on_data(rcpt_to)
        if answer is not None:
            return answer
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        self.arrived.append(Arrived(envelope.mail_from or "", rcpt_to, content, envelope.smtp_utf8))
        if self.hold_answers is not None:
            self.is_holding.set()
            await asyncio.get_running_loop().run_in_executor(None, self.hold_answers.wait, 60)
        return "250 OK taken"


@contextmanager
def running_relay(**options: Any) -> Iterator[SmtpRelay]:
    """A relay on a free port of this machine."""
    relay = SmtpRelay(**options)
    server = SmtpServer(relay, "127.0.0.1", 0)
    server.start()
    relay.port = server.port
    try:
        yield relay
    finally:
        if relay.hold_answers is not None:
            relay.hold_answers.set()
        server.stop()
