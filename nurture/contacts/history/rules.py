"""What an entry of a contact's history says. Pure."""

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Author:
    """Who changed something and how they came to: `by` is an operator's address, or what of ours did it (import, page,
    sequence, form, assignment, command line); `how` names it closer: file and line, step, page, rule.
    """

    by: str
    how: str = ""


#: For what nobody gave a name to; the product always gives one, and a test holds it to that.
UNNAMED = Author("")

#: The field of the entry that a new contact begins with, and of the one that a merge leaves.
CREATED, MERGED = "created", "merged"


class Change(NamedTuple):
    """One field as it was and as it is; None where it was or is empty."""

    field: str
    before: str | None
    after: str | None


def change_of(field: str, before: Any, after: Any) -> Change:
    """A change between two values of any type that fields have."""
    return Change(field, as_text(before), as_text(after))


def as_text(value: Any) -> str | None:
    """A value as the history keeps it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
