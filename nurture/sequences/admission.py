"""Who of those that something lets in comes in, who waits, who stays out: one sequence at a time, by priority. Pure.

`entries` asks the database what lets whom in and what they are on, and carries out what is decided here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.sequences.program import Sequence as Program


@dataclass(frozen=True)
class Way:
    """One way of a contact through a sequence; `ended_at` None while they are on it."""

    sequence: str
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Occasion:
    """Something lets a contact in. One that `passes` is remembered for whoever is busy."""

    contact_id: int
    because: str
    passes: bool = False
    was_put: bool = False  # by hand or by another sequence, which asks nothing of how often


@dataclass(frozen=True)
class Door:
    """A sequence that takes people in; `again` is how long after the end of the last time, None never."""

    program: Program
    again: timedelta | None = None

    @property
    def name(self) -> str:
        return self.program.name


class Outcome(StrEnum):
    """What becomes of an occasion."""

    COMES_IN = "comes in"
    WAITS = "waits"
    STAYS_OUT = "stays out"


@dataclass(frozen=True)
class Admission:
    """What was decided for one contact at one door; `replaces` are the sequences that give way."""

    contact_id: int
    sequence: str
    outcome: Outcome
    because: str
    replaces: tuple[str, ...] = ()


def admit(
    doors: Sequence[Door],
    occasions: Mapping[str, Iterable[Occasion]],
    ways: Mapping[int, Sequence[Way]],
    now: datetime,
) -> list[Admission]:
    """Decide about all occasions, the most important sequence first; each decision is seen by those after it."""
    lives = {contact_id: list(known) for contact_id, known in ways.items()}
    decided = []
    for door in sorted(doors, key=lambda one: (-one.program.priority, one.name)):
        for occasion in occasions.get(door.name, ()):
            life = lives.setdefault(occasion.contact_id, [])
            admission = _decide(door, doors, occasion, life, now)
            if admission is not None:
                decided.append(admission)
                lives[occasion.contact_id] = list(_after(life, admission, now))
    return decided


def may_share(program: Program, other: str, doors: Sequence[Door]) -> bool:
    """Whether somebody may be on a sequence and on the other one; one that is not published any more shares nothing."""
    if other == program.name:
        return True
    return any(door.name == other and program.is_compatible_with(door.program) for door in doors)


def _decide(
    door: Door, doors: Sequence[Door], occasion: Occasion, life: Sequence[Way], now: datetime
) -> Admission | None:
    program = door.program
    mine = [way for way in life if way.sequence == door.name]
    if any(way.ended_at is None for way in mine):
        return None
    if not occasion.was_put and any(not _is_long_ago(way, door.again, now) for way in mine):
        return None
    busy = [way.sequence for way in life if way.ended_at is None and not may_share(program, way.sequence, doors)]
    if not busy:
        return Admission(occasion.contact_id, door.name, Outcome.COMES_IN, occasion.because)
    lower = {one.name for one in doors if one.program.priority < program.priority}
    if program.if_busy == "replace" and lower.issuperset(busy) and not occasion.was_put:
        return Admission(occasion.contact_id, door.name, Outcome.COMES_IN, occasion.because, tuple(busy))
    if program.if_busy == "skip" and not occasion.was_put:
        return Admission(occasion.contact_id, door.name, Outcome.STAYS_OUT, occasion.because)
    if occasion.passes:
        return Admission(occasion.contact_id, door.name, Outcome.WAITS, occasion.because)
    return None


def _is_long_ago(way: Way, again: timedelta | None, now: datetime) -> bool:
    return again is not None and way.ended_at is not None and way.ended_at <= now - again


def _after(life: Sequence[Way], admission: Admission, now: datetime) -> Iterator[Way]:
    """The life with what was just decided."""
    for way in life:
        gives_way = way.ended_at is None and way.sequence in admission.replaces
        yield Way(way.sequence, now) if gives_way else way
    if admission.outcome is not Outcome.WAITS:
        yield Way(admission.sequence, None if admission.outcome is Outcome.COMES_IN else now)
