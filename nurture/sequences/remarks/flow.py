"""Where people get, and where they stand still: steps nobody reaches, loops, dates that have passed, closed windows."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nurture.conditions import AllOf, Condition, Not
from nurture.sequences.numbering import Numbered
from nurture.sequences.program import GoTo, Send, Step, Wait, WaitFor, WaitUntil
from nurture.sequences.remarks.judged import Judged
from nurture.sequences.steps import EndStep, GotoStep, IfStep, UntilDefinition, WaitStep
from nurture.timing import find_zone, parse_moment

#: Zones whose clocks jump at different hours: between them they skip 22:00 to 03:00.
_JUMPING = (
    "Europe/Berlin", "America/New_York", "Atlantic/Azores", "Africa/Cairo", "Asia/Beirut", "America/Santiago",
    "America/Nuuk", "Australia/Lord_Howe",
)  # fmt: skip
_LONGEST_JUMP = timedelta(hours=1)


def unreachable_steps(judged: Judged) -> None:
    """Told once for what stands together, at its first step."""
    _unreachable(judged, judged.steps)


def _unreachable(judged: Judged, steps: list[Numbered]) -> None:
    is_told = False
    for number, one in enumerate(steps):
        if one.id in judged.ways.reached:
            is_told = False
            for inner in one.ways.values():
                _unreachable(judged, inner)
        elif not is_told:
            is_told = True
            before = steps[number - 1]
            message = f"nobody ever gets to this step: {_why(judged, before)}."
            hint = "Take it out, or move it before that step."
            judged.remark("NS250", one.path, message, hint, severity="error")


def _why(judged: Judged, before: Numbered) -> str:
    match before.step:
        case EndStep():
            return "the step before it ends the sequence"
        case GotoStep(goto=to):
            order = [one.id for one in judged.every]
            if order.index(to) > order.index(before.id):
                return f'the step before it goes on to "{to}"'
            return f'the step before it goes back to "{to}" without end'
    return f'no way out of "{before.id}" leads here'


def constant_conditions(judged: Judged) -> None:
    """What can never hold, in itself or after what was asked before it, and what always does."""
    earlier: dict[str, list[Condition]] = {}
    exits_and_steps = [*judged.exits, *judged.questions]
    for one in exits_and_steps:
        written = judged.by_id[one.step] if one.step else None
        asked = earlier.setdefault(written.id, []) if written and isinstance(written.step, IfStep) else []
        if not judged.possible.can_hold(one.when):
            judged.remark(
                "NS251", one.place, f"nobody can ever be like this: {_flat(one.text)}.",
                "Take out what contradicts the rest; `or` instead of `and`, if either will do.", severity="error",
            )  # fmt: skip
        elif asked and not judged.possible.can_hold(AllOf((one.when, *(Not(other) for other in asked)))):
            judged.remark(
                "NS251", one.place, f"whoever is like this has been asked for before: {_flat(one.text)}.",
                "Ask for the special case first.", severity="error",
            )  # fmt: skip
        elif not judged.possible.can_hold(Not(one.when)):
            message = f"this holds of everybody, always: {_flat(one.text)}."
            judged.remark("NS306", one.place, message, "Leave the question out, or ask what tells people apart.")
        asked.append(one.when)
    entry = judged.definition.enroll.when
    if entry and not judged.possible.can_hold(judged.entries[0]):
        message = f"nobody can ever be like this: {_flat(entry)}."
        judged.remark("NS251", ("enroll", "when"), message, "Take out what contradicts the rest.", severity="error")


def idle_questions(judged: Judged) -> None:
    """An `if` on whose answer nothing depends; a `wait_for` makes people wait even so."""
    for one in judged.every:
        if isinstance(one.step, IfStep) and not any(one.ways.values()):
            message = "whatever the answer is, nothing follows from it."
            hint = "Write below `then` or `else` what happens, or take the question out."
            judged.remark("NS337", (*one.path, "if"), message, hint)


def loops(judged: Judged) -> None:
    """A loop needs a step on every way round that makes everybody wait, and an end if it sends mail."""
    for back in judged.ways.goes_back():
        path = (*judged.by_id[back.id].path, "goto")
        if back.id in judged.ways.reach(back.to, lambda id_, way: not stands_still(judged.program.steps[id_], way)):
            judged.remark(
                "NS252", path, f'one can come back to "{back.to}" without any wait on the way.',
                "Put a wait into the loop, such as `- wait: 3 days`; a date that has passed, or what has happened "
                "already, makes nobody wait.", severity="error",
            )  # fmt: skip
        elif back.at_most is None and (mails := _mails_in_loop(judged, back)):
            message = f"this sends {' and '.join(mails[:3])} again and again, without end."
            judged.remark("NS302", path, message, "Say how often, such as at_most: 3.")


def stands_still(step: Step, way: str) -> bool:
    """Whether everybody who goes this way on stood still at the step, also the second time round."""
    match step:
        case Wait(length=length):
            return bool(length.working_days or length.exact > timedelta(0))
        case WaitUntil(moment=moment):
            return bool(moment.days)
        case WaitFor(up_to=up_to):
            return way == "too late" and bool(up_to.working_days or up_to.exact > timedelta(0))
    return False


def _mails_in_loop(judged: Judged, back: GoTo) -> list[str]:
    loop = judged.ways.around(back)
    return [f'"{id_}"' for id_, step in judged.program.steps.items() if id_ in loop and isinstance(step, Send)]


def jumps_into_branches(judged: Judged) -> None:
    for one in judged.every:
        if not isinstance(one.step, GotoStep):
            continue
        to = judged.by_id[one.step.goto]
        around = to.path[:-1]
        if one.path[: len(around)] != around:
            outer = next(other for other in judged.every if to in _directly_inside(other))
            message = f'"{to.id}" stands inside "{outer.id}", and this goes there past the question.'
            judged.remark("NS304", (*one.path, "goto"), message, f'Go to "{outer.id}", or move the step out of it.')


def _directly_inside(one: Numbered) -> list[Numbered]:
    return [inner for way in one.ways.values() for inner in way]


def past_dates(judged: Judged) -> None:
    today = judged.workspace.today
    for one in judged.every:
        if today and isinstance(one.step, WaitStep) and isinstance(one.step.wait, UntilDefinition):
            day = parse_moment(one.step.wait.until, time(0)).on
            if day is not None and day < today:
                message = f"{day} has passed, so nobody waits here any more."
                judged.remark("NS303", (*one.path, "wait", "until"), message, "Write a new date, or take the step out.")


def windows(judged: Judged) -> None:
    """A window that never opens, and one so short that a change of the clocks takes a whole day of it."""
    definition, today = judged.definition.window, judged.workspace.today
    if definition is None or judged.program.window is None or today is None:
        return
    window = judged.program.window.closed_on(judged.workspace.blackout)
    at = datetime(today.year, today.month, today.day, tzinfo=UTC)
    fixed = find_zone(definition.timezone)
    zones = [fixed] if fixed else [ZoneInfo(name) for name in _JUMPING]
    if not any(window.opens_ever(at, zone) for zone in zones[:1]):
        judged.remark(
            "NS253", ("window",), "this window does not open on any day of the next 400.",
            "Give it a day that is neither a holiday nor a blackout day of settings.toml.", severity="error",
        )  # fmt: skip
    elif window.length <= _LONGEST_JUMP:
        lost = (zone for zone in zones for _ in window.lost_days(today, zone))
        if (zone := next(lost, None)) is not None:
            message = f"the clocks of {zone} jump over these hours once a year, and nothing leaves there that day."
            judged.remark("NS305", ("window", "hours"), message, "Make them longer than an hour.")


def _flat(text: str) -> str:
    return " ".join(text.split())
