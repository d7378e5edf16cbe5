"""What every page works with: the house, where it is reached, and how a page becomes an answer."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from nurture.app.house import App
from nurture.campaigns.declared import Sender, find_declared
from nurture.database.engine import Session
from nurture.delivery.store import Delivery
from nurture.figures import counted
from nurture.timing import in_words
from nurture.web.proxies import TrustedProxies
from nurture.web.wording import Wording

STYLE_PATH = "/static/nurture.css"
STYLE = files("nurture.web").joinpath("static/nurture.css").read_bytes()
_STYLE_VERSION = hashlib.sha256(STYLE).hexdigest()[:12]
ENGLISH_ONLY = Wording()


@dataclass(frozen=True)
class Site:
    """The public face of one house."""

    app: App
    at_work: Sequence[Callable[[], str]] = ()

    @cached_property
    def root(self) -> str:
        """What stands before every path of ours when `web.base_url` lies below the top of its host."""
        return urlsplit(self.app.settings.web.base_url).path.rstrip("/")

    @cached_property
    def proxies(self) -> TrustedProxies:
        """The reverse proxies whose word counts."""
        return TrustedProxies.read(self.app.settings.web.trusted_proxies)

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port of `web.base_url`."""
        parts = urlsplit(self.app.settings.web.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def page(
        self,
        template: str,
        wording: Wording | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """A page of pages/, made from `values`; each template says which it takes.

        With `wording` it has `say(KEY, …)` and `day_of(date)` in the visitor's language, and
        offers the other languages at its end. Without, it is a page for whoever works here, in English.
        """
        words = wording or ENGLISH_ONLY
        spoken = {"language": words.language, "offered": words.offered, "say": words.say, "day_of": words.day}
        body = PAGES.get_template(template).render(root=self.root, style=self._style, **spoken, **values)
        return HTMLResponse(body, status_code=status, headers=headers)

    def message(
        self,
        wording: Wording,
        title: str,
        *lines: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        sender: Sender | None = None,
    ) -> Response:
        """A page that only says something: the answer as its title, then what comes next, already in `wording`."""
        return self.page(
            "message.html", wording, status=status, headers=headers, title=title, lines=lines, sender=sender
        )

    @property
    def _style(self) -> str:
        return f"{self.root}{STYLE_PATH}?{_STYLE_VERSION}"


def sender_of(session: Session, delivery: Delivery | None) -> Sender | None:
    """Whose mail a page is about, as that mail said it: pages carry the name and postal address of who wrote."""
    facts = delivery.facts if delivery else None
    if facts and "sender" in facts:
        return Sender(**facts["sender"])
    declared = find_declared(session)
    return declared.default_sender if declared else None


def day(value: date) -> str:
    """`10 March 2026`: no reader takes it for another day."""
    return f"{value:%-d %B %Y}"


def number(value: float) -> str:
    """`2,214`; `72.5` where there is a fraction."""
    return f"{value:,.1f}".removesuffix(".0")


def due(at: datetime, now: datetime) -> str:
    """`due in 1 h 12 min`, `overdue by 3 days`."""
    return f"due in {in_words(at - now)}" if at >= now else f"overdue by {in_words(now - at)}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nurture.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(day=day, number=number, counted=counted, in_words=in_words)
    return environment


#: The page templates; other rooms that show pages (the demo's inbox) may extend `base.html`.
PAGES = _environment()
