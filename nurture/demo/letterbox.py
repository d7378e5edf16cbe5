"""What can be seen in a mail by whoever got it: links, the pixel, the ways out. Nothing but the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

from nurture.demo.inbox import Arrival


@dataclass(frozen=True)
class Letter:
    """One mail, opened. Addresses are paths on the sender's server; links that lead elsewhere are not in here."""

    arrival: Arrival
    clicks: tuple[str, ...] = ()  # tracked links
    pages: tuple[str, ...] = ()  # the sender's own pages: the way out, preferences, view
    wishes: tuple[str, ...] = ()
    times: tuple[str, ...] = ()  # to meet, each with its number in the query
    pixel: str | None = None
    one_click: str | None = None  # of the List-Unsubscribe header (RFC 8058)
    reply_to: str | None = None

    @property
    def to(self) -> str:
        return self.arrival.rcpt_to

    @property
    def leave_page(self) -> str | None:
        return next((page for page in self.pages if page.startswith("/u/")), None)

    @property
    def is_marketing(self) -> bool:
        return self.one_click is not None


def open_letter(arrival: Arrival, base_url: str) -> Letter:
    """Read a mail as a mail client does."""
    seen = _Seen()
    seen.feed(arrival.text("html"))
    links = _ours(seen.links, base_url)
    pixels = [path for path in _ours(seen.images, base_url) if path.startswith("/o/")]
    doors = [part.strip(" <>") for part in arrival.header("List-Unsubscribe").split(",")]
    one_click = _ours([door for door in doors if door.startswith("http")], base_url)
    return Letter(
        arrival=arrival,
        clicks=tuple(path for path in links if path.startswith("/c/")),
        pages=tuple(path for path in links if not path.startswith(("/c/", "/wish/"))),
        wishes=tuple(path for path in links if path.startswith("/wish/")),
        times=tuple(
            f"{path}?{urlsplit(link).query}"
            for link in seen.links
            for path in _ours([link], base_url)
            if path.startswith("/meet/")
        ),
        pixel=pixels[0] if pixels else None,
        one_click=one_click[0] if one_click else None,
        reply_to=arrival.header("Reply-To").strip(" <>") or None,
    )


def _ours(addresses: Sequence[str], base_url: str) -> list[str]:
    """The paths of those addresses that lead to the sender's server, each once."""
    home = urlsplit(base_url)
    found = [urlsplit(address) for address in addresses]
    return list(dict.fromkeys(one.path for one in found if (one.scheme, one.netloc) == (home.scheme, home.netloc)))


class _Seen(HTMLParser):
    """Links and images, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "img" and values.get("src"):
            self.images.append(str(values["src"]))


@dataclass
class Form:
    """The first form of a page, as a browser would send it."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def read_form(page: str) -> Form | None:
    """The first form that is sent by POST, with its first button pressed; None when there is none."""
    reader = _FormReader()
    reader.feed(page)
    return reader.form


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self._is_inside = False
        self._is_pressed = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "form" and self.form is None and values.get("method", "").lower() == "post":
            self.form = Form(values.get("action", ""))
            self._is_inside = True
        elif self._is_inside and self.form is not None and values.get("name"):
            is_button = tag == "button" or values.get("type") == "submit"
            if is_button and self._is_pressed:
                return
            self._is_pressed = self._is_pressed or is_button
            if tag in {"input", "button"} and (values.get("type") != "checkbox" or "checked" in values):
                self.form.fields[values["name"]] = values.get("value", "on")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
