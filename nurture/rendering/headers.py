"""Header lines that every mail program reads the same way.

The standard library folds a long address of a web page into encoded words, which no one-click button survives, and
loses the quotes around a name when it folds it. So the lines are written here: ASCII stays as it is and is folded only
at spaces, everything else becomes encoded words of at most 75 characters (RFC 2047), and a display name is quoted when
it holds anything that has a meaning in an address (RFC 5322, 3.2.3).
"""

import re
from binascii import b2a_base64, b2a_qp

_WIDTH = 78  # RFC 5322, 2.1.1
_ROOM = 68 - len("=?utf-8?q??=")  # what one encoded word holds: 75 by RFC 2047, less the name on the first line
_BYTES_IN_B = _ROOM // 4 * 3
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \x80-\U0010ffff-]*")  # RFC 5322 and, for UTF-8, RFC 6532
_MEANS_ITSELF = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"  # RFC 2047, 5 (3)
_ONE_IN_Q = _MEANS_ITSELF + b" "
_OTHERS = bytes(byte for byte in range(0x80) if byte not in _ONE_IN_Q)
_IN_Q = [chr(b) if b in _MEANS_ITSELF else "_" if b == 0x20 else f"={b:02X}" for b in range(256)]


def plain(text: str) -> str:
    """The text on one line, without control characters: what a contact typed cannot begin a header of its own."""
    if text.isprintable():
        return text.strip(" ")
    return _CONTROLS.sub(" ", text).strip(" ")


def text_line(name: str, text: str, *, is_utf8: bool = False) -> str:
    """A header with free text, such as the subject."""
    shown = plain(text)
    is_plain = text.isascii() and "=?" not in text
    if is_plain and _fits(name, shown):
        return f"{name}: {shown}"
    if (is_plain or is_utf8) and _are_short(words := shown.split(" ")):
        return _folded(name, words)
    return _folded(name, _encoded_words(shown))


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
    if "  " in shown or not shown.isprintable():
        shown = " ".join(shown.split())
    if not shown:
        return _folded(name, [address])
    is_plain = shown.isascii() and "=?" not in shown
    if not is_plain and not is_utf8:
        return _folded(name, [*_encoded_words(shown), f"<{address}>"])
    quoted = shown if _ATOMS.fullmatch(shown) else '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if is_plain and _fits(name, line := f"{quoted} <{address}>"):
        return f"{name}: {line}"
    words = quoted.split(" ")
    return _folded(name, [*(words if _are_short(words) else _encoded_words(shown)), f"<{address}>"])


def _fits(name: str, text: str) -> bool:
    """Whether it is one line, as most are, and no word of it is too long."""
    return len(text) < _WIDTH - 10 and len(name) + len(text) <= _WIDTH - 2


def _are_short(words: list[str]) -> bool:
    return all(len(word.encode("utf-8", "replace")) < _WIDTH - 10 for word in words)


def _folded(name: str, words: list[str]) -> str:
    """`Name: word word`, continued on further lines where it grows too long."""
    line = f"{name}: {' '.join(words)}"
    if len(line) <= _WIDTH:
        return line
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
    encoded = text.encode("utf-8", "replace")
    size_in_q = len(encoded) + 2 * len(encoded.translate(None, _ONE_IN_Q))
    if len(encoded) <= _BYTES_IN_B:
        is_q = size_in_q <= (len(encoded) + 2) // 3 * 4
        return [f"=?utf-8?q?{_q(encoded)}?=" if is_q else f"=?utf-8?b?{_b(encoded)}?="]
    in_b = _cut(encoded)
    if size_in_q <= sum([(len(chunk) + 2) // 3 * 4 for chunk in in_b]):
        return [f"=?utf-8?q?{chunk}?=" for chunk in _cut_q(_q(encoded))]
    return [f"=?utf-8?b?{_b(chunk)}?=" for chunk in in_b]


def _cut(encoded: bytes) -> list[bytes]:
    """UTF-8 in pieces that make one word each, cut where a character begins."""
    chunks, begun = [], 0
    while len(encoded) - begun > _BYTES_IN_B:
        end = begun + _BYTES_IN_B
        while encoded[end] & 0xC0 == 0x80:  # a byte that goes on with a character
            end -= 1
        chunks.append(encoded[begun:end])
        begun = end
    return [*chunks, encoded[begun:]]


def _cut_q(written: str) -> list[str]:
    """The same for what is written in Q, where each byte of a character beyond ASCII is `=XX`."""
    chunks, begun = [], 0
    while len(written) - begun > _ROOM:
        end = begun + _ROOM
        end -= 1 if written[end - 1] == "=" else 2 if written[end - 2] == "=" else 0
        while written[end] == "=" and written[end + 1] in "89AB":
            end -= 3
        chunks.append(written[begun:end])
        begun = end
    return [*chunks, written[begun:]]


def _q(encoded: bytes) -> str:
    if len(encoded.translate(None, _OTHERS)) == len(encoded):
        # Of these, binascii encodes what has to be; it breaks lines as well, which is not how headers are folded.
        return b2a_qp(encoded, header=True).replace(b"=\n", b"").decode()
    return "".join([_IN_Q[byte] for byte in encoded])


def _b(encoded: bytes) -> str:
    return b2a_base64(encoded, newline=False).decode()
