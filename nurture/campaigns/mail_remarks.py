"""What a careful colleague says about one mail before it goes to anybody: about its words, its links, its promises.

All of it is a remark: it may be right here, and then the file says why (`silencing`). Each remark looks at what two
readers would see (`samples`) and stands where the author wrote the words. Pure; `mails` asks here for every mail of a
campaign, a step of a sequence as an issue. What only shows between several mails is the campaign's own to say.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from nurture.campaigns import wording
from nurture.campaigns.reading import Problem
from nurture.campaigns.samples import POSTAL_ADDRESS, URLS, Samples
from nurture.rendering.compiling import CompiledMail
from nurture.rendering.links import is_web
from nurture.rendering.scanning import Place
from nurture.rendering.source import MailSource

#: What a mail is for: to give something, or to ask for something; None where its format does not say.
MailKind: TypeAlias = Literal["value", "ask"] | None

LONGEST_SUBJECT = 60  # characters: a phone shows 40, a wide window about 60
ENOUGH_TO_GIVE = 120  # words of its own with which a mail gives something without any link
TOO_MUCH_WE = 6  # times; below that the share says nothing
RECENT = timedelta(days=2 * 365)  # what is longer ago is history and no deadline

REMARKS: Mapping[str, str] = {
    "NS240": "a subject longer than inboxes show",
    "NS241": "a field that may be missing leaves a hole, such as `Hi ,`",
    "NS242": "a subject that poses as an answer",
    "NS243": "a reminder that gives nothing",
    "NS244": "a deadline that everybody gets anew",
    "NS245": "a deadline that has passed",
    "NS246": "a mail that speaks of its writer more than of its reader",
    "NS247": "a mail called value that only leads to a sale",
    "NS248": "an ask that asks nothing",
}

_HOLE = re.compile(r"\S[ \t]+[,.](?=\s|$)|^[ \t]*[,.](?=\s)|\([ \t]*\)|[“\"][ \t]*[”\"]", re.MULTILINE)


@dataclass(frozen=True)
class Judged:
    """One mail and what is known about it."""

    source: MailSource
    compiled: CompiledMail
    samples: Samples
    place_of: Callable[[str], Place]  # where a text of the mail was written
    subject_at: Place
    kind: MailKind = None
    is_dripped: bool = False  # everybody gets it at a time of their own
    today: date | None = None

    @property
    def begins_at(self) -> Place:
        """Where a remark about the mail as a whole stands."""
        return self.source.template, 1, 1

    @property
    def words(self) -> str:
        """What the author has to say: the text without the paragraphs that every mail has below."""
        ours = (URLS.leave, URLS.preferences, URLS.view, POSTAL_ADDRESS)
        paragraphs = re.split(r"\n\s*\n", self.samples.full.text)
        return "\n\n".join(one for one in paragraphs if not any(each in one for each in ours))

    @property
    def deadlines(self) -> list[tuple[date, str]]:
        """Days by which it says that something is due."""
        return list(wording.deadlines(f"{self.samples.full.subject}\n{self.words}"))

    @property
    def destinations(self) -> list[str]:
        """Where its links lead, as far as it is written, but for our own pages and the front of a site."""
        led = (link.destination for link in self.compiled.links)
        return [one for one in led if is_web(one) and not wording.is_home(one)]

    @property
    def has_wish(self) -> bool:
        """Whether a click on it says that somebody wants a demonstration, has a need, or takes a time to meet."""
        return "wish_url" in self.compiled.addresses or "mail.meeting" in self.compiled.uses

    @property
    def is_giving(self) -> bool:
        """Whether one of its links leads to something for the reader."""
        return any(not wording.leads_to_a_sale(one) for one in self.destinations)


def remarks(mail: Judged) -> Iterator[Problem]:
    """Everything there is to say about the mail."""
    for rule in _RULES:
        yield from rule(mail)


def _remark(place: Place, code: str, message: str, hint: str) -> Problem:
    return Problem(*place, code, message, hint, "warning")


def _long_subject(mail: Judged) -> Iterator[Problem]:
    subject = mail.samples.full.subject
    if len(subject) > LONGEST_SUBJECT:
        message = f'the subject has {len(subject)} characters for a reader such as ours: "{subject}".'
        yield _remark(mail.subject_at, "NS240", message, f"Inboxes show about {LONGEST_SUBJECT}; say it shorter.")


def _hole(mail: Judged) -> Iterator[Problem]:
    """A greeting that falls back on nothing, and leaves its comma behind."""
    full, bare = mail.samples.full, mail.samples.bare
    if bare is None:
        return
    for name, in_full, in_bare in (("subject", full.subject, bare.subject), ("text", full.text, bare.text)):
        if len(_HOLE.findall(in_bare)) <= len(_HOLE.findall(in_full)):
            continue
        usual = set(in_full.splitlines())
        line = next((one for one in in_bare.splitlines() if one not in usual and _HOLE.search(one)), in_bare)
        printed = [used for used in sorted(mail.compiled.uses) if used.startswith("contact.")]
        place = mail.subject_at if name == "subject" else next(map(mail.place_of, printed), mail.subject_at)
        message = f'the {name} has a hole for somebody we know less about: "{line.strip()[:60]}".'
        yield _remark(
            place, "NS241", message, 'Give it a word to fall back on: {{ contact.first_name | fallback("there") }}.'
        )


def _posing_as_answer(mail: Judged) -> Iterator[Problem]:
    found = wording.ANSWER.match(mail.samples.full.subject)
    if found:
        message = f'"{found[0].strip()}" says that this answers a mail, and it answers none.'
        yield _remark(mail.subject_at, "NS242", message, "Write a subject that says what is in it.")


def _empty_nudge(mail: Judged) -> Iterator[Problem]:
    found = wording.NUDGE.search(f"{mail.samples.full.subject}\n{mail.words}")
    if found and not mail.is_giving and len(mail.words.split()) < ENOUGH_TO_GIVE:
        message = f'"{_flat(found[0])}" is all that this mail has to say.'
        hint = "Give a reason to read it: something new, a link to something useful; or leave the mail out."
        yield _remark(mail.place_of(found[0]), "NS243", message, hint)


def _renewed_deadline(mail: Judged) -> Iterator[Problem]:
    found = wording.RENEWED_DEADLINE.search(f"{mail.samples.full.subject}\n{mail.words}")
    if found and mail.is_dripped:
        message = f'"{_flat(found[0])}": everybody gets this mail on another day, so this deadline moves with them.'
        yield _remark(mail.place_of(found[0]), "NS244", message, "Name a date that is one, or take the deadline away.")


def _passed_deadline(mail: Judged) -> Iterator[Problem]:
    if mail.today is None:
        return
    for day, written in mail.deadlines:
        if mail.today - RECENT < day < mail.today:
            message = f'"{_flat(written)}" has passed: today is {mail.today}.'
            yield _remark(mail.place_of(written), "NS245", message, "Write a new date, or take the mail out.")


def _about_ourselves(mail: Judged) -> Iterator[Problem]:
    counts = wording.count_you_and_we(mail.words, mail.source.language)
    if counts and counts.we >= TOO_MUCH_WE and counts.we > 2 * counts.you:
        message = f'"we" stands here {counts.we} times and "you" {counts.you} times.'
        yield _remark(mail.begins_at, "NS246", message, "Say what the reader has of it.")


def _value_that_sells(mail: Judged) -> Iterator[Problem]:
    sales = [one for one in mail.destinations if wording.leads_to_a_sale(one)]
    if mail.kind == "value" and not mail.is_giving and (sales or mail.has_wish):
        to = sales[0] if sales else "a wish for a demonstration"
        message = f"this mail is called value, and its links only lead to {to}."
        yield _remark(
            mail.place_of(sales[0] if sales else "wish_url"), "NS247", message,
            "Link to something useful without us, or call it what it is: kind: ask.",
        )  # fmt: skip


def _ask_without_asking(mail: Judged) -> Iterator[Problem]:
    has_way = bool(mail.compiled.links) or mail.has_wish
    if mail.kind == "ask" and not has_way and "?" not in f"{mail.samples.full.subject} {mail.words}":
        message = "this mail is an ask, and has neither a question nor a link."
        yield _remark(mail.begins_at, "NS248", message, "Ask one question, or link to what is asked for.")


def _flat(text: str) -> str:
    return " ".join(text.split())


_RULES: tuple[Callable[[Judged], Iterator[Problem]], ...] = (
    _long_subject, _hole, _posing_as_answer, _empty_nudge, _renewed_deadline, _passed_deadline, _about_ourselves,
    _value_that_sells, _ask_without_asking,
)  # fmt: skip
