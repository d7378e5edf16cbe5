"""A sequence as boxes and ways between them, in words that people use. Pure.

`flow_of` makes it from a program; every step is one box, and one box more is where the sequence ends. What has been
counted of people, if anything, stands beside it and is told by `here` and `share`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nurture.figures import TOO_FEW, rate
from nurture.sequences import program
from nurture.sequences.program import Sequence, Split, Step, WinnerRule, ways_from
from nurture.timing import Duration

#: The box at which everybody arrives who leaves no other way. No step has an id without letters.
THE_END = ""

_PRINTED = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TAG = re.compile(r"\{[%#].*?[%#]\}", re.DOTALL)
_NAME = re.compile(r"[a-z_]+\.([a-z_]+)")


class Shape(StrEnum):
    """What a box is: a mail that gives, one that asks, a time that passes, a choice, something done, or an end."""

    VALUE = "value"
    ASK = "ask"
    WAIT = "wait"
    CHOICE = "choice"
    ACT = "act"
    END = "end"


@dataclass(frozen=True)
class Box:
    """One step: what it does, the detail of it, and the id by which files and commands name it."""

    id: str
    shape: Shape
    does: str
    detail: str = ""


@dataclass(frozen=True)
class Way:
    """A way from one box to another; `name` is how the store calls it, `label` what the picture says."""

    start: str
    name: str
    label: str
    end: str


@dataclass(frozen=True)
class People:
    """Who stands on each step now, and how often each way was taken, counted over `version`."""

    version: int
    standing: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[tuple[str, str], int] = field(default_factory=dict)
    is_sample: bool = False  # of the latest who came in, for there are many


@dataclass(frozen=True)
class Flow:
    """Everything the picture shows; the first box is where people come in."""

    name: str
    title: str
    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]
    exits: tuple[str, ...] = ()
    people: People | None = None

    def here(self, box: str) -> int | None:
        """How many stand there now; None where nobody counted."""
        return None if self.people is None else self.people.standing.get(box, 0)

    def taken(self, way: Way) -> tuple[int, int]:
        """How often this way was taken, of how often somebody left that box."""
        counted = self.people.taken if self.people else {}
        base = sum(counted.get((way.start, one.name), 0) for one in self.ways if one.start == way.start)
        return counted.get((way.start, way.name), 0), base

    def share(self, way: Way) -> str:
        """`62 % (55–68 %) of 214`; empty where there is no other way, or nobody has passed."""
        count, base = self.taken(way)
        if not way.label or not base:
            return ""
        if base < TOO_FEW:
            return f"{count} of {base}, too few to tell"
        found = rate(count, base)
        percent = [round(100 * value) for value in (found.share, found.low, found.high)]
        return f"{percent[0]} % ({percent[1]}–{percent[2]} %) of {base:,}"


def flow_of(sequence: Sequence, title: str, subjects: Mapping[str, str], people: People | None = None) -> Flow:
    """The flow of a program; `subjects` are the subjects of its mails, by step, as their files write them."""
    boxes = [_box(step, subjects) for step in _in_order(sequence)]
    ways = [
        Way(step.id, name, _label(step, name), THE_END if end is None else end)
        for step in _in_order(sequence)
        for name, end in ways_from(step)
    ]
    if any(way.end == THE_END for way in ways) or not boxes:
        boxes.append(Box(THE_END, Shape.END, "the end"))
    exits = tuple(f"{one.text} → {one.reason}" for one in sequence.exits)
    return Flow(sequence.name, title, tuple(boxes), tuple(ways), exits, people)


def _in_order(sequence: Sequence) -> Iterator[Step]:
    """Every step, the first one first, as people pass them; then those that nobody reaches."""
    seen: set[str] = set()
    for root in [sequence.first, *sequence.steps]:
        ahead = [root]
        while ahead:
            id_ = ahead.pop()
            if id_ is None or id_ in seen:
                continue
            seen.add(id_)
            yield sequence.steps[id_]
            ahead += [end for _, end in reversed(list(ways_from(sequence.steps[id_])))]


def _label(step: Step, name: str) -> str:
    match step:
        case Split(arms=arms):
            [weight] = [arm.weight for arm in arms if arm.name == name]
            return f"{name}, {100 * weight / sum(arm.weight for arm in arms):.3g} %"
        case program.GoTo(at_most=int()) if name == "enough":
            return "after that"
    return name


def _box(step: Step, subjects: Mapping[str, str]) -> Box:
    shape, does, detail = _words(step, subjects)
    return Box(step.id, shape, does, detail)


def _words(step: Step, subjects: Mapping[str, str]) -> tuple[Shape, str, str]:  # noqa: C901, PLR0912 — one case for each kind of step
    match step:
        case program.Send(kind=kind, slots=slots):
            offers = f", offers {slots} times to meet" if slots else ""
            shape, does = (Shape.ASK, "asks by mail") if kind == "ask" else (Shape.VALUE, "sends a mail")
            return shape, f"{does}{offers}", readable(subjects.get(step.id, ""))
        case program.Wait(length=length):
            return Shape.WAIT, f"waits {length}", ""
        case program.WaitUntil(text=text, if_missing=if_missing):
            without = f"without that date: {'goes on' if if_missing == 'next' else 'leaves'}"
            return Shape.WAIT, f"waits until {text}", without if step.moment.field else ""
        case program.Branch(text=text):
            return Shape.CHOICE, "looks whether", text
        case program.WaitFor(text=text, up_to=up_to):
            return Shape.CHOICE, f"waits up to {up_to} for", text
        case Split(arms=arms, winner=winner):
            return Shape.CHOICE, f"goes one of {len(arms)} ways by lot", _test(winner) if winner else ""
        case program.AddTag(tag=tag):
            return Shape.ACT, "tags them", tag
        case program.RemoveTag(tag=tag):
            return Shape.ACT, "takes a tag off", tag
        case program.SetFields(values=values):
            return Shape.ACT, "sets", ", ".join(f"{name}: {_value(value)}" for name, value in values)
        case program.ChangeList(list=name, is_joining=is_joining):
            return Shape.ACT, "puts them on a list" if is_joining else "takes them off a list", name
        case program.GivePoints(points=points, because=because):
            return Shape.ACT, f"gives {points:g} points", because
        case program.Notify(to=to, subject=subject):
            return Shape.ACT, f"tells {_whom(to)}", subject
        case program.AddTask(to=to, what=what, due_after=due_after):
            return Shape.ACT, f"a task for {_whom(to)}, due in {due_after}", what
        case program.CallWebhook(url=url):
            return Shape.ACT, "calls another system", url
        case program.EnrollIn(sequence=sequence):
            return Shape.ACT, "puts them into", sequence
        case program.HandOver():
            return Shape.ACT, "hands them to a rep", ""
        case program.GoTo(to=to, at_most=at_most):
            return Shape.ACT, f"goes back to {to}", f"at most {_times(at_most)}" if at_most else "again and again"
        case program.End(reason=reason):
            return Shape.END, "ends here", reason
    raise AssertionError(f"{type(step).__name__} has no words")


def _whom(to: str) -> str:
    return "their owner" if to == "owner" else to


def _value(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
    return str(value)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _test(winner: WinnerRule) -> str:
    tested = f"until one wins by {winner.text} within {Duration(winner.after)}, {winner.at_least:,} people each"
    return f"{tested}; at most {Duration(winner.up_to)}" if winner.up_to else tested


def readable(template: str) -> str:
    """A subject without its Jinja: `{{ contact.first_name | fallback("Hello") }}` becomes `[first name]`."""

    def shown(match: re.Match[str]) -> str:
        name = _NAME.search(match[1])
        return f"[{(name[1] if name else match[1].strip()).replace('_', ' ')}]"

    return " ".join(_TAG.sub("", _PRINTED.sub(shown, template)).split())
