"""What handing over a message costs in processor time, by path: `python -m benchmarks.smtp [MESSAGES] [ROUNDS]`.

Twenty connections carry messages of 29 kB to a sink in a process of its own that takes everything. Counted is the
processor time of this process alone, so that a slow sink or a busy machine matters little. The reference is the same
conversation over asyncio's streams, with a timeout around each answer.
"""

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection as Pipe

from nurture.adapters.smtp import Relay, SmtpMailer
from nurture.delivery.mailer import Envelope
from nurture.delivery.rules import Heard

CONNECTIONS = 20
HEAD = b"Subject: Hello\r\n"
BODY = b"".join(b"%072d=\r\n" % number for number in range(390))
SIZE = len(HEAD) + 2 + len(BODY)

#: Carries so many messages over one connection to this port.
Lane = Callable[[int, int], Awaitable[None]]


class Sink(asyncio.Protocol):
    """Takes everything and keeps nothing."""

    def __init__(self, offers: bytes) -> None:
        self._offers = offers
        self._unread = b""
        self._is_in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        said = []
        while True:
            before, found, rest = self._unread.partition(b"\r\n.\r\n" if self._is_in_body else b"\r\n")
            if not found:
                break
            self._unread = rest
            said.append(self._answer(before))
        self._transport.write(b"".join(said))

    def _answer(self, words: bytes) -> bytes:
        if self._is_in_body:
            self._is_in_body = False
            return b"250 2.0.0 taken\r\n"
        match words[:4]:
            case b"EHLO":
                return b"250-sink\r\n" + self._offers + b"250 SIZE 50000000\r\n"
            case b"DATA":
                self._is_in_body = True
                return b"354 go on\r\n"
        return b"250 ok\r\n"


def _run(parent: Pipe, offers: bytes) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(partial(Sink, offers), "127.0.0.1", 0)
        parent.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def running_sink(offers: bytes) -> Iterator[int]:
    """The port of a sink that runs until the block is left."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(there, offers), daemon=True)
    process.start()
    try:
        yield int(here.recv())
    finally:
        process.terminate()
        process.join()


def _envelope(number: int) -> Envelope:
    return Envelope(f"b-{number:020}@news.acme.example", f"reader{number}@example{number % 5000}.com", SIZE)


async def _adapter(port: int, count: int, *, is_ahead: bool, is_clean: bool) -> None:
    connection = await SmtpMailer(Relay("127.0.0.1", port)).connect()
    for number in range(count):
        assert await connection.begin(_envelope(number)) is None
        ahead = _envelope(number + 1) if is_ahead and number + 1 < count else None
        outcome = await connection.finish((HEAD, b"\r\n", BODY), ahead, is_clean=is_clean)
        assert outcome.heard is Heard.ACCEPTED
    await connection.close()


async def _streams(port: int, count: int) -> None:
    """One command at a time over a reader and a writer, as SMTP is usually spoken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say(words: bytes, code: bytes) -> None:
        if words:
            writer.write(words)
            await writer.drain()
        async with asyncio.timeout(60):
            while (line := await reader.readline())[3:4] == b"-":
                pass
        assert line.startswith(code)

    await say(b"", b"220")
    await say(b"EHLO us\r\n", b"250")
    for number in range(count):
        envelope = _envelope(number)
        await say(f"MAIL FROM:<{envelope.mail_from}> SIZE={SIZE}\r\n".encode(), b"250")
        await say(f"RCPT TO:<{envelope.rcpt_to}>\r\n".encode(), b"250")
        await say(b"DATA\r\n", b"354")
        await say((HEAD + b"\r\n" + BODY).replace(b"\r\n.", b"\r\n..") + b".\r\n", b"250")
    writer.close()
    await writer.wait_closed()


async def _carry(lane: Lane, port: int, messages: int) -> None:
    await asyncio.gather(*(lane(port, messages // CONNECTIONS) for _ in range(CONNECTIONS)))


def main(messages: int = 4_000, rounds: int = 3) -> None:
    """Measure every path in turn, several times, and print the medians."""
    with running_sink(b"") as plain, running_sink(b"250-PIPELINING\r\n") as pipelining:
        paths: dict[str, tuple[Lane, int]] = {
            "reference: streams, one by one": (_streams, plain),
            "one by one": (partial(_adapter, is_ahead=False, is_clean=True), plain),
            "envelope at once": (partial(_adapter, is_ahead=False, is_clean=True), pipelining),
            "next envelope ahead": (partial(_adapter, is_ahead=True, is_clean=True), pipelining),
            "next envelope ahead, body looked at": (partial(_adapter, is_ahead=True, is_clean=False), pipelining),
        }
        spent: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(rounds):
            for name, (lane, port) in paths.items():
                before = time.process_time()
                asyncio.run(_carry(lane, port, messages))
                spent[name].append((time.process_time() - before) / messages * 1e6)
    reference = statistics.median(spent["reference: streams, one by one"])
    print(f"{messages:,} messages of {SIZE:,} bytes over {CONNECTIONS} connections, {rounds} rounds\n")
    for name, found in spent.items():
        median = statistics.median(found)
        print(f"{name:38}{median:>8.1f} µs a message ({min(found):.1f} – {max(found):.1f}){median / reference:>8.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
