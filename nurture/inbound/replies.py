"""What a person wrote back, and whether it says "leave me alone". Pure.

Only the new text counts: the quoted mail below it has our own footer with the word "unsubscribe" in it. A short reply
that says little but one of these words is an opt-out at once; in a longer letter they are about something else.
"""

import re
from dataclasses import dataclass
from email.message import EmailMessage

from mailparser_reply import EmailReplyParser

_LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "sv", "da", "ja"]
_MOST_CHARACTERS = 20_000
#: Somebody who only wants out writes a line, not a letter.
_MOST_WORDS = 25

_LEAVE = re.compile(
    r"\b(unsubscribe|remove me|take me off|opt[ -]?out|stop (e-?mailing|sending|writing|contacting)( me)?|leave me alone|"
    r"do(n'?t| not) (e-?mail|contact|write( to)?|send) me|no more (e-?)?mails?|please delete my (data|address)|"
    r"abmelden|abbestellen|austragen|keine (weiteren )?(e-?)?mails|"
    r"d[ée]sabonne[rz]?|d[ée]sinscri\w+|me retirer|"
    r"darme de baja|dar de baja|cancelar (la )?suscripci[óo]n|no m[áa]s correos)\b",
    re.IGNORECASE,
)
_STOP = re.compile(r"\W*(stop|unsubscribe|remove|abmelden|stopp?|baja|d[ée]sabonner)\W*", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """A reply as it matters here."""

    text: str
    wants_out: bool
    is_automatic: bool


def read_reply(message: EmailMessage) -> Reply:
    """The new text of a mail, whether it asks to be left alone, and whether a machine wrote it."""
    text = new_text(_plain_text(message))
    return Reply(text, wants_out(text), is_automatic(message))


def new_text(text: str) -> str:
    """What was written now, without the quoted mail and without the signature."""
    # Neither a NUL nor half a character (UTF-7 can spell one) can be kept.
    text = text[:_MOST_CHARACTERS].replace("\0", "").encode(errors="replace").decode()
    parsed = EmailReplyParser(languages=_LANGUAGES).read(text)
    newest = parsed.latest_reply or ""
    lines = [line for line in newest.splitlines() if not line.lstrip().startswith(">")]
    return "\n".join(lines).strip()


def wants_out(text: str) -> bool:
    """Whether this short text asks for no more mail."""
    if _STOP.fullmatch(text):
        return True
    return len(text.split()) <= _MOST_WORDS and _LEAVE.search(text) is not None


def is_automatic(message: EmailMessage) -> bool:
    """Whether a machine wrote it (RFC 3834 and what vendors do instead); such mail is never taken for a reply."""
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    if submitted != "no" or message.get_content_type() == "multipart/report":
        return True
    if any(message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder")):
        return True
    return str(message.get("Precedence", "")).strip().lower() in {"auto_reply", "bulk", "junk"}


def _plain_text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        text = part.get_content()
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    if not isinstance(text, str):
        return ""
    return text if part.get_content_subtype() == "plain" else re.sub(r"<[^>]+>", " ", text)
