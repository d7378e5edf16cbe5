"""Where a relay's answer names the id it gave to a mail. Pure.

The id is what stands in front of the @ of the new Message-ID; the domain behind it may be any of the relay's.
"""

import re
from collections.abc import Mapping

from nurture.delivery.rules import Heard, Outcome

#: Ours and those of all known relays are shorter; a longer one is not an id but somebody's joke.
MOST_CHARACTERS = 200


class OwnIds:
    """Which relays put ids of their own, and how they name them."""

    def __init__(self, patterns: Mapping[str, str] | None = None) -> None:
        """`patterns`: for each such relay, with a group named id; a relay that keeps ours has none."""
        self._patterns = {relay: re.compile(pattern) for relay, pattern in (patterns or {}).items() if pattern}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def read(self, outcome: Outcome) -> str | None:
        """The id a relay gave to a mail it took; None if it keeps ours, or names none."""
        pattern = self._patterns.get(outcome.relay)
        if pattern is None or outcome.heard is not Heard.ACCEPTED:
            return None
        found = pattern.search(outcome.reply)
        return found["id"] if found is not None and len(found["id"]) <= MOST_CHARACTERS else None


def id_in(message_id: str) -> str:
    """What a Message-ID would be kept under, empty for one that no relay gives."""
    text = message_id.strip().strip("<>").partition("@")[0]
    return text if len(text) <= MOST_CHARACTERS else ""
