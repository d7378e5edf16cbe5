"""A key that signs for a domain: made, read from PEM, and as the record under which the name servers show its half.

RSA of 2,048 bits, which everybody can verify, and Ed25519 (RFC 8463), which is ten times as fast and which the large
mailbox providers do not verify yet. `cryptography` is loaded when the first key is.
"""

import base64
import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from nurture.errors import BadInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

RSA_BITS = 2048
#: RFC 8301, 3.2: nobody may sign with less.
_FEWEST_BITS = 1024
#: A text record is made of strings of at most so many bytes (RFC 1035, 3.3).
_STRING = 255


class KeyKind(StrEnum):
    """What a key is; the name is the one of `k=` in its record."""

    RSA = "rsa"
    ED25519 = "ed25519"


class SigningKey(Protocol):
    """The private half."""

    @property
    def kind(self) -> KeyKind:
        """Which of the two it is."""

    @property
    def algorithm(self) -> str:
        """What `a=` says."""

    @property
    def bits(self) -> int:
        """How long it is."""

    @property
    def record(self) -> str:
        """The TXT record that shows the public half."""

    def sign(self, text: bytes) -> bytes:
        """The signature of a text."""

    def to_pem(self) -> bytes:
        """The key as a file (PKCS #8)."""


class RsaKey:
    """rsa-sha256."""

    kind = KeyKind.RSA
    algorithm = "rsa-sha256"

    def __init__(self, key: "RSAPrivateKey") -> None:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        if key.key_size < _FEWEST_BITS:
            raise BadInput(
                f"an RSA key of {key.key_size} bits signs nothing (RFC 8301: {_FEWEST_BITS:,} or more); "
                "make one of 2,048 bits with `nurture dkim create`."
            )
        self._key = key
        self._padding, self._hash = PKCS1v15(), SHA256()

    @property
    def bits(self) -> int:
        return self._key.key_size

    @property
    def record(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text, self._padding, self._hash)

    def to_pem(self) -> bytes:
        return _pem(self._key)


class Ed25519Key:
    """ed25519-sha256: what is signed is the hash of the text (RFC 8463, 3)."""

    kind = KeyKind.ED25519
    algorithm = "ed25519-sha256"
    bits = 256

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key

    @property
    def record(self) -> str:
        public = self._key.public_key().public_bytes_raw()
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(hashlib.sha256(text).digest())

    def to_pem(self) -> bytes:
        return _pem(self._key)


def make_key(kind: KeyKind) -> SigningKey:
    """A new key."""
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    if kind is KeyKind.ED25519:
        return Ed25519Key(ed25519.Ed25519PrivateKey.generate())
    return RsaKey(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))


def read_key(pem: bytes) -> SigningKey:
    """The key in a file; raises BadInput for what is none, or too short to be trusted by anybody."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadInput(
            "this is no private key in PEM without a password; make one with `nurture dkim create`."
        ) from None
    if isinstance(key, RSAPrivateKey):
        return RsaKey(key)
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Key(key)
    raise BadInput("this key is neither RSA nor Ed25519; make one with `nurture dkim create`.")


def in_strings(record: str) -> list[str]:
    """A record as the strings of a zone file: none longer than 255 bytes."""
    return [record[at : at + _STRING] for at in range(0, len(record), _STRING)]


def _pem(key: "RSAPrivateKey | Ed25519PrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
