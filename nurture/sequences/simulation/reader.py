"""The person at the other end of a simulation: what they do with the mails they got, and when it is known who did it. Pure.

Requests for links and pixels are judged by the rules of production, a little later and together with the other requests of
their mail; a machine's count for nothing. What somebody says is certain at once.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nurture.sequences.simulation.habits import DEEDS, Habit, Habits
from nurture.tracking.rules import ActivityKind, Actor, Deed, Hit, judge

_REQUESTS = {"open": ActivityKind.OPENED, "click": ActivityKind.CLICKED, "scan": ActivityKind.CLICKED}
_WORDS = {"reply": ActivityKind.REPLIED, "book": ActivityKind.BOOKED, "wish": ActivityKind.WISHED}
_VERDICT = "verdict"


@dataclass(frozen=True)
class Act:
    """Something that is known now: a word of `habits`, or the verdict on what was requested."""

    what: str
    step: str
    habit: Habit | None = None
    deeds: tuple[Deed, ...] = ()  # what a verdict found, or a word is
    because: str = ""  # it was a machine

    @property
    def is_verdict(self) -> bool:
        return self.what == _VERDICT


@dataclass
class Reader:
    """One person, as far as our mails are concerned."""

    sequence: str
    enrollment_id: int
    habits: Mapping[str, Habits]  # by step
    links: Mapping[str, Sequence[tuple[str, str]]]
    chance: Callable[[str], float]
    settle_after: timedelta
    is_tracked: bool
    deeds: tuple[Deed, ...] = ()
    _hits: dict[str, list[Hit]] = field(default_factory=dict)
    _seen: dict[str, tuple[Deed, ...]] = field(default_factory=dict)  # what of the hits of a mail was a person
    _open: dict[str, datetime] = field(default_factory=dict)  # the first hit without a verdict, by mail
    _sent_at: dict[str, datetime] = field(default_factory=dict)
    _count: int = 0
    _ahead: list[tuple[datetime, int, str, str, Habit | None]] = field(default_factory=list)

    @property
    def next_at(self) -> datetime | None:
        return self._ahead[0][0] if self._ahead else None

    @property
    def open_at(self) -> datetime | None:
        """When the first request occurred that still waits for its verdict."""
        return min(self._open.values()) if self._open else None

    def get(self, step: str, key: str, at: datetime) -> None:
        """A mail arrives: draw what they will do with it."""
        self._sent_at[key] = at
        for what in DEEDS:
            habit = self.habits[step].get(what)
            if habit is None or (what in _REQUESTS and not self.is_tracked) or self.chance(f"{key}:{what}") >= habit.p:
                continue  # an untracked person's request leaves no trace
            self._expect(at + habit.delay(self.chance(f"{key}:{what}:delay")), what, key, habit)

    def _expect(self, at: datetime, what: str, key: str, habit: Habit | None = None) -> None:
        self._count += 1
        heapq.heappush(self._ahead, (at, self._count, what, key, habit))

    def live_through(self, now: datetime) -> list[Act]:
        """Everything that is known by now and was not before."""
        acts = []
        while self._ahead and self._ahead[0][0] <= now:
            at, _, what, key, habit = heapq.heappop(self._ahead)
            step = key.split(":")[-2]
            if habit is None:
                acts.append(self._settle(step, key))
            elif what in _REQUESTS:
                self._request(step, key, what, habit, at)
            else:
                acts.append(self._say(step, what, habit, at))
        return acts

    def _request(self, step: str, key: str, what: str, habit: Habit, at: datetime) -> None:
        fitting = [number for number, link in enumerate(self.links.get(step, ())) if habit.link in {"", *link}]
        if what == "click" and fitting:
            fitting = [fitting[int(self.chance(f"{key}:link") * len(fitting))]]
        numbers: list[int | None] = [None] if what == "open" else [*fitting]
        hits = self._hits.setdefault(key, [])
        hits += [
            Hit(id_, _REQUESTS[what], number, at, "GET", "a browser", "")
            for id_, number in enumerate(numbers, start=len(hits))
        ]
        if numbers and key not in self._open:
            self._open[key] = at
            self._expect(at + self.settle_after, _VERDICT, key)

    def _settle(self, step: str, key: str) -> Act:
        """The verdicts on all requests of a mail; a burst also withdraws what was taken for a person before."""
        del self._open[key]
        hits, links, before = self._hits[key], self.links.get(step, ()), self._seen.get(key, ())
        verdicts = judge(hits, links=len(links), sent_at=self._sent_at[key])
        self._seen[key] = seen = tuple(
            self._deed(hit.kind, step, hit.occurred_at, *_link_of(links, hit))
            for hit in hits
            if verdicts[hit.id].actor is Actor.PERSON
        )
        self.deeds = (*(one for one in self.deeds if one not in before), *seen)
        news = tuple(one for one in seen if one not in before)
        return Act(_VERDICT, step, deeds=news, because="" if news else verdicts[hits[-1].id].because)

    def _say(self, step: str, what: str, habit: Habit, at: datetime) -> Act:
        if what not in _WORDS:
            return Act(what, step, habit)
        deed = self._deed(_WORDS[what], step, at)
        self.deeds = (*self.deeds, deed)
        return Act(what, step, habit, (deed,))

    def _deed(self, kind: ActivityKind, step: str, at: datetime, label: str = "", path: str = "") -> Deed:
        return Deed(kind, at, f"{self.sequence}/{step}", self.enrollment_id, label, path)


def _link_of(links: Sequence[tuple[str, str]], hit: Hit) -> tuple[str, str]:
    return (links[hit.link][0].lower(), links[hit.link][1]) if hit.link is not None else ("", "")
