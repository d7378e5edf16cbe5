"""Lanes: what some mails share and what takes only so many of them. Pure.

The house, a relay, what one sender writes, what one domain gets: a mail travels in all its lanes at once, and `rules` says
when each of them has room.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from nurture.delivery.pacing.providers import group_of
from nurture.delivery.pacing.warming import NO_PLAN, WarmUp
from nurture.delivery.pacing.warming import lanes_of as warm_lanes_of


class Span(StrEnum):
    """A stretch of time over which mails are counted."""

    HOUR = "hour"
    DAY = "day"  # any 24 hours
    DATE = "date"  # a day of the calendar, in UTC


#: From so many a second on a lane is fast; of such a lane this share is given out, and so many workers may share it.
_FAST, _SHARE_GIVEN, MOST_WORKERS = 500.0, 0.9, 10
#: A worker takes one part in so many of an hour or a day in advance, and no more than that.
_PARTS, _MOST_AHEAD = 50, 5000


@dataclass(frozen=True)
class Limit:
    """What a lane takes; 0: no such limit."""

    at_once: int = 0
    per_second: float = 0
    per_hour: int = 0
    per_day: int = 0

    def most_in(self, span: Span) -> int:
        return {Span.HOUR: self.per_hour, Span.DAY: self.per_day}.get(span, 0)

    @property
    def is_fast(self) -> bool:
        """Whether so many leave in a second that a worker may take some of them in advance."""
        return self.per_second >= _FAST

    @property
    def rate(self) -> float:
        """Places of a second that are given out; what a fast lane keeps back covers those that were taken in advance."""
        return _SHARE_GIVEN * self.per_second if self.is_fast else self.per_second

    @property
    def ahead(self) -> int:
        """How many places one worker may take in advance: few enough that nothing is exceeded when all use theirs at once."""
        parts = [most // _PARTS for most in (self.per_hour, self.per_day) if most]
        if self.per_second:
            parts.append(int((1 - _SHARE_GIVEN) * self.per_second / MOST_WORKERS) if self.is_fast else 0)
        return min([_MOST_AHEAD, *parts]) if parts and not self.at_once else 0

    @property
    def is_any(self) -> bool:
        return bool(self.at_once or self.per_second or self.per_hour or self.per_day)


@dataclass(frozen=True)
class Rule:
    """A limit for some mail: to these domains and from these senders; empty: whoever. "*": each by itself."""

    name: str
    limit: Limit
    to: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()


class Lane(NamedTuple):
    """A lane by the key under which it is counted; `words` say in the outbox what a mail waits for."""

    key: str
    limit: Limit
    words: str
    is_shared: bool = False  # every mail takes it


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of a mail, with their keys at hand: a claim looks up four of them for each of its mails."""

    lanes: tuple[Lane, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, lanes: Iterable[Lane]) -> "Lanes":
        made = tuple(lanes)
        return cls(made, tuple([lane.key for lane in made]))

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.lanes)


@dataclass(frozen=True, eq=False)
class Pacing:
    """All limits of the house."""

    house: Limit = Limit()
    relays: Mapping[str, Limit] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    warm_up: WarmUp = NO_PLAN
    first_wave: int = 0
    senders: Mapping[str, str] = field(default_factory=dict)  # name → address, "default" among them
    _known: dict[tuple[str, str, str], Lanes] = field(default_factory=dict, repr=False)

    @property
    def is_any(self) -> bool:
        """Whether there is any limit at all."""
        limits = (self.house, *self.relays.values())
        return bool(self.rules or self.warm_up.senders) or any(limit.is_any for limit in limits)

    def address_of(self, sender: str, facts: Mapping[str, Any] | None) -> str:
        """The address a mail comes from: what it was written with, else that of the sender it names, else the house's."""
        written = facts.get("sender") if facts else None
        return written["email"] if written else self.senders.get(sender) or self.senders.get("default", "")

    def lanes_of(self, sender: str, domain: str, relay: str) -> Lanes:
        """The lanes of a mail from this address to this domain over this relay."""
        key = (sender, domain, relay) if self._tells_domains else ("", "", relay)
        lanes = self._known.get(key)
        if lanes is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            lanes = self._known[key] = Lanes.of(self._find(sender.lower(), domain.lower(), relay))
        return lanes

    @cached_property
    def _tells_domains(self) -> bool:
        """Whether the lanes of a mail depend on who writes it to whom."""
        return bool(self.rules or self.warm_up.senders)

    def _find(self, sender: str, domain: str, relay: str) -> list[Lane]:
        lanes = [Lane("house", self.house, "sending.per_second", is_shared=True)] if self.house.is_any else []
        limit = self.relays.get(relay)
        if limit is not None and limit.is_any:
            lanes.append(Lane(f"relay:{relay}", limit, f"relay {relay}", is_shared=len(self.relays) == 1))
        named = frozenset(one for rule in self.rules for one in rule.to)
        for rule in self.rules:
            to, sent_by = _place(rule.to, (domain,), group_of(domain), named), _place(
                rule.senders, (sender, sender.rpartition("@")[2]), sender.rpartition("@")[2], frozenset()
            )  # fmt: skip
            if to is not None and sent_by is not None:
                place = " ".join(word for word in (rule.name, to, sent_by) if word)
                lanes.append(Lane(f"limit:{place}", rule.limit, f"limit {place}"))
        warm_up = warm_lanes_of(self.warm_up, sender.rpartition("@")[2], domain)
        return [*lanes, *(Lane(key, _NO_LIMIT, key.removeprefix("warm-up:")) for key in warm_up)]


_MOST_KNOWN = 50_000
_NO_LIMIT = Limit()


def _place(meant: frozenset[str], names: Sequence[str], group: str, named: frozenset[str]) -> str | None:
    """How a lane of a rule is told from others of it: not at all, or by the group it is for; None: not meant."""
    if not meant or any(name in meant for name in names):
        return ""
    return group if "*" in meant and not any(name in named for name in names) else None


#: No limit at all.
FREE = Pacing()
