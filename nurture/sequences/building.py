"""From a file that has no errors to the program that runs: every step learns where it leads."""

from datetime import date, time
from typing import TypeAlias

from nurture.conditions import Words, parse
from nurture.sequences import program
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.numbering import Numbered
from nurture.sequences.program import Arm, Exit, Late, Sequence, Step, WinnerRule
from nurture.sequences.steps import (
    EndStep,
    EnrollStep,
    GotoStep,
    HandOffStep,
    IfStep,
    LateDefinition,
    LeaveDefinition,
    ListStep,
    NotifyDefinition,
    NotifyStep,
    OfferMeetingStep,
    ScoreStep,
    SendStep,
    SetStep,
    SplitStep,
    TagStep,
    TaskDefinition,
    TaskStep,
    UntagStep,
    UntilDefinition,
    WaitForStep,
    WaitStep,
    WebhookDefinition,
    WebhookStep,
)
from nurture.timing import parse_duration, parse_length, parse_moment

Program: TypeAlias = dict[str, Step]


def build(definition: SequenceDefinition, steps: list[Numbered], words: Words) -> Sequence:
    """The program of a sequence."""
    steps_by_id: Program = {}
    first = _chain(steps, None, steps_by_id, words)
    compatible = definition.compatible_with
    return Sequence(
        name=definition.sequence,
        topic=definition.topic,
        sender=definition.sender,
        first=first,
        steps=steps_by_id,
        exits=tuple(Exit(parse(one.when, words), one.when, one.as_) for one in definition.exit),
        window=definition.window.to_window() if definition.window else None,
        window_zone=definition.window.timezone if definition.window else "contact",
        late=_late(definition.late),
        until_agreed=definition.until_owner_agrees,
        priority=definition.priority,
        compatible_with=frozenset({"all"} if compatible == "all" else compatible),
        if_busy=definition.if_busy,
    )


def _late(definition: LateDefinition | None) -> Late | None:
    return Late(parse_length(definition.within), definition.otherwise) if definition else None


def _chain(steps: list[Numbered], after: str | None, into: Program, words: Words) -> str | None:
    """Link a list of steps so that its last one leads to `after`; the id of its first."""
    following = after
    for one in reversed(steps):
        _add(one, following, into, words)
        following = one.id
    return following


def _add(one: Numbered, following: str | None, into: Program, words: Words) -> None:
    """Put a step into the program, with everything inside it."""
    match one.step:
        case IfStep() as step:
            _add_branches(one, step, following, into, words)
        case WaitForStep() as step:
            then, otherwise = (_chain(one.ways[way], following, into, words) for way in ("then", "else"))
            condition, up_to = parse(step.wait_for, words), parse_duration(step.up_to)
            into[one.id] = program.WaitFor(one.id, condition, step.wait_for, up_to, then, otherwise)
        case SplitStep() as step:
            # By name, as a published file has them too: what somebody draws must not depend on the order of a file.
            arms = tuple(
                Arm(name, arm.weight, _chain(one.ways[name], following, into, words))
                for name, arm in sorted(step.split.items())
            )
            into[one.id] = program.Split(one.id, arms, _winner(step, words))
        case _:
            into[one.id] = _simple(one, following)


def _add_branches(one: Numbered, step: IfStep, following: str | None, into: Program, words: Words) -> None:
    """`if`, `elif`, `else`: each condition is a branch whose "no" leads to the next one."""
    otherwise = _chain(one.ways["else"], following, into, words)
    conditions = [step.if_, *(further.if_ for further in step.elif_)]
    ways = ["then", *(f"elif-{number}" for number in range(1, len(conditions)))]
    for id_, text, way in reversed(list(zip(one.ids, conditions, ways, strict=True))):
        then = _chain(one.ways[way], following, into, words)
        into[id_] = program.Branch(id_, parse(text, words), text, then, otherwise)
        otherwise = id_


def _winner(step: SplitStep, words: Words) -> WinnerRule | None:
    if step.winner is None:
        return None
    rule = step.winner
    up_to = parse_length(rule.up_to) if rule.up_to else None
    condition, after = parse(rule.goal, words), parse_length(rule.after)
    return WinnerRule(condition, rule.goal, after, rule.at_least, rule.confidence, up_to)


def _simple(one: Numbered, following: str | None) -> Step:  # noqa: C901, PLR0912 — one case for each kind of step
    match one.step:
        case SendStep() as step:
            return program.Send(one.id, following, step.kind, step.on_failure, _late(step.late))
        case OfferMeetingStep(offer_meeting=mail):
            return program.Send(one.id, following, mail.kind, mail.on_failure, _late(mail.late), mail.slots)
        case WaitStep(wait=UntilDefinition() as until):
            moment = parse_moment(until.until, time.fromisoformat(until.at.zfill(5)))
            return program.WaitUntil(one.id, following, moment, _told(until), until.if_missing)
        case WaitStep(wait=str(length)):
            return program.Wait(one.id, following, parse_duration(length))
        case TagStep() as step:
            return program.AddTag(one.id, following, step.tag)
        case UntagStep() as step:
            return program.RemoveTag(one.id, following, step.untag)
        case SetStep() as step:
            # A date is kept as ISO text, as the fields are.
            values = {name: str(value) if isinstance(value, date) else value for name, value in step.set.items()}
            return program.SetFields(one.id, following, tuple(values.items()))
        case ListStep(list=LeaveDefinition(leave=name)):
            return program.ChangeList(one.id, following, name, is_joining=False)
        case ListStep(list=str(name)):
            return program.ChangeList(one.id, following, name)
        case ScoreStep() as step:
            half_life = parse_length(step.half_life) if step.half_life else None
            return program.GivePoints(one.id, following, step.score, step.because or f"step {one.id}", half_life)
        case NotifyStep(notify=given):
            note = given if isinstance(given, NotifyDefinition) else NotifyDefinition(subject=given)
            return program.Notify(one.id, following, note.to, note.subject, note.text)
        case TaskStep(task=given):
            task = given if isinstance(given, TaskDefinition) else TaskDefinition(what=given)
            return program.AddTask(one.id, following, task.to, task.what, parse_duration(task.due_after))
        case WebhookStep(webhook=given):
            call = given if isinstance(given, WebhookDefinition) else WebhookDefinition(url=given)
            return program.CallWebhook(one.id, following, call.url, tuple(call.send), tuple(call.headers.items()))
        case EnrollStep() as step:
            return program.EnrollIn(one.id, following, step.enroll)
        case HandOffStep():
            return program.HandOver(one.id, following)
        case GotoStep() as step:
            return program.GoTo(one.id, following, step.goto, step.at_most)
        case EndStep() as step:
            return program.End(one.id, step.end)
    raise AssertionError(f"{type(one.step).__name__} has no place in a program")


def _told(until: UntilDefinition) -> str:
    return f"{until.until}" if until.at == "00:00" else f"{until.until} {until.at}"
