"""A rendered mail as the bytes that go over the wire (RFC 5322, RFC 2045, RFC 2046).

Text first, HTML last, both UTF-8 in quoted-printable: seven bits and lines of at most 76 characters, whatever the relay
offers. No body line begins with a dot or with "From ", so nothing on the way has a reason to change one and break a
signature. The same mail, headers and boundary give the same bytes. What is written here reads as exactly what was given
by these standards, and by Python's library but for long names beyond ASCII, where that adds a blank. `wire` writes bodies ahead; this is how it writes headers, and whatever else it was given.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple

from nurture.errors import BadInput
from nurture.rendering.compiling import RenderedMail
from nurture.rendering.headers import mailbox_line, text_line, token_line

_NEVER = r"\s<>(),;:\"\[\]@\x00-\x1f\x7f-\x9f\ud800-\udfff"  # half a surrogate pair is no character
_ADDRESS = re.compile(rf"[^{_NEVER}]+@[^{_NEVER}]+").fullmatch
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>").fullmatch
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}").fullmatch
_OURS = frozenset({
    "from", "to", "cc", "bcc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "content-transfer-encoding",
})  # fmt: skip
_UNSAFE = re.compile(rb"[^ !-<>-~]")
_WIDTH = 76  # RFC 2045, 6.7 (5)


class Letterhead:
    """What many messages have in common: who they are from, when they were written, and headers beyond the usual ones.

    `mark` stands in front of the subject; `shared` stands last. Its lines are written once.
    """

    def __init__(
        self, from_name: str, from_email: str, date: datetime, shared: tuple[tuple[str, str], ...] = (), mark: str = ""
    ) -> None:
        self.from_name = from_name
        self.from_email = from_email
        self.date = date  # aware
        self.shared = shared
        self.mark = mark  # such as "[Test] "
        self.is_ascii = from_email.isascii()
        self._lines: dict[tuple[bool, str, tuple[str, ...]], tuple[str, str, str]] = {}

    def lines(self, boundary: str, others: tuple[str, ...], *, is_utf8: bool) -> tuple[str, str, str]:
        """From; Date; the rest with what is said of a message's parts. `others` are names of further headers it has."""
        of = (is_utf8, boundary, others)
        lines = self._lines.get(of)
        if lines is None:
            lines = self._lines[of] = self._write(boundary, others, is_utf8=is_utf8)
        return lines

    def _write(self, boundary: str, others: tuple[str, ...], *, is_utf8: bool) -> tuple[str, str, str]:
        if not _ADDRESS(self.from_email):
            raise _no_address(self.from_email)
        if self.date.tzinfo is None:
            raise BadInput(f"the date {self.date} has no time zone; give one that is aware.")
        names = [name.lower() for name in (*others, *(name for name, _ in self.shared))]
        for name in names:
            if not _NAME(name) or name in _OURS or names.count(name) > 1:
                raise BadInput(f"the header {name!r} is already there or has no proper name; leave it out.")
        lines = [token_line(name, value, is_utf8=is_utf8) for name, value in self.shared]
        about = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
        return (
            f"{mailbox_line('From', self.from_name, self.from_email, is_utf8=is_utf8)}\r\n",
            f"Date: {format_datetime(self.date)}\r\n",
            "\r\n".join([*lines, about]),
        )


class Headers(NamedTuple):
    """Whom a message is to, and which it is; `extra` are further headers of this very message, in their order."""

    letterhead: Letterhead
    to_name: str
    to_email: str
    message_id: str  # with its angle brackets
    reply_to: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


class Wire(NamedTuple):
    """A message as it goes over the wire: the header without the empty line, and the body behind that line.

    Every line ends with CRLF and has at most 76 characters in the body, where none begins with a dot or "From ". Most
    pieces of a body are the same for all its readers, so it stays in pieces until it is written: copies of 32 kB for each
    of twenty messages that wait to leave would push everything else out of the processor's cache (3 % of a message).
    """

    head: bytes
    pieces: Sequence[bytes]
    size: int  # of the body

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def content(self) -> bytes:
        """The whole message."""
        return b"".join((self.head, b"\r\n", *self.pieces))


def write_plainly(mail: RenderedMail, headers: Headers, boundary: str) -> Wire:
    """A rendered mail as its message; raises BadInput for headers that no message may have."""
    body = write_body(mail, boundary)
    return Wire(write_head(mail.subject, headers, boundary), (body,), len(body))


def boundary_of(text: str) -> str:
    """A boundary for whatever the text tells apart; "=_" never occurs in what it parts."""
    return "=_" + hashlib.sha256(text.encode()).hexdigest()[:32]


def write_head(subject: str, headers: Headers, boundary: str) -> bytes:
    """The header, without the empty line behind it; raises BadInput for one that no message may have."""
    letterhead, to_name, to_email, message_id, reply_to, extra = headers
    if not _ADDRESS(to_email):
        raise _no_address(to_email)
    if not _MESSAGE_ID(message_id):
        raise BadInput(f"{message_id!r} is no Message-ID; write one such as <1@sender.example>.")
    # An address beyond ASCII travels with SMTPUTF8 (RFC 6531), and then headers may be UTF-8; otherwise never.
    is_utf8 = not (letterhead.is_ascii and to_email.isascii() and (reply_to is None or reply_to.isascii()))
    own = ""
    if reply_to:
        if not _ADDRESS(reply_to):
            raise _no_address(reply_to)
        own = f"Reply-To: {reply_to}\r\n"
    for name, value in extra:
        own += f"{token_line(name, value, is_utf8=is_utf8)}\r\n"
    names = tuple([name for name, _ in extra])
    begun, dated, closing = letterhead.lines(boundary, names, is_utf8=is_utf8)
    head = (
        f"{begun}"
        f"{mailbox_line('To', to_name, to_email, is_utf8=is_utf8)}\r\n"
        f"{text_line('Subject', letterhead.mark + subject, is_utf8=is_utf8)}\r\n"
        f"{dated}"
        f"Message-ID: {message_id}\r\n"
        f"{own}{closing}"
    )
    # Half a surrogate pair that somebody typed is printed as everywhere else in a message, in whichever encoding.
    return head.encode("utf-8", "replace") if is_utf8 else head.encode()


def write_body(mail: RenderedMail, boundary: str) -> bytes:
    """Both parts, ending with a line end."""
    return "".join([
        opening("plain", boundary),
        quoted_printable(mail.text),
        "\r\n",
        opening("html", boundary),
        quoted_printable(mail.html),
        f"\r\n--{boundary}--\r\n",
    ]).encode()  # fmt: skip


def opening(kind: str, boundary: str) -> str:
    """What stands in front of a part."""
    return (
        f'--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )


def _no_address(address: str) -> BadInput:
    return BadInput(f"{address!r} is no address a message can carry; write one such as ana@reader.example.")


def quoted_printable(text: str) -> str:
    """The text as RFC 2045 (6.7) has it, without a line end behind it."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").split(b"\n")
    return "\r\n".join(piece for line in lines for piece in _pieces(line))


def _pieces(line: bytes) -> Iterator[str]:
    """One line of text as lines of at most 76 characters."""
    encoded = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], line).decode("ascii")
    if encoded.endswith(" "):
        encoded = encoded[:-1] + "=20"
    position = 0
    while True:
        start = _guarded(encoded, position)
        if start:
            position += 1
        room = _WIDTH - len(start)
        if len(encoded) - position <= room:
            yield start + encoded[position:]
            return
        end = position + room - 1
        cut = encoded.rfind("=", end - 2, end)  # never inside of "=C3"
        end = cut if cut >= 0 else end
        yield f"{start}{encoded[position:end]}="
        position = end


def _guarded(encoded: str, position: int) -> str:
    """What stands in for the first character of a line that SMTP or an mbox file would change."""
    if encoded.startswith(".", position):
        return "=2E"
    return "=46" if encoded.startswith("From ", position) else ""
