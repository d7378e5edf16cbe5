"""One connection as an asyncio protocol: writes, counts the replies that are owed, and watches the time.

It is lean because it stands in the way of every message: replies are parsed where they arrive, whoever listens is called
from there, and one coarse timer a connection looks whether the relay still answers.

A reply that nobody is owed ends the connection, for it could be taken for the answer to the next message.
"""

import asyncio
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import cast

from nurture.adapters.smtp.replies import NotSmtp, Replies, Reply

SILENT = "the relay did not answer in time"
CLOSED = "the relay closed the connection"

#: A whole mail fits, so that one system call takes it and what was not taken is known.
_SEND_BUFFER = 256 * 1024
_READ_AT_ONCE = 4096
#: The kernel asks after a relay that says nothing while no mail is due, when no code of ours runs.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class Ended(Exception):
    """The conversation is over."""


class Conversation(asyncio.BufferedProtocol):
    """What is said on one connection; it reads into one small buffer, for replies are short."""

    def __init__(self, timeout_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout_seconds
        self._buffer = memoryview(bytearray(_READ_AT_ONCE))
        self._replies = Replies()
        #: Replies that nobody has taken yet.
        self.arrived: deque[Reply] = deque()
        self._owed = 1  # the greeting
        self._listener: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._unwritten = 0
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # until it is connected
        self._socket = self.transport  # the same, or what is below TLS: from here the kernel takes bytes
        self.ended = ""
        #: Whether bytes of ours wait for the kernel to take them.
        self.is_paused = False
        self.is_encrypted = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = self._socket = cast("asyncio.Transport", transport)
        # Whoever is not paused then has written everything.
        self.transport.set_write_buffer_limits(high=0)
        _tune(transport.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> memoryview:
        # Of anything else TLS would read into a copy (asyncio.sslproto).
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        arrived = self.arrived
        before, because = len(arrived), ""
        try:
            self._replies.feed(bytes(self._buffer[:nbytes]), arrived)
        except NotSmtp as error:
            because = str(error)
        self._owed += before - len(arrived)
        if self._owed < 0:
            because = self._drop_what_nobody_asked(because)
        if because:
            self.end(because)
        if arrived and (listener := self._listener) is not None:
            self._listener = None
            listener()

    def eof_received(self) -> None:
        self.end(CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(words(exc) if exc is not None else CLOSED)
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False

    # What connections call.

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on over TLS; raises what a handshake may, and `Ended` if anything was said that could be forged."""
        if not (self.is_in_step or self._is_before_greeting):
            self.end("the relay said more before the TLS handshake than it was asked (CVE-2011-0411)")
            raise Ended(self.ended)
        encrypted = await self._loop.start_tls(self.transport, self, context, server_hostname=host)
        if encrypted is None:
            raise Ended(CLOSED)
        # TLS gives everything to the socket at once, and only the socket knows what the kernel has taken of it.
        encrypted.set_write_buffer_limits(high=sys.maxsize)
        self._socket.set_protocol(_BelowTls(cast("asyncio.BufferedProtocol", self._socket.get_protocol()), self))
        self.transport = encrypted
        self.is_encrypted = True

    @property
    def _is_before_greeting(self) -> bool:
        return self._owed == 1 and not self.arrived and self._replies.is_clean and not self.ended

    def write(self, data: bytes, replies: int) -> bool:
        """Write, and owe so many replies more; whether any of it may have left."""
        if self.ended:
            return False
        self._owed += replies
        self.transport.write(data)
        return not self.transport.is_closing()

    def listen(self, listener: Callable[[], None], patience: float = 0) -> None:
        """Tell this listener, once, as soon as there is a reply or the conversation has ended."""
        if self.arrived or self.ended:
            listener()
            return
        self._listener = listener
        self._deadline = self._loop.time() + (patience or self._timeout)
        if self._timer is None:
            self._arm()

    def stop_listening(self) -> None:
        """Nobody waits any more."""
        self._listener = None

    async def reply(self, patience: float = 0) -> Reply:
        """The next reply; raises `Ended`."""
        while not self.arrived:
            if self.ended:
                raise Ended(self.ended)
            heard = self._loop.create_future()
            self.listen(partial(_tell, heard), patience)
            try:
                await heard
            finally:
                self.stop_listening()
        return self.arrived.popleft()

    async def ask(self, command: str) -> Reply:
        """Say one line and hear the reply; raises `Ended`."""
        self.write(f"{command}\r\n".encode(), 1)
        return await self.reply()

    @property
    def is_in_step(self) -> bool:
        """Whether every reply that was owed was heard and nothing else was."""
        return not self._owed and not self.arrived and self._replies.is_clean and not self.ended

    def end(self, because: str, *, at_once: bool = True) -> None:
        """Nothing more is said; the first reason is kept, and replies that came before it are still heard."""
        if self.ended:
            return
        self.ended = because
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.transport is not None:
            if at_once:
                self.transport.abort()
            else:
                self.transport.close()
        if (listener := self._listener) is not None:
            self._listener = None
            listener()

    async def closed(self, within_seconds: float) -> None:
        """Wait until the connection is gone, and let go of one that will not go."""
        await asyncio.wait([self._closed], timeout=within_seconds)
        if not self._closed.done():
            self.transport.abort()

    def _drop_what_nobody_asked(self, because: str) -> str:
        """Why it ends: 421 before it leaves (RFC 5321, 3.8), something that must not be an answer, or a reason of before."""
        last = self.arrived[-1]
        for _ in range(min(-self._owed, len(self.arrived))):
            self.arrived.pop()
        self._owed = 0
        return because or (str(last) if last.code == 421 else f"the relay spoke out of turn: {last}")

    def _arm(self) -> None:
        # Never later than the shortest patience, so that it need not be set anew for every reply.
        self._timer = self._loop.call_later(min(self._deadline - self._loop.time(), self._timeout), self._look)

    def _look(self) -> None:
        """The watchdog: every so often, and only while somebody waits."""
        self._timer = None
        if self._listener is None:
            return
        left = self._socket.get_write_buffer_size()
        is_stuck = self.is_paused and left == self._unwritten
        self._unwritten = left if self.is_paused else 0
        if self._loop.time() >= self._deadline or is_stuck:
            self.end(SILENT)
        else:
            self._arm()


class _BelowTls(asyncio.BufferedProtocol):
    """Between a socket and its TLS, to hear from the socket whether bytes wait: TLS keeps that to itself."""

    def __init__(self, tls: asyncio.BufferedProtocol, conversation: Conversation) -> None:
        self._tls = tls
        self._conversation = conversation

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._tls.get_buffer(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        self._tls.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return self._tls.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tls.connection_lost(exc)

    def pause_writing(self) -> None:
        self._conversation.pause_writing()
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        # In this order: TLS now writes what it kept back, and may be told to pause again before it returns.
        self._conversation.resume_writing()
        self._tls.resume_writing()


def words(error: BaseException) -> str:
    """What went wrong with a connection, for people."""
    match error:
        case asyncio.IncompleteReadError() | ConnectionResetError():
            return CLOSED
        case TimeoutError():
            return SILENT
        case OSError() if error.strerror:
            return error.strerror
    return str(error) or type(error).__name__


def _tell(heard: asyncio.Future[None]) -> None:
    if not heard.done():
        heard.set_result(None)


def _tune(connected: socket.socket) -> None:
    settings = [(socket.SOL_SOCKET, "SO_SNDBUF", _SEND_BUFFER), (socket.SOL_SOCKET, "SO_KEEPALIVE", 1)]
    settings += [(socket.IPPROTO_TCP, name, value) for name, value in _KEEP_ALIVE]
    for level, name, value in settings:
        if hasattr(socket, name):  # not every system has each
            connected.setsockopt(level, getattr(socket, name), value)
