"""From bytes to replies (RFC 5321, 4.2.1): counted by line, however many lines they have and wherever they were split. Pure.

Most replies are only looked at for their code, so they stay bytes until somebody wants the words.
"""

from collections import deque
from typing import NamedTuple

_MOST_LINES = 100
_LONGEST_LINE = 4096
_SHOWN = 500
#: A relay says the same few lines to MAIL, RCPT and DATA again and again: they are read once for a connection.
_MOST_KNOWN = 16


class NotSmtp(Exception):
    """What the relay said is no reply."""


class Reply(NamedTuple):
    """What the relay said: a code, and its lines as they came, without their ends."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """The words, without what could take over a terminal."""
        return "\n".join(map(_words, self.lines))

    def __str__(self) -> str:
        if len(self.lines) == 1:
            return f"{self.code} {_words(self.lines[0])}"
        return f"{self.code} {self.text}"


class Replies:
    """What came in so far and is no whole reply yet."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._known: dict[bytes, Reply] = {}

    @property
    def is_clean(self) -> bool:
        """Whether nothing of a reply is left over."""
        return not self._rest and not self._lines

    def feed(self, data: bytes, into: deque[Reply]) -> None:
        """Add the replies that are whole now; raises `NotSmtp` after adding those that came before the nonsense."""
        if self._rest:
            data = self._rest + data
        whole = data.split(b"\n")
        self._rest = whole.pop()
        for line in whole:
            reply = self._known.get(line)
            if reply is None or self._lines:
                reply = self._read(line)
                if reply is None:
                    continue
            into.append(reply)
        if len(self._rest) > _LONGEST_LINE:
            raise NotSmtp("the relay answered with an endless line")

    def _read(self, line: bytes) -> Reply | None:
        """The reply that ends with this line, if one does."""
        if len(line) > _LONGEST_LINE:
            raise NotSmtp("the relay answered with an endless line")
        if not line[:3].isdigit() or len(self._lines) >= _MOST_LINES:
            shown = line.decode("utf-8", "replace").rstrip("\r")
            raise NotSmtp(f"the relay answered {shown[:80]!r}, which is not SMTP")
        if line[3:4] == b"-":
            self._lines.append(line)
            return None
        if self._lines:
            reply = Reply(int(line[:3]), (*self._lines, line))
            self._lines.clear()
            return reply
        reply = Reply(int(line[:3]), (line,))
        if len(self._known) < _MOST_KNOWN:
            self._known[line] = reply
        return reply


def _words(line: bytes) -> str:
    text = line[4:].rstrip(b"\r").decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text[:_SHOWN]
