"""Whether a DKIM signature holds on a mail as it arrived (RFC 6376, 6; RFC 8463): read by its own rules, not by our signer.

What another signer canonicalized otherwise is understood too, for the relay may have added its own.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nurture.doctor.findings import ASK_AGAIN
from nurture.doctor.keys import keys_among, kind_of, limit_of
from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import public_key_of, read_tags

_BLANKS = re.compile(rb"[ \t]+")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_VALUE_OF_B = re.compile(rb"(^|;)(\s*b\s*=)[^;]*")
_OF_RELAY = "let the relay change nothing (footers, click tracking, line ends), then see `nurture doctor` on DKIM"
_OF_KEY = "see what `nurture doctor` says about DKIM"


@dataclass(frozen=True)
class Checked:
    """One signature: in whose name, over which headers, why it does not hold (the empty text: it does), and what to do."""

    domain: str
    selector: str
    algorithm: str
    headers: tuple[str, ...]
    fault: str = ""
    do: str = ""

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
    head_way, _, body_way = tags.get("c", "simple/simple").lower().partition("/")
    fault = _fault_of_cover(about, tags) or _fault_of_body(tags, _canonical_body(body, body_way or "simple"))
    if fault:
        return replace(about, fault=fault, do=_OF_RELAY)
    name = f"{about.selector}._domainkey.{about.domain}"
    found = resolver.texts(name)
    if found.failed:
        return replace(about, fault=f"its key could not be looked up ({found.failed})", do=ASK_AGAIN)
    keys = keys_among(found.values)
    fault = _fault_of_keys(keys, name, about.algorithm)
    if fault:
        return replace(about, fault=fault, do=_OF_KEY)
    signed = _signed_text(fields, line, names, head_way)
    fault, do = _fault_of_signature(about.algorithm, public_key_of(keys[0]) or "", name, signed, tags.get("b", ""))
    return replace(about, fault=fault, do=do)


def _fault_of_cover(about: Checked, tags: Mapping[str, str]) -> str:
    if about.algorithm not in {"rsa-sha256", "ed25519-sha256"}:
        return f"{about.algorithm or 'no algorithm'} is not to be trusted (RFC 8301)"
    if "from" not in about.headers:
        return "it does not cover From"
    return "it covers a part of the body only (l=)" if "l" in tags else ""


def _fault_of_body(tags: Mapping[str, str], body: bytes) -> str:
    hashed = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return "the body was changed on the way" if hashed != re.sub(r"\s", "", tags.get("bh", "")) else ""


def _fault_of_keys(keys: Sequence[str], name: str, algorithm: str) -> str:
    """Why what the name servers show is no key for such a signature (3.6.1, 3.6.2.2, 6.1.2)."""
    if not keys:
        return f"the name servers show no key {name}"
    if len(keys) > 1:
        return f"{name} shows {len(keys)} keys, and receivers take any of them, or none"
    if not public_key_of(keys[0]):
        return f"the key {name} is revoked (its p= is empty)"
    kind = kind_of(keys[0])
    if kind != algorithm.partition("-")[0]:
        return f"{name} shows a key of another kind ({kind}) than signed it ({algorithm})"
    limit = limit_of(keys[0])
    return f"the key {name} is not for it: {limit}" if limit else ""


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


def _fault_of_signature(algorithm: str, public: str, name: str, signed: bytes, written: str) -> tuple[str, str]:
    """Why a signature does not hold over what arrived, and what to do; two empty texts if it does."""
    try:
        given = base64.b64decode(re.sub(r"\s", "", written), validate=True)
    except binascii.Error:
        return "the signature itself was changed on the way", _OF_RELAY
    try:
        raw = base64.b64decode(public, validate=True)
        return (_fault_by_rsa if algorithm == "rsa-sha256" else _fault_by_ed25519)(raw, name, signed, given)
    except ValueError:
        return f"the key that {name} shows cannot be read", _OF_KEY


def _fault_by_ed25519(raw: bytes, name: str, signed: bytes, given: bytes) -> tuple[str, str]:
    """RFC 8463. A signature that does not hold says no more than that."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(given, hashlib.sha256(signed).digest())
    except InvalidSignature:
        return f"a header was changed on the way, or {name} shows another key than signed it", _OF_RELAY
    return "", ""


def _fault_by_rsa(raw: bytes, name: str, signed: bytes, given: bytes) -> tuple[str, str]:
    """RFC 8017, 8.2. The right key gets back the very hash that was signed, also where it is that of other headers."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(raw)
    except UnsupportedAlgorithm:
        key = None
    if not isinstance(key, RSAPublicKey):
        return f"the key that {name} shows is no RSA key", _OF_KEY
    try:
        was = key.recover_data_from_signature(given, PKCS1v15(), SHA256())
    except InvalidSignature:
        return f"{name} shows another key than signed it, or the signature itself was changed", _OF_KEY
    is_same = was == hashlib.sha256(signed).digest()
    return ("", "") if is_same else ("a header was changed on the way", _OF_RELAY)
