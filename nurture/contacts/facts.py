"""What is known about a contact's fields, tags and lists, as conditions ask for it. Pure; `contacts.store` gathers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nurture.conditions import Value


@dataclass(frozen=True)
class ContactFacts:
    """The contact's half of `conditions.Facts`."""

    values: Mapping[str, Value | None]
    tags: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    topics: frozenset[str] = field(default=frozenset())  # may be mailed about these

    def value(self, name: str) -> Value | None:
        return self.values.get(name)

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        match predicate:
            case "has_tag":
                return arguments["tag"] in self.tags
            case "in_list":
                return arguments["list"] in self.lists
            case "subscribed":
                return arguments["topic"] in self.topics
        raise ValueError(f"{predicate} is no question about a contact")
