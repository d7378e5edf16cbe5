"""Whether the name servers show a key of ours."""

from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import public_key_of, read_tags


def is_shown(resolver: Resolver, name: str, record: str) -> bool | None:
    """Whether they show the very key of that record; None if nobody could be asked."""
    found = resolver.texts(name)
    if found.failed:
        return None
    return _key_of(record) in {_key_of(one) for one in found.values}


def _key_of(record: str) -> tuple[str, str | None]:
    """The kind of a key and the key: without a kind every receiver takes it for RSA (RFC 6376, 3.6.1)."""
    return read_tags(record).get("k", "rsa").lower(), public_key_of(record)
