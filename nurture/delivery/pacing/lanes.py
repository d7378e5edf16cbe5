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
        if span is Span.HOUR:
            return self.per_hour
        return self.per_day if span is Span.DAY else 0

    @property
    def is_fast(self) -> bool:
        """Whether so many leave in a second that a worker may take some of them in advance."""
        return self.per_second >= _FAST

    @property
    def rate(self) -> float:
        """Places of a second that are given out; what a fast lane keeps back covers those that were taken in advance."""
        return _SHARE_GIVEN * self.per_second if self.is_fast else self.per_second

    @cached_property
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
    _senders_known: "dict[tuple[str, str], _SentBy]" = field(default_factory=dict, repr=False)

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

    @cached_property
    def _named(self) -> frozenset[str]:
        """Domains that some rule is for."""
        return frozenset(one for rule in self.rules for one in rule.to)

    def _find(self, sender: str, domain: str, relay: str) -> list[Lane]:
        lanes, rules = self._sent_by(sender, relay)
        found, group = [*lanes], group_of(domain)
        for rule, sent_by, lane in rules:
            to = _place(rule.to, (domain,), group, self._named) if rule.to else ""
            if to is not None:
                found.append(_lane_of(rule, to, sent_by) if to else lane)
        if self.warm_up.senders:
            keys = warm_lanes_of(self.warm_up, sender.rpartition("@")[2], domain)
            found += [Lane(key, _NO_LIMIT, key.removeprefix("warm-up:")) for key in keys]
        return found

    def _sent_by(self, sender: str, relay: str) -> "_SentBy":
        """What is the same whichever domain the mail goes to: a house that limits each one meets thousands."""
        known = self._senders_known.get((sender, relay))
        if known is None:
            lanes = [Lane("house", self.house, "sending.per_second", is_shared=True)] if self.house.is_any else []
            limit = self.relays.get(relay)
            if limit is not None and limit.is_any:
                lanes.append(Lane(f"relay:{relay}", limit, f"relay {relay}", is_shared=len(self.relays) == 1))
            domain = sender.rpartition("@")[2]
            meant = [(rule, _place(rule.senders, (sender, domain), domain, frozenset())) for rule in self.rules]
            rules = [(rule, word, _lane_of(rule, "", word)) for rule, word in meant if word is not None]
            if len(self._senders_known) > _MOST_SENDERS:
                self._senders_known.clear()
            known = self._senders_known[sender, relay] = _SentBy(tuple(lanes), tuple(rules))
        return known


class _SentBy(NamedTuple):
    """What one address writes over one relay: the lanes of all of it, and each rule that may hold for some.

    With a rule come its word for the sender, and its lane where it does not tell the domains it is for from each other.
    """

    lanes: tuple[Lane, ...]
    rules: tuple[tuple[Rule, str, Lane], ...]


_MOST_SENDERS = 1000
_MOST_KNOWN = 50_000
_NO_LIMIT = Limit()


def _place(meant: frozenset[str], names: Sequence[str], group: str, named: frozenset[str]) -> str | None:
    """How a lane of a rule is told from others of it: not at all, or by the group it is for; None: not meant."""
    if not meant or any(name in meant for name in names):
        return ""
    return group if "*" in meant and not any(name in named for name in names) else None


def _lane_of(rule: Rule, to: str, sent_by: str) -> Lane:
    place = " ".join(word for word in (rule.name, to, sent_by) if word)
    return Lane(f"limit:{place}", rule.limit, f"limit {place}")


#: No limit at all.
FREE = Pacing()
