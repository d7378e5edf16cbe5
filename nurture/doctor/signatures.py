"""Whether a DKIM signature holds on a mail as it arrived (RFC 6376, 6; RFC 8463): read by its own rules, not by our signer.

What another signer canonicalized otherwise is understood too, for the relay may have added its own.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import public_key_of, read_tags

_BLANKS = re.compile(rb"[ \t]+")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_VALUE_OF_B = re.compile(rb"(^|;)(\s*b\s*=)[^;]*")


@dataclass(frozen=True)
class Checked:
    """One signature: in whose name, over which headers, and why it does not hold (the empty text: it does)."""

    domain: str
    selector: str
    algorithm: str
    headers: tuple[str, ...]
    fault: str = ""

    @property
    def holds(self) -> bool:
        return not self.fault


def split_message(content: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """The headers of a message as they are written, by their names in small letters, and its body; line ends are CRLF."""
    whole = re.sub(rb"\r?\n", b"\r\n", content)
    head, _, body = whole.partition(b"\r\n\r\n")
    fields: list[tuple[str, bytes]] = []
    for line in re.split(rb"\r\n(?![ \t])", head):
        name, colon, _ = line.partition(b":")
        if colon:
            fields.append((name.strip().lower().decode("latin-1"), line))
    return fields, body


def check_signatures(resolver: Resolver, content: bytes) -> list[Checked]:
    """Every signature of a message, from the top."""
    fields, body = split_message(content)
    return [_check(resolver, fields, body, line) for name, line in fields if name == "dkim-signature"]


def _check(resolver: Resolver, fields: Sequence[tuple[str, bytes]], body: bytes, line: bytes) -> Checked:
    tags = read_tags(line.partition(b":")[2].decode("latin-1"))
    names = tuple(one.strip().lower() for one in tags.get("h", "").split(":"))
    about = Checked(tags.get("d", "").lower(), tags.get("s", ""), tags.get("a", "").lower(), names)
    return Checked(
        about.domain, about.selector, about.algorithm, names, _fault(resolver, fields, body, line, tags, about)
    )


def _fault(
    resolver: Resolver,
    fields: Sequence[tuple[str, bytes]],
    body: bytes,
    line: bytes,
    tags: dict[str, str],
    about: Checked,
) -> str:
    head_way, _, body_way = tags.get("c", "simple/simple").lower().partition("/")
    if about.algorithm not in {"rsa-sha256", "ed25519-sha256"}:
        return f"{about.algorithm or 'no algorithm'} is not to be trusted (RFC 8301)"
    if "from" not in about.headers:
        return "it does not cover From"
    if "l" in tags:
        return "it covers a part of the body only (l=)"
    hashed = base64.b64encode(hashlib.sha256(_canonical_body(body, body_way or "simple")).digest()).decode()
    if hashed != re.sub(r"\s", "", tags.get("bh", "")):
        return "the body was changed on the way"
    found = resolver.texts(f"{about.selector}._domainkey.{about.domain}")
    if found.failed:
        return f"its key could not be looked up ({found.failed})"
    public = next((key for one in found.values if (key := public_key_of(one))), None)
    if public is None:
        return f"the name servers show no key {about.selector}._domainkey.{about.domain}"
    signed = _signed_text(fields, line, about.headers, head_way)
    return "" if _holds(about.algorithm, public, signed, tags.get("b", "")) else "a header was changed on the way"


def _signed_text(fields: Sequence[tuple[str, bytes]], line: bytes, names: Sequence[str], way: str) -> bytes:
    rest = {name: [one for known, one in fields if known == name] for name in names}
    lines = [_canonical(rest[name].pop(), way) for name in names if rest[name]]
    name, colon, value = line.partition(b":")
    own = name + colon + _VALUE_OF_B.sub(rb"\1\2", value)
    return b"".join(one + b"\r\n" for one in lines) + _canonical(own, way)


def _canonical(line: bytes, way: str) -> bytes:
    """A header (3.4.1, 3.4.2)."""
    if way == "simple":
        return line
    name, _, value = line.partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", _FOLD.sub(b"", value)).strip(b" ")


def _canonical_body(body: bytes, way: str) -> bytes:
    """The body (3.4.3, 3.4.4)."""
    lines = body.split(b"\r\n")
    if way == "relaxed":
        lines = [_BLANKS.sub(b" ", one).rstrip(b" ") for one in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return b"" if way == "relaxed" else b"\r\n"
    return b"\r\n".join(lines) + b"\r\n"


def _holds(algorithm: str, public: str, signed: bytes, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        given = base64.b64decode(re.sub(r"\s", "", signature), validate=True)
        raw = base64.b64decode(public, validate=True)
        if algorithm == "ed25519-sha256":
            Ed25519PublicKey.from_public_bytes(raw).verify(given, hashlib.sha256(signed).digest())
            return True
        key = load_der_public_key(raw)
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(given, signed, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True
