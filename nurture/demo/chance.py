"""Chance that is no chance: a number that a name determines, so that every demo tells the same story."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def chance(*about: object) -> float:
    """A number in [0, 1) for whatever it is about."""
    digest = hashlib.blake2b(repr(about).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def pick(items: Sequence[Item], *about: object) -> Item:
    """One of the items."""
    return items[int(chance(*about) * len(items))]
