"""The pages that are about nobody: the quiet front, what is shown when something is not there, and what machines ask."""

import logging

from starlette.responses import PlainTextResponse, Response

from nurture.database.installation import get_pause
from nurture.web.site import STYLE, Site
from nurture.web.visits import Visit

log = logging.getLogger(__name__)

_LONG = {"Cache-Control": "public, max-age=31536000, immutable"}  # the address of the style sheet names its content
_WAY_OUT_BY_MAIL = (
    "To stop the mail: use the unsubscribe button of your mail program, or answer the mail with the one word “stop”."
)


def front(site: Site, _visit: Visit) -> Response:
    """`/`: says nothing about whose house this is."""
    return site.message(
        "Nothing to see at this address",
        "Links in our mails lead to pages here. The last lines of every mail hold the link to choose what you get, "
        "and the one to leave.",
    )


def style(_site: Site, _visit: Visit) -> Response:
    """The one style sheet."""
    return Response(STYLE, media_type="text/css; charset=utf-8", headers=_LONG)


def robots(_site: Site, _visit: Visit) -> Response:
    """Nothing here is for search engines."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def healthz(site: Site, _visit: Visit) -> Response:
    """200 if the database answers, else 503; for load balancers and container health checks."""
    try:
        with site.app.database.reading() as session:
            get_pause(session)
    except Exception:
        log.exception("the database does not answer")
        return PlainTextResponse("the database does not answer\n", status_code=503, headers={"Retry-After": "5"})
    return PlainTextResponse("ok\n")


def cut_short(site: Site) -> Response:
    """404 for a token that is not ours: most often a link that a mail program broke in two."""
    return site.message(
        "This link is not complete",
        "Mail programs sometimes break long links. Open the mail again and follow the link from there, or copy all of it.",
        _WAY_OUT_BY_MAIL,
        status=404,
    )


def not_there(site: Site) -> Response:
    """404 for an address that never led anywhere."""
    return site.message("There is no page at this address", _WAY_OUT_BY_MAIL, status=404)


def gone(site: Site, what: str) -> Response:
    """410 for something that was here: `what` says what it was, as a sentence."""
    return site.message(
        what, "What we knew for it was deleted, as it is after a while or when somebody asks.", status=410
    )


def refused(site: Site, status: int, headers: dict[str, str] | None = None) -> Response:
    """An error page by its HTTP status; never says anything about what is inside."""
    title, line = _REFUSALS.get(status, _REFUSALS[500])
    return site.message(title, line, *((_WAY_OUT_BY_MAIL,) if status >= 500 else ()), status=status, headers=headers)


_REFUSALS = {
    405: ("This page cannot do that", "It can be looked at, and its button can be pressed; nothing was changed."),
    408: ("That took too long to arrive", "Nothing was changed. Please press the button again."),
    413: ("That was too much to read", "Nothing was changed. Go back, reload the page and press the button again."),
    500: (
        "Something went wrong on our side",
        "It is written down for us. If you pressed a button, please press it again.",
    ),
    503: (
        "We cannot do that just now",
        "Please try again in a minute: if you pressed a button, it may not have counted.",
    ),
}
