"""Whether the name servers show a key of ours."""

from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import public_key_of


def is_shown(resolver: Resolver, name: str, record: str) -> bool | None:
    """Whether they show the very key of that record; None if nobody could be asked."""
    found = resolver.texts(name)
    if found.failed:
        return None
    return public_key_of(record) in {public_key_of(one) for one in found.values}
