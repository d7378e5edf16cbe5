"""What the name servers show where a key of ours belongs (RFC 6376, 3.6)."""

from collections.abc import Sequence

from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import public_key_of, read_tags


def is_shown(resolver: Resolver, name: str, record: str) -> bool | None:
    """Whether they show the very key of that record, alone or not; None if nobody could be asked."""
    found = resolver.texts(name)
    if found.failed:
        return None
    return any(is_same_key(record, one) for one in found.values)


def keys_among(texts: Sequence[str]) -> list[str]:
    """The records that a receiver takes for keys: there has to be one, or what it makes of them is undefined (3.6.2.2)."""
    return [one for one in texts if public_key_of(one) is not None]


def is_same_key(one: str, other: str) -> bool:
    """Whether two records show one key: without a kind every receiver takes it for RSA (3.6.1)."""
    return _key_of(one) == _key_of(other)


def limit_of(record: str) -> str:
    """What keeps a key from signing our mails, which are hashed with SHA-256; nothing: the empty text (3.6.1)."""
    tags = read_tags(record)
    for tag, wanted in (("h", {"sha256"}), ("s", {"*", "email"})):
        if tag in tags and wanted.isdisjoint(one.strip() for one in tags[tag].split(":")):
            return f"its {tag}={tags[tag]} does not name {' or '.join(sorted(wanted))}"
    return ""


def kind_of(record: str) -> str:
    """What sort of key it is."""
    return read_tags(record).get("k", "rsa").lower()


def _key_of(record: str) -> tuple[str, str | None]:
    return kind_of(record), public_key_of(record)
