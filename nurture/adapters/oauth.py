"""HTTP to a provider of tokens: small forms to the addresses we were given, small JSON back; and the page that comes back.

Nobody but the named hosts is asked, no redirect is followed, no proxy of the environment used. http is for this machine
only, as everywhere.
"""

import contextlib
import http.client
import logging
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TextIO
from urllib.parse import urlencode, urlsplit

from nurture import __version__
from nurture.delivery.mailer import RelayDown
from nurture.delivery.rules import is_loopback
from nurture.errors import NurtureError
from nurture.relays.oauth import (
    Client,
    ConsentRevoked,
    DeviceCode,
    SignInFailed,
    Token,
    Wait,
    read_device_code,
    read_poll,
    read_redirect,
    read_token,
)

log = logging.getLogger(__name__)

_SECONDS = 20.0
_MOST_BYTES = 64_000  # Google's tokens have 200 characters, Microsoft's 3,000


class Unreachable(SignInFailed):
    """The provider could not be asked; it says nothing about whether we may come in."""


@dataclass(frozen=True)
class Provider:
    """Where tokens come from. `hosts` are the only ones that are asked; none named: those of the addresses themselves."""

    client: Client
    hosts: frozenset[str] = frozenset()

    def ask_for_code(self, device_url: str) -> DeviceCode:
        return read_device_code(*self._post(device_url, self.client.ask_for_code()))

    def ask_whether_done(self, code: DeviceCode, interval: float) -> Token | Wait:
        """One question; a provider that is not in reach for a moment is asked again later (RFC 8628, 3.5)."""
        try:
            answer = self._post(self.client.token_url, self.client.ask_whether_done(code.device_code))
        except Unreachable:
            return Wait(interval * 2)
        return read_poll(*answer, interval)

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> Token:
        return read_token(*self._post(self.client.token_url, self.client.redeem(code, redirect_uri, verifier)))

    def refresh(self, refresh_token: str) -> Token:
        answer = self._post(self.client.token_url, self.client.refresh(refresh_token))
        return read_token(*answer, known=refresh_token)

    def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if self.hosts and host not in self.hosts:
            raise SignInFailed(f"{host or url} is none of the provider's own hosts ({', '.join(sorted(self.hosts))}).")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
            raise SignInFailed(f"{url} is no https address, and tokens travel over nothing else.")
        connection = _connection(parts.scheme, host, parts.port)
        # The timeout of a socket is for each read; this one is for the whole call.
        deadline = threading.Timer(_SECONDS, _cut, [connection])
        deadline.start()
        try:
            connection.request(
                "POST",
                (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                urlencode(form),
                {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    "User-Agent": f"nurture/{__version__}",
                },
            )
            response = connection.getresponse()
            body = response.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            words = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or type(error).__name__
            raise Unreachable(f"{host} could not be asked: {str(words).rstrip('.')}.") from None
        finally:
            deadline.cancel()
            connection.close()
        if response.status >= 500 or response.status == 429:
            raise Unreachable(f"{host} is not well: it answers with {response.status}.")
        if len(body) > _MOST_BYTES:
            raise SignInFailed(f"{host} answers with more than a token; check the address.")
        return response.status, body


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_SECONDS)


def _cut(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def wait_for_consent(
    provider: Provider, code: DeviceCode, elapsed: Callable[[], float], pause: Callable[[float], None]
) -> Token:
    """Ask until somebody has typed the code, never more often than we may."""
    until, interval = elapsed() + code.expires_in, code.interval
    while elapsed() < until:
        pause(interval)
        answer = provider.ask_whether_done(code, interval)
        if isinstance(answer, Token):
            return answer
        interval = answer.seconds
    raise SignInFailed("the code was not typed in time; type the command again for a new one.")


@dataclass
class TokenSource:
    """Access tokens of one relay, each asked for before the last one ends; shared by all connections of a process.

    Called whenever a connection signs in. `keep` gets a refresh token that took the place of the last one.
    """

    provider: Provider
    refresh_token: str = field(repr=False)
    elapsed: Callable[[], float]
    keep: Callable[[str], None]
    again: str  # what to type when the consent is gone
    _token: Token | None = field(default=None, repr=False)
    _ends: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> str:
        """A token that is good now; `RelayDown` if there is none, so that mails wait."""
        with self._lock:
            now = self.elapsed()
            if self._token is None or now >= self._ends:
                self._token = self._next()
                self._ends = now + self._token.is_good_for
            return self._token.access_token

    def forget(self) -> None:
        """The relay did not take the last token: the next one is asked for anew."""
        with self._lock:
            self._token = None

    def _next(self) -> Token:
        if not self.refresh_token:
            raise RelayDown(f"nobody has signed in there yet; type `{self.again}`.")
        try:
            token = self.provider.refresh(self.refresh_token)
        except ConsentRevoked as error:
            raise RelayDown(f"{error} The consent was taken back or has ended; type `{self.again}`.") from None
        except SignInFailed as error:
            raise RelayDown(str(error)) from None
        if token.refresh_token != self.refresh_token:
            self.refresh_token = token.refresh_token
            try:
                self.keep(token.refresh_token)
            except (OSError, NurtureError) as error:
                # The old one is good for a while, and this process has the new one.
                log.warning("the new refresh token could not be written: %s", error)
        return token


class Landing:
    """A page on this machine that somebody's browser comes back to, once (RFC 8252, 7.3)."""

    def __init__(self) -> None:
        self._came: list[str] = []

        class Answering(_Answering):
            came = self._came

        self._server = HTTPServer(("127.0.0.1", 0), Answering)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait(self, state: str, seconds: float, elapsed: Callable[[], float], typed: TextIO | None = None) -> str:
        """The code; `SignInFailed` if nobody comes back in time or the wrong page does.

        A browser on another machine cannot come back here; its last address may be pasted into `typed` instead.
        """
        until = elapsed() + seconds
        while not self._came:
            left = until - elapsed()
            watched: list[HTTPServer | TextIO] = [self._server, typed] if typed is not None else [self._server]
            came, _, _ = select.select(watched, [], [], max(left, 0))
            if not came:
                raise SignInFailed("nobody came back from the page in time; type the command again.")
            if self._server in came:
                self._server.handle_request()
            elif typed is not None:
                self._came += [line] if (line := typed.readline().strip()) else []
        return read_redirect(self._came[0], state)

    def close(self) -> None:
        self._server.server_close()


class _Answering(BaseHTTPRequestHandler):
    came: list[str]

    def do_GET(self) -> None:
        # A browser asks for an icon too; only what has an answer in it counts.
        is_answer = "code=" in self.path or "error=" in self.path
        words = b"You can close this page and go back to the command line.\n" if is_answer else b""
        if is_answer:
            self.came.append(self.path)
        self.send_response(200 if is_answer else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name http.server gives it
        """The address has a code in it, which nobody is to read."""
