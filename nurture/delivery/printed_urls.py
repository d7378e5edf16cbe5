"""The addresses of our own pages as one mail prints them, signed and spelled once for all of its places.

Called by `composing` for every message, where there are pages of ours at all; what a token says and how it is read when it
comes back is `urls`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nurture.delivery.urls import DELIVERY_BYTES, Via
from nurture.rendering.compiling import Urls
from nurture.rendering.links import Tag, Written, as_authored
from nurture.rendering.quoting import SOFT, begin
from nurture.tokens import TokenKeys, TokenPurpose

_IN_HEADER, _IN_BODY = bytes([Via.HEADER]), bytes([Via.BODY])
_LONGEST_TOKEN = 47  # characters


def make_urls(
    keys: TokenKeys,
    base_url: str,
    delivery_id: int,
    address_hash: str,
    *,
    is_tracked: bool,
    has_pixel: bool = False,
    tag: Tag = as_authored,
    others: frozenset[str] = frozenset(),
) -> Urls:
    """All links of a delivery to the person with that address hash."""
    return _OwnUrls(keys, _pages_at(base_url), delivery_id, address_hash, is_tracked, has_pixel, tag, others)


class _Pages:
    """Where our pages are, and how their addresses begin in the body of a mail, in front of their token."""

    def __init__(self, base_url: str) -> None:
        self.base = base = base_url.rstrip("/")
        begun = [begin(f"{base}/{page}/", _LONGEST_TOKEN) for page in ("u", "preferences", "view", "o", "c")]
        #: None where an address is not the same in HTML and in text.
        self.begun = tuple(one for one in begun if one is not None) if None not in begun else None


_pages_at = lru_cache(maxsize=16)(_Pages)


class _Once:
    """A property that is made when it is first asked for; `functools.cached_property` without its lock."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, mail: Any, _: object = None) -> str:
        made: str = self._make(mail)
        mail.__dict__[self._name] = made
        return made


class _OwnUrls(Urls):
    """Links to pages of ours; what most mails print is signed at once, the others when they are printed."""

    _keys: TokenKeys
    _pages: _Pages
    _base: str
    _delivery: bytes
    _tokens: tuple[bytes, bytes, bytes, bytes]  # to track, to view, for preferences, to leave

    def __init__(
        self,
        keys: TokenKeys,
        pages: _Pages,
        delivery_id: int,
        address_hash: str,
        is_tracked: bool,  # noqa: FBT001 — as the fields of `Urls` are
        has_pixel: bool,  # noqa: FBT001 — the same
        tag: Tag,
        others: frozenset[str],
    ) -> None:
        delivery = delivery_id.to_bytes(DELIVERY_BYTES)
        reader = delivery + bytes.fromhex(address_hash)
        track, view, preferences, header, leave = keys.sign_mail(delivery, _IN_HEADER + reader, _IN_BODY + reader)
        base = pages.base
        # Straight into what `Urls` keeps its fields in, for it is frozen.
        known = {
            "_keys": keys, "_pages": pages, "_base": base, "_delivery": delivery, "_tokens": (track, view, preferences, leave),
            "is_tracked": is_tracked, "has_pixel": is_tracked or has_pixel, "tag": tag, "others": others,
            "one_click": f"{base}/u/{header.decode()}",
        }  # fmt: skip
        object.__setattr__(self, "__dict__", known)

    def written(self) -> Written | None:
        """As they are spelled here: nothing of a token has to be looked at."""
        if (begun := self._pages.begun) is None:
            return None
        leave, preferences, view, opened, click = begun
        track, viewed, preferred, left = self._tokens
        leave += left + SOFT
        preferences += preferred + SOFT
        view += viewed + SOFT
        return Written(
            (leave, leave),
            (preferences, preferences),
            (view, view),
            opened + track + b".gif=\r\n",
            click + track + b"/",
        )

    @_Once
    def open(self) -> str:
        return f"{self._base}/o/{self._tokens[0].decode()}.gif"

    @_Once
    def leave(self) -> str:
        return f"{self._base}/u/{self._tokens[3].decode()}"

    @_Once
    def preferences(self) -> str:
        return f"{self._base}/preferences/{self._tokens[2].decode()}"

    @_Once
    def view(self) -> str:
        return f"{self._base}/view/{self._tokens[1].decode()}"

    def click(self, number: int) -> str:
        return f"{self._base}/c/{self._tokens[0].decode()}/{number}"

    @_Once
    def _wish(self) -> str:
        return f"{self._base}/wish/{self._keys.sign(TokenPurpose.WISH, self._delivery)}"

    def wish(self, kind: str) -> str:
        return f"{self._wish}/{kind}"

    @_Once
    def _answer(self) -> str:
        return f"{self._base}/answer/{self._keys.sign(TokenPurpose.ANSWER, self._delivery)}"

    def answer(self, number: int) -> str:
        return f"{self._answer}/{number}"

    @_Once
    def _form(self) -> str:
        return self._keys.sign(TokenPurpose.FORM, self._delivery)

    def form(self, name: str) -> str:
        return f"{self._base}/subscribe/{name}/for/{self._form}"

    def share(self, name: str) -> str:
        return f"{self._base}/subscribe/{name}?from=referral"
