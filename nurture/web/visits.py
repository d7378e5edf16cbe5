"""What one request to a page says: its method, the names in its path, and its form, read once and within bounds.

RFC 8058, 3.2: the one-click POST comes as `multipart/form-data` or as `application/x-www-form-urlencoded`; people's
browsers send the latter, and some mail systems send no body at all. All three arrive here as the same thing.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from nurture.web.proxies import TrustedProxies

#: Our longest form is one topic a line; a body beyond this is not one of ours.
MOST_BYTES = 64 * 1024
_MOST_FIELDS = 200
_BODY_WITHIN_SECONDS = 10.0


class Refused(Exception):
    """A request that is answered with an error page before anything looked at it; `status` is its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Visit:
    """One request, as pages see it. `form` is empty for GET and for a body nobody can read."""

    method: str
    names: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)  # what stands behind the question mark
    accept_language: str = ""  # the header as it came
    ip: str = ""  # where it came from, as far as trusted proxies say

    def said(self, name: str) -> str:
        """The first value of a form field; empty when it is not there."""
        return next(iter(self.form.get(name, ())), "")


def glance(request: Request) -> Visit:
    """A request without its body."""
    names = {name: str(value) for name, value in request.path_params.items()}
    language = request.headers.get("accept-language", "")
    return Visit(request.method, names, asked=dict(request.query_params), accept_language=language)


async def read_visit(request: Request, proxies: TrustedProxies) -> Visit:
    """Read a request; raises `Refused` for a body that is too large (413) or too slow (408)."""
    peer = request.client.host if request.client else ""
    visit = replace(glance(request), ip=proxies.client(peer, request.headers.getlist("x-forwarded-for")))
    if request.method != "POST":
        return visit
    return replace(visit, form=await _read_form(request, await _read_body(request)))


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > MOST_BYTES:
        raise Refused(413)
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_WITHIN_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Refused(413)
    except (TimeoutError, ClientDisconnect):
        raise Refused(408) from None
    return bytes(body)


async def _read_form(request: Request, body: bytes) -> dict[str, list[str]]:
    """The fields of a form. What is sent as a file, or cannot be read, is left out: the token alone says who it is."""
    form: dict[str, list[str]] = {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    pairs: list[tuple[str, str]] = []
    try:
        if kind == "multipart/form-data":
            parser = MultiPartParser(request.headers, _once(body), max_files=20, max_fields=_MOST_FIELDS)
            found = await parser.parse()
            pairs = [(name, value) for name, value in found.multi_items() if isinstance(value, str)]
            await found.close()
        elif kind in {"application/x-www-form-urlencoded", ""}:
            pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (MultiPartException, FormParserError, ValueError):
        return {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
