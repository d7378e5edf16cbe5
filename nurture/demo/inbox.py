"""The built-in inbox: a real SMTP server that keeps every mail it gets, for the demo's readers and for you to look at."""

import email
import threading
from dataclasses import dataclass
from datetime import datetime
from email.header import decode_header, make_header
from email.message import Message
from functools import cached_property

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from nurture.clock import Clock


@dataclass(frozen=True)
class Arrival:
    """One mail as it arrived; `arrived_at` is the demo's time, `elapsed` real seconds on one clock with the readers'."""

    number: int
    mail_from: str
    rcpt_to: str
    content: bytes
    arrived_at: datetime
    elapsed: float

    @cached_property
    def _message(self) -> Message:
        # The older policy of the two: ten times as fast, and a mail client is as lenient.
        return email.message_from_bytes(self.content)

    def text(self, kind: str) -> str:
        """The plain or the HTML part."""
        for part in self._message.walk():
            if part.get_content_type() == f"text/{kind}":
                content = part.get_payload(decode=True)
                charset = part.get_content_charset("utf-8")
                return content.decode(charset, "replace") if isinstance(content, bytes) else ""
        return ""

    def header(self, name: str) -> str:
        """A header, unfolded and decoded; empty if there is none."""
        return _readable(self._message.get(name, ""))

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers, in order, unfolded and decoded."""
        return [(name, _readable(value)) for name, value in self._message.items()]

    @cached_property
    def subject(self) -> str:
        return self.header("Subject")


def _readable(value: object) -> str:
    return str(make_header(decode_header("".join(str(value).splitlines()))))


class Inbox:
    """Takes mail for everybody and keeps it, in the order of arrival."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.arrivals: list[Arrival] = []

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd names its hooks after the commands
        """Aiosmtpd's hook for a mail that came in whole."""
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        for recipient in envelope.rcpt_tos:
            with self._lock:
                number = len(self.arrivals) + 1
                now, elapsed = self._clock.now(), self._clock.elapsed()
                self.arrivals.append(Arrival(number, envelope.mail_from or "", recipient, content, now, elapsed))
        return "250 2.0.0 Taken into the inbox"

    def get(self, number: int) -> Arrival | None:
        return self.arrivals[number - 1] if 0 < number <= len(self.arrivals) else None

    def newest(self, limit: int, words: str = "") -> list[Arrival]:
        """The newest mails, of those whose recipient, sender or subject has the words in it."""
        wanted = words.lower()
        found = [
            one for one in reversed(self.arrivals) if wanted in f"{one.rcpt_to} {one.mail_from} {one.subject}".lower()
        ]
        return found[:limit]
