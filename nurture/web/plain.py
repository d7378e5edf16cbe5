"""The pages that are about nobody: the quiet front, what is shown when something is not there, and what machines ask."""

import logging

from starlette.responses import PlainTextResponse, Response

from nurture.database.installation import get_pause
from nurture.web.site import STYLE, Site
from nurture.web.visits import Visit
from nurture.web.wording import wording_for

log = logging.getLogger(__name__)

_LONG = {"Cache-Control": "public, max-age=31536000, immutable"}  # the address of the style sheet names its content


def front(site: Site, visit: Visit) -> Response:
    """`/`: says nothing about whose house this is."""
    wording = wording_for(visit)
    return site.message(wording, wording.say("plain.front_title"), wording.say("plain.front_line"))


def style(_site: Site, _visit: Visit) -> Response:
    """The one style sheet."""
    return Response(STYLE, media_type="text/css; charset=utf-8", headers=_LONG)


def robots(_site: Site, _visit: Visit) -> Response:
    """Nothing here is for search engines."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def healthz(site: Site, _visit: Visit) -> Response:
    """200 if the database answers, else 503; for load balancers and container health checks.

    Senders that are away are told and change nothing about the 200: whoever wants out must get through to us.
    """
    try:
        with site.app.database.reading() as session:
            get_pause(session)
    except Exception:
        log.exception("the database does not answer")
        return PlainTextResponse("the database does not answer\n", status_code=503, headers={"Retry-After": "5"})
    return PlainTextResponse("".join(f"{line}\n" for line in ("ok", *(ask() for ask in site.at_work))))


def cut_short(site: Site, visit: Visit) -> Response:
    """404 for a token that is not ours: most often a link that a mail program broke in two."""
    say = (wording := wording_for(visit)).say
    lines = (say("plain.cut_line"), say("plain.way_out_by_mail"))
    return site.message(wording, say("plain.cut_title"), *lines, status=404)


def not_there(site: Site, visit: Visit) -> Response:
    """404 for an address that never led anywhere."""
    say = (wording := wording_for(visit)).say
    return site.message(wording, say("plain.nowhere_title"), say("plain.way_out_by_mail"), status=404)


def gone(site: Site, visit: Visit, what: str) -> Response:
    """410 for something that was here: `what` is the text that says what it was."""
    say = (wording := wording_for(visit)).say
    return site.message(wording, say(what), say("plain.gone_line"), status=410)


def refused(site: Site, visit: Visit, status: int, headers: dict[str, str] | None = None) -> Response:
    """An error page by its HTTP status; never says anything about what is inside."""
    say = (wording := wording_for(visit)).say
    what = _REFUSALS.get(status, _REFUSALS[500])
    lines = [say(f"plain.{what}_line"), *([say("plain.way_out_by_mail")] if status >= 500 else ())]
    return site.message(wording, say(f"plain.{what}_title"), *lines, status=status, headers=headers)


_REFUSALS = {405: "cannot", 408: "slow", 413: "large", 500: "wrong", 503: "busy"}
