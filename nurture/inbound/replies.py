"""A mail that came back, as it matters here: what a person wrote, and whether a machine wrote it. Pure."""

from dataclasses import dataclass
from email.message import EmailMessage

from nurture.inbound.bodies import plain_text
from nurture.inbound.leaving import wants_out
from nurture.inbound.quotes import new_text


@dataclass(frozen=True)
class Reply:
    """A reply as it matters here."""

    text: str
    wants_out: bool
    is_automatic: bool
    is_report: bool = False


NOTHING_SAID = Reply("", wants_out=False, is_automatic=False)


def read_reply(message: EmailMessage) -> Reply:
    """The new text of a mail, whether it asks to be left alone, and whether a machine wrote it."""
    text = new_text(plain_text(message))
    is_out = wants_out(text, str(message.get("Subject", "")))
    return Reply(text, is_out, is_automatic(message), is_report(message))


def is_automatic(message: EmailMessage) -> bool:
    """Whether a machine wrote it (RFC 3834 and what vendors do instead); such mail is never taken for a reply."""
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    if submitted != "no" or is_report(message):
        return True
    if any(message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder")):
        return True
    return str(message.get("Precedence", "")).strip().lower() in {"auto_reply", "bulk", "junk"}


def is_report(message: EmailMessage) -> bool:
    """Whether a mail server wrote it about the mail itself (RFC 6522): "retrying until Friday" is nobody's absence."""
    return message.get_content_type() == "multipart/report"
