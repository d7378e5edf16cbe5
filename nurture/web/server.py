"""The web server: all routes in one table, and uvicorn in a thread.

Pages that touch the database are plain functions in the thread pool; the event loop itself only reads requests and
writes answers. Pages that write have their own few threads, so that a queue for the write lock keeps nobody from reading.
"""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import anyio
import uvicorn
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from nurture.app.house import App
from nurture.errors import BadInput
from nurture.tracking.recorder import Recorder
from nurture.web import (
    answering,
    confirm,
    leaving,
    meet,
    overview,
    plain,
    preferences,
    requests,
    subscribe,
    viewing,
    wishes,
)
from nurture.web.front import Front
from nurture.web.site import STYLE_PATH, Site
from nurture.web.tracked import Tracked
from nurture.web.visits import Refused, Visit, glance, read_visit

log = logging.getLogger(__name__)

#: A page: what it answers to one visit.
Page = Callable[[Site, Visit], Response]

_WRITERS = 6
_BACKLOG = 2048
_START_WITHIN_SECONDS = 10.0
_FINISH_WITHIN_SECONDS = 5
_BUSY_OR_AWAY = (OperationalError, InterfaceError, NoConnectionFree)


def make_asgi(
    app: App,
    recorder: Recorder,
    *,
    extra: Sequence[BaseRoute] = (),
    shows_overview: bool = False,
    at_work: Sequence[Callable[[], str]] = (),
) -> ASGIApp:
    """The ASGI application of a house. `extra` routes come first; the recorder is started and stopped by the caller.

    `at_work` are asked for what `/healthz` says of who works beside this process.
    """
    site = Site(app, at_work)
    writers = anyio.CapacityLimiter(_WRITERS)

    def route(path: str, get: Page, post: Page | None = None) -> Route:
        return Route(path, _endpoint(site, path, writers, get, post), methods=["GET", "POST"] if post else ["GET"])

    routes: list[BaseRoute] = [
        *extra,
        route("/u/{token}", leaving.show, leaving.leave),
        route("/preferences/{token}", preferences.show, preferences.choose),
        route("/request/{token}", requests.show, requests.act),
        route("/view/{token}", viewing.show),
        route("/wish/{token}/{kind}", wishes.ask, wishes.take_down),
        route("/meet/{token}", meet.ask, meet.choose),
        route("/answer/{token}/{number}", answering.ask, answering.take_down),
        route("/subscribe/{form}", subscribe.show, subscribe.send),
        route("/subscribe/{form}/{rep}", subscribe.show, subscribe.send),
        route("/subscribe/{form}/for/{token}", subscribe.show, subscribe.send),
        route("/confirm/{token}", confirm.show, confirm.agree),
        route("/healthz", plain.healthz),
        route("/robots.txt", plain.robots),
        route(STYLE_PATH, plain.style),
        route("/", overview.show if shows_overview else plain.front),
    ]
    pages = Starlette(routes=routes, exception_handlers={HTTPException: _refuse(site), Exception: _fail(site)})
    pages.router.redirect_slashes = False  # nothing here redirects but links of mails
    tracked = Tracked(site, recorder, site.proxies)
    return Front(pages, tracked, app.clock, routes)


def _endpoint(
    site: Site, path: str, writers: anyio.CapacityLimiter, get: Page, post: Page | None
) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        page, limiter = (post, writers) if request.method == "POST" and post else (get, None)
        try:
            visit = await read_visit(request, site.proxies)
            return await anyio.to_thread.run_sync(page, site, visit, limiter=limiter)
        except Refused as refused:
            # The rest of the body is not read, so the connection cannot be used again.
            return plain.refused(site, glance(request), refused.status, {"Connection": "close"})
        except _BUSY_OR_AWAY:
            log.exception("%s %s: the database is busy or away", request.method, path)
            return plain.refused(site, glance(request), 503, {"Retry-After": "60"})
        except Exception:
            log.exception("%s %s failed", request.method, path)
            return plain.refused(site, glance(request), 500)

    return answer


def _refuse(site: Site) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        if status == 404:
            return plain.not_there(site, glance(request))
        headers = dict(getattr(error, "headers", None) or {})
        if "Allow" in headers:
            headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
        return plain.refused(site, glance(request), status, headers)

    return answer


def _fail(site: Site) -> Callable[[Request, Exception], Response]:
    return lambda request, _error: plain.refused(site, glance(request), 500)


class WebServer:
    """uvicorn in a thread of its own, for `run`, the demo and the tests."""

    def __init__(self, asgi: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._asgi = asgi
        self._host = host
        self._wanted_port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 — compared, not listened on
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> None:
        """Return once connections are accepted; raises BadInput if the port is not free. Port 0 takes any."""
        # uvicorn's own access log would write down tokens; `front` keeps ours. Disabled, it stays silent however logging
        # is set up later.
        logging.getLogger("uvicorn.access").disabled = True
        listening = _listen(self._host, self._wanted_port)
        self.port = listening.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._asgi,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # `proxies` believes trusted ones only
                server_header=False,
                timeout_graceful_shutdown=_FINISH_WITHIN_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="nurture-web", daemon=True
        )
        self._thread.start()
        if not self._server.is_ready.wait(_START_WITHIN_SECONDS):
            raise RuntimeError("the web server did not start")

    def stop(self) -> None:
        """Finish the requests at hand and end."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_ready.set()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        # The protocol must be named: asyncio turns Nagle's algorithm off only for sockets that say they are TCP, and
        # with it every answer comes 40 ms late.
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise BadInput(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with --host or --port."
        ) from None
    return listening
