"""One sequence with everything the remarks look at: its file, its program, the links of its mails, who comes in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from nurture.campaigns.reading import Workspace, YamlFile
from nurture.conditions import AllOf, AnyOf, Asks, Compare, Condition, Not, OneOf, parse
from nurture.contacts.fields import ASKS_US
from nurture.rendering.links import Link
from nurture.rendering.source import MailSource
from nurture.scoring.rules import Model
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.numbering import Numbered, Place, walk_all
from nurture.sequences.program import Branch, GivePoints, Sequence, Split, WaitFor
from nurture.sequences.remarks.possible import Possible
from nurture.sequences.remarks.ways import Way, Ways
from nurture.sequences.steps import IfStep, SplitStep, WaitForStep
from nurture.tracking.rules import RECORDED


@dataclass(frozen=True)
class Question:
    """A condition of the file: where it stands, the step that asks it (none for entry and exits), what it reads."""

    place: Place
    text: str
    when: Condition
    step: str | None = None


def of_somebody_not_recorded(asked: Asks) -> bool | None:
    """What is certain about people whose opens and clicks we may not record."""
    return False if asked.predicate in RECORDED | {"tracked_for"} else None


@dataclass(frozen=True)
class Judged:
    """A sequence whose file has no errors."""

    file: YamlFile
    definition: SequenceDefinition
    steps: list[Numbered]
    program: Sequence
    workspace: Workspace
    mails: Mapping[str, MailSource] = field(default_factory=dict)
    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)  # by the step that sends the mail
    model: Model | None = None  # the scoring as the files have it

    def remark(
        self, code: str, path: Place, message: str, hint: str, *, severity: str = "warning", at_key: bool = False
    ) -> None:
        """Say something about what stands at `path`."""
        self.file.complain(code, path, message, hint, severity=severity, at_key=at_key)

    @cached_property
    def every(self) -> list[Numbered]:
        """All steps, in the order of the file."""
        return list(walk_all(self.steps))

    @cached_property
    def by_id(self) -> Mapping[str, Numbered]:
        """The step as written, by each id it has in the program."""
        return {id_: one for one in self.every for id_ in one.ids}

    @cached_property
    def ways(self) -> Ways:
        return Ways(self.program)

    @cached_property
    def possible(self) -> Possible:
        """What may be known about anybody."""
        return Possible(self.workspace.words.fields)

    @cached_property
    def branches(self) -> list[Question]:
        """The conditions at which the way forks."""
        return [one for one in self.questions if isinstance(self.program.steps.get(one.step or ""), Branch | WaitFor)]

    @cached_property
    def exits(self) -> list[Question]:
        return [Question(("exit", number, "when"), one.text, one.when) for number, one in enumerate(self.program.exits)]

    @cached_property
    def questions(self) -> list[Question]:
        """Every condition of a step, in the order of the file."""
        return [found for one in self.every for found in self._asked_by(one)]

    def _asked_by(self, one: Numbered) -> Iterator[Question]:
        places = [place for place, _ in one.conditions]
        match one.step:
            case IfStep() | WaitForStep():
                for place, id_ in zip(places, one.ids, strict=True):
                    step = self.program.steps[id_]
                    assert isinstance(step, Branch | WaitFor)
                    yield Question(place, step.text, step.when, id_)
            case SplitStep() if places:
                split = self.program.steps[one.id]
                assert isinstance(split, Split)
                assert split.winner is not None
                yield Question(places[0], split.winner.text, split.winner.goal, one.id)

    @cached_property
    def entries(self) -> list[Condition]:
        """What holds of everybody who comes in by themselves, one condition for each way in."""
        entry = self.definition.enroll
        found = [parse(text, self.workspace.words) for text in (entry.when, entry.did) if text]
        if entry.joined:
            found.append(Asks("in_list", (("list", entry.joined),)))
        if entry.submitted:
            found.append(Asks("submitted", (("form", entry.submitted),)))
        if entry.on_date:
            found.append(AllOf(()))
        return found

    @cached_property
    def lets_in_only_recorded(self) -> bool:
        """Whether everybody who comes in by themselves is one whose opens and clicks we record."""
        others = Possible(self.workspace.words.fields, of_somebody_not_recorded)
        return bool(self.entries) and not any(others.can_hold(one) for one in self.entries)

    def says_they_asked(self, condition: Condition) -> bool:
        """Whether it holds only of people who asked us: they want a demonstration, have a need, booked or sent a form."""
        said = [part for part in _positive(condition) if _is_said(part)]
        return bool(said) and self.possible.implies(
            condition, AnyOf((OneOf("interest", ASKS_US), *(part for part in said if isinstance(part, Asks))))
        )

    @cached_property
    def points(self) -> float:
        """The most that its own steps give somebody; endless in a loop without end."""
        endless: set[str] = set().union(*(self.ways.around(back) for back in self.ways.goes_back() if not back.at_most))
        given = [step for id_, step in self.program.steps.items() if isinstance(step, GivePoints) and step.points > 0]
        if any(step.id in endless for step in given):
            return float("inf")
        return sum(step.points for step in given)

    @cached_property
    def recorded_ways(self) -> frozenset[Way]:
        """The ways on that somebody takes, and nobody of whom we may not record opens and clicks."""
        found: set[Way] = set()
        for one in self.branches:
            assert one.step is not None
            yes, no = ("yes", "no") if isinstance(self.program.steps[one.step], Branch) else ("in time", "too late")
            if self.is_only_for_recorded(one.when):
                found.add((one.step, yes))
            if yes == "yes" and self.is_only_for_recorded(Not(one.when)):
                found.add((one.step, no))
        return frozenset(found)

    def is_only_for_recorded(self, condition: Condition) -> bool:
        """Whether it can hold of people whose opens and clicks we may record, and of nobody else."""
        return self._recorded.can_hold(condition) and not self._not_recorded.can_hold(condition)

    @cached_property
    def _recorded(self) -> Possible:
        return Possible(self.workspace.words.fields, most=self._most(recorded=True))

    @cached_property
    def _not_recorded(self) -> Possible:
        return Possible(self.workspace.words.fields, of_somebody_not_recorded, self._most(recorded=False))

    def _most(self, *, recorded: bool) -> Mapping[str, float]:
        return {} if self.model is None else {"score": most_points(self, recorded=recorded)}


def most_points(judged: Judged, *, recorded: bool) -> float:
    """The most points that the scoring and this sequence can give somebody; what fades is counted as new."""
    fields = judged.workspace.words.fields
    people = Possible(fields) if recorded else Possible(fields, of_somebody_not_recorded)
    return judged.points + (reachable_points(judged.model, people) if judged.model else 0)


def reachable_points(model: Model, people: Possible) -> float:
    """The most points that the rules of the scoring can give to one of these people."""
    rules = [rule for rule in model.activities if rule.points > 0 and people.can_hold(rule.when)]
    return sum(rule.cap if rule.cap is not None else float("inf") for rule in rules)


def _is_said(part: Condition) -> bool:
    match part:
        case Compare(field=name) | OneOf(field=name):
            return name == "interest"
        case Asks(predicate=predicate):
            return predicate in {"submitted", "booked"}
    return False


def _positive(condition: Condition) -> Iterator[Condition]:
    """What stands in it without `not` before it."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _positive(part)
        case Compare() | OneOf() | Asks():
            yield condition
