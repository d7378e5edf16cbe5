"""What two contacts come to when they are one person. Pure.

A merge never makes anybody mailable. Of what was agreed per topic and purpose the strictest holds: a no of either is a no,
of two yeses the one that allows less counts, and a yes that only the other contact gave, for an address we let go, is no
yes for the one that stays. Whoever wants that yes keeps the other contact instead, or asks again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from nurture.consent.recording.rules import Mode, mode_of_state
from nurture.consent.recording.rules import strictest as records_least
from nurture.consent.rules import STRENGTH, Basis, Pile
from nurture.contacts.fields import STAGES

_NOES = frozenset({"refused", "withdrawn"})
_STRICTNESS = tuple(Pile)
_NEVER_ENDS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Word:
    """What holds for one topic and purpose: the columns of `consent`."""

    state: str
    basis: str | None = None
    given_on: date | None = None
    pile: str = Pile.NEVER
    expires_at: datetime | None = None
    afterwards: str = Pile.NEVER
    law: str = ""

    @property
    def is_no(self) -> bool:
        return self.state in _NOES

    @property
    def is_silent(self) -> bool:
        """Known from a file that states no basis."""
        return self.state == "none"

    def pile_at(self, now: datetime) -> Pile:
        if self.state != "given":
            return Pile.NEVER
        has_ended = self.expires_at is not None and self.expires_at <= now
        return Pile(self.afterwards if has_ended else self.pile)


def strictest_mail(keep: Word | None, other: Word | None, now: datetime) -> Word | None:
    """Which of the two words about mail holds for the contact that stays; None: nothing was said."""
    if other is None or other.is_silent:
        return keep
    if other.is_no:
        return keep if keep is not None and keep.is_no else other
    if keep is None or keep.is_no or keep.is_silent:
        return keep
    return other if _severity(other, now) > _severity(keep, now) else keep


def _severity(word: Word, now: datetime) -> tuple[int, float, int]:
    """What allows less today; then what ends sooner; then what proves less."""
    ends_at = word.expires_at if word.expires_at and word.expires_at > now else _NEVER_ENDS
    strength = STRENGTH.index(Basis(word.basis)) if word.basis else len(STRENGTH)
    return _STRICTNESS.index(word.pile_at(now)), -ends_at.timestamp(), strength


def strictest_tracking(keep: Word | None, other: Word | None) -> Word | None:
    """The same about recording opens and clicks. Without a word the law of the country counts, which may be stricter
    than a yes; so only a no comes over where nothing was said.
    """
    if other is None:
        return keep
    if keep is None:
        return other if mode_of_state(other.state) is Mode.NONE else None
    least = records_least([mode_of_state(keep.state), mode_of_state(other.state)])
    return keep if mode_of_state(keep.state) is least else other


#: From far from sales to with them; a lead that somebody disqualified comes back to nobody but who bought since.
_FURTHER = (*STAGES[:3], "recycled", "disqualified", *STAGES[3:])


def stage_of_both(keep: str, other: str) -> str:
    """The stage that is further along, so that nobody is handed off again whom sales had."""
    return max(keep, other, key=_FURTHER.index)


def missing_values(keep: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What the contact that stays does not know about itself and the other one does.

    But for the country: it decides which law protects them, and one that nobody knows counts as the strictest.
    """
    return {
        name: value
        for name, value in other.items()
        if name != "country" and value not in {None, ""} and keep.get(name) in {None, ""}
    }


def renamed(key: str, other_id: int, keep_id: int) -> str | None:
    """The key of a mail to the contact that stays instead of the other one; None when it names neither.

    Announcements and issues are known by whom they go to, so that the person gets none of them twice.
    """
    head, _, last = key.rpartition(":")
    return f"{head}:{keep_id}" if last == str(other_id) and head.startswith(("issue:", "announcement:")) else None
