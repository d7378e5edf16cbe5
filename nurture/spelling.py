"""How settings spell what goes into mails, links and addresses: texts that are checked when read and kept as written. Pure."""

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

import idna
from pydantic import AfterValidator


def _checked(is_right: Callable[[str], bool], what: str) -> AfterValidator:
    """A text of which `is_right` holds; `what` says what it is not, and what to write."""

    def check(text: str) -> str:
        if not is_right(text):
            raise ValueError(what)
        return text

    return AfterValidator(check)


def _is_on_one_line(text: str) -> bool:
    return not any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_bare = not (parts.query or parts.fragment or parts.username is not None) and "?" not in text and "#" not in text
    # It stands in List-Unsubscribe as it is: no mail program decodes anything there (RFC 2369, RFC 8058).
    is_spelled = text.isascii() and not _NOT_IN_ADDRESSES.search(text)
    return parts.scheme in {"http", "https"} and is_reachable and is_bare and is_spelled


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def as_it_travels(text: str) -> str:
    """An address or a domain as it stands in mails and in the name servers: with the A-label of its domain (RFC 5891)."""
    if text.isascii():
        return text
    local, at, domain = text.rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        return text  # whoever reads it next says what is wrong


# urlsplit drops line breaks and tabs without a word, so the text itself is looked at.
_NOT_IN_ADDRESSES = re.compile(r"""[\s\x00-\x1f\x7f"'<>\\^`{|}]""")
_DOMAIN = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE | re.ASCII
)

#: A text that may become a header of a mail.
Line = Annotated[str, _checked(_is_on_one_line, "has a line break or another control character; write it on one line")]
#: An address, or the domain of addresses.
Mailbox = Annotated[Line, AfterValidator(as_it_travels)]
WebAddress = Annotated[
    str,
    _checked(
        _is_web_address,
        'is no address of a server; write one such as "https://news.example.com", in its xn-- form if it has other letters',
    ),
]
Host = Annotated[
    str,
    _checked(
        lambda text: text != "" and not _NOT_IN_ADDRESSES.search(text),
        'is no server; write its name or its address, such as "smtp.example.com"',
    ),
]
Network = Annotated[str, _checked(_is_network, 'is neither an address nor a network; write one such as "10.0.0.7"')]
Domain = Annotated[
    str,
    _checked(
        lambda text: not text or _DOMAIN.fullmatch(text) is not None,
        'is no domain; write one such as "reply.example.com", in its xn-- form if it has other letters',
    ),
]
RelayName = Annotated[
    str,
    _checked(
        lambda text: re.fullmatch(r"[a-z][a-z0-9-]{0,39}", text) is not None,
        'is no name of a relay; write small letters, digits and hyphens, such as "ses-eu"',
    ),
]
HeaderLine = Annotated[
    str,
    _checked(
        lambda text: re.fullmatch(r"X-[A-Za-z0-9-]{1,60}: [!-~](?:[ -~]{0,300}[!-~])?", text) is not None,
        'is no header of a relay; write one such as "X-SES-CONFIGURATION-SET: news"',
    ),
]
