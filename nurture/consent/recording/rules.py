"""How much of what somebody does with a mail may be recorded. Pure.

Three modes. `full`: every open and click. `last_open_date`: the day of the last open and nothing else, overwritten each
time, to find addresses that nobody reads any more; never for a score or a condition. `none`: no pixel, links untouched,
and a request for either leaves no trace. Four have a say and the strictest of them wins: the person (or, while they said
nothing, the default of their country), the topic, and the installation. An installation that records nothing records
nothing of those who said yes either; one that records everything still needs the yes where the law wants one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.consent.law.rules import ConsentTable


class Mode(StrEnum):
    """How much may be recorded, the most first."""

    FULL = "full"
    LAST_OPEN_DATE = "last_open_date"
    NONE = "none"


_ORDER = tuple(Mode)


def strictest(modes: Iterable[Mode]) -> Mode:
    """The one that records the least; everything if nobody has a say."""
    return max(modes, key=_ORDER.index, default=Mode.FULL)


@dataclass(frozen=True)
class Word:
    """What a person said about it, and when."""

    mode: Mode
    said_at: datetime


def last_word(words: Iterable[Word]) -> Word | None:
    """Of what somebody said of one topic and of all, the later; of two at one instant, the stricter."""
    return max(words, key=lambda one: (one.said_at, _ORDER.index(one.mode)), default=None)


@dataclass(frozen=True)
class Recording:
    """What holds here whoever it is: the defaults by country, and how far topics and the installation go at most."""

    table: ConsentTable
    house: Mode = Mode.FULL
    topics: Mapping[str, Mode] = field(default_factory=dict)

    def default_of(self, country: str | None) -> Mode:
        """Of somebody who said nothing; a country that nobody knows counts as one that asks first."""
        if country is not None and country in self.table.date_of_last_open:
            return Mode.LAST_OPEN_DATE
        asks = country is None or bool({country, "*"} & self.table.ask_before_tracking)
        return Mode.NONE if asks else Mode.FULL

    def mode_of(self, country: str | None, topic: str, word: Mode | None) -> Mode:
        """What may be recorded of this person's mails about this topic."""
        theirs = word if word is not None else self.default_of(country)
        return strictest((theirs, self.topics.get(topic, Mode.FULL), self.house))

    def since(self, country: str | None, created_at: datetime, word: Word | None) -> datetime | None:
        """Since when opens and clicks of this person may be recorded, whatever the topic; None: they may not.

        `word` is their last one about all topics; without one we go by the default, from when we first knew them.
        """
        mode = strictest((word.mode if word else self.default_of(country), self.house))
        if mode is not Mode.FULL:
            return None
        return word.said_at if word else created_at


def is_tracked_for(length: timedelta, since: datetime | None, now: datetime) -> bool:
    """What `tracked_for("180 days")` asks; `consent.store.is_tracked_for` is the same in SQL."""
    return since is not None and since <= now - length


#: What the ledger and `consent` keep of a word about tracking, by mode.
STATES: Mapping[Mode, str] = {Mode.FULL: "given", Mode.LAST_OPEN_DATE: "last_open_date", Mode.NONE: "withdrawn"}
_MODES = {state: mode for mode, state in STATES.items()}


def mode_of_state(state: str) -> Mode:
    """What a kept word says; one that nobody knows is a no."""
    return _MODES.get(state, Mode.NONE)


#: Each as people read it.
WORDS: Mapping[Mode, str] = {
    Mode.FULL: "opens and clicks are recorded",
    Mode.LAST_OPEN_DATE: "only the date of the last open is kept",
    Mode.NONE: "nothing is recorded",
}
