"""`expect:` in a sequence's file: sentences that must hold of everybody who lives through it. Pure.

A closed list of forms, so that each can be checked exactly and answered with a counter-example. What is said of everybody
fails with the first one for whom it does not hold; what is said of a share fails only when its whole 95 % interval lies on
the wrong side, since chance alone moves a share.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from nurture.contacts.fields import ASKS_US
from nurture.delivery.rules import Kind
from nurture.errors import BadInput, did_you_mean
from nurture.figures import Rate, rate
from nurture.sequences.simulation.world import Ending, Entry
from nurture.timing import Window, in_words, is_holiday, parse_duration, parse_hours, parse_length

#: Every form with an example: what the documentation lists, and what an error names.
FORMS: Mapping[str, str] = {
    "at most N mails in LENGTH": "at most 2 mails in 7 days",
    "everyone finishes within LENGTH": "everyone finishes within 60 days",
    "no send on a holiday": "no send on a holiday",
    "no send on a weekend": "no send on a weekend",
    "no send outside HOURS": "no send outside 08:00-18:00",
    "no ask before N values": "no ask before 3 values",
    "nobody gets STEP who WORD": "nobody gets offer who replied",
    "at least P % reach STEP": "at least 5 % reach offer",
    "at most P % reach STEP": "at most 60 % reach reminder",
    "at least P % become sales-ready": "at least 2 % become sales-ready",
    "at most P % leave": "at most 3 % leave",
}
#: What somebody may have done, by the word in a sentence. "a mail" stands for whichever step.
_WORDS = {
    "replied": "reply",
    "opened": "open",
    "clicked": "click",
    "booked": "book",
    "left": "opt_out",
    "became sales-ready": "sales_ready",
}
_ANY_MAIL = "a mail"
_LINES_BEFORE = 6
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Breach:
    """For whom a sentence does not hold, since when, and why; `timeline` is what led there."""

    because: str
    ending: Ending | None = None
    at: datetime | None = None

    @property
    def timeline(self) -> Sequence[Entry]:
        """The last lines up to that instant."""
        if self.ending is None:
            return ()
        lines = [one for one in self.ending.timeline if self.at is None or one.at <= self.at]
        return lines[-_LINES_BEFORE:]


@dataclass(frozen=True)
class Judgement:
    """What became of one sentence: how it does not hold, the share that was found, or that it was not looked at for long enough.

    `short_by` is how much longer it takes to know. Who looked says with `ahead` how far they did, to tell how far they must.
    """

    text: str
    breach: Breach | None = None
    share: Rate | None = None
    short_by: timedelta | None = None
    ahead: timedelta = timedelta(0)

    @property
    def holds(self) -> bool | None:
        """None: not known."""
        return None if self.short_by is not None else self.breach is None

    @property
    def unknown(self) -> str:
        """What it takes to know; empty: it is known."""
        if self.short_by is None:
            return ""
        return f"look at least {math.ceil((self.ahead + self.short_by) / _DAY)} days ahead"


Judge: TypeAlias = Callable[[Sequence[Ending], datetime], Judgement]


@dataclass(frozen=True)
class Expectation:
    """One sentence: how long a life it takes to judge it, the step it names, and who judges."""

    text: str
    judge: Judge
    step: str | None = None
    takes: timedelta = timedelta(0)


_Found: TypeAlias = tuple[datetime, str] | None


def parse_expectation(text: str) -> Expectation:
    """Read a sentence, or say which sentences there are."""
    said = " ".join(text.split()).rstrip(".")
    for pattern, read in _READERS:
        match = re.fullmatch(pattern, said)
        if match is not None:
            return read(said, *match.groups())
    near = did_you_mean(said, FORMS.values())
    known = "; ".join(f'"{example}"' for example in FORMS.values())
    raise BadInput(f'"{text}" is nothing that can be expected.{near} Write a sentence such as {known}.')


def _can_be_missed(text: str, *, is_so: bool) -> None:
    """A sentence that holds, or fails, whatever the sequence does is a slip."""
    if not is_so:
        raise BadInput(f'"{text}" holds or fails whatever the sequence does; write numbers that it could miss.')


def _length(text: str, length: str) -> timedelta:
    found = parse_length(length)
    _can_be_missed(text, is_so=found > timedelta(0))
    return found


def _of_everybody(
    text: str, look: Callable[[Ending, datetime], _Found], *, step: str | None = None, takes: timedelta = timedelta(0)
) -> Expectation:
    def judge(endings: Sequence[Ending], until: datetime) -> Judgement:
        for ending in endings:
            found = look(ending, until)
            if found is not None:
                return Judgement(text, Breach(found[1], ending, found[0]))
        return Judgement(text)

    return Expectation(text, judge, step, takes)


def _at_most_mails(text: str, count: str, length: str) -> Expectation:
    most, within = int(count), _length(text, length)

    def look(ending: Ending, until: datetime) -> _Found:
        for first, last in zip(ending.sent, ending.sent[most:], strict=False):
            if last.at - first.at < within:
                return (
                    last.at,
                    f"{most + 1} mails between {first.at:%a %Y-%m-%d %H:%M} and {last.at:%a %Y-%m-%d %H:%M} UTC",
                )
        return None

    return _of_everybody(text, look)


def _everyone_finishes(text: str, length: str) -> Expectation:
    within = _length(text, length)

    def look(ending: Ending, until: datetime) -> _Found:
        due_at, ended_at = ending.began_at + within, ending.ended_at
        if ended_at is not None and ended_at > due_at:
            return ended_at, f"only done after {in_words(ended_at - ending.began_at)}"
        if ended_at is None and until >= due_at:
            return due_at, f'still on "{ending.step}" after {parse_duration(length)}'
        return None

    everybody = _of_everybody(text, look, takes=within + _DAY)

    def judge(endings: Sequence[Ending], until: datetime) -> Judgement:
        found = everybody.judge(endings, until)
        last = max((one.began_at for one in endings if one.ended_at is None), default=None)
        if found.breach is None and last is not None:
            return replace(found, short_by=last + within - until)  # whoever is still on the way has time left
        return found

    return replace(everybody, judge=judge)


def _no_send_on_a_holiday(text: str) -> Expectation:
    def look(ending: Ending, until: datetime) -> _Found:
        country = ending.person.contact.values.get("country")
        for one in ending.sent:
            day = one.at.astimezone(ending.person.zone).date()
            if isinstance(country, str) and is_holiday(day, (country,)):
                return one.at, f'"{one.step}" leaves on {day:%a %Y-%m-%d}, a holiday in {country}'
        return None

    return _of_everybody(text, look)


def _no_send_on_a_weekend(text: str) -> Expectation:
    def look(ending: Ending, until: datetime) -> _Found:
        for one in ending.sent:
            here = one.at.astimezone(ending.person.zone)
            if here.weekday() >= 5:
                return one.at, f'"{one.step}" leaves on a {here:%A}, {here:%H:%M} in {ending.person.zone}'
        return None

    return _of_everybody(text, look)


def _no_send_outside(text: str, hours: str) -> Expectation:
    opens, closes = parse_hours(hours)
    window = Window(opens=opens, closes=closes)

    def look(ending: Ending, until: datetime) -> _Found:
        for one in ending.sent:
            opening = window.find_opening(one.at, ending.person.zone)
            if opening is None or opening.opens_at > one.at:
                here = one.at.astimezone(ending.person.zone)
                return one.at, f'"{one.step}" leaves at {here:%H:%M} in {ending.person.zone}'
        return None

    return _of_everybody(text, look)


def _no_ask_before(text: str, count: str) -> Expectation:
    wanted = int(count)
    _can_be_missed(text, is_so=wanted > 0)

    def look(ending: Ending, until: datetime) -> _Found:
        asked_at = next((one.at for one in ending.did if one.what == "asked"), None)
        if ending.person.contact.values.get("interest") in ASKS_US:
            asked_at = ending.began_at
        had = [(one.occurred_at, kind) for one, kind in ending.person.mailed]
        had += [(one.at, one.kind) for one in ending.sent]
        values = 0
        for at, kind in had:
            is_earned = values >= wanted or (asked_at is not None and asked_at <= at) or at < ending.began_at
            if kind == Kind.ASK and not is_earned:
                return at, f"an ask after {values} mail{'' if values == 1 else 's'} of value"
            values = 0 if kind == Kind.ASK else values + (kind == Kind.VALUE)
        return None

    return _of_everybody(text, look)


def _nobody_gets(text: str, step: str, word: str) -> Expectation:
    if word not in _WORDS:
        raise BadInput(f'nobody "{word}";{did_you_mean(word, _WORDS)} what people do is {", ".join(_WORDS)}.')

    def look(ending: Ending, until: datetime) -> _Found:
        did_at = min((one.at for one in ending.did if one.what == _WORDS[word]), default=None)
        for one in ending.sent:
            if did_at is not None and one.at > did_at and step in {_ANY_MAIL, one.step}:
                return one.at, f'gets "{one.step}" and {word} at {did_at:%a %Y-%m-%d %H:%M} UTC'
        return None

    return _of_everybody(text, look, step=None if step == _ANY_MAIL else step)


def _share(
    text: str, bound: str, percent: str, who: Callable[[Ending], bool], step: str | None = None, *,
    of: Callable[[Ending], bool] = lambda _: True,
) -> Expectation:  # fmt: skip
    wanted, is_least = float(percent) / 100, bound == "least"
    _can_be_missed(text, is_so=0 < wanted <= 1 if is_least else wanted < 1)

    def judge(endings: Sequence[Ending], until: datetime) -> Judgement:
        counted = [one for one in endings if of(one)]
        found = rate(sum(map(who, counted)), len(counted))
        if (found.high < wanted) if is_least else (found.low > wanted):
            return Judgement(text, Breach(f"it is {found}"), found)
        return Judgement(text, None, found)

    return Expectation(text, judge, step)


def _reach(text: str, bound: str, percent: str, step: str) -> Expectation:
    return _share(text, bound, percent, lambda one: step in one.reached, step)


def _become_sales_ready(text: str, bound: str, percent: str) -> Expectation:
    return _share(text, bound, percent, lambda one: one.has("sales_ready"), of=lambda one: not one.was_sales_ready)


def _leave(text: str, bound: str, percent: str) -> Expectation:
    return _share(text, bound, percent, lambda one: one.has("opt_out"))


_LENGTH = r"(\d+ ?[a-z ]+)"
_SHARE = r"at (least|most) (\d+(?:\.\d+)?) ?% (?:of people )?"
_READERS: tuple[tuple[str, Callable[..., Expectation]], ...] = (
    (rf"at most (\d+) mails? in {_LENGTH}", _at_most_mails),
    (rf"every(?:one|body) finishes within {_LENGTH}", _everyone_finishes),
    (r"no send on a holiday", _no_send_on_a_holiday),
    (r"no send on a weekend", _no_send_on_a_weekend),
    (r"no send outside (\S+)", _no_send_outside),
    (r"no ask before (\d+) values?", _no_ask_before),
    (r"nobody gets (a mail|\S+) who (.+)", _nobody_gets),
    (rf"{_SHARE}reach (\S+)", _reach),
    (rf"{_SHARE}become sales-ready", _become_sales_ready),
    (rf"{_SHARE}leave", _leave),
)


def unknown_steps(texts: Iterable[str], steps: Iterable[str]) -> list[tuple[int, str]]:
    """Which of these sentences name a step that is none, by number."""
    known = set(steps)
    named = [(number, parse_expectation(text).step) for number, text in enumerate(texts)]
    return [(number, step) for number, step in named if step is not None and step not in known]
