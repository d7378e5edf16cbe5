"""UTM parameters: how the statistics of a website know that a visitor came from a mail, and from which link of it. Pure.

They are added when a mail is rendered, or when a tracked link leads on; a link that says one of them itself keeps it.
Our own pages (the way out, preferences, meetings) and everything that is not a web address stay as they are, and so does
whatever stands behind a `#`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from nurture.rendering.links import is_web

#: The pages of this server that stand in mails.
_OUR_PAGES = ("u", "c", "o", "preferences", "view", "meet", "wish", "confirm", "subscribe", "archive")


@dataclass(frozen=True)
class Utm:
    """What links get; without `domains` every link to the web gets it, else only those to them and below them."""

    source: str
    medium: str
    domains: frozenset[str] = field(default_factory=frozenset)

    def to_json(self) -> dict[str, Any]:
        """As it is kept with a mail."""
        return {"source": self.source, "medium": self.medium, "domains": sorted(self.domains)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Utm":
        """The same again."""
        return cls(kept["source"], kept["medium"], frozenset(kept["domains"]))


@dataclass(frozen=True)
class Tagging:
    """The parameters of one mail: its campaign, and its name, which each link completes with its number."""

    utm: Utm
    campaign: str
    mail: str
    base_url: str

    def __call__(self, number: int, address: str) -> str:
        """Link `number` (from 0) with its parameters."""
        if not self._is_meant(address):
            return address
        before, mark, fragment = address.rstrip().partition("#")
        path, _, query = before.partition("?")
        known = {pair.partition("=")[0].lower() for pair in query.split("&")}
        wanted = {
            "utm_source": self.utm.source,
            "utm_medium": self.utm.medium,
            "utm_campaign": self.campaign,
            "utm_content": f"{self.mail}-{number + 1}",
        }
        added = [f"{name}={quote(value, safe='')}" for name, value in wanted.items() if value and name not in known]
        if not added:
            return address
        # A query that ends in "&" already waits for the next pair.
        pairs = "&".join([*([query.removesuffix("&")] if query else []), *added])
        return f"{path}?{pairs}{mark}{fragment}"

    def _is_meant(self, address: str) -> bool:
        if not is_web(address):
            return False
        base = self.base_url.rstrip("/")
        if any(address.startswith(f"{base}/{page}/") for page in _OUR_PAGES):
            return False
        try:
            host = (urlsplit(address.strip()).hostname or "").rstrip(".").lower()
        except ValueError:
            return False
        return not self.utm.domains or any(host == one or host.endswith(f".{one}") for one in self.utm.domains)
