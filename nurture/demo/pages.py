"""The pages of the built-in inbox: the list, one mail as a mail program shows it, its source."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from nurture.demo.inbox import Arrival, Inbox
from nurture.figures import counted
from nurture.web.front import CONTENT_SECURITY_POLICY
from nurture.web.site import STYLE_PATH

_NEWEST = 200
_LOOKS = Environment(
    loader=ChoiceLoader([PackageLoader("nurture.demo", "looks"), PackageLoader("nurture.web", "pages")]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
#: A mail stands in a frame of its own, which its own policy shuts in.
_FRAMED = CONTENT_SECURITY_POLICY + "; frame-src 'self'"
_IN_FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def inbox_routes(inbox: Inbox) -> list[BaseRoute]:
    """The routes of the inbox."""

    def show_list(request: Request) -> Response:
        words = request.query_params.get("words", "")[:100]
        found = inbox.newest(_NEWEST, words)
        title = (
            f"{counted(len(inbox.arrivals), 'mail has', 'mails have')} arrived"
            if inbox.arrivals
            else "No mail has arrived yet"
        )
        return _page("inbox.html", title=title, words=words, mails=found, total=len(inbox.arrivals))

    def show_mail(request: Request) -> Response:
        mail = _mail(inbox, request)
        if mail is None:
            return _page("inbox.html", status=404, title="There is no such mail", words="", mails=[], total=0)
        return _page("mail.html", policy=_FRAMED, mail=mail)

    def show_html(request: Request) -> Response:
        mail = _mail(inbox, request)
        content = mail.text("html") if mail else ""
        return HTMLResponse(content, headers={"Content-Security-Policy": _IN_FRAME})

    def show_source(request: Request) -> Response:
        mail = _mail(inbox, request)
        return PlainTextResponse(mail.content if mail else b"", status_code=200 if mail else 404)

    return [
        Route("/inbox", show_list),
        Route("/inbox/{number:int}", show_mail),
        Route("/inbox/{number:int}/html", show_html),
        Route("/inbox/{number:int}/source", show_source),
    ]


def _mail(inbox: Inbox, request: Request) -> Arrival | None:
    return inbox.get(request.path_params["number"])


def _page(name: str, *, status: int = 200, policy: str = CONTENT_SECURITY_POLICY, **values: object) -> Response:
    body = _LOOKS.get_template(name).render(style=STYLE_PATH, root="", **values)
    return HTMLResponse(body, status_code=status, headers={"Content-Security-Policy": policy})
