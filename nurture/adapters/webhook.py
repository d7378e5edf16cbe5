"""HTTP to machines that are not ours: one POST, to an address that was looked at before it is connected to.

The name is resolved here, every address it has is held against `Outskirts`, and the connection is made to the very
address that passed, so that a name that answers differently the second time leads nowhere. TLS still checks the name.
No redirect is followed, no proxy of the environment used, no more of an answer read than is kept, and no call takes
longer than its time, however slowly an answer drips.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

from nurture import __version__
from nurture.outgoing.rules import Answer, Outskirts, find_fault

_READ_BYTES = 2_000
_MOST_RETRY_SECONDS = 7 * 24 * 3600


class HttpLine:
    """Makes calls; one instance serves all threads."""

    def __init__(self, outskirts: Outskirts, timeout_seconds: float) -> None:
        self._outskirts = outskirts
        self._timeout = timeout_seconds

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `body`; whatever happens is an answer."""
        if fault := find_fault(url):
            return Answer(None, fault, is_refused=True)
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError):
            return Answer(None, f"nobody knows where {host} is")
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            # One address out of bounds is enough: a name that has such a one was not set up for us.
            if objection := self._outskirts.find_objection(host, address):
                return Answer(None, objection, is_refused=True)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _Connection(host, port, addresses, self._tls if parts.scheme == "https" else None, self._timeout)
        # The timeout of a socket is for each read; this one is for the whole call.
        deadline = threading.Timer(self._timeout, connection.cut)
        deadline.start()
        try:
            connection.request("POST", target, body, {"User-Agent": f"nurture/{__version__}", **headers})
            return _read(connection.getresponse())
        except ssl.SSLCertVerificationError as error:
            return Answer(None, f"the certificate of {host} is not right: {error.verify_message}")
        except (OSError, http.client.HTTPException) as error:
            if connection.was_cut or isinstance(error, TimeoutError):
                return Answer(None, f"{host} did not answer within {self._timeout:g} seconds")
            return Answer(None, f"{host} could not be reached: {_sentence(error)}")
        finally:
            deadline.cancel()
            connection.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


class _Connection(http.client.HTTPConnection):
    """A connection to one of these addresses, whatever the name may resolve to by now."""

    def __init__(self, host: str, port: int, addresses: list[str], tls: ssl.SSLContext | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        # http.client leaves a port out of the Host header if it is the scheme's own.
        self.default_port = 443 if tls else 80
        self._addresses = addresses
        self._tls = tls
        self.was_cut = False

    def connect(self) -> None:
        """Try one address after the other."""
        failure: OSError = OSError("it has no address")
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, self.port), self.timeout)
            except OSError as error:
                failure = error
                continue
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = plain
            if self._tls is not None:
                self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
            return
        raise failure

    def cut(self) -> None:
        """Time is up: whoever waits for this connection is woken."""
        self.was_cut = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def _read(response: http.client.HTTPResponse) -> Answer:
    """Status and first words; what the receiver asks us to wait."""
    words = ""
    # The status says it all; what follows it is only for people.
    with contextlib.suppress(OSError, http.client.HTTPException):
        words = response.read(_READ_BYTES).decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else " " for character in words)
    seconds = response.headers.get("Retry-After", "")
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) < 8
    wait = timedelta(seconds=min(int(seconds), _MOST_RETRY_SECONDS)) if is_number else None
    return Answer(response.status, " ".join(printable.split()), wait)


def _sentence(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
