"""Everything around the engine that a simulation pretends: the house with its limits, people, and what became of them.

Frozen values. What the house decides (windows, caps, asks, blackouts, scores, promotion) it decides by the rules of
production; here stands what those rules are asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nurture.consent.rules import Pile, Standing
from nurture.contacts.facts import ContactFacts
from nurture.contacts.fields import WITH_SALES
from nurture.delivery.mailed.rules import Mailed
from nurture.scoring.rules import Given, Model
from nurture.sequences.program import Sequence as Program
from nurture.timing import DaySpan
from nurture.tracking.rules import Deed

#: Somebody who agreed to be mailed, for good.
WILLING = Standing({}, "given", "opt-in", Pile.ANNOUNCE)


@dataclass(frozen=True)
class Outage:
    """A time in which the relay cannot be reached, or, if it `defers`, puts off everything it is handed."""

    begins_at: datetime
    ends_at: datetime
    defers: bool = False


@dataclass(frozen=True)
class Limits:
    """What the house is held to, as settings.toml says it."""

    cap_per_day: int = 1
    cap_per_week: int = 2
    values_per_ask: int = 0
    blackout: tuple[DaySpan, ...] = ()
    give_up_after: timedelta = timedelta(days=4)
    per_second: float = 0
    blast_guard: int = 0
    settle_after: timedelta = timedelta(minutes=1)


@dataclass(frozen=True)
class World:
    """The house: its limits, its scoring, and what is known about the sequence beside its program."""

    limits: Limits = field(default_factory=Limits)
    model: Model | None = None
    has_agreement: bool = True  # on what a hand-off is; without one nobody becomes sales-ready
    #: Label and path of each link, by step: what a click can be on.
    links: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    sender_domains: Mapping[str, str] = field(default_factory=dict)  # by the name of the sender
    others: Mapping[str, Program] = field(default_factory=dict)  # the other sequences, by name
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True)
class Person:
    """Whom a life is about, what came before, and when they come in."""

    contact: ContactFacts
    zone: ZoneInfo
    window_zone: ZoneInfo
    standing: Standing = WILLING
    email: str = ""
    owner_domain: str = ""  # where mail in their owner's name comes from; empty: from the default sender
    tracked_since: datetime | None = None
    is_colleague: bool = False
    owner_has_agreed: bool = True
    enrolled_in: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    deeds: Sequence[Deed] = ()
    given: Sequence[Given] = ()
    mailed: Sequence[tuple[Mailed, str]] = ()  # mails of all campaigns with their kind, oldest first
    away_until: datetime | None = None
    arrives_at: datetime | None = None  # None: when the simulation begins
    enrollment_id: int | None = None  # by which a split chooses; None: by the seed

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]


@dataclass(frozen=True)
class Entry:
    """One line of a timeline."""

    at: datetime
    step: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Sent:
    """A mail that left."""

    at: datetime
    step: str
    kind: str
    sender_domain: str


@dataclass(frozen=True)
class Did:
    """Something a person did, or what became of them: a word of `habits`, "sales_ready", "left"."""

    at: datetime
    what: str
    step: str = ""


@dataclass(frozen=True)
class Ending:
    """Where the simulation left a person; the timeline is empty if nobody wanted it told."""

    person: Person
    began_at: datetime
    ended_at: datetime | None
    status: str
    reason: str
    step: str | None  # where they stand; None when it is over
    reached: frozenset[str]
    sent: tuple[Sent, ...]
    did: tuple[Did, ...]
    tags: frozenset[str]
    stage: str
    score: float
    is_tracked: bool = False
    timeline: tuple[Entry, ...] = ()

    @property
    def was_sales_ready(self) -> bool:
        """Whether sales had them already when they came in, so that they could not become sales-ready any more."""
        return self.person.contact.values.get("stage") in WITH_SALES

    @property
    def mails(self) -> int:
        return len(self.sent)

    def has(self, what: str) -> bool:
        return any(one.what == what for one in self.did)
