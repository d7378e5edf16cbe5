"""An SMTP server in a thread of its own: for mail that comes back, for the demo's inbox, for the tests' relays.

aiosmtpd speaks SMTP; this only runs it, on any free port if asked, and stops it cleanly.
"""

import asyncio
import threading
import weakref
from typing import Any

from aiosmtpd.smtp import SMTP


class SmtpServer:
    """Runs `handler` (aiosmtpd's hooks) at `host` and `port`; 0 takes a free port."""

    def __init__(
        self,
        handler: Any,
        host: str,
        port: int,
        *,
        most_bytes: int = 30_000_000,
        most_connections: int | None = None,
        idle_seconds: float = 300,
    ) -> None:
        self._handler = handler
        self._host = host
        self._wanted_port = port
        self._most_bytes = most_bytes
        self._most_connections = most_connections
        self._idle_seconds = idle_seconds
        self._conversations: weakref.WeakSet[SMTP] = weakref.WeakSet()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nurture-smtp", daemon=True)
        self._server: asyncio.Server | None = None
        self.port = port

    def start(self) -> None:
        """Listen; returns once connections are accepted, raises OSError when the port is taken."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Accept nothing more, close what is open."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._end_loop()

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(self._protocol, self._host, self._wanted_port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _protocol(self) -> asyncio.Protocol:
        if self._most_connections is not None and self._count_open() >= self._most_connections:
            return _Busy()
        conversation = SMTP(
            self._handler,
            data_size_limit=self._most_bytes,
            enable_SMTPUTF8=True,
            ident="nurture",
            hostname="localhost",
            timeout=self._idle_seconds,
            loop=self._loop,
        )
        self._conversations.add(conversation)
        return conversation

    def _count_open(self) -> int:
        """Those that begin (no session yet) and those that have not ended (their transport is still there)."""
        return sum(one.session is None or one.transport is not None for one in self._conversations)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        current = asyncio.current_task()
        talking = [task for task in asyncio.all_tasks() if task is not current]
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Busy(asyncio.Protocol):
    """Says to come back later (RFC 5321 3.8) and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"421 4.3.2 Too many connections; try again later\r\n")
        transport.close()
