"""An SMTP server that takes everything as fast as it can and keeps nothing, in a process of its own.

So that what is measured is the sender and not a slow receiver. It speaks just enough SMTP (RFC 5321) for a client that
waits for each answer before it goes on.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection


class Conversation(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._unread = b""
        self._is_in_body = False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while True:
            end = b"\r\n.\r\n" if self._is_in_body else b"\r\n"
            before, found, rest = self._unread.partition(end)
            if not found:
                return
            self._unread = rest
            self._transport.write(self._answer(before))

    def _answer(self, words: bytes) -> bytes:
        if self._is_in_body:
            self._is_in_body = False
            return b"250 2.0.0 taken\r\n"
        match words[:4].upper():
            case b"EHLO":
                return b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 50000000\r\n"
            case b"DATA":
                self._is_in_body = True
                return b"354 go on\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
        return b"250 ok\r\n"


async def _serve(parent: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Conversation, "127.0.0.1", 0)
    parent.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def _run(parent: Connection) -> None:
    asyncio.run(_serve(parent))


@contextmanager
def running_sink() -> Iterator[int]:
    """The port of a sink that runs until the block is left."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(there,), daemon=True)
    process.start()
    try:
        yield int(here.recv())
    finally:
        process.terminate()
        process.join()
