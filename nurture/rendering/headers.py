"""Header lines that every mail program reads the same way.

The standard library folds a long address of a web page into encoded words, which no one-click button survives, and
loses the quotes around a name when it folds it. So the lines are written here: ASCII stays as it is and is folded only
at spaces, everything else becomes encoded words of at most 75 characters (RFC 2047), and a display name is quoted when
it holds anything that has a meaning in an address (RFC 5322, 3.2.3).
"""

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Callable
from functools import lru_cache

_WIDTH = 78  # RFC 5322, 2.1.1
_ROOM = 68 - len("=?utf-8?q??=")  # what one encoded word holds: 75 by RFC 2047, less the name on the first line
_BYTES_IN_B = _ROOM // 4 * 3
_TOO_LONG = "x" * _WIDTH
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \x80-\U0010ffff-]*")  # RFC 5322 and, for UTF-8, RFC 6532
_WORDS = re.compile(r"[A-Za-z0-9!*+/ \x80-\U0010ffff-]*")  # of what is below 0x80: what needs no encoding
_MEANS_ITSELF = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047, 5 (3)
_IN_Q = [chr(b) if b in _MEANS_ITSELF else "_" if b == 0x20 else f"={b:02X}" for b in range(256)]


def plain(text: str) -> str:
    """The text on one line, without control characters: what a contact typed cannot begin a header of its own."""
    if text.isprintable():
        return text.strip(" ")
    return _CONTROLS.sub(" ", text).strip(" ")


def text_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header with free text, such as the subject."""
    shown = plain(text)
    if text.isascii() and "=?" not in text and _fits(name, shown):
        return f"{name}: {shown}"
    if not is_utf8 and _fits(name, word := _one_word(shown)):
        return f"{name}: {word}"
    words = shown.split(" ")
    may_stay = is_utf8 or (text.isascii() and "=?" not in text)
    return _folded(name, words if may_stay and _are_short(words) else _encoded_words(shown))


def token_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header whose words must stay whole, such as List-Unsubscribe with its addresses."""
    shown = plain(text)
    may_stay = is_utf8 or text.isascii()
    if may_stay and (" " not in shown or _fits(name, shown)):
        return f"{name}: {shown}"
    return _folded(name, shown.split(" ") if may_stay else _encoded_words(shown))


def mailbox_line(name: str, display_name: str, address: str, *, is_utf8: bool = False) -> str:
    """A header with one address, with or without a name."""
    address = plain(address).replace(" ", "")
    shown = plain(display_name)
    if " " in shown or not shown.isprintable():
        shown = " ".join(shown.split())
    if not shown:
        return _folded(name, [address])
    is_plain = shown.isascii() and "=?" not in shown
    if not is_plain and not is_utf8 and _fits(name, line := f"{_one_word(shown)} <{address}>"):
        return f"{name}: {line}"
    quoted = shown if _ATOMS.fullmatch(shown) else '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if is_plain and _fits(name, line := f"{quoted} <{address}>"):
        return f"{name}: {line}"
    words = quoted.split(" ")
    may_stay = is_utf8 or is_plain
    return _folded(name, [*(words if may_stay and _are_short(words) else _encoded_words(shown)), f"<{address}>"])


def _fits(name: str, text: str) -> bool:
    """Whether it is one line, as most are, and no word of it is too long."""
    return len(text) < _WIDTH - 10 and len(name) + len(text) <= _WIDTH - 2


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
    if (word := _one_word(text)) is not _TOO_LONG:
        return [word]
    in_b = [chunk.encode("utf-8", "replace") for chunk in _chunked(text, _size_of, _BYTES_IN_B)]
    if len(_q(text, text.encode("utf-8", "replace"))) <= sum(_size_in_b(len(chunk)) for chunk in in_b):
        in_q = [(chunk, chunk.encode("utf-8", "replace")) for chunk in _chunked(text, _size_in_q, _ROOM)]
        return [f"=?utf-8?q?{_q(*chunk)}?=" for chunk in in_q]
    return [f"=?utf-8?b?{_b(chunk)}?=" for chunk in in_b]


def _one_word(text: str) -> str:
    """The text as an encoded word, where it is short enough to be one; else what fits nowhere."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > _BYTES_IN_B:
        return _TOO_LONG
    in_q = _q(text, encoded)
    return f"=?utf-8?q?{in_q}?=" if len(in_q) <= _size_in_b(len(encoded)) else f"=?utf-8?b?{_b(encoded)}?="


def _chunked(text: str, size: Callable[[str], int], room: int) -> list[str]:
    chunks: list[str] = []
    begun = used = 0
    for index, character in enumerate(text):
        taken = size(character)
        if index > begun and used + taken > room:
            chunks.append(text[begun:index])
            begun, used = index, 0
        used += taken
    return [*chunks, text[begun:]]


@lru_cache(maxsize=1024)
def _size_of(character: str) -> int:
    return len(character.encode("utf-8", "replace"))


def _size_in_b(size: int) -> int:
    return (size + 2) // 3 * 4


@lru_cache(maxsize=1024)
def _size_in_q(character: str) -> int:
    return len(_q(character, character.encode("utf-8", "replace")))


def _q(text: str, encoded: bytes) -> str:
    if _WORDS.fullmatch(text):
        written = b2a_qp(encoded, header=True)
        if b"\n" not in written:
            return written.decode()
    return "".join([_IN_Q[byte] for byte in encoded])


def _b(encoded: bytes) -> str:
    return b2a_base64(encoded, newline=False).decode()
