"""`mailed(…)`: the campaigns' mails that somebody got, or may have got, as conditions ask for them. Pure.

Only what may have arrived counts: a mail that was refused or cancelled, or is still queued, was never theirs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.conditions import Argument, Predicate
from nurture.timing import parse_length

#: The word about what a contact got from us. As with `clicked()`, in a sequence's file the first argument names a step
#: of it and only this enrollment counts, unless `ever=True`; elsewhere it names "campaign/mail" and all time counts.
PREDICATES: Mapping[str, Predicate] = {
    "mailed": Predicate(
        (Argument("mail"),), (Argument("within", parse_length), Argument("before", parse_length)), ("ever",)
    ),
}


@dataclass(frozen=True)
class Mailed:
    """One campaign's mail that may have arrived; `place` is "campaign/mail"."""

    place: str
    occurred_at: datetime
    enrollment_id: int | None = None


def place_of(campaign: str, mail: str) -> str:
    """How conditions name a mail of "kind:name": "name/mail"."""
    return f"{campaign.partition(':')[2]}/{mail}"


def is_meant(mailed: Mailed, given: Mapping[str, object], now: datetime) -> bool:
    """Whether this mail answers a question; `store.vocabulary` is the same in SQL."""
    checks: dict[str, Callable[[object], bool]] = {
        "mail": lambda mail: mailed.place == mail,
        "within": lambda length: isinstance(length, timedelta) and mailed.occurred_at > now - length,
        "before": lambda length: isinstance(length, timedelta) and mailed.occurred_at <= now - length,
        "ever": lambda _: True,
    }
    return all(checks[name](value) for name, value in given.items())
