"""What only shows between sequences: circles in which they pass people on, and who makes way for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nurture.campaigns.reading import YamlFile
from nurture.conditions import Asks, walk
from nurture.errors import did_you_mean
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.numbering import Place
from nurture.sequences.program import EnrollIn
from nurture.sequences.remarks.flow import stands_still
from nurture.sequences.remarks.judged import Judged


@dataclass(frozen=True)
class Outline:
    """What other sequences may want to know of one."""

    file: YamlFile
    definition: SequenceDefinition
    #: Sequences that it may put somebody on, without a wait before, with the place of the step.
    passes_on_to: Mapping[str, Place]
    #: Sequences that its conditions ask about, with the places.
    asks_about: tuple[tuple[str, Place], ...]
    points: float  # the most its steps give

    @property
    def name(self) -> str:
        return self.definition.sequence


def outline(judged: Judged) -> Outline:
    """Draw the outline of a sequence."""
    at_once = judged.ways.reach(judged.program.first, lambda id_, way: not stands_still(judged.program.steps[id_], way))
    passed = {
        step.sequence: (*judged.by_id[id_].path, "enroll")
        for id_, step in judged.program.steps.items()
        if isinstance(step, EnrollIn) and id_ in at_once
    }
    asked = [
        (str(dict(part.arguments)["sequence"]), one.place)
        for one in [*judged.exits, *judged.questions]
        for part in walk(one.when)
        if isinstance(part, Asks) and part.predicate in {"enrolled", "finished"}
    ]
    return Outline(judged.file, judged.definition, passed, tuple(asked), judged.points)


def remark_together(every: Sequence[Outline], known: Sequence[str]) -> None:
    """Everything there is to say about sequences that know of each other; `known` are the names of all."""
    by_name = {one.name: one for one in every}
    for one in every:
        _circle(one, by_name)
        _replaces_nobody(one, every)
        for name, place in one.asks_about:
            if name not in known:
                hint = did_you_mean(name, known).strip() or "Whoever was on one that is gone still has been on it."
                message = f'there is no sequence "{name}" any more.'
                one.file.complain("NS336", place, message, hint, severity="warning")


def _circle(one: Outline, by_name: Mapping[str, Outline]) -> None:
    """Told in each sequence of the circle."""
    for to, place in one.passes_on_to.items():
        met, left = set[str](), [to]
        while left:
            name = left.pop()
            if name not in met and name in by_name:
                met.add(name)
                left += by_name[name].passes_on_to
        if one.name in met:
            told = "it leads back to itself" if to == one.name else f'"{to}" leads back here'
            message = f"{told} without any wait, and people would go round and round."
            hint = "Put a wait into one of the sequences before this step, or end the circle."
            one.file.complain("NS256", place, message, hint)


def _replaces_nobody(one: Outline, every: Sequence[Outline]) -> None:
    here = one.definition
    if here.if_busy != "replace":
        return
    others = [
        other.definition for other in every if other.name != one.name and not _go_together(here, other.definition)
    ]
    if others and min(other.priority for other in others) >= here.priority:
        message = f"no other sequence has a priority below {here.priority}, so this one never takes anybody's place."
        hint = "Give it a higher priority, or write if_busy: wait."
        one.file.complain("NS335", ("if_busy",), message, hint, severity="warning")


def _go_together(one: SequenceDefinition, other: SequenceDefinition) -> bool:
    return any(
        here.compatible_with == "all" or there.sequence in here.compatible_with
        for here, there in ((one, other), (other, one))
    )
