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


class TokenKeys:
    """Signs with the first key and verifies with all of them."""

    def __init__(self, secrets: list[str]) -> None:
        if not secrets:
            raise ValueError("at least one secret is needed")
        self._keys = [hashlib.blake2b(secret.encode(), digest_size=32).digest() for secret in secrets]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Name the keys without revealing them, the signing one first."""
        return tuple(hashlib.blake2b(key, digest_size=8, person=b"fingerprint").hexdigest() for key in self._keys)

    def sign(self, purpose: TokenPurpose, payload: bytes) -> str:
        """URL-safe token for `payload`."""
        return _spell(payload + _mac(self._keys[0], purpose, payload))

    def read(self, purpose: TokenPurpose, token: str) -> bytes | None:
        """The payload, or None for anything that was not signed here for this purpose."""
        return self._verified(purpose, _unspell(token))

    def derive(self, purpose: TokenPurpose) -> list[bytes]:
        """A key of its own for that purpose from each of ours, the signing one first: for what others verify."""
        return [hashlib.blake2b(key=key, digest_size=32, person=purpose.encode()).digest() for key in self._keys]

    def sign_in_address(self, purpose: TokenPurpose, payload: bytes) -> str:
        """The same for the local part of an address, where some servers fold case: lower-case base32."""
        return _spell_folded(payload + _mac(self._keys[0], purpose, payload))

    def read_in_address(self, purpose: TokenPurpose, token: str) -> bytes | None:
        """The payload of a token made by `sign_in_address`."""
        return self._verified(purpose, _unspell_folded(token.lower()))

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


def _mac(key: bytes, purpose: TokenPurpose, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=_MAC_BYTES, person=purpose.encode()).digest()


def _spell(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unspell(token: str) -> bytes | None:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    # Base64 spells one value in several ways when the last bits are ignored; only the one we wrote counts.
    return raw if _spell(raw) == token else None


def _spell_folded(raw: bytes) -> str:
    return base64.b32encode(raw).rstrip(b"=").decode().lower()


def _unspell_folded(token: str) -> bytes | None:
    try:
        raw = base64.b32decode(token.upper().encode("ascii") + b"=" * (-len(token) % 8))
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if _spell_folded(raw) == token else None
