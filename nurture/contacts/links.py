"""Links to what somebody shows of themselves elsewhere: kept on the contact, shown to colleagues, never fetched. Pure.

Nothing here or anywhere else of ours opens such a page, copies from it or writes to people there.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from nurture.errors import BadInput, did_you_mean

#: The kinds of profile, each with the host that it is at; an empty one may be anywhere.
KINDS: Mapping[str, str] = {
    "linkedin": "linkedin.com",
    "xing": "xing.com",
    "github": "github.com",
    "website": "",
    "other": "",
}
_LONGEST = 500


def read_kind(text: str) -> str:
    """The kind of that name."""
    kind = text.strip().lower()
    if kind not in KINDS:
        raise BadInput(f'"{text}" is no kind of profile; take one of: {", ".join(KINDS)}.{did_you_mean(text, KINDS)}')
    return kind


def read_link(kind: str, text: str) -> str:
    """The address of a profile of that kind, over https."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        is_web = parts.scheme == "https" and "." in host and parts.username is None and parts.port in {None, 443}
    except ValueError:
        host, is_web = "", False
    if not is_web or len(url) > _LONGEST or not url.isprintable() or any(one.isspace() for one in url):
        raise BadInput(f'"{text[:80]}" is no link to show; write the whole address, beginning with https://.')
    wanted = KINDS[kind]
    if wanted and host != wanted and not host.endswith(f".{wanted}"):
        raise BadInput(f"a {kind} link leads to {wanted}, and this one to {host}; keep it as website or other.")
    return url
