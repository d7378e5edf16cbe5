"""When a contact is handed to a rep, why, and what a verdict makes of them. Pure.

The reason never claims more than was said: a need or the wish for a demonstration was stated by the person, `engaged` is
what we saw. A hand-off happens once; a rejected contact goes back into nurture and may come again later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.contacts.fields import WITH_SALES


class Reason(StrEnum):
    """Why somebody is worth a rep's time."""

    NEED = "need"  # they said they have one: everybody's dream
    ASKED = "asked"  # they want a demonstration
    ENGAGED = "engaged"  # they read, they fit, they said nothing yet


class Verdict(StrEnum):
    """What the rep says."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MEETING = "meeting"
    WON = "won"
    LOST = "lost"


WORDS: Mapping[Reason, str] = {
    Reason.NEED: "has a need",
    Reason.ASKED: "asked for a demonstration",
    Reason.ENGAGED: "read a lot and fits",
}


def find_reason(
    *,
    stage: str,
    interest: str | None,
    interest_is_new: bool,
    is_over_the_line: bool,
    is_mailable: bool,
    has_open: bool,
) -> Reason | None:
    """Why this contact should be handed off now; None when they should not.

    `interest_is_new`: they said it after the last hand-off, if there was one.
    """
    if has_open or not may_be_handed_off(stage, is_mailable=is_mailable):
        return None
    stated = {"need": Reason.NEED, "demonstration": Reason.ASKED}.get(interest or "") if interest_is_new else None
    if stage == "recycled":
        # Someone a rep sent back stays in nurture until the term is over, whatever they read; their own word beats it.
        return stated
    return stated or (Reason.ENGAGED if is_over_the_line else None)


def may_be_handed_off(stage: str, *, is_mailable: bool) -> bool:
    """Whether sales has not got them already, and they have not asked to be left alone."""
    return is_mailable and stage not in WITH_SALES and stage != "disqualified"


@dataclass(frozen=True)
class Consequence:
    """What a verdict makes of the contact: their stage, and when a rejected one may come again."""

    stage: str
    recycle_at: datetime | None = None


def consequence_of(verdict: Verdict, *, recycle_after: timedelta | None, now: datetime) -> Consequence:
    """`recycle_after` belongs to the reason of a rejection; None: never again."""
    match verdict:
        case Verdict.ACCEPTED | Verdict.MEETING:
            return Consequence("sales_accepted")
        case Verdict.WON:
            return Consequence("customer")
    if recycle_after is None:
        return Consequence("disqualified")
    return Consequence("recycled", now + recycle_after)


#: What may follow what; a verdict is given once, and a deal is won or lost after it was accepted.
FOLLOWS: Mapping[str, frozenset[Verdict]] = {
    "waiting": frozenset({Verdict.ACCEPTED, Verdict.REJECTED, Verdict.MEETING}),
    Verdict.ACCEPTED: frozenset({Verdict.MEETING, Verdict.REJECTED, Verdict.WON, Verdict.LOST}),
    Verdict.MEETING: frozenset({Verdict.REJECTED, Verdict.WON, Verdict.LOST}),
    Verdict.REJECTED: frozenset(),
    Verdict.WON: frozenset(),
    Verdict.LOST: frozenset(),
}
