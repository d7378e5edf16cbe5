"""The mails of campaigns as files name them: read, held against what a mail may know, complaints with their places.

Rendering knows what a template takes; which contact fields exist, and what is known about a mail of a kind, only its
campaign knows. A name nobody could fill is found here, and not by the first reader it fails for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from nurture.campaigns import samples
from nurture.campaigns.mail_remarks import Judged, MailKind, remarks
from nurture.campaigns.reading import Problem, Problems, Silence, Workspace, sentence
from nurture.campaigns.samples import Samples
from nurture.errors import did_you_mean
from nurture.rendering.checks import CLIPPED_AT, CLOSE_TO_IT
from nurture.rendering.compiling import CompiledMail
from nurture.rendering.links import Link
from nurture.rendering.loading import Reading, read_template
from nurture.rendering.scanning import Original, Place
from nurture.rendering.source import MailSource, RenderError, TemplateProblem

_NO_SUBJECT = "NT110"
_ASKS = re.compile(r"\{\{-?\s*question\s*\(")


@dataclass(frozen=True)
class Taken:
    """A mail of a sequence as it is published, and where its links lead."""

    source: MailSource
    links: tuple[Link, ...]


@dataclass(frozen=True)
class _Asked:
    """A mail as a step names it, with all that decides what is found, but for the files and the day."""

    name: str
    given: tuple[Original | None, Original | None]  # subject and preheader
    about_mail: Mapping[str, Any]
    kind: MailKind

    @property
    def key(self) -> tuple[Any, ...]:
        """Alike for steps that send the mail alike."""
        return self.name, *(line and line.text for line in self.given), tuple(self.about_mail), self.kind

    def written(self, workspace: Workspace) -> list[Any]:
        """The same with the places that a remark may name, and the fields of a contact."""
        lines = [line and (line.file, line.text, line.first_line, line.first_column) for line in self.given]
        fields = sorted((name, one.type.value) for name, one in workspace.words.fields.items())
        questions = sorted(workspace.questions.items())
        return ["mail", self.name, lines, sorted(self.about_mail), self.kind, fields, questions]


def take_template(
    workspace: Workspace,
    name: str,
    problems: Problems,
    *,
    asked_at: Place,
    subject: Original | None = None,
    preheader: Original | None = None,
    about_mail: Mapping[str, Any] = MappingProxyType({}),
    kind: MailKind = None,
) -> Taken | None:
    """The mail of a sequence that names a template; one that several steps send alike is only read once."""
    asked = _Asked(name, (subject, preheader), about_mail, kind)
    if asked.key in workspace.clean:
        clean: Taken = workspace.clean[asked.key]
        return clean
    said = Problems()
    taken = _recall(workspace, asked, said) or _read(workspace, asked, said, asked_at)
    problems.found += said.found
    problems.silences += said.silences
    if taken and not said.found:
        workspace.clean[asked.key] = taken
    return taken


def _read(workspace: Workspace, asked: _Asked, said: Problems, asked_at: Place) -> Taken | None:
    """Read the mail, and remember what was said about it unless it has errors."""
    subject, preheader = asked.given
    reading = read_template(workspace.templates, asked.name, subject=subject, preheader=preheader)
    given = [line for line in asked.given if line is not None]
    judged = _judge(
        workspace, reading, said, asked_at=asked_at, given=given, about_mail=asked.about_mail, kind=asked.kind,
        is_dripped=True,
    )  # fmt: skip
    if judged is None:
        return None
    links = judged.compiled.links
    if workspace.memory and not said.errors:
        found = {
            "source": judged.source.to_json(),
            "links": [astuple(link) for link in links],
            "found": [astuple(one) for one in said.found],
            "silences": [astuple(one) for one in said.silences],
            # A date is only said to have passed once it has.
            "day": str(workspace.today) if judged.deadlines else None,
        }
        workspace.memory.keep(asked.written(workspace), found, reading.files)
    return Taken(judged.source, links)


def _recall(workspace: Workspace, asked: _Asked, said: Problems) -> Taken | None:
    """The mail as it was read and judged before, if that is still all there is to say."""
    found = workspace.memory and workspace.memory.recall(asked.written(workspace))
    if not found or found["day"] not in {None, str(workspace.today)}:
        return None
    said.found += [Problem(*one) for one in found["found"]]
    for file, code, reason, place, first, last in found["silences"]:
        said.silences.append(Silence(file, code, reason, tuple(place), tuple(first), last and tuple(last)))
    return Taken(MailSource.from_json(found["source"]), tuple(Link(*link) for link in found["links"]))


def take_mail(
    workspace: Workspace,
    reading: Reading,
    problems: Problems,
    *,
    asked_at: Place,
    given: Sequence[Original] = (),
    about_mail: Mapping[str, Any] = MappingProxyType({}),
    kind: MailKind = None,
    is_campaign: bool = True,
) -> MailSource | None:
    """What was read, unless it has errors.

    `asked_at` is where it was named, `given` what was written beside that, `about_mail` what `mail.` knows in addition,
    with a value of each. `kind` says whether it gives or asks. A mail that cannot be rendered for somebody who has every
    field is one nobody would get.
    """
    judged = _judge(
        workspace, reading, problems, asked_at=asked_at, given=given, about_mail=about_mail, kind=kind,
        is_campaign=is_campaign,
    )  # fmt: skip
    return judged.source if judged else None


def _judge(
    workspace: Workspace,
    reading: Reading,
    problems: Problems,
    *,
    asked_at: Place,
    given: Sequence[Original],
    about_mail: Mapping[str, Any],
    kind: MailKind,
    is_campaign: bool = True,
    is_dripped: bool = False,
) -> Judged | None:
    """What was read and all that is known about it; `is_dripped`: everybody gets it at a time of their own."""
    for one in reading.problems:
        problems.add(_as_seen_from(asked_at, one, workspace))
    _note_silences(reading, problems)
    source, compiled = reading.source, reading.compiled
    if source is None or compiled is None:
        return None
    written = _Written(workspace, source.template, given)
    if (wrong := _wrong_question(source, workspace, is_campaign=is_campaign)) is not None:
        problems.add(Problem(*written.place_of_question(), *wrong))
        return None
    about_mail = {**about_mail, **_sample_question(source, workspace)}
    known = {
        "contact": frozenset(workspace.words.fields),
        "owner": frozenset(samples.OWNER),
        "sender": frozenset(samples.SENDER),
        "mail": samples.CAMPAIGN_MAIL | frozenset(about_mail),
    }
    unknown = list(_unknown_names(compiled, known))
    for root, name in unknown:
        message = f'nothing called "{name}" is known about the {root}.'
        hint = did_you_mean(name, known[root]).strip() or f"Known: {', '.join(sorted(known[root]))}."
        problems.add(Problem(*written.place(f"{root}.{name}"), "NS230", message, hint))
    if unknown:
        return None
    try:
        rendered = samples.render_samples(compiled, workspace.words.fields, about_mail)
    except RenderError as error:
        problem = str(error).removeprefix(f"{source.template}: ")
        problems.add(Problem(source.template, 1, 1, "NS231", sentence(problem), "Make it simpler."))
        return None
    before = len(problems.errors)
    if rendered.why_not and not any(one.code == "NT205" for one in reading.problems):
        message = f"somebody we know little about could not get this mail: {sentence(rendered.why_not)}"
        hint = "Put it into {% if %}, or give it a word to fall back on."
        problems.add(Problem(source.template, 1, 1, "NT205", message, hint, "warning"))
    subject_at = written.subject_at(source, reading)
    judged = Judged(source, compiled, rendered, written.place, subject_at, kind, is_dripped, workspace.today)
    if is_campaign:
        problems.found += _missing_below(source, compiled, rendered)
        if (size := _too_large(source, reading, rendered)) is not None:
            problems.add(size)
        problems.found += remarks(judged)
    return judged if len(problems.errors) == before else None


def _missing_below(source: MailSource, compiled: CompiledMail, rendered: Samples) -> Iterator[Problem]:
    """A way out and an address that not every reader gets, or not in both parts of the mail."""
    readers = [("somebody who has every field", rendered.full)]
    if rendered.bare is not None:
        readers.append(("somebody we know little about", rendered.bare))
    for reader, mail in readers:
        for part, text in (("HTML", mail.html), ("text", mail.text)):
            if samples.URLS.leave not in text:
                message = f"{reader} gets no link to leave in the {part}."
                yield Problem(source.template, 1, 1, "NT402", message, "Print {{ leave_url }} whoever reads it.")
            if samples.POSTAL_ADDRESS.lower() not in " ".join(text.split()).lower():
                message = f"{reader} gets no postal address in the {part}."
                hint = "Print {{ sender.postal_address }} as it is, whoever reads it."
                yield Problem(source.template, 1, 1, "NT403", message, hint)


def _too_large(source: MailSource, reading: Reading, rendered: Samples) -> Problem | None:
    """What only turns out too long when it is rendered, such as a loop; the rest is told when the file is read."""
    size = len(rendered.full.html.encode())
    if size <= CLOSE_TO_IT or any(one.code == "NT405" for one in reading.problems):
        return None
    message = f"the HTML becomes {size:,} bytes, and Gmail cuts off what passes {CLIPPED_AT:,}."
    severity = "error" if size > CLIPPED_AT else "warning"
    return Problem(source.template, 1, 1, "NT405", message, "Write less.", severity)


def _note_silences(reading: Reading, problems: Problems) -> None:
    silence = reading.front_matter.get("silence")
    if silence is None:
        return
    file, *place = reading.places["silence"]
    at = (place[0], place[1])
    if not isinstance(silence, Mapping):
        message = "silence: this is not a group of `key: value` lines."
        problems.add(Problem(file, *at, "NS004", message, 'Write a code and the reason: NT401: "…".'))
        return
    problems.silences += [Silence(file, str(code), str(reason), at) for code, reason in silence.items()]


def _as_seen_from(asked_at: Place, one: TemplateProblem, workspace: Workspace) -> Problem:
    """What rendering found, told where its author would mend it."""
    place, hint = (one.file, one.line, one.column), one.hint
    path = (workspace.folder / one.file).resolve()
    if not path.is_file() or not path.is_relative_to(workspace.folder.resolve()):
        place = asked_at  # a template that is not there has no lines; what names it has
    elif one.code == _NO_SUBJECT and one.file != asked_at[0]:
        place, hint = asked_at, f'Write subject: "…" beside it, or between two lines of --- at the top of {one.file}.'
    return Problem(*place, one.code, sentence(one.message), hint, one.severity)


def questions_asked(workspace: Workspace, mails: Mapping[str, MailSource]) -> dict[str, Any]:
    """By mail, the questions it may ask, whole: what a campaign keeps of them; empty if none of its mails asks one."""
    asked = {
        name: [workspace.questions[question] for question in mail.questions]
        for name, mail in mails.items()
        if mail.questions
    }
    return {"questions": asked} if asked else {}


def _sample_question(source: MailSource, workspace: Workspace) -> dict[str, Any]:
    """What `mail.question` is for a reader for whom the first one is still open; nothing in a mail that asks none."""
    for question in (workspace.questions[name] for name in source.questions[:1]):
        answers = [{"label": one["label"]} for one in question["answers"]]
        return {"question": {"text": question["text"], "answers": answers}}
    return {}


def _wrong_question(source: MailSource, workspace: Workspace, *, is_campaign: bool) -> tuple[str, str, str] | None:
    """Code, message and hint about what a mail asks and cannot ask."""
    if source.questions and not is_campaign:
        return "NS232", "a mail of our own service asks nothing.", "Ask in a mail of a campaign."
    for name in source.questions:
        if name not in workspace.questions:
            known = ", ".join(workspace.questions) or "none is written yet"
            hint = did_you_mean(name, workspace.questions).strip() or f"Known: {known}."
            return "NS232", f'campaigns/questions.yaml has no question "{name}".', hint
    return None


def _unknown_names(compiled: CompiledMail, known: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    for used in sorted(compiled.uses):
        root, _, name = used.partition(".")
        if name and name not in known[root]:
            yield root, name


class _Written:
    """What the author wrote: the lines beside the name of the template, and the template."""

    def __init__(self, workspace: Workspace, template: str, given: Sequence[Original]) -> None:
        self._path = workspace.folder / template
        self._template = template
        self._given = given

    @cached_property
    def _originals(self) -> Sequence[Original]:
        try:
            text = self._path.read_text(encoding="utf-8-sig")
        except OSError:
            text = ""
        return (*self._given, Original(self._template, text))

    def place(self, text: str) -> Place:
        """Where a text stands, however its lines are broken; the template's beginning when it stands in a layout."""
        words = r"\s+".join(map(re.escape, text.split()))
        pattern = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
        for original in self._originals:
            if found := pattern.search(original.text):
                return original.place(found.start())
        return self._template, 1, 1

    def place_of_question(self) -> Place:
        """Where it asks; the template's beginning when a layout does."""
        for original in self._originals:
            if found := _ASKS.search(original.text):
                return original.place(found.start())
        return self._template, 1, 1

    def subject_at(self, source: MailSource, reading: Reading) -> Place:
        """Where the subject was written."""
        beside = next((one.place(0) for one in self._given if one.text == source.subject), None)
        return beside or reading.places.get("subject") or (self._template, 1, 1)
