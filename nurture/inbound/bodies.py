"""The text of a mail as its reader saw it, from whichever part holds it. Pure.

HTML is read once from left to right, because anybody may send us any of it: what is not text (styles, scripts, the head)
is left out, and what stands in a quote becomes one line with `>`.
"""

import html
import re
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart

_MOST_HTML = 200_000

_SILENT = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("head", "title", "style", "script")}
_TAG = re.compile(r"<[a-zA-Z/!?]")
_BLOCKS = "address article body br center div footer h1 h2 h3 h4 h5 h6 header hr li ol p pre section table tr ul"
_ON_A_LINE_OF_ITS_OWN = frozenset(_BLOCKS.split())
_CELLS = frozenset({"td", "th"})
#: How mail programs name the element around the mail that is answered.
_QUOTES = ("gmail_quote", "yahoo_quoted", "protonmail_quote", "zmail_extra", "tutanota_quote")


def plain_text(message: EmailMessage) -> str:
    """What stands in the mail, from its HTML when the plain part is missing or empty."""
    text = _content(message.get_body(("plain",)))
    return text if text.strip() else text_of_html(_content(message.get_body(("html",))))


def _content(part: MIMEPart | None) -> str:
    if part is None:
        return ""
    if part.get_content_charset() is None and isinstance(bare := part.get_payload(decode=True), bytes):
        # Nobody said how it is written; what is no UTF-8 can only be an old program's own letters.
        try:
            return bare.decode("utf-8")
        except UnicodeDecodeError:
            return bare.decode("cp1252", "replace")
    try:
        content = part.get_content()
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return content if isinstance(content, str) else ""


def text_of_html(source: str) -> str:
    """The text of HTML, a line for each block, with `>` in place of what is quoted."""
    pieces: list[str] = []
    quote = ""
    depth = 0
    for text, tag in _take_apart(source[:_MOST_HTML]):
        is_end = tag.startswith("/")
        name = _name(tag)
        if quote:
            depth += (-1 if is_end else 1) if name == quote else 0
            quote = quote if depth else ""
            continue
        pieces.append(text)
        if not is_end and (name == "blockquote" or (name == "div" and any(one in tag for one in _QUOTES))):
            quote, depth = name, 1
            pieces.append("\n>\n")
        elif name in _ON_A_LINE_OF_ITS_OWN:
            pieces.append("\n")
        elif name in _CELLS:
            pieces.append(" ")
    return _tidy("".join(pieces))


def _take_apart(source: str) -> Iterator[tuple[str, str]]:
    """Each run of text with the tag behind it, in small letters and without its brackets."""
    place = 0
    was_in_head = False
    while place < len(source):
        start = source.find("<", place)
        start = len(source) if start < 0 else start
        text = source[place:start].replace("\r", " ").replace("\n", " ")
        is_comment = source.startswith("<!--", start)
        if not is_comment and not _TAG.match(source, start):
            # "I <3 mail"
            yield text + source[start : start + 1], ""
            place = start + 1
            continue
        end = source.find("-->" if is_comment else ">", start + 2)
        tag = "" if is_comment or end < 0 else source[start + 1 : end].lower()
        yield text, tag
        place = end + (3 if is_comment else 1) if end >= 0 else len(source)
        name = _name(tag)
        if name in _SILENT and not tag.startswith("/") and not (name == "head" and was_in_head):
            closer = _SILENT[name].search(source, place)
            if closer is not None:
                place = closer.start()
            elif name != "head":
                # As in browsers: what is never closed goes on to the end. A head ends where the body begins.
                return
            was_in_head = was_in_head or name == "head"


def _name(tag: str) -> str:
    return (tag.removeprefix("/").split(maxsplit=1) or [""])[0].rstrip("/")


def _tidy(text: str) -> str:
    try:
        text = html.unescape(text)
    except ValueError:
        # A number of thousands of digits is no character, and Python does not read it.
        text = text.replace("&#", " ")
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
