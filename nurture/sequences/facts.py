"""What `advance` knows about one person: pure values that answer conditions, and take on what a decision just did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.conditions import AllOf, AnyOf, Argument, Asks, Condition, Not, Predicate, Value
from nurture.consent.recording.rules import is_tracked_for
from nurture.consent.rules import ALLOWED, Permission
from nurture.contacts.facts import ContactFacts
from nurture.delivery.mailed.rules import Mailed, is_meant
from nurture.tracking.rules import ANSWERED_BY, ONCE_FOR_ALL, OUTSIDE_MAILS, Deed, matches, standing

#: The words this room adds.
PREDICATES: Mapping[str, Predicate] = {
    "enrolled": Predicate((Argument("sequence", is_required=True),)),
    "finished": Predicate((Argument("sequence", is_required=True),)),
}


@dataclass(frozen=True)
class Mail:
    """What became of a mail this enrollment asked for."""

    id: int
    status: str
    because: str = ""
    attempted_at: datetime | None = None


@dataclass(frozen=True)
class PersonFacts:
    """Everything `advance` may ask. `enrollment_id` None: conditions look at all time (entry, segments)."""

    contact: ContactFacts
    now: datetime
    zone: ZoneInfo
    window_zone: ZoneInfo
    sequence: str = ""
    enrollment_id: int | None = None
    enrolled_at: datetime | None = None
    permission: Permission = ALLOWED
    deeds: Sequence[Deed] = ()
    mailed: Sequence[Mailed] = ()  # by all campaigns; known only if a condition asks for it, as is the next
    tracked_since: datetime | None = None  # opens and clicks may be recorded; None: they may not
    mails: Mapping[str, Mail] = field(default_factory=dict)
    enrolled_in: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    first_open_question_at: datetime | None = None  # the oldest hit without a verdict
    verdicts_at: datetime | None = None  # when it will have one
    away_until: datetime | None = None  # out of office
    quiet_until: datetime | None = None  # a colleague is in touch with them
    owner_has_agreed: bool = True  # to the mails of this version going out in their name
    #: Which way each step went that an older version of this enrollment passed, by step and visit.
    taken: Mapping[tuple[str, int], str] = field(default_factory=dict)
    winners: Mapping[str, str] = field(default_factory=dict)  # the arm that won, by split

    def as_of(self, at: datetime) -> "PersonFacts":
        """What had occurred by then; values without a date are what they are."""
        deeds = [deed for deed in self.deeds if deed.occurred_at <= at]
        return replace(self, now=at, deeds=deeds, mailed=[mail for mail in self.mailed if mail.occurred_at <= at])

    def value(self, name: str) -> Value | None:
        return self.contact.value(name)

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        if predicate in ANSWERED_BY:
            return any(self._matches(deed, predicate, arguments) for deed in standing(self.deeds, predicate))
        match predicate:
            case "mailed":
                return any(self._is_meant(mail, arguments) for mail in self.mailed)
            case "tracked_for":
                length = arguments["length"]
                return isinstance(length, timedelta) and is_tracked_for(length, self.tracked_since, self.now)
            case "enrolled":
                return arguments["sequence"] in self.enrolled_in
            case "finished":
                return arguments["sequence"] in self.finished
        return self.contact.answers(predicate, arguments)

    def _matches(self, deed: Deed, predicate: str, arguments: Mapping[str, object]) -> bool:
        is_here = deed.enrollment_id == self.enrollment_id or predicate in ONCE_FOR_ALL
        if predicate in OUTSIDE_MAILS and self.enrolled_at is not None:
            is_here = deed.occurred_at >= self.enrolled_at  # no mail led there, so time has to tell
        given = self._as_asked(arguments, is_here=is_here)
        return given is not None and matches(deed, predicate, given, self.now)

    def _is_meant(self, mail: Mailed, arguments: Mapping[str, object]) -> bool:
        given = self._as_asked(arguments, is_here=mail.enrollment_id == self.enrollment_id)
        return given is not None and is_meant(mail, given, self.now)

    def _as_asked(self, arguments: Mapping[str, object], *, is_here: bool) -> dict[str, object] | None:
        """What a sequence's file asks, with its mails by their full names; None if this belongs elsewhere."""
        given = dict(arguments)
        if self.enrollment_id is not None:
            if not given.pop("ever", False) and not is_here:
                return None
            if "mail" in given and "/" not in str(given["mail"]):
                given["mail"] = f"{self.sequence}/{given['mail']}"
        return given

    def with_tag(self, tag: str) -> "PersonFacts":
        return replace(self, contact=replace(self.contact, tags=self.contact.tags | {tag}))

    def without_tag(self, tag: str) -> "PersonFacts":
        return replace(self, contact=replace(self.contact, tags=self.contact.tags - {tag}))

    def with_list(self, name: str, *, is_joining: bool) -> "PersonFacts":
        lists = self.contact.lists | {name} if is_joining else self.contact.lists - {name}
        return replace(self, contact=replace(self.contact, lists=lists))

    def with_values(self, values: Mapping[str, Any]) -> "PersonFacts":
        return replace(self, contact=replace(self.contact, values={**self.contact.values, **values}))

    def with_points(self, points: float) -> "PersonFacts":
        score = self.contact.values.get("score") or 0
        return self.with_values({"score": round(float(score) + points, 1)})


def from_outside(condition: Condition, sequence: str) -> Condition:
    """A condition of a sequence's file as it reads elsewhere: its mails by their full names."""
    match condition:
        case AllOf(parts):
            return AllOf(tuple(from_outside(part, sequence) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(from_outside(part, sequence) for part in parts))
        case Not(part):
            return Not(from_outside(part, sequence))
        case Asks(predicate, arguments):
            given = {
                name: f"{sequence}/{value}" if name == "mail" and "/" not in str(value) else value
                for name, value in arguments
            }
            return Asks(predicate, tuple(given.items()))
    return condition
