"""An SMTP server that counts: it writes down every message whose final dot it read, and whether it said so.

It can be told to misbehave at every stage of a conversation: to hang up, to say no, to fall silent.
It takes its time over that answer, so that a sender can be killed while a body is unanswered. A message counts from its
final dot on, answered or not: a real relay delivers it all the same.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


DROP, SILENCE = "drop", "silence"


@dataclass
class Taken:
    """One message whose final dot was read."""

    rcpt_to: str
    message_id: str
    port: int
    is_answered: bool = False


@dataclass
class CountingSink:
    """What was read, and who waits for an answer right now; connections go by the port of the other side."""

    delay: Callable[[], float] = lambda: 0.0
    can_pipeline: bool = True
    #: What it does at a stage (connect, mail, rcpt, data, body, dot) of a message to somebody, instead of what is right:
    #: DROP, SILENCE, or a reply such as "421 4.3.2 not now". The empty text: what is right.
    act: Callable[[str, str], str] = lambda _stage, _rcpt_to: ""
    #: Told of each message in the moment its final dot was read, on the server's own thread.
    on_read: Callable[[Taken], None] = lambda _: None
    #: While it is set, nothing is answered.
    is_silent: bool = False
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    open_ports: set[int] = field(default_factory=set)
    unanswered: dict[int, Taken] = field(default_factory=dict)
    _speak: Callable[[Callable[[], None]], object] = lambda _: None
    _held: list[Callable[[], None]] = field(default_factory=list)

    def speak(self) -> None:
        """Answer what was read meanwhile, as far as somebody still listens, and everything from now on."""

        def answer_all() -> None:
            self.is_silent = False
            held, self._held = self._held, []
            for answer in held:
                answer()

        self._speak(answer_all)

    @property
    def counts(self) -> Counter[str]:
        """How often each recipient's message was read."""
        return Counter(one.rcpt_to for one in list(self.taken))


class _Conversation(asyncio.Protocol):
    """One connection: answers one thing after the other, also what was sent ahead."""

    def __init__(self, sink: CountingSink) -> None:
        self._sink = sink
        self._unread = b""
        self._is_in_body = False
        self._is_waiting = False
        self._is_refused = False
        self._rcpt_to = ""
        self._port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._port = transport.get_extra_info("peername")[1]
        self._sink.open_ports.add(self._port)
        if not self._misbehaves("connect"):
            transport.write(b"220 sink\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        self._sink.open_ports.discard(self._port)
        self._sink.unanswered.pop(self._port, None)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._go_on()

    def _go_on(self) -> None:
        while not self._is_waiting:
            if self._is_in_body and self._unread.startswith(b".\r\n"):
                content, found, rest = b"", b".", self._unread[3:]  # nothing but the dot: an empty message
            else:
                end = b"\r\n.\r\n" if self._is_in_body else b"\r\n"
                content, found, rest = self._unread.partition(end)
            if self._is_in_body and self._unread and self._misbehaves("body"):
                # Whoever wrote all of it cannot know whether its end was read.
                self._is_in_body, self._unread = False, b""
                return
            if not found:
                return
            self._unread = rest
            if self._is_in_body:
                self._take(content)
            else:
                self._hear(content)

    def _take(self, content: bytes) -> None:
        self._is_in_body, self._is_waiting = False, True
        match = _MESSAGE_ID.search(content)
        taken = Taken(self._rcpt_to, match[1].decode() if match else "", self._port)
        self._sink.taken.append(taken)
        self._sink.unanswered[self._port] = taken
        self._sink.on_read(taken)
        if self._misbehaves("dot"):
            self._is_waiting = False
            return
        asyncio.get_running_loop().call_later(self._sink.delay(), self._say_taken, taken)

    def _say_taken(self, taken: Taken) -> None:
        if self._sink.is_silent:
            self._sink._held.append(lambda: self._say_taken(taken))
            return
        if self._transport.is_closing():
            return
        self._sink.unanswered.pop(self._port, None)
        taken.is_answered = True
        self._is_waiting = False
        self._transport.write(b"250 2.0.0 taken\r\n")
        self._go_on()

    def _misbehaves(self, stage: str) -> bool:
        """Whether something else than what is right was done."""
        act = self._sink.act(stage, self._rcpt_to)
        if act == DROP:
            self._transport.abort()
        elif act and act != SILENCE:
            self._transport.write(f"{act}\r\n".encode())
            if act.startswith("421"):
                self._transport.close()
        return bool(act)

    def _hear(self, words: bytes) -> None:
        verb = words[:4].upper()
        if verb == b"RCPT":
            self._rcpt_to = words.partition(b"<")[2].partition(b">")[0].decode()
        if verb == b"DATA" and self._is_refused:
            self._transport.write(b"503 5.5.1 no recipient\r\n")
            return
        if verb in {b"MAIL", b"RCPT", b"DATA"} and self._misbehaves(verb.decode().lower()):
            self._is_refused = True
            return
        self._is_refused = self._is_refused and verb not in {b"MAIL", b"RSET"}
        self._transport.write(self._answer(verb))

    def _answer(self, verb: bytes) -> bytes:
        match verb:
            case b"EHLO":
                ahead = b"250-PIPELINING\r\n" if self._sink.can_pipeline else b""
                return b"250-sink\r\n" + ahead + b"250-8BITMIME\r\n250 SIZE 50000000\r\n"
            case b"DATA":
                self._is_in_body = True
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
        return b"250 ok\r\n"


@contextmanager
def running_counter(**options: object) -> Iterator[CountingSink]:
    """A counting sink on a free port of this machine, in a thread of its own."""
    sink = CountingSink(**options)  # type: ignore[arg-type]  # each caller names fields of CountingSink
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: _Conversation(sink), "127.0.0.1", 0))
    sink.port = server.sockets[0].getsockname()[1]
    sink._speak = loop.call_soon_threadsafe
    thread = threading.Thread(target=loop.run_forever, name="sink", daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ports_to(port: int) -> dict[str, int]:
    """The sockets that are connected to a port of this machine: each inode with its own port."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "01" and int(words[2].partition(":")[2], 16) == port:
            found[words[9]] = int(words[1].partition(":")[2], 16)
    return found


def ports_of(pid: int, ports: dict[str, int]) -> set[int]:
    """Which of these belong to a process."""
    found = set()
    try:
        for one in Path(f"/proc/{pid}/fd").iterdir():
            try:
                name = str(one.readlink())
            except OSError:
                continue
            if name.startswith("socket:[") and name[8:-1] in ports:
                found.add(ports[name[8:-1]])
    except OSError:
        return set()
    return found
