"""Signed tokens for the links in mails, and the keyed hash of an address.

A token names its purpose: one made for tracking never opens the way out, and the other way round. The first key signs,
all keys verify, so that a key can be replaced without breaking mails already sent. The hash of an address has a key of
its own that is never rotated: it is how an opt-out is recognized after the contact is gone.
"""

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum
from typing import TypeAlias

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_MAC_BYTES = 10  # 80 bits: out of reach for guessing over HTTP, and short enough for a link in a text part


class TokenPurpose(StrEnum):
    """What a token may be used for (at most 16 characters: BLAKE2 takes it as its personalization)."""

    TRACK = "track"
    VIEW = "view"
    LEAVE = "leave"
    PREFERENCES = "preferences"
    WISH = "wish"
    REPLY = "reply"
    VERDICT = "verdict"
    MESSAGE = "message"
    MEET = "meet"
    ANSWER = "answer"
    FORM = "form"
    FORM_STAMP = "form stamp"
    CONFIRM = "confirm"
    REQUEST = "request"
    WEBHOOK = "webhook"
    TOUCH = "touch"
    RETURN = "return path"
    COMPLAINT = "complaint"
    LETTERBOX = "letterbox"


#: The tokens that every mail with links carries, in ASCII: to track, to view, for preferences; the ways out of its header
#: and of its body.
MailTokens: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes]


class TokenKeys:
    """Signs with the first key and verifies with all of them."""

    def __init__(self, secrets: list[str]) -> None:
        if not secrets:
            raise ValueError("at least one secret is needed")
        self._keys = [hashlib.blake2b(secret.encode(), digest_size=32).digest() for secret in secrets]
        # Begun once: a mail carries five tokens, and setting a keyed hash up costs as much as the hash.
        self._signing = begun = {purpose: _begun(self._keys[0], purpose) for purpose in TokenPurpose}
        way_out = begun[TokenPurpose.LEAVE]
        others = [begun[one] for one in (TokenPurpose.TRACK, TokenPurpose.VIEW, TokenPurpose.PREFERENCES)]
        self._in_mails = (*others, way_out, way_out)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Name the keys without revealing them, the signing one first."""
        return tuple(hashlib.blake2b(key, digest_size=8, person=b"fingerprint").hexdigest() for key in self._keys)

    def sign(self, purpose: TokenPurpose, payload: bytes) -> str:
        """URL-safe token for `payload`."""
        mac = self._signing[purpose].copy()
        mac.update(payload)
        return _spell(payload + mac.digest()).decode()

    def sign_mail(self, delivery: bytes, in_header: bytes, in_body: bytes) -> MailTokens:
        """What `sign` makes of the delivery (8 octets) and of its two ways out (25), spelled in one go at half the time."""
        track, view, preferences, header, body = [begun.copy() for begun in self._in_mails]
        track.update(delivery)
        view.update(delivery)
        preferences.update(delivery)
        header.update(in_header)
        body.update(in_body)
        # Eight octets and their ten are six groups of three; twenty-five and ten are twelve, but for one octet.
        written = _spell(
            b"".join((
                delivery, track.digest(), delivery, view.digest(), delivery, preferences.digest(),
                in_header, header.digest(), b"\0", in_body, body.digest(),
            ))
        )  # fmt: skip
        return written[:24], written[24:48], written[48:72], written[72:119], written[120:]

    def read(self, purpose: TokenPurpose, token: str) -> bytes | None:
        """The payload, or None for anything that was not signed here for this purpose."""
        return self._verified(purpose, _unspell(token))

    def derive(self, purpose: TokenPurpose) -> list[bytes]:
        """A key of its own for that purpose from each of ours, the signing one first: for what others verify."""
        return [hashlib.blake2b(key=key, digest_size=32, person=purpose.encode()).digest() for key in self._keys]

    def sign_in_address(self, purpose: TokenPurpose, payload: bytes) -> str:
        """The same for the local part of an address, where some servers fold case: lower-case base32."""
        mac = self._signing[purpose].copy()
        mac.update(payload)
        return _spell_folded(payload + mac.digest())

    def read_in_address(self, purpose: TokenPurpose, token: str) -> bytes | None:
        """The payload of a token made by `sign_in_address`."""
        return self._verified(purpose, _unspell_folded(token.lower()))

    def sign_in_name(self, purpose: TokenPurpose, payload: bytes) -> str:
        """The same in hexadecimal, where nobody counts characters: a third of the time that base32 takes."""
        mac = self._signing[purpose].copy()
        mac.update(payload)
        return (payload + mac.digest()).hex()

    def read_in_name(self, purpose: TokenPurpose, token: str) -> bytes | None:
        """The payload of a token made by `sign_in_name`."""
        return self._verified(purpose, _unspell_hexadecimal(token.lower()))

    def _verified(self, purpose: TokenPurpose, raw: bytes | None) -> bytes | None:
        if raw is None or len(raw) <= _MAC_BYTES:
            return None
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        is_ours = any(hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in self._keys)
        return payload if is_ours else None


class AddressHasher:
    """The keyed hash under which the suppression list knows an address, contact or not."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.blake2b(key.encode(), digest_size=32).digest()

    @property
    def fingerprint(self) -> str:
        return hashlib.blake2b(self._key, digest_size=8, person=b"fingerprint").hexdigest()

    def hash(self, address_key: str) -> str:
        """32 hexadecimal characters for a normalized address (`contacts.addresses.Address.key`)."""
        return hashlib.blake2b(address_key.encode(), key=self._key, digest_size=16).hexdigest()


def _begun(key: bytes, purpose: TokenPurpose) -> hashlib.blake2b:
    return hashlib.blake2b(key=key, digest_size=_MAC_BYTES, person=purpose.encode())


def _mac(key: bytes, purpose: TokenPurpose, payload: bytes) -> bytes:
    mac = _begun(key, purpose)
    mac.update(payload)
    return mac.digest()


def _spell(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=")


def _unspell(token: str) -> bytes | None:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    # Base64 spells one value in several ways when the last bits are ignored; only the one we wrote counts.
    return raw if _spell(raw).decode() == token else None


def _spell_folded(raw: bytes) -> str:
    """Ten bits at a time, at half the time that `base64.b32encode` takes."""
    count = -(-len(raw) * 8 // 10)  # pairs of characters; zeros fill the last one up
    bits = int.from_bytes(raw) << (count * 10 - len(raw) * 8)
    written = "".join([_PAIRS[bits >> shift & 1023] for shift in range(count * 10 - 10, -1, -10)])
    return written[: -(-len(raw) * 8 // 5)]


def _unspell_folded(token: str) -> bytes | None:
    try:
        raw = base64.b32decode(token.upper().encode("ascii") + b"=" * (-len(token) % 8))
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if _spell_folded(raw) == token else None


def _unspell_hexadecimal(token: str) -> bytes | None:
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return None
    return raw if raw.hex() == token else None  # it passes over spaces
