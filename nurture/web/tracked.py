"""`/o/{token}.gif` and `/c/{token}/{n}`: the pixel and the links of tracked mails, as a raw ASGI function.

Both are asked for in bursts by machines and answered in milliseconds: the pixel without the database, a link with reads
only, so that a long write transaction holds nobody up. Every method gets the answer that GET gets, because a scanner
that is turned away comes back in disguise; the method is taken down and tells the scanner apart. A link leads where the
published version of its very mail says and nowhere else: nothing in the request names a destination.
"""

import base64
import re
from urllib.parse import quote, urlsplit, urlunsplit

import anyio
import idna
from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from nurture.delivery import composing
from nurture.delivery.store import find_delivery
from nurture.delivery.urls import read_delivery
from nurture.errors import NurtureError
from nurture.tokens import TokenPurpose
from nurture.tracking.actions import Request, find_destination
from nurture.tracking.recorder import Recorder
from nurture.web import plain
from nurture.web.proxies import TrustedProxies
from nurture.web.site import Site
from nurture.web.visits import Visit, glance

#: 43 bytes, one transparent pixel.
GIF = base64.b64decode("R0lGODlhAQABAPAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
_GIF_HEADERS = [
    (b"content-type", b"image/gif"),
    (b"content-length", str(len(GIF)).encode()),
    (b"cache-control", b"no-store, max-age=0"),
    (b"x-content-type-options", b"nosniff"),
]
_LINK_NUMBER = re.compile(r"(0|[1-9][0-9]{0,4})", re.ASCII)
_BEFORE_QUERY = re.compile(r"^[^?#]*")

#: Lookups at once: enough for a burst, too few to use up the connections to the database.
_READERS = 6
_KEPT_OF_USER_AGENT = 300

#: What may stand in a URL (RFC 3986, 2.2); a percent sign too, for what is encoded already is not encoded again.
_AS_IT_IS = "/?:@!$&'()*+,;=%~-._[]"


class Tracked:
    """The two endpoints."""

    def __init__(self, site: Site, recorder: Recorder, proxies: TrustedProxies) -> None:
        self._site = site
        self._recorder = recorder
        self._proxies = proxies
        self._readers = anyio.CapacityLimiter(_READERS)

    async def show_pixel(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Always the same picture; a good token is taken down."""
        token = scope["path"].removeprefix("/o/").removesuffix(".gif")
        delivery_id = read_delivery(self._site.app.keys, TokenPurpose.TRACK, token)
        if delivery_id is not None:
            self._take_down(scope, delivery_id, None)
        await send({"type": "http.response.start", "status": 200, "headers": _GIF_HEADERS})
        await send({"type": "http.response.body", "body": GIF})

    async def follow_link(self, scope: Scope, receive: Receive, send: Send) -> None:
        """302 to where the link leads, 404 for a link that is not ours, 410 for one whose mail was deleted."""
        token, _, number = scope["path"].removeprefix("/c/").partition("/")
        delivery_id = read_delivery(self._site.app.keys, TokenPurpose.TRACK, token)
        if delivery_id is None or not _LINK_NUMBER.fullmatch(number):
            answer = plain.cut_short(self._site, glance(HttpRequest(scope)))
        else:
            visit = glance(HttpRequest(scope))
            answer = await anyio.to_thread.run_sync(
                self._look_up, visit, delivery_id, int(number), limiter=self._readers
            )
        if answer.status_code == 302 and delivery_id is not None:
            self._take_down(scope, delivery_id, int(number))
        await answer(scope, receive, send)

    def _look_up(self, visit: Visit, delivery_id: int, number: int) -> Response:
        with self._site.app.database.reading() as session:
            delivery = find_delivery(session, delivery_id)
            if delivery is None or delivery.facts is None:
                return plain.gone(self._site, visit, "plain.gone_mail")
            try:
                leads_to = find_destination(session, delivery, number)
                if leads_to is not None:
                    leads_to = composing.tagging_of(delivery, self._site.app.house.base_url)(number, leads_to)
                destination = read_destination(leads_to)
                has_link = composing.get_mail(session, delivery).link(number) is not None
            except NurtureError:
                # What the link depended on was deleted, so that nobody can say any more where it led.
                destination, has_link = None, True
        if destination is not None:
            return RedirectResponse(destination, status_code=302)
        if has_link:
            return plain.gone(self._site, visit, "plain.gone_link")
        return plain.cut_short(self._site, visit)

    def _take_down(self, scope: Scope, delivery_id: int, link: int | None) -> None:
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        self._recorder.add(
            Request(
                delivery_id=delivery_id,
                link=link,
                occurred_at=self._site.app.clock.now(),
                method=scope["method"][:20],
                user_agent=headers.get("user-agent", "")[:_KEPT_OF_USER_AGENT],
                ip=self._proxies.client(peer, headers.getlist("x-forwarded-for")),
            )
        )


def read_destination(text: str | None) -> str | None:
    """A destination as a Location header carries it: http or https, ASCII, one line; None for anything else.

    It leads where a browser would have gone by itself (https://url.spec.whatwg.org): a backslash before the query is a
    slash there, and a host may be an emoji.
    """
    if not text or any(character <= " " or character == "\x7f" for character in text):
        return None
    try:
        parts = urlsplit(_BEFORE_QUERY.sub(lambda found: found[0].replace("\\", "/"), text))
        host, port = parts.hostname, parts.port
        if parts.scheme.lower() not in {"http", "https"} or not host:
            return None
        name = host if host.isascii() else _in_ascii(host)
    except (ValueError, UnicodeError):
        return None
    user, at, _ = parts.netloc.rpartition("@")
    place = f"{quote(user, safe=_AS_IT_IS)}{at}" + (f"[{name}]" if ":" in name else name)
    return urlunsplit(
        (
            parts.scheme.lower(),
            place if port is None else f"{place}:{port}",
            quote(parts.path, safe=_AS_IT_IS) or "/",
            quote(parts.query, safe=_AS_IT_IS),
            quote(parts.fragment, safe=_AS_IT_IS),
        )
    )


def _in_ascii(host: str) -> str:
    """As the name servers know it; what IDNA 2008 has no word for, such as an emoji, as browsers spell it (UTS 46)."""
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        labels = idna.uts46_remap(host).split(".")
        return ".".join([one if one.isascii() else f"xn--{one.encode('punycode').decode('ascii')}" for one in labels])
