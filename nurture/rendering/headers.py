"""Header lines that every mail program reads the same way.

The standard library folds a long address of a web page into encoded words, which no one-click button survives, and
loses the quotes around a name when it folds it. So the lines are written here: ASCII stays as it is and is folded only
at spaces, everything else becomes encoded words of at most 75 characters (RFC 2047), and a display name is quoted when
it holds anything that has a meaning in an address (RFC 5322, 3.2.3).
"""

import re
from binascii import b2a_base64

_WIDTH = 78  # RFC 5322, 2.1.1
_WIDTH_OF_WORDS = 76  # of a line with encoded words (RFC 2047, 2)
_OCTETS = 39  # in one encoded word: 64 characters, so that the first of them fits behind "Subject: "
_NEXT_WORD = b"?=\r\n =?utf-8?b?"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \x80-\U0010ffff-]*").fullmatch  # RFC 5322 and, for UTF-8, RFC 6532


def plain(text: str) -> str:
    """The text on one line, without control characters: what a contact typed cannot begin a header of its own."""
    if text.isprintable():
        return text.strip(" ")
    return _CONTROLS.sub(" ", text).strip(" ")


def text_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header with free text, such as the subject."""
    shown = plain(text)
    is_plain = (is_utf8 or shown.isascii()) and "=?" not in shown
    if is_plain and shown.isascii() and _fits(name, shown):
        return f"{name}: {shown}"
    if is_plain and _are_short(words := shown.split(" ")):
        return _folded(name, words)
    return f"{name}: {_encoded(shown)}"


def token_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header whose words must stay whole, such as List-Unsubscribe with its addresses."""
    shown = plain(text)
    if not is_utf8 and not shown.isascii():
        return f"{name}: {_encoded(shown)}"
    return f"{name}: {shown}" if " " not in shown or _fits(name, shown) else _folded(name, shown.split(" "))


def mailbox_line(name: str, display_name: str, address: str, *, is_utf8: bool = False) -> str:
    """A header with one address, which was looked at before, with or without a name."""
    shown = plain(display_name)
    if "  " in shown or not shown.isprintable():
        shown = " ".join(shown.split())
    if not shown:
        return f"{name}: {address}"
    if (is_utf8 or shown.isascii()) and "=?" not in shown:
        quoted = shown if _ATOMS(shown) else '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if shown.isascii() and _fits(name, line := f"{quoted} <{address}>"):
            return f"{name}: {line}"
        if _are_short(words := quoted.split(" ")):
            return _folded(name, [*words, f"<{address}>"])
    line = f"{name}: {_encoded(shown)}"
    used = len(line) - line.rfind("\n") - 1  # of its last line
    return f"{line} <{address}>" if used + len(address) + 3 <= _WIDTH_OF_WORDS else f"{line}\r\n <{address}>"


def _fits(name: str, text: str) -> bool:
    """Whether it is one line, as most are, and no word of it is too long."""
    return len(text) < _WIDTH - 10 and len(name) + len(text) <= _WIDTH - 2


def _are_short(words: list[str]) -> bool:
    return all(len(word.encode("utf-8", "replace")) < _WIDTH - 10 for word in words)


def _folded(name: str, words: list[str]) -> str:
    """`Name: word word`, continued on further lines where it grows too long."""
    # The first word stays on the first line: some programs take a header that begins empty for an empty one.
    lines, line = "", f"{name}: {words[0]}"
    for word in words[1:]:
        if word and len(line) + 1 + len(word) > _WIDTH:
            lines += f"{line}\r\n"
            line = f" {word}"
        else:
            line += f" {word}"
    return lines + line


def _encoded(text: str) -> str:
    """The text as encoded words, each of whole characters and with a line of its own; readers join what they say.

    Always in Base64, never in Q: for a name with two letters beyond ASCII Q is a little shorter, but it costs five times as
    much to write, and whoever reads either reads both.
    """
    octets = text.encode("utf-8", "replace")
    words, begun, size = [], 0, len(octets)
    while size - begun > _OCTETS:
        end = begun + _OCTETS
        while octets[end] & 0xC0 == 0x80:  # a byte that goes on with a character
            end -= 1
        words.append(b2a_base64(octets[begun:end], newline=False))
        begun = end
    words.append(b2a_base64(octets[begun:], newline=False))
    return f"=?utf-8?b?{_NEXT_WORD.join(words).decode()}?="
