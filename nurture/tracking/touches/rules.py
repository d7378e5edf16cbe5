"""What counts as a touch, and which of them keep sequences quiet for a while. Pure.

A robot's mail the day after a colleague's call is embarrassing, so a touch that is a conversation makes every sequence of
that contact stand still for a week. Meeting somebody at a trade show or being introduced is often what a sequence is for,
so these do not, unless the colleague says so. Newsletters go on: nobody takes them for the colleague's own words.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from nurture.errors import BadInput, did_you_mean


class TouchKind(StrEnum):
    """What we did."""

    CALL = "call"
    VISIT = "visit"
    LINKEDIN = "linkedin"
    INTRODUCTION = "introduction"
    EVENT = "event"
    MAIL = "mail"


#: How `contacts show` tells it.
WORDS = {
    TouchKind.CALL: "called them",
    TouchKind.VISIT: "visited them",
    TouchKind.LINKEDIN: "wrote to them on LinkedIn",
    TouchKind.INTRODUCTION: "was introduced to them",
    TouchKind.EVENT: "met them at an event",
    TouchKind.MAIL: "wrote them a mail",
}
#: With these somebody here is in a conversation.
IN_CONVERSATION = frozenset({TouchKind.CALL, TouchKind.VISIT, TouchKind.LINKEDIN, TouchKind.MAIL})
QUIET_FOR = timedelta(days=7)
#: A touch is a note of one line; the conversation itself stays where it was had.
LONGEST_NOTE = 500


def read_kind(text: str) -> TouchKind:
    """The kind of that name."""
    try:
        return TouchKind(text.strip().lower())
    except ValueError:
        kinds = ", ".join(TouchKind)
        raise BadInput(f'"{text}" is no touch; take one of: {kinds}.{did_you_mean(text, list(TouchKind))}') from None


def read_note(text: str) -> str:
    """What it was about, on one line."""
    note = " ".join(text.split())
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"the note has {len(note):,} characters and at most {LONGEST_NOTE} are kept; say it shorter.")
    return note


def quiet_until(kind: TouchKind, occurred_at: datetime, *, is_wanted: bool | None = None) -> datetime | None:
    """Until when sequences stand still because of it; None: they go on. `is_wanted` is the colleague's own word."""
    stands_still = kind in IN_CONVERSATION if is_wanted is None else is_wanted
    return occurred_at + QUIET_FOR if stands_still else None
