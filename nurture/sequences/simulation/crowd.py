"""The crowd that `check --simulate` lets live through a sequence: invented people, as different as people are. Pure.

They come from many zones and countries, with fields filled in or missing, tracked or not, from eager to silent; some are
out of office, some leave, some work at an address that does not exist. Values that the sequence's conditions compare
with are among theirs, so that each branch is taken by somebody. The same seed invents the same crowd.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from nurture.conditions import Asks, Compare, Condition, Field, FieldType, OneOf, Value, walk
from nurture.contacts.facts import ContactFacts
from nurture.contacts.fields import ABILITIES, BUILT_IN, STAGES, UNKNOWN, WITH_SALES
from nurture.sequences.program import Branch, WaitFor
from nurture.sequences.program import Sequence as Program
from nurture.sequences.simulation.habits import Behavior, Group, Habit
from nurture.sequences.simulation.world import Person
from nurture.timing import get_zone

SIZE = 400
#: They come in over a year, so that every holiday and both changes of the clock are among their days.
COME_IN_OVER = timedelta(days=365)

_PLACES = (
    ("US", "America/New_York"), ("US", "America/Los_Angeles"), ("US", "Pacific/Honolulu"), ("CA", "America/St_Johns"),
    ("GB", "Europe/London"), ("IE", "Europe/Dublin"), ("DE", "Europe/Berlin"), ("AT", "Europe/Vienna"),
    ("FR", "Europe/Paris"), ("ES", "Atlantic/Canary"), ("IN", "Asia/Kolkata"), ("NP", "Asia/Kathmandu"),
    ("JP", "Asia/Tokyo"), ("AU", "Australia/Lord_Howe"), ("NZ", "Pacific/Auckland"), ("BR", "America/Sao_Paulo"),
    ("ZA", "Africa/Johannesburg"), (None, "UTC"),
)  # fmt: skip
_DOMAINS = ("reader.example", "works.example", "mill.example", "harbor.example")
_DATES = (-40, -1, 3, 20, 45, 90, 200)
#: How far they have come: few are with sales already, so that the others have somewhere to get to.
_WITH_SALES = 0.04
_HOURS, _DAYS = timedelta(hours=1), timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def _habit(p: float, after: timedelta, at_most: timedelta) -> Habit:
    return Habit(p, after, at_most)


#: Most people are silent; what the others do is guessed, and on purpose more than they do in life.
BEHAVIOR = Behavior(
    default={"scan": _habit(0.1, _MINUTE, 5 * _MINUTE), "bounce": Habit(0.01)},
    groups=(
        Group(0.15, {"open": _habit(0.95, _MINUTE, 8 * _HOURS), "click": _habit(0.8, _HOURS, 2 * _DAYS),
                     "book": _habit(0.3, _HOURS, 3 * _DAYS)}, "eager"),
        Group(0.30, {"open": _habit(0.5, _HOURS, 4 * _DAYS), "click": _habit(0.15, _HOURS, 6 * _DAYS)}, "reading"),
        Group(0.08, {"open": _habit(0.7, _HOURS, _DAYS), "reply": _habit(0.4, _HOURS, 5 * _DAYS)}, "answering"),
        Group(0.04, {"wish": _habit(0.5, _HOURS, 5 * _DAYS), "click": _habit(0.5, _HOURS, _DAYS)}, "asking"),
        Group(0.08, {"opt_out": _habit(0.4, _MINUTE, 5 * _DAYS)}, "leaving"),
        Group(0.08, {"away": Habit(0.5, _MINUTE, 10 * _MINUTE, lasting=16 * _DAYS)}, "often away"),
    ),
    tracked=0.6,
)  # fmt: skip


def invent(
    program: Program, fields: Mapping[str, Field], start: datetime, *, size: int = SIZE, seed: int = 0
) -> list[Person]:
    """So many people who come in during the year from `start`; `fields` are all a contact can have."""
    compared = _compared(program)
    asked = sorted({(part.predicate, value) for part in _parts(program) if isinstance(part, Asks)
                    for name, value in part.arguments if name in {"tag", "list"} and isinstance(value, str)})  # fmt: skip
    return [_person(number, program, fields, compared, asked, start, seed) for number in range(1, size + 1)]


def _person(
    number: int,
    program: Program,
    fields: Mapping[str, Field],
    compared: Mapping[str, Sequence[Value]],
    asked: Sequence[tuple[str, str]],
    start: datetime,
    seed: int,
) -> Person:
    def chance(about: str) -> float:
        text = f"crowd:{seed}:{number}:{about}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64

    country, zone = _PLACES[int(chance("place") * len(_PLACES))]
    email = f"person{number}@{_DOMAINS[int(chance('domain') * len(_DOMAINS))]}"
    values: dict[str, Value | None] = {
        name: _value(field, compared.get(name, ()), chance(name), chance(f"{name}:which"), start)
        for name, field in fields.items()
        if name not in BUILT_IN
    }
    values |= {
        name: _word(compared.get(name, ()), chance(name)) for name in ("company", "job_title", "source", "language")
    }
    values |= {
        "email": email, "domain": email.rpartition("@")[2], "country": country, "timezone": zone,
        "first_name": "Ana" if chance("first name") < 0.8 else None, "last_name": None,
        "stage": _stage(chance("stage"), chance("stage:which")),
        "score": 0.0, "fit": None, "interest": None, "owner": None,
        **dict.fromkeys(ABILITIES, UNKNOWN),
    }  # fmt: skip
    has = [(what, name) for what, name in asked if chance(f"{what}:{name}") < 0.3]
    facts = ContactFacts(
        values,
        frozenset(name for what, name in has if what == "has_tag"),
        frozenset(name for what, name in has if what == "in_list"),
        frozenset({program.topic}),
    )
    here = get_zone(zone)
    come_in = timedelta(minutes=int(chance("arrival") * (COME_IN_OVER / _MINUTE)))
    window_zone = here if program.window_zone in {"contact", "owner"} else get_zone(program.window_zone)
    return Person(facts, here, window_zone, email=email, arrives_at=start + come_in)


def _stage(chance: float, which: float) -> str:
    if chance < _WITH_SALES:
        return WITH_SALES[int(which * len(WITH_SALES))]
    before = STAGES[: -len(WITH_SALES)]
    return before[int(which**2 * len(before))]


def _value(field: Field, compared: Sequence[Value], chance: float, which: float, start: datetime) -> Value | None:
    """A value of that type, or none for one in five; half the others have one that a condition asks for."""
    if chance < 0.2:
        return None
    match field.type:
        case FieldType.FLAG:
            return which < 0.5
        case FieldType.DATE:
            return (start.date() + _DATES[int(which * len(_DATES))] * _DAYS + chance * COME_IN_OVER).isoformat()
        case FieldType.NUMBER:
            near = [one + more for one in compared if isinstance(one, int | float) for more in (-1, 0, 1)]
            return near[int(which * len(near))] if near else round(which * 500)
    return _word(compared, which)


def _word(compared: Sequence[Value], chance: float) -> str | None:
    words = [one for one in compared if isinstance(one, str)]
    return [*words, "something else", None][int(chance * (len(words) + 2))]


def _parts(program: Program) -> Iterator[Condition]:
    asked = [step.when for step in program.steps.values() if isinstance(step, Branch | WaitFor)]
    for when in [*asked, *(one.when for one in program.exits)]:
        yield from walk(when)


def _compared(program: Program) -> dict[str, list[Value]]:
    """What the conditions compare each field with."""
    found: dict[str, list[Value]] = {}
    for part in _parts(program):
        if isinstance(part, Compare):
            found.setdefault(part.field, []).append(part.value)
        elif isinstance(part, OneOf):
            found.setdefault(part.field, []).extend(part.values)
    return found
