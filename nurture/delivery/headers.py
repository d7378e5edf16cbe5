"""The headers that tell machines what a mail is, by its purpose: one table, as people check it against the RFCs."""

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from nurture.consent.rules import Purpose

#: With the longest name a newsletter and a domain may reasonably have, a List-Id stays within its 255 octets.
_LONGEST_TITLE = 100


#: Gmail reads so many characters of the identifier that names the sender (support.google.com/mail/answer/6254652).
_SENDER_ID = range(5, 16)
_LONGEST_IDENTIFIER = 40
_NO_LIST = frozenset({Purpose.SERVICE, Purpose.INTERNAL})  # what nobody leaves


class Further(NamedTuple):
    """The headers beyond those every message has: what names its reader, and what is the same for all of a mail."""

    own: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]


def by_kind(
    purpose: str,
    campaign: str,
    *,
    list_domain: str,
    list_title: str,
    leave_url: str | None,
    leave_mail: str | None,
    complain_to: str | None = None,
    mail: str = "",
) -> Further:
    """The headers beyond those every message has, in order.

    List-Unsubscribe is RFC 2369, its -Post RFC 8058, List-Id RFC 2919, Auto-Submitted RFC 3834. A sequence asks for no
    silence from auto-responders: that somebody is away is worth knowing before the next step. What goes to a reader says
    which mailing it belongs to (Feedback-ID) and, given an address to `complain_to` below the sender's domain, where to
    report that it was called spam (RFC 9477); a colleague's mail says neither.
    """
    own: tuple[tuple[str, str], ...] = ()
    if purpose in _NO_LIST:
        leave_url = leave_mail = None
    if leave_url or leave_mail:
        ways = [f"<{leave_url}>"] if leave_url else []
        ways += [f"<mailto:{leave_mail}>"] if leave_mail else []
        own = (("List-Unsubscribe", ", ".join(ways)),)
    if complain_to and purpose != Purpose.INTERNAL:
        own += _complaints(complain_to, list_domain)
    return Further(own, _shared(purpose, campaign, list_domain, list_title, mail, bool(leave_url)))


@lru_cache(maxsize=1024)
def _shared(
    purpose: str,
    campaign: str,
    domain: str,
    title: str,
    mail: str,
    takes_one_click: bool,  # noqa: FBT001  # cheaper so, and this is asked for every message
) -> tuple[tuple[str, str], ...]:
    kind, _, name = campaign.partition(":")
    reports = ("Feedback-ID", feedback_id(kind, name, mail, domain))
    match purpose:
        case Purpose.SERVICE:
            return (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "AutoReply"), reports)
        case Purpose.INTERNAL:
            return (("Auto-Submitted", "auto-generated"),)
    # Only a page of ours can take one click.
    leave = (("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),) if takes_one_click else ()
    newsletter = (
        ("List-Id", f"{_phrase(title)} <{name}.{domain}>".strip()),
        ("Precedence", "bulk"),
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
    )
    return (*leave, *newsletter, reports) if kind == "newsletter" else (*leave, reports)


def feedback_id(kind: str, campaign: str, mail: str, domain: str) -> str:
    """`mail:campaign:kind:sender`, from the narrow to the wide, as Gmail adds complaints up from the right.

    The same for all readers of a mail, and no identifier twice, or Gmail would add up what does not belong together.
    """
    identifiers: list[str] = []
    for part in (kind, campaign, mail):
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", part)[:_LONGEST_IDENTIFIER].strip("-")
        identifiers.insert(0, f"{plain}-{len(identifiers)}" if plain in identifiers else plain)
    return ":".join([*identifiers, _sender_id(domain)])


def _sender_id(domain: str) -> str:
    """The domain as one word of five to fifteen letters and digits; it stays the same for as long as the domain does."""
    word = re.sub(r"[^a-z0-9]", "", domain.lower())[: _SENDER_ID.stop - 1]
    if len(word) in _SENDER_ID:
        return word
    return word + hashlib.sha256(domain.lower().encode()).hexdigest()[: _SENDER_ID.start]


def _complaints(complain_to: str, domain: str) -> tuple[tuple[str, str], ...]:
    """The complaint address, if DKIM of the sender's domain speaks for it: it is there or below (RFC 9477, 3.1)."""
    local_part, _, at = complain_to.rpartition("@")
    if not local_part or not (at == domain or at.endswith(f".{domain}")):
        return ()
    return (
        ("CFBL-Address", f"{complain_to}; report=arf"),
        ("CFBL-Feedback-ID", local_part.partition("+")[2]),
    )


def _phrase(title: str) -> str:
    """A title as a quoted phrase that needs no encoding: ASCII and short (RFC 2919: 255 octets in all), else none."""
    plain = " ".join(title.split())
    return (
        f'"{plain}"'
        if plain and len(plain) <= _LONGEST_TITLE and plain.isascii() and not set(plain) & set('"\\<>')
        else ""
    )
