"""Header lines that every mail program reads the same way.

The standard library folds a long address of a web page into encoded words, which no one-click button survives, and
loses the quotes around a name when it folds it. So the lines are written here: ASCII stays as it is and is folded only
at spaces, everything else becomes encoded words of at most 75 characters (RFC 2047), and a display name is quoted when
it holds anything that has a meaning in an address (RFC 5322, 3.2.3).
"""

import base64
import re
from collections.abc import Callable

_WIDTH = 78  # RFC 5322, 2.1.1
_ROOM = 68 - len("=?utf-8?q??=")  # what one encoded word holds: 75 by RFC 2047, less the name on the first line
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \x80-\U0010ffff-]*")  # RFC 5322 and, for UTF-8, RFC 6532
_MEANS_ITSELF = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047, 5 (3)


def plain(text: str) -> str:
    """The text on one line, without control characters: what a contact typed cannot begin a header of its own."""
    return _CONTROLS.sub(" ", text).strip(" ")


def text_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header with free text, such as the subject."""
    words = plain(text).split(" ")
    may_stay = is_utf8 or (text.isascii() and "=?" not in text)
    return _folded(name, words if may_stay and _are_short(words) else _encoded_words(plain(text)))


def token_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header whose words must stay whole, such as List-Unsubscribe with its addresses."""
    may_stay = is_utf8 or text.isascii()
    return _folded(name, plain(text).split(" ") if may_stay else _encoded_words(plain(text)))


def mailbox_line(name: str, display_name: str, address: str, *, is_utf8: bool = False) -> str:
    """A header with one address, with or without a name."""
    address = plain(address).replace(" ", "")
    shown = " ".join(plain(display_name).split())
    if not shown:
        return _folded(name, [address])
    quoted = shown if _ATOMS.fullmatch(shown) else '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    words = quoted.split(" ")
    may_stay = is_utf8 or (shown.isascii() and "=?" not in shown)
    return _folded(name, [*(words if may_stay and _are_short(words) else _encoded_words(shown)), f"<{address}>"])


def _are_short(words: list[str]) -> bool:
    return all(len(word.encode("utf-8", "replace")) < _WIDTH - 10 for word in words)


def _folded(name: str, words: list[str]) -> str:
    """`Name: word word`, continued on further lines where it grows too long."""
    lines, used = [f"{name}:"], len(name) + 1
    for index, word in enumerate(words):
        # The first word stays on the first line: some programs take a header that begins empty for an empty one.
        if index and used + 1 + len(word) > _WIDTH and word:
            lines.append(f" {word}")
            used = len(word) + 1
        else:
            lines[-1] += f" {word}"
            used += len(word) + 1
    return "\r\n".join(lines)


def _encoded_words(text: str) -> list[str]:
    """The text as encoded words, each of whole characters; readers join them without the spaces between."""
    in_q = _chunked(text, lambda chunk: len(_q(chunk)))
    in_b = _chunked(text, lambda chunk: (len(chunk.encode("utf-8", "replace")) + 2) // 3 * 4)
    if sum(len(_q(chunk)) for chunk in in_q) <= sum(len(_b(chunk)) for chunk in in_b):
        return [f"=?utf-8?q?{_q(chunk)}?=" for chunk in in_q]
    return [f"=?utf-8?b?{_b(chunk)}?=" for chunk in in_b]


def _chunked(text: str, size: Callable[[str], int]) -> list[str]:
    chunks: list[str] = []
    chunk = ""
    for character in text:
        if chunk and size(chunk + character) > _ROOM:
            chunks.append(chunk)
            chunk = ""
        chunk += character
    return [*chunks, chunk]


def _q(text: str) -> str:
    encoded = "".join(chr(b) if b in _MEANS_ITSELF else f"={b:02X}" for b in text.encode("utf-8", "replace"))
    return encoded.replace("=20", "_")


def _b(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()
