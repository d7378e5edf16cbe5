"""The relay, over SMTP (RFC 5321): one asyncio connection that knows exactly how far a message got.

What matters is the difference between "nothing was handed over" and "the final dot was written and no answer came": the
first may be tried again, the second may not. So the dot is written by itself, after everything else, and every way in
which a connection can end is one of the five outcomes of `delivery.rules.Heard`.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nurture.delivery.mailer import Body, Envelope, RelayDown
from nurture.delivery.rules import Heard, Outcome, is_loopback

_MAX_REPLY_LINES = 100
_MAX_LINE = 4096
# RFC 5321, 4.5.3.2.6: a server may take ten minutes over the final dot; giving up earlier makes duplicates.
_PATIENCE_AFTER_DOT = 10
_HALF_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True)
class Relay:
    """Where mail is handed over, and how to sign in there."""

    host: str
    port: int
    tls: Literal["auto", "starttls", "implicit", "off"] = "auto"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 60
    hello: str = "localhost"
    name: str = "default"
    connections: int = 4

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def must_encrypt(self) -> bool:
        return self.tls in {"starttls", "implicit"} or (self.tls == "auto" and not self.is_loopback)


@dataclass(frozen=True)
class Reply:
    """What the relay said: a code and its lines."""

    code: int
    text: str

    @property
    def is_final(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class SmtpMailer:
    """Opens connections to one relay."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay

    @property
    def places(self) -> Sequence[str]:
        return (self.relay.name,) * self.relay.connections

    def choose(self, sender: str, domain: str, lot: int) -> str:
        return self.relay.name

    async def close(self) -> None:
        pass

    async def connect(self, relay_name: str = "") -> "SmtpConnection":
        relay = self.relay
        if relay.tls == "off" and not relay.is_loopback:
            raise RelayDown(f"smtp.tls is off, which is for loopback relays only; {relay.host} needs TLS")
        connection = SmtpConnection(relay)
        try:
            await connection.open()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ssl.SSLError, _Unusable) as error:
            await connection.close()
            raise RelayDown(f"{relay.host}:{relay.port}: {_words(error)}") from None
        return connection


class _Unusable(Exception):
    """The relay said something after which this connection is of no use."""


class SmtpConnection:
    """One conversation; one message at a time."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._clear_writer: asyncio.StreamWriter | None = None
        self._offers: dict[str, str] = {}
        self._is_broken = False

    @property
    def is_usable(self) -> bool:
        if self._is_broken or self._reader is None or self._writer is None:
            return False
        # A relay that hung up while nothing was said is told by the end of what can be read, and costs no try.
        return not self._writer.is_closing() and not self._reader.at_eof()

    @property
    def description(self) -> str:
        """Where this connection leads and what is offered there, for the doctor."""
        is_encrypted = self._writer is not None and self._writer.get_extra_info("ssl_object") is not None
        offers = ", ".join(sorted(self._offers)) or "nothing"
        return f"{self._relay.host}:{self._relay.port}, {'TLS' if is_encrypted else 'no TLS'}, offers {offers}"

    async def open(self) -> None:
        """Connect, greet, encrypt, sign in."""
        relay = self._relay
        context = _tls_context() if relay.tls == "implicit" else None
        async with asyncio.timeout(relay.timeout_seconds):
            self._reader, self._writer = await asyncio.open_connection(relay.host, relay.port, ssl=context)
        await self._expect(await self._reply(), 220)
        await self._greet()
        if relay.tls != "implicit" and relay.must_encrypt:
            await self._start_tls()
            await self._greet()
        if relay.username:
            await self._sign_in()

    @property
    def relay(self) -> str:
        return self._relay.name

    @property
    def can_pipeline(self) -> bool:
        return False

    async def begin(self, envelope: Envelope) -> Outcome | None:
        mail_from, rcpt_to, length = envelope
        objection = self._find_objection(mail_from, rcpt_to, length)
        if objection is not None:
            return objection
        try:
            utf8 = "" if (mail_from + rcpt_to).isascii() else " SMTPUTF8"
            size = f" SIZE={length}" if "SIZE" in self._offers and length else ""
            for command, wanted in (
                (f"MAIL FROM:<{mail_from}>{size}{utf8}", 250), (f"RCPT TO:<{rcpt_to}>", 250), ("DATA", 354),
            ):  # fmt: skip
                reply = await self._ask(command)
                if reply.code != wanted and not (wanted == 250 and reply.code == 251):
                    return await self._refused(reply)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, _Unusable) as error:
            self._is_broken = True
            return Outcome(Heard.LOST, None, _words(error))
        return None

    async def finish(self, body: Body, ahead: Envelope | None = None, *, is_clean: bool = False) -> Outcome:
        content = body if isinstance(body, bytes) else b"".join(body)
        if _HALF_LINE_END.search(content):
            # Where a server takes one for a whole line end, a body could end early and smuggle in a second message.
            await self.abandon()
            return Outcome(Heard.REJECTED, None, "the mail has a line that does not end with CR LF (RFC 5321, 2.3.8)")
        dot_is_written = False
        try:
            await self._write(_stuffed(content))
            await self._look_up()
            dot_is_written = True
            await self._write(b".\r\n")
            reply = await self._reply(_PATIENCE_AFTER_DOT * self._relay.timeout_seconds)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, _Unusable) as error:
            self._is_broken = True
            heard = Heard.UNANSWERED if dot_is_written else Heard.LOST
            return Outcome(heard, None, _words(error))
        if 200 <= reply.code < 300:
            return Outcome(Heard.ACCEPTED, reply.code, str(reply))
        return self._verdict(reply)

    async def abandon(self) -> None:
        self._is_broken = True
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        if self._writer is None:
            return
        try:
            if self.is_usable:
                async with asyncio.timeout(1):
                    self._writer.write(b"QUIT\r\n")
                    await self._writer.drain()
            self._writer.close()
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (TimeoutError, OSError, ssl.SSLError):
            pass
        finally:
            self._is_broken = True

    def _find_objection(self, mail_from: str, rcpt_to: str, length: int) -> Outcome | None:
        """What can be known to fail, or must never be said, before a word of it is."""
        for address in (mail_from, rcpt_to):
            if not address or any(c in "<>\r\n\0" or c.isspace() for c in address) or address.startswith("-"):
                return Outcome(Heard.REJECTED, None, "the address is not one that can be sent to")
        if not (mail_from + rcpt_to).isascii() and "SMTPUTF8" not in self._offers:
            return Outcome(
                Heard.REJECTED, None, "the relay does not offer SMTPUTF8 (RFC 6531), which this address needs"
            )
        limit = self._offers.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < length:
            return Outcome(
                Heard.REJECTED,
                None,
                f"the mail has {length:,} bytes and the relay takes {int(limit):,} (RFC 1870)",
            )
        return None

    async def _refused(self, reply: Reply) -> Outcome:
        """No to the envelope: the next message may follow after RSET."""
        outcome = self._verdict(reply)
        if self.is_usable:
            try:
                if (await self._ask("RSET")).code != 250:
                    self._is_broken = True
            except (TimeoutError, OSError, asyncio.IncompleteReadError, _Unusable):
                self._is_broken = True
        return outcome

    def _verdict(self, reply: Reply) -> Outcome:
        if reply.code == 421:
            # RFC 5321, 3.8: it closes the channel, and says nothing about this message.
            self._is_broken = True
        heard = Heard.REJECTED if reply.is_final else Heard.DEFERRED
        return Outcome(heard, reply.code, str(reply))

    async def _greet(self) -> None:
        reply = await self._ask(f"EHLO {self._relay.hello}")
        await self._expect(reply, 250)
        words = [line.split(maxsplit=1) for line in reply.text.split("\n")[1:] if line.strip()]
        self._offers = {word[0].upper(): word[1] if len(word) > 1 else "" for word in words}

    async def _start_tls(self) -> None:
        if "STARTTLS" not in self._offers:
            raise _Unusable("the relay offers no STARTTLS, and mail never leaves this machine unencrypted")
        await self._expect(await self._ask("STARTTLS"), 220)
        assert self._writer is not None
        loop = asyncio.get_running_loop()
        # A new reader: whatever an attacker slipped in before the handshake stays behind (CVE-2011-0411).
        reader = asyncio.StreamReader(limit=_MAX_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        async with asyncio.timeout(self._relay.timeout_seconds):
            transport = await loop.start_tls(
                self._writer.transport, protocol, _tls_context(), server_hostname=self._relay.host
            )
        if transport is None:
            raise _Unusable("the connection ended during the TLS handshake")
        protocol.connection_made(transport)
        # Kept, because a writer that nobody holds closes its transport, and TLS runs over that one.
        self._clear_writer = self._writer
        self._reader = reader
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _sign_in(self) -> None:
        relay = self._relay
        if not relay.is_loopback and not relay.must_encrypt:
            raise _Unusable("the password is only ever sent over TLS")
        mechanisms = self._offers.get("AUTH", "").upper().split()
        if "PLAIN" in mechanisms or not mechanisms:
            secret = base64.b64encode(f"\0{relay.username}\0{relay.password}".encode()).decode()
            reply = await self._ask(f"AUTH PLAIN {secret}")
        else:
            await self._expect(await self._ask("AUTH LOGIN"), 334)
            await self._expect(await self._ask(base64.b64encode(relay.username.encode()).decode()), 334)
            reply = await self._ask(base64.b64encode(relay.password.encode()).decode())
        if reply.code != 235:
            raise _Unusable(f"signing in as {relay.username} failed: {reply}")

    async def _ask(self, command: str) -> Reply:
        await self._write(f"{command}\r\n".encode())
        return await self._reply()

    async def _write(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)
        async with asyncio.timeout(self._relay.timeout_seconds):
            await self._writer.drain()

    async def _look_up(self) -> None:
        """Notice a relay that left while the body was written: without its final dot, that was no message."""
        assert self._reader is not None
        assert self._writer is not None
        await asyncio.sleep(0)
        if self._reader.at_eof() or self._writer.is_closing():
            raise _Unusable("the relay closed the connection")

    async def _reply(self, timeout_seconds: float | None = None) -> Reply:
        """One reply, however many lines it has (RFC 5321, 4.2.1)."""
        assert self._reader is not None
        lines: list[str] = []
        async with asyncio.timeout(timeout_seconds or self._relay.timeout_seconds):
            while True:
                try:
                    raw = await self._reader.readuntil(b"\n")
                except asyncio.LimitOverrunError:
                    raise _Unusable("the relay answered with an endless line") from None
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if not raw[:3].isdigit() or len(lines) >= _MAX_REPLY_LINES:
                    raise _Unusable(f"the relay answered {line[:80]!r}, which is not SMTP")
                lines.append("".join(c if c.isprintable() else " " for c in line[4:])[:500])
                if line[3:4] != "-":
                    return Reply(int(line[:3]), "\n".join(lines))

    async def _expect(self, reply: Reply, code: int) -> None:
        if reply.code != code:
            raise _Unusable(str(reply))


def _stuffed(content: bytes) -> bytes:
    """Dot-stuffed (RFC 5321, 4.5.2) and ending with a line break, so that the dot can follow by itself."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _words(error: BaseException) -> str:
    match error:
        case asyncio.IncompleteReadError():
            return "the relay closed the connection"
        case TimeoutError():
            return "the relay did not answer in time"
        case OSError() if error.strerror:
            return error.strerror
    return str(error) or type(error).__name__
