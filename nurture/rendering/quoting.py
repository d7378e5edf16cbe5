"""Text as quoted-printable, piece by piece (RFC 2045, 6.7): each piece is whole lines, so that pieces can be joined.

A piece begins at the start of a line and ends with a line end, soft or hard; any two may stand behind one another. Lines
have at most 76 characters and none begins with a dot or with "From ". What a contact puts into a mail is short and plain
most of the time, and `looking` has such a value ready; everything else takes the general way, with the same meaning.
"""

import re
from binascii import b2a_qp
from functools import lru_cache

import jinja2
from markupsafe import Markup, escape

from nurture.rendering.bounds import EmptyValue
from nurture.rendering.filters import PRINTED
from nurture.rendering.message import quoted_printable
from nurture.rendering.tidying import NotAhead, without_gaps

SOFT = b"=\r\n"

#: What stands on a line as it is, in HTML and in text: nothing to escape, and no blank at either end.
PLAIN = re.compile(r"(?!From |\.| )[ !#-%(-;?-~]{1,75}(?<! )").fullmatch
SPECIAL = re.compile(r"[&<>\"']").search
_GUARDED = (b".", b"From ")  # what SMTP or an mbox file would change at the beginning of a line

SHORT = 10_000

#: What programs call.
WRITERS = (
    "in_html", "in_text", "in_text_or_empty", "in_text_or_trailing", "in_line", "in_subject", "raw", "fallen_back",
    "defaulted", "upper_of", "lower_of", "capitalize_of", "trim_of", "lines_in_html", "lines_in_text",
    "short",
)  # fmt: skip


def stands_alone(text: str, more: int) -> bool:
    """Whether it stands as it is on one line, in HTML as in text, with so many digits behind it."""
    return len(text) + more < 76 and PLAIN(text) is not None


def begin(address: str, more: int) -> bytes | None:
    """The beginning of addresses that go on with so many characters, each plain, on its line or on the one behind it.

    None if it is not the same in HTML and in text.
    """
    if SPECIAL(address):
        return None
    return address.encode() if stands_alone(address, more) else fixed(address)


def quote(text: str) -> bytes:
    """Any text as one piece."""
    if not text:
        return b""
    if "\r" in text:
        raise NotAhead  # half a line end, perhaps
    encoded = b2a_qp(text.encode("utf-8", "replace"))
    behind = encoded.rfind(b"\n")
    if len(encoded) - behind > 76 or (text[0] in ".F" and encoded.startswith(_GUARDED)):
        return fixed(text)
    if behind < 0:
        return encoded + SOFT
    # `in` would take four times as long: it asks first whether a number is wanted.
    if encoded.find(b"\n.") >= 0 or encoded.find(b"\nFrom ") >= 0:
        return fixed(text)
    # What b2a_qp writes for a blank at the end of a line it does not count: such a line may have 78.
    if encoded.find(b"=20\n") >= 0 or encoded.find(b"=09\n") >= 0:
        return fixed(text)
    written = encoded.replace(b"\n", b"\r\n")
    return written + SOFT if behind + 1 < len(encoded) else written


def fixed(text: str) -> bytes:
    """The same for text that never changes; slower, and its lines are as full as they can be."""
    written = quoted_printable(f"{text}x")[:-1].encode()  # so that the last line leaves room for its soft end
    return written + SOFT if written and not written.endswith(b"\n") else written


def last(text: str) -> bytes:
    """The same for what nothing follows: it ends as it ends."""
    return quoted_printable(text).encode()


def in_html(value: object) -> bytes:
    """What `{{ }}` prints in HTML."""
    if type(value) is str:
        if PLAIN(value):
            return value.encode() + SOFT
        return quote(escaped(value) if SPECIAL(value) else value)
    return quote(str(escape(_printed(value))))


def escaped(text: str) -> str:
    """For HTML, as markupsafe does it, at a third of the time."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&#39;").replace('"', "&#34;")


def in_text(value: object) -> bytes:
    """What `{{ }}` prints in the text part, where `tidying` has already decided on the lines around it."""
    # Nothing printable is white space but the space itself.
    if type(value) is str and value.isprintable() and value and value[0] != " " != value[-1]:
        return quote(value)
    return _tidied(value, may_be_empty=False, may_trail=False)


def in_line(value: object) -> bytes:
    """The same within a line whose end is no end of a value: it may be empty, or end with a blank."""
    if type(value) is str and value.isprintable():
        return quote(value)
    return _tidied(value, may_be_empty=True, may_trail=True)


def in_text_or_empty(value: object) -> bytes:
    """The same where something stands before it on its line, and maybe nothing behind."""
    if type(value) is str and value.isprintable() and value[-1:] != " ":
        return quote(value)
    return _tidied(value, may_be_empty=True, may_trail=False)


def in_text_or_trailing(value: object) -> bytes:
    """The same where something stands behind it on its line, and maybe nothing before."""
    if type(value) is str and value.isprintable() and value and not value.isspace():
        return quote(value)
    return _tidied(value, may_be_empty=False, may_trail=True)


def in_subject(value: object) -> str:
    """What `{{ }}` prints where nothing is encoded yet."""
    return value if type(value) is str else str(_printed(value))


def raw(value: object) -> bytes:
    """What a block came to, which is written as it is."""
    if not isinstance(value, str):
        raise NotAhead
    return quote(str(value))


# Filters, for a value that is short text, as most are; everything else is Jinja's to judge.


def fallen_back(value: object, instead: str) -> object:
    """`fallback` with a text."""
    if value is None or (isinstance(value, str) and not short(value).strip()):
        return instead
    return value


def defaulted(value: object, instead: str) -> object:
    """`default` with a text."""
    return instead if value is None else value


def upper_of(value: object) -> str:
    return short(value).upper()


def lower_of(value: object) -> str:
    return short(value).lower()


def capitalize_of(value: object) -> str:
    return short(value).capitalize()


def trim_of(value: object) -> str:
    return short(value).strip()


def lines_in_html(value: object) -> Markup:
    """`line_breaks` in the page."""
    return _lines_in_html(short(value))


@lru_cache(maxsize=64)  # the signature of whoever writes
def _lines_in_html(text: str) -> Markup:
    return Markup("<br />").join(line.strip() for line in text.splitlines())


def lines_in_text(value: object) -> str:
    """`line_breaks` in the text."""
    return "\n".join([line.strip() for line in short(value).splitlines()])


def short(value: object) -> str:
    """The value, if it is such a text."""
    if type(value) is not str or len(value) > SHORT:
        raise NotAhead
    return value


def _printed(value: object) -> object:
    if value is None:
        raise EmptyValue
    if isinstance(value, jinja2.Undefined) or not isinstance(value, PRINTED):
        raise NotAhead
    return value


def _tidied(value: object, *, may_be_empty: bool, may_trail: bool) -> bytes:
    text = str(_printed(value))
    if "\n" in text:
        text = without_gaps(text)
    stripped = text.strip()
    if not stripped:
        is_fine = may_be_empty and (may_trail or not text) and "\n" not in text
    else:
        begins = text[0] != "\n" and (text[0] in " \t" or not text[0].isspace())
        ends = not text[-1].isspace() or (may_trail and text[-1] != "\n")
        is_fine = begins and ends
    if not is_fine:
        raise NotAhead
    return quote(text)
