"""A DKIM signature (RFC 6376, RFC 8463): the finished bytes of a message in, one header line out. Pure.

Signed last, after everything else was written. The head is signed as `relaxed` has it, so that a relay may fold a header;
the body as `simple` has it, as it is: seven bits in short lines without a blank at their ends leave nobody a reason to
touch them, and looking for blanks costs more than signing. A mail with two keys carries two signatures and is hashed
once. The signature names no time, so that the same message signs to the same bytes on every try.

Every header that a reader or a mailbox provider acts upon is in `h=`, those that may be there only once one time more
than they occur (oversigned), so that nobody can add a second From or another way out to a mail of ours.

Called by `delivery.composing` for each mail; what arrived is looked at by `doctor.signatures`.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nurture.rendering.dkim_keys import SigningKey

#: Signed once more than they occur, also when they do not: a second one of these would be what the reader sees.
OVERSIGNED_ALWAYS = (
    b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
)  # fmt: skip
#: Oversigned where they occur; a mail without them may get its relay's own.
OVERSIGNED_IF_THERE = frozenset({
    b"sender", b"content-transfer-encoding", b"in-reply-to", b"references", b"list-unsubscribe",
    b"list-unsubscribe-post", b"list-id", b"list-help", b"feedback-id", b"cfbl-address", b"cfbl-feedback-id",
    b"auto-submitted", b"precedence",
})  # fmt: skip
_KNOWN = frozenset(OVERSIGNED_ALWAYS) | OVERSIGNED_IF_THERE

_BLANKS = re.compile(rb"[ \t]+")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_WIDTH = 76
_MOST_SHAPES = 256


@dataclass(frozen=True)
class Signer:
    """Signs in the name of a domain with one of its keys.

    `except_for` are headers, in small letters, that the relay writes anew on the way and no signature may cover.
    """

    domain: str
    selector: str
    key: SigningKey
    except_for: frozenset[bytes] = frozenset()
    _shapes: dict[tuple[bytes, ...], tuple[str, tuple[bytes, ...]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def sign(self, head: bytes, body: bytes) -> bytes:
        """The header line that goes in front of `head`, with its CRLF."""
        return sign([self], head, body)

    def line(self, fields: Mapping[bytes, Sequence[bytes]], body_hash: str) -> bytes:
        """The same for a head that is read and a body that is hashed."""
        shape = tuple(name for name in fields if name in _KNOWN for _ in fields[name])
        begin, wanted = self._shapes.get(shape) or self._shaped(shape)
        unsigned = f"{begin}\r\n bh={body_hash};\r\n b="
        seen: dict[bytes, int] = {}
        lines: list[bytes] = []
        for name in wanted:
            # Of several with one name the last one is signed first (5.4.2).
            place = seen.get(name, 0) + 1
            seen[name] = place
            lines.append(fields[name][-place])
        own = "dkim-signature:" + unsigned[len("DKIM-Signature: ") :].replace("\r\n ", " ")
        signature = base64.b64encode(self.key.sign(b"\r\n".join([*lines, own.encode()]))).decode()
        first = _WIDTH - len(" b=")
        rest = [signature[at : at + _WIDTH - 1] for at in range(first, len(signature), _WIDTH - 1)]
        return ("\r\n ".join([unsigned + signature[:first], *rest]) + "\r\n").encode()

    def _shaped(self, shape: tuple[bytes, ...]) -> tuple[str, tuple[bytes, ...]]:
        """What is the same for all messages with these headers: the line as far as `h=`, and what is hashed."""
        present = [name for name in shape if name not in self.except_for]
        once = [name for name in dict.fromkeys((*OVERSIGNED_ALWAYS, *present)) if name not in self.except_for]
        named = [name.decode() for name in (*present, *once)]
        tags = [f"v=1; a={self.key.algorithm}; c=relaxed/simple; d={self.domain};", f"s={self.selector};"]
        lines, line = [f"DKIM-Signature: {tags[0]}"], f" {tags[1]} h="
        for number, name in enumerate(named):
            piece = name + (":" if number < len(named) - 1 else ";")
            if len(line) + len(piece) > _WIDTH:
                lines.append(line)
                line = " "
            line += piece
        shaped = ("\r\n".join([*lines, line]), tuple(present))
        if len(self._shapes) < _MOST_SHAPES:
            self._shapes[shape] = shaped
        return shaped


def sign(signers: Iterable[Signer], head: bytes, body: bytes) -> bytes:
    """One header line for each signer, in their order; the body is hashed once. Nothing without a signer."""
    signers = tuple(signers)
    if not signers:
        return b""
    fields = canonical_fields(head)
    body_hash = base64.b64encode(hashlib.sha256(whole_body(body)).digest()).decode()
    return b"".join([one.line(fields, body_hash) for one in signers])


def canonical_fields(head: bytes) -> dict[bytes, list[bytes]]:
    """The headers as `relaxed` has them (3.4.2), by their names in small letters; `head` ends with a line end or without."""
    unfolded = _FOLD.sub(b"", head) if b"\r\n " in head or b"\r\n\t" in head else head
    if b"  " in unfolded or b"\t" in unfolded:
        unfolded = _BLANKS.sub(b" ", unfolded)
    found: dict[bytes, list[bytes]] = {}
    for line in unfolded.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.rstrip(b" ").lower()
            found.setdefault(name, []).append(name + b":" + value.strip(b" "))
    return found


def whole_body(body: bytes) -> bytes:
    """The body as `simple` has it (3.4.3): it ends with one line end, however many it had."""
    while body.endswith(b"\r\n\r\n"):
        body = body[:-2]
    return body if body.endswith(b"\r\n") else body + b"\r\n"
