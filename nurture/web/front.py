"""The outermost layer: sends tracking requests past the framework, gives every answer its headers, and keeps the log.

The log names the pattern of a route, never its token, and no address of anybody: `route=/u/{token} status=200`.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nurture.clock import Clock
from nurture.web.tracked import Tracked

log = logging.getLogger("nurture.web.access")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

#: Every answer has these, unless the page says otherwise itself. No referrer: the address holds a token.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"})

Raw = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """The ASGI application that the server runs."""

    def __init__(self, pages: ASGIApp, tracked: Tracked, clock: Clock, routes: Sequence[BaseRoute]) -> None:
        self._pages = pages
        self._raw: dict[str, tuple[str, Raw]] = {
            "/o/": ("/o/{token}.gif", tracked.show_pixel),
            "/c/": ("/c/{token}/{n}", tracked.follow_link),
        }
        self._clock = clock
        self._patterns = {route.endpoint: route.path for route in routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"nothing here speaks {scope['type']}")
        began_at = self._clock.elapsed()
        answer = _Answer(send)
        raw = self._raw.get(scope["path"][:3])
        pattern = raw[0] if raw else ""
        try:
            if raw:
                await raw[1](scope, receive, answer.send)
            else:
                await self._pages(scope, receive, answer.send)
        except Exception:
            # Our pages answer for themselves; this is a route of another room. The traceback goes to the log only.
            log.exception("%s %s failed", _method(scope), pattern or self._pattern(scope))
            if answer.status == 0:
                await _apologize(answer.send)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "method=%s route=%s status=%s ms=%.1f",
                _method(scope),
                pattern or self._pattern(scope),
                answer.status,
                1000 * (self._clock.elapsed() - began_at),
            )

    def _pattern(self, scope: Scope) -> str:
        """The route that answered; a path without one may hold anything, so it is not named."""
        endpoint = scope.get("endpoint")
        return self._patterns.get(endpoint, "-") if endpoint else "-"


class _Answer:
    """Passes an answer on with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": list(message.get("headers", ()))}
            headers = MutableHeaders(raw=message["headers"])
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


async def _apologize(send: Send) -> None:
    body = b"Something went wrong on our side. Please try again in a minute.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _method(scope: Scope) -> str:
    """The method if HTTP knows it; a client may send any word."""
    method: str = scope["method"]
    return method if method in _METHODS else "OTHER"
