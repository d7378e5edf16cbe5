"""What the doctor says of servers with TLS: real ones, with a certificate that is trusted or not, or about to end."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest
from aiosmtpd.smtp import SMTP

from nurture.doctor.findings import Finding
from nurture.doctor.servers import Door, examine_relay, examine_tracking
from nurture.inbound.server import SmtpServer
from tests.support.beside import scripted_beside
from tests.support.scripts import CERTIFICATE, Script
from tests.support.zones import Zone

NOW = datetime(2026, 11, 23, tzinfo=UTC)
#: The certificate is good until 29 October 2126.
LATE = datetime(2126, 10, 20, tzinfo=UTC)


class _SilentHandler(BaseRequestHandler):
    """Shakes hands, and says what its server says first."""

    def handle(self) -> None:
        self.request.sendall(b"220 ready\r\n")
        while self.request.recv(4096):
            self.request.sendall(b"250 ready\r\n")


class _TlsServer(ThreadingTCPServer):
    daemon_threads = True

    def get_request(self) -> tuple[ssl.SSLSocket, object]:
        connection, address = super().get_request()
        assert not isinstance(connection, bytes)
        return context().wrap_socket(connection, server_side=True), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us is what some tests are about."""


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERTIFICATE)
    return made


@pytest.fixture
def tls_port() -> Iterator[int]:
    """A server that speaks TLS from the first byte."""
    with _TlsServer(("127.0.0.1", 0), _SilentHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextmanager
def running_smtp(tls: ssl.SSLContext | None) -> Iterator[int]:
    class _Server(SmtpServer):
        def _protocol(self) -> SMTP:
            return SMTP(object(), tls_context=tls, loop=self._loop)

    server = _Server(object(), "127.0.0.1", 0)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


def looked_at(port: int, how: str = "starttls", now: datetime = NOW) -> Finding:
    return examine_relay(Door("127.0.0.1", port, how), now, is_loopback=False)


def test_a_relay_with_a_trusted_certificate_says_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """STANDARDS 44, 16."""
    trust(monkeypatch)
    with running_smtp(context()) as port:
        found = looked_at(port)
        assert (found.is_ok, found.what) == (True, f"127.0.0.1:{port}, TLSv1.3, certificate until 2126-10-29")
        late = looked_at(port, now=LATE)
        assert (late.is_ok, "renew the certificate" in late.do) == (False, True)


def test_a_relay_with_a_strange_certificate_or_none_is_not_in_order() -> None:
    with running_smtp(context()) as port:
        found = looked_at(port)
        assert (found.is_ok, "self-signed certificate" in found.what) == (False, True)
    with running_smtp(None) as port:
        bare = looked_at(port)
        assert (bare.is_ok, "offers no STARTTLS" in bare.what) == (False, True)
    gone = looked_at(port)
    assert (gone.is_ok, "could not be reached" in gone.what) == (False, True)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"": "554-5.7.1 go away\n554 5.7.1 for good"}, "answers 554 5.7.1 go away 5.7.1 for good"),
        ({"EHLO": "250-relay.example\n250 STARTTLS", "STARTTLS": "454 4.7.0 not now"}, "answers 454 4.7.0 not now"),
    ],
)
def test_a_relay_that_says_no_is_told_in_its_own_words(script: Script, words: str) -> None:
    with scripted_beside(script) as relay:
        found = looked_at(relay.port)
    assert (found.is_ok, found.what) == (False, f"127.0.0.1:{relay.port} {words}")


def test_a_relay_that_begins_with_tls_is_looked_at_too(tls_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "self-signed certificate" in looked_at(tls_port, "implicit").what
    trust(monkeypatch)
    assert looked_at(tls_port, "implicit").is_ok


def test_the_tracking_domain_has_a_certificate_for_its_own_name(tls_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """STANDARDS 44: the certificate is for 127.0.0.1, and not for localhost."""
    zone = Zone(hosts={"127.0.0.1": ["127.0.0.1"], "localhost": ["127.0.0.1"]})

    def seen(host: str) -> Finding:
        return examine_tracking(zone, host, tls_port, host, NOW)

    assert "self-signed certificate" in seen("127.0.0.1").what
    trust(monkeypatch)
    assert seen("127.0.0.1").is_ok
    assert "certificate is not valid for 'localhost'" in seen("localhost").what.replace("Hostname mismatch, ", "")


def test_a_relay_on_this_machine_needs_no_tls() -> None:
    assert examine_relay(Door("127.0.0.1", 1, "starttls"), NOW, is_loopback=True).is_ok
