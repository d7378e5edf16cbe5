"""The headers that tell machines what a mail is, by its purpose: one table, as people check it against the RFCs."""

from nurture.consent.rules import Purpose

#: With the longest name a newsletter and a domain may reasonably have, a List-Id stays within its 255 octets.
_LONGEST_TITLE = 100


def by_kind(
    purpose: str, campaign: str, *, list_domain: str, list_title: str, leave_url: str | None, leave_mail: str | None
) -> tuple[tuple[str, str], ...]:
    """The headers beyond those every message has, in order.

    List-Unsubscribe is RFC 2369, its -Post RFC 8058, List-Id RFC 2919, Auto-Submitted RFC 3834. A sequence asks for no
    silence from auto-responders: that somebody is away is worth knowing before the next step.
    """
    kind, _, name = campaign.partition(":")
    ways = [f"<{leave_url}>"] if leave_url else []
    ways += [f"<mailto:{leave_mail}>"] if leave_mail else []
    leave: tuple[tuple[str, str], ...] = (("List-Unsubscribe", ", ".join(ways)),) if ways else ()
    # Only a page of ours can take one click.
    leave += (("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),) if leave_url else ()
    newsletter = (
        ("List-Id", f"{_phrase(list_title)} <{name}.{list_domain}>".strip()),
        ("Precedence", "bulk"),
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
    )
    match purpose:
        case Purpose.SERVICE:
            return (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "AutoReply"))
        case Purpose.INTERNAL:
            return (("Auto-Submitted", "auto-generated"),)
    return (*leave, *newsletter) if kind == "newsletter" else leave


def _phrase(title: str) -> str:
    """A title as a quoted phrase that needs no encoding: ASCII and short (RFC 2919: 255 octets in all), else none."""
    plain = " ".join(title.split())
    return (
        f'"{plain}"'
        if plain and len(plain) <= _LONGEST_TITLE and plain.isascii() and not set(plain) & set('"\\<>')
        else ""
    )
