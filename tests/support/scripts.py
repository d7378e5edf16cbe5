"""A small SMTP server that answers as a script says: badly, late, or not at all.

What no script names it answers as a polite relay does in that state: 503 to a recipient without a sender, 554 to DATA
without a recipient. It runs in the event loop of the test, so nothing happens at the same time and every run is the same. `tests/support/relay.pem`
is its self-signed certificate for 127.0.0.1, with a key that opens nothing else.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TypeAlias

CERTIFICATE = Path(__file__).with_name("relay.pem")


class Act(Enum):
    """What a relay may do instead of answering."""

    CLOSE = auto()  # the connection, without a word
    RESET = auto()  # the connection, as a crashed machine does
    KEEP_SILENT = auto()
    HESITATE = auto()  # longer than an impatient client waits, then say what a polite relay does


Answer: TypeAlias = str | Act
#: By command (the greeting is "", the end of a body "."): one answer for ever, or a list for one time after the other.
Script: TypeAlias = Mapping[str, Answer | list[Answer]]

HESITATION_SECONDS = 0.5

_POLITE: Mapping[str, str] = {
    "": "220 relay.example",
    "EHLO": "250-relay.example\n250-PIPELINING\n250 8BITMIME",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    ".": "250 2.0.0 taken as 4711",
    "RSET": "250 OK",
    "AUTH": "235 welcome",
    "STARTTLS": "220 go on",
    "QUIT": "221 bye",
}


@dataclass
class ScriptedRelay:
    """What it was told, in the order in which it heard it."""

    script: Script
    is_implicit: bool = False
    #: Close the connection after so many bytes of a body, without having read the rest.
    hangs_up_after: int | None = None
    #: Say after so many bytes of a body what is due after its dot, and read no further.
    answers_after: int | None = None
    #: Read nothing of a body for a long while.
    stops_reading: bool = False
    #: Answer so many bodies only once the next envelope is complete: whoever waits for the answer waits for ever.
    answers_late: int = 0
    #: Hesitate before each of these, then say what the script has.
    is_slow_at: frozenset[str] = frozenset()
    #: The lengths of the pieces in which replies are written, one after the other; then whole.
    pieces: list[int] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    is_encrypted: bool = False
    port: int = 0
    _has_sender: bool = False
    _has_recipient: bool = False
    _late: bytes = b""
    _is_over: asyncio.Event = field(default_factory=asyncio.Event)
    _turns: dict[str, int] = field(default_factory=dict)
    _conversations: set["asyncio.Task[None]"] = field(default_factory=set)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _last: str = ""

    def commands(self) -> list[str]:
        """The verbs that were heard, but for the good-bye."""
        return [verb for line in self.heard if line and (verb := line.split()[0].upper()) != "QUIT"]

    def _answer(self, verb: str) -> Answer:
        planned = self.script.get(verb, self._polite(verb))
        if isinstance(planned, list):
            turn = self._turns[verb] = self._turns.get(verb, -1) + 1
            return planned[min(turn, len(planned) - 1)]
        return planned

    def _polite(self, verb: str) -> str:
        if verb == "RCPT" and not self._has_sender:
            return "503 5.5.1 MAIL first"
        if verb == "DATA" and not self._has_recipient:
            return "554 5.5.1 no valid recipients"
        return _POLITE.get(verb, "500 what?")

    def _remember(self, verb: str, answer: str) -> None:
        """Which envelope is open."""
        is_yes = answer.startswith("2")
        if verb == "MAIL":
            self._has_sender, self._has_recipient = is_yes, False
        elif verb == "RCPT":
            self._has_recipient = self._has_recipient or is_yes
        elif verb in {"", ".", "RSET", "EHLO"}:
            self._has_sender = self._has_recipient = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation."""
        self.connections += 1
        self._writers.append(writer)
        if task := asyncio.current_task():
            self._conversations.add(task)
        try:
            if not await self._say("", reader, writer):
                return
            while raw := await reader.readline():
                line = raw.decode().rstrip("\r\n")
                self.heard.append(line)
                verb = line.split()[0].upper() if line else "AUTH"
                if verb not in _POLITE and verb not in self.script:
                    verb = "AUTH"  # a line of a sign-in
                if not await self._say(verb, reader, writer):
                    return
                if verb == "DATA" and self._last.startswith("354") and not await self._take(reader, writer):
                    return
                if verb == "STARTTLS" and self._last.startswith("220"):
                    await writer.start_tls(_context())
                    self.is_encrypted = True
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client left
        finally:
            writer.close()

    def hang_up(self) -> None:
        """Close every connection although nobody said anything."""
        for writer in self._writers:
            writer.close()

    async def end(self) -> None:
        """Wait until everybody has left."""
        self._is_over.set()
        if self._conversations:
            await asyncio.wait(self._conversations)

    async def _say(self, verb: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer; whether the conversation goes on."""
        answer = self._answer(verb)
        if answer is Act.HESITATE or verb in self.is_slow_at:
            await asyncio.sleep(HESITATION_SECONDS)
        if answer is Act.HESITATE:
            answer = _POLITE[verb]
        match answer:
            case Act.CLOSE:
                return False
            case Act.RESET:
                writer.transport.abort()
                return False
            case Act.KEEP_SILENT:
                await reader.read()  # until the client gives up
                return False
            case str():
                self._last = answer
                self._remember(verb, answer)
                await self._write(verb, (answer.replace("\n", "\r\n") + "\r\n").encode(), writer)
        return True

    async def _write(self, verb: str, said: bytes, writer: asyncio.StreamWriter) -> None:
        if verb == "." and self.answers_late:
            self.answers_late -= 1
            self._late = said
            return
        if self._late:
            self._late += said
            if verb != "DATA":
                return
            said, self._late = self._late, b""
        while said:
            length = self.pieces.pop(0) if self.pieces else len(said)
            piece, said = said[:length], said[length:]
            writer.write(piece)
            await writer.drain()
            if said:
                await asyncio.sleep(0)  # so that the client reads this piece by itself

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a body, and answer its final dot."""
        if self.hangs_up_after is not None:
            await reader.readexactly(self.hangs_up_after)
            writer.transport.abort()
            return False
        if self.answers_after is not None:
            await reader.readexactly(self.answers_after)
            await self._say(".", reader, writer)
            await self._is_over.wait()
            return False
        if self.stops_reading:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's can
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), 2 * HESITATION_SECONDS)
            writer.transport.resume_reading()  # type: ignore[attr-defined]  # a socket's can
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return False  # it left in the middle
            lines.append(line)
        self.bodies.append(b"".join(lines))
        self.heard.append(".")
        return await self._say(".", reader, writer)


@asynccontextmanager
async def scripted(script: Script | None = None, **options: object) -> AsyncIterator[ScriptedRelay]:
    """A scripted relay on a free port of this machine."""
    relay = ScriptedRelay(script or {}, **options)  # type: ignore[arg-type]  # each test names fields of ScriptedRelay
    server = await asyncio.start_server(
        relay.serve, "0.0.0.0", 0, limit=1 << 20, ssl=_context() if relay.is_implicit else None
    )
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        await relay.end()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
