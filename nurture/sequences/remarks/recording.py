"""What only shows of people whose opens and clicks we may record: what the others never get to, and what looks like silence."""

from nurture.conditions import AllOf, AnyOf, Asks, Condition, Not, walk
from nurture.sequences.numbering import Numbered
from nurture.sequences.program import HandOver, Send, Split
from nurture.sequences.remarks.judged import Judged, Question, of_somebody_not_recorded
from nurture.sequences.remarks.possible import Possible
from nurture.sequences.remarks.ways import Ways
from nurture.sequences.steps import EndStep, IfStep, LeaveDefinition, ListStep, SetStep, UntagStep, WaitForStep
from nurture.tracking.rules import RECORDED

_HINT = "Let something else lead there too: replied(), booked(), an interest they state, or time alone."


def only_recorded(judged: Judged) -> None:
    """Hand-offs, offered meetings, exits and winners that nobody gets to whose clicks we may not record."""
    if judged.lets_in_only_recorded:
        return
    others = Ways(judged.program, judged.recorded_ways).reached
    for one in judged.branches:
        missed = [] if one.step not in others else _missed(judged, one, others)
        if missed:
            message = f"only people whose clicks we may record get to {_listed(missed)} from here; the others never do"
            judged.remark("NS308", one.place, f"{message}{_share(judged)}.", _HINT)
    for one in judged.exits:
        if judged.is_only_for_recorded(one.when):
            message = "only people whose clicks we may record can leave by this; the others stay to the end"
            judged.remark("NS308", one.place, f"{message}{_share(judged)}.", _HINT)
    for one in judged.questions:
        if isinstance(judged.program.steps[one.step or ""], Split) and judged.is_only_for_recorded(one.when):
            message = "only people whose clicks we may record can reach this goal; the others are not counted"
            hint = 'Let an answer count as well: or replied("…").'
            judged.remark("NS308", one.place, f"{message}{_share(judged)}.", hint)


def _missed(judged: Judged, question: Question, others: set[str]) -> list[str]:
    """What matters and lies behind a way that the others do not take, if they get to it by no other."""
    found: set[str] = set()
    for way, to in judged.ways.on[question.step or ""]:
        if (question.step, way) in judged.recorded_ways:
            found |= judged.ways.reach(to) - others
    return [one.id for one in judged.every if one.id in found and _matters(judged, one)]


def _matters(judged: Judged, one: Numbered) -> bool:
    step = judged.program.steps[one.id]
    return isinstance(step, HandOver) or (isinstance(step, Send) and step.slots > 0)


def _share(judged: Judged) -> str:
    share = judged.workspace.not_recorded
    return f" ({100 * share:.0f} % of your contacts)" if share is not None else ""


def _listed(ids: list[str]) -> str:
    quoted = [f'"{one}"' for one in ids]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def silence_by_missing_opens(judged: Judged) -> None:
    """Whoever did not open or click, as far as we may see, is not therefore silent."""
    if judged.lets_in_only_recorded:
        return
    for one in judged.every:
        takes_away = any(_taken_away(inner) for inner in one.ways.values())
        for way, place, when in _decided(judged, one) if takes_away else ():
            if (what := _taken_away(one.ways.get(way, []))) and _is_silence(judged, when):
                _remark(judged, place, what)
    entry = judged.definition.enroll
    if entry.when and _is_silence(judged, judged.entries[0]) and (what := _taken_away(judged.every)):
        _remark(judged, ("enroll", "when"), what)


def _remark(judged: Judged, place: tuple[str | int, ...], what: str) -> None:
    message = f"people whose opens and clicks we may not record{_share(judged)} look silent here, and {what}."
    hint = 'Ask tracked_for("180 days") as well, so that it is asked only of those of whom we would know.'
    judged.remark("NS309", place, message, hint)


def _decided(judged: Judged, one: Numbered) -> list[tuple[str, tuple[str | int, ...], Condition]]:
    """What holds of those who go each way of a fork, with the place of the question that decided it last."""
    if not isinstance(one.step, IfStep | WaitForStep):
        return []
    asked = [question for question in judged.branches if question.step in one.ids]
    names = ["then", *(f"elif-{number}" for number in range(1, len(asked)))]
    found = []
    earlier: list[Condition] = []
    for name, question in zip(names, asked, strict=True):
        found.append((name, question.place, AllOf((*earlier, question.when))))
        earlier.append(Not(question.when))
    return [*found, ("else", asked[-1].place, AllOf(tuple(earlier)))]


def _is_silence(judged: Judged, when: Condition) -> bool:
    """Whether it holds of somebody only because nothing was seen of them, and of people of whom nothing may be seen."""
    asked = [part for part in walk(when) if isinstance(part, Asks) and part.predicate in RECORDED]
    nobody_seen = Possible(judged.workspace.words.fields, of_somebody_not_recorded)
    return (
        bool(asked) and nobody_seen.can_hold(when) and not judged.possible.can_hold(AllOf((when, AnyOf(tuple(asked)))))
    )


def _taken_away(steps: list[Numbered]) -> str:
    """What the steps take from somebody, in words; "" if nothing."""
    for one in steps:
        match one.step:
            case ListStep(list=LeaveDefinition(leave=name)):
                return f'leave the list "{name}"'
            case UntagStep(untag=tag):
                return f'lose the tag "{tag}"'
            case SetStep(set=values):
                return f"get {', '.join(values)} set"
            case EndStep():
                return "end here"
    return ""
