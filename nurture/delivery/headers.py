"""The headers that tell machines what a mail is, by its purpose: one table, as people check it against the RFCs."""

import hashlib
import re

from nurture.consent.rules import Purpose

#: With the longest name a newsletter and a domain may reasonably have, a List-Id stays within its 255 octets.
_LONGEST_TITLE = 100


#: Gmail reads so many characters of the identifier that names the sender (support.google.com/mail/answer/6254652).
_SENDER_ID = range(5, 16)
_LONGEST_IDENTIFIER = 40
_NO_LIST = frozenset({Purpose.SERVICE, Purpose.INTERNAL})  # what nobody leaves


def headers_of_a_reader(
    purpose: str, list_domain: str, *, leave_url: str | None, leave_mail: str | None, complain_to: str | None = None
) -> tuple[tuple[str, str], ...]:
    """What names the reader of a mail, in order: List-Unsubscribe (RFC 2369), and where to report that it was called spam.

    The latter needs an address below the sender's domain (RFC 9477), and stands in nothing that goes to a colleague.
    """
    own: tuple[tuple[str, str], ...] = ()
    if (leave_url or leave_mail) and purpose not in _NO_LIST:
        ways = f"<{leave_url}>" if leave_url else ""
        if leave_mail:
            ways += f"{', ' if ways else ''}<mailto:{leave_mail}>"
        own = (("List-Unsubscribe", ways),)
    if complain_to and purpose != Purpose.INTERNAL:
        own += _complaints(complain_to, list_domain)
    return own


def headers_of_a_mail(
    purpose: str, campaign: str, *, list_domain: str, list_title: str, mail: str, takes_one_click: bool
) -> tuple[tuple[str, str], ...]:
    """What is the same for all readers of a mail, in order.

    List-Unsubscribe-Post is RFC 8058, List-Id RFC 2919, Auto-Submitted RFC 3834. A sequence asks for no silence from
    auto-responders: that somebody is away is worth knowing before the next step. What goes to a reader says which mailing
    it belongs to (Feedback-ID); a colleague's mail does not.
    """
    kind, _, name = campaign.partition(":")
    reports = ("Feedback-ID", feedback_id(kind, name, mail, list_domain))
    match purpose:
        case Purpose.SERVICE:
            return (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "AutoReply"), reports)
        case Purpose.INTERNAL:
            return (("Auto-Submitted", "auto-generated"),)
    # Only a page of ours can take one click.
    leave = (("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),) if takes_one_click else ()
    newsletter = (
        ("List-Id", f"{_phrase(list_title)} <{name}.{list_domain}>".strip()),
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
