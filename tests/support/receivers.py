"""A real HTTP server that gets our calls, and can be told to misbehave."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True)
class Got:
    """One request as the receiver got it."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What arrived, and how to answer: each answer once, the last one for ever."""

    got: list[Got] = field(default_factory=list)
    answers: list[tuple[int, Mapping[str, str], bytes]] = field(default_factory=lambda: [(200, {}, b"ok")])
    #: Set: a request that has arrived is answered only once this is released.
    hold_answers: threading.Event | None = None
    is_holding: threading.Event = field(default_factory=threading.Event)
    #: Set: an answer goes out a byte at a time and never ends, until this is released.
    drip_until: threading.Event | None = None
    url: str = ""

    def answer(self, *statuses: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.answers = [(status, headers or {}, body) for status in statuses]


@contextmanager
def running_receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """Listens on a free port of this machine; over TLS with a certificate nobody trusts, if one is given."""
    receiver = Receiver()

    class Answering(_Answering):
        told = receiver

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        for event in (receiver.hold_answers, receiver.drip_until):
            if event is not None:
                event.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Answering(BaseHTTPRequestHandler):
    told: ClassVar[Receiver]

    def do_POST(self) -> None:
        told = self.told
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if told.hold_answers is not None:
            told.is_holding.set()
            told.hold_answers.wait()
        if told.drip_until is not None:
            self._drip(told.drip_until)
            return
        status, headers, content = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 — as above; whoever follows a redirect is seen

    def _drip(self, until: threading.Event) -> None:
        while not until.wait(0.05):
            try:
                self.wfile.write(b"H")
                self.wfile.flush()
            except OSError:
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name http.server gives it
        """A test that fails shows what it got."""
