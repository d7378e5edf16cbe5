"""How much somebody is asked, and how fast: mails that may follow each other within a day, asks that are not earned.

Counted on the shortest way, as the file has it: what somebody waits for comes at once, a date has passed already, and
the windows and caps that hold mail back at sending are left out.
"""

from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from nurture.sequences.program import Send, Wait, WaitFor, WaitUntil, ways_from
from nurture.sequences.remarks.judged import Judged
from nurture.sequences.remarks.ways import Way, Ways
from nurture.timing import Duration, Moment, in_words

_A_DAY = timedelta(days=1).total_seconds()
_NUMBERS = ("no value", "only one value", "only two values", "only three values", "only four values")
_ANY_ZONE = ZoneInfo("UTC")
_ANY_MONDAY = date(2024, 1, 1)


def close_mails(judged: Judged) -> None:
    """Told at the later mail, with the earlier one that is nearest."""
    steps, ways = judged.program.steps, judged.ways
    nearest: dict[str, tuple[float, str]] = {}
    weekly = _reached_by_weekday(ways)
    for id_, step in steps.items():
        if not isinstance(step, Send) or id_ not in ways.reached:
            continue
        begin = dict.fromkeys((to for _, to in ways.on[id_]), 0.0)
        length = partial(_shortest, judged, weekly.get(id_))
        after = ways.least(begin, length, lambda one: isinstance(steps[one], Send))
        for later, seconds in after.items():
            # A loop without any wait is told as such.
            is_loop = later == id_ and not seconds
            if isinstance(steps[later], Send) and not is_loop and seconds < nearest.get(later, (_A_DAY, ""))[0]:
                nearest[later] = seconds, id_
    for later, (seconds, earlier) in nearest.items():
        passed = f"only {in_words(timedelta(seconds=seconds))} after" if seconds else "right after"
        which = "itself" if later == earlier else f'"{earlier}"'
        message = f"this mail may leave {passed} {which}, on the shortest way."
        hint = "Put a wait of a day or more between the two."
        judged.remark("NS307", judged.by_id[later].mail_path, message, hint)


def _shortest(judged: Judged, sent_on: frozenset[Moment] | None, id_: str, way: str, passed: float) -> float:
    """How many seconds it takes at least to go this way on; `sent_on`: the last mail left at one of these times."""
    match judged.program.steps[id_]:
        case Wait(length=length):
            return _seconds(length)
        case WaitFor(up_to=up_to) if way == "too late":
            return _seconds(up_to)
        case WaitUntil(moment=moment) if moment.days and sent_on:
            return min(_until(moment, one, timedelta(seconds=passed)) for one in sent_on)
    return 0


def _until(moment: Moment, sent_on: Moment, passed: timedelta) -> float:
    """From a time of the week, with what has passed since, to the next of another: the shortest."""
    found = []
    for day in sent_on.days:
        since = datetime.combine(_ANY_MONDAY + timedelta(days=day), sent_on.at, _ANY_ZONE) + passed
        comes_at = moment.instant(since, _ANY_ZONE)
        assert comes_at is not None
        found.append((comes_at - since).total_seconds())
    return min(found)


def _reached_by_weekday(ways: Ways) -> dict[str, frozenset[Moment]]:
    """The mails before which everybody waits for a day of the week, with the times at which they may be sent."""
    steps = ways.program.steps
    found: dict[str, frozenset[Moment]] = {}
    for step in steps.values():
        if isinstance(step, WaitUntil) and step.moment.days and step.next is not None:
            found[step.next] = found.get(step.next, frozenset()) | {step.moment}
    leading: dict[str, set[str]] = {}
    for id_, on in ways.on.items():
        for _, to in on:
            leading.setdefault(to, set()).add(id_)
    is_weekly = {id_ for id_, step in steps.items() if isinstance(step, WaitUntil) and step.moment.days}
    return {
        id_: moments
        for id_, moments in found.items()
        if isinstance(steps[id_], Send) and leading[id_] <= is_weekly and id_ != ways.program.first
    }


def _seconds(length: Duration) -> float:
    """A working day is a day at least."""
    return max(0.0, (length.exact + timedelta(days=length.working_days)).total_seconds())


def unearned_asks(judged: Judged) -> None:
    """Jab, jab, jab, right hook: an ask stands on mails that gave something, unless the reader asked first."""
    wanted = judged.workspace.values_per_ask
    has_asks = any(isinstance(step, Send) and step.kind == "ask" for step in judged.program.steps.values())
    entries = judged.entries
    if not wanted or not has_asks or (entries and all(judged.says_they_asked(one) for one in entries)):
        return
    ways = Ways(judged.program, _asked_ways(judged))
    steps = judged.program.steps
    asks = [id_ for id_, step in steps.items() if isinstance(step, Send) and step.kind == "ask" and id_ in ways.reached]
    first = judged.program.first
    begin = {first: 0.0} if first is not None else {}
    from_start = ways.least(begin, partial(_values, judged), lambda one: one in asks)
    after_ask = dict.fromkeys((to for one in asks for _, to in ways.on[one]), 0.0)
    from_ask = ways.least(after_ask, partial(_values, judged), lambda one: one in asks)
    for one in asks:
        earned, again = from_start.get(one, wanted), from_ask.get(one, wanted)
        if min(earned, again) < wanted:
            few = int(min(earned, again))
            told = _NUMBERS[few] if few < len(_NUMBERS) else f"only {few} values"
            since = " since the ask before" if again < earned else ""
            message = f"an ask after {told}{since}; earn it with {_count(wanted)}, or say what invited it."
            hint = 'Say it on the step: silence: {NS301: "they asked for a price"}.'
            judged.remark("NS301", judged.by_id[one].mail_path, message, hint)


def _values(judged: Judged, id_: str, _way: str, _passed: float) -> float:
    step = judged.program.steps[id_]
    return 1 if isinstance(step, Send) and step.kind == "value" else 0


def _asked_ways(judged: Judged) -> frozenset[Way]:
    """The ways that only people take who asked us; no ask there is one of ours."""
    yes = (
        (one.step, next(ways_from(judged.program.steps[one.step]))[0], one.when) for one in judged.branches if one.step
    )
    return frozenset((id_, way) for id_, way, when in yes if judged.says_they_asked(when))


def _count(number: int) -> str:
    return {1: "one", 2: "two", 3: "three", 4: "four"}.get(number, str(number))
