"""The mails of campaigns as files name them: read, held against what a mail may know, complaints with their places.

Rendering knows what a template takes; which contact fields exist, and what is known about a mail of a kind, only its
campaign knows. A name nobody could fill is found here, and not by the first reader it fails for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nurture.campaigns.reading import Problem, Problems, Silence, Workspace, sentence
from nurture.conditions import Field, FieldType, Value
from nurture.errors import did_you_mean
from nurture.rendering.compiling import Urls, compile_mail
from nurture.rendering.loading import Reading
from nurture.rendering.scanning import Original, Place
from nurture.rendering.source import MailSource, RenderError, TemplateProblem

_OWNER = frozenset({"name", "email", "signature"})
_SENDER = frozenset({"name", "email", "postal_address", "signature"})

_NO_SUBJECT = "NT110"

_SAMPLES: Mapping[FieldType, Value] = {
    FieldType.TEXT: "sample", FieldType.NUMBER: 7, FieldType.DATE: "2026-01-31", FieldType.FLAG: True,
}  # fmt: skip
_OURS = "https://news.example"
_SAMPLE_URLS = Urls(
    is_tracked=True,
    open=f"{_OURS}/o/sample.gif",
    click=lambda number: f"{_OURS}/c/sample/{number}",
    leave=f"{_OURS}/u/sample",
    preferences=f"{_OURS}/preferences/sample",
    view=f"{_OURS}/view/sample",
    wish=lambda kind: f"{_OURS}/wish/sample/{kind}",
)

#: What every mail of a campaign knows about itself.
CAMPAIGN_MAIL = frozenset({"title", "kind", "reason", "topic_label"})


def take_mail(
    workspace: Workspace,
    reading: Reading,
    problems: Problems,
    *,
    asked_at: Place,
    given: Sequence[Original] = (),
    about_mail: Mapping[str, Any] = MappingProxyType({}),
) -> MailSource | None:
    """What was read, unless it has errors.

    `asked_at` is where it was named, `given` what was written beside that, `about_mail` what `mail.` knows in addition,
    with a value of each. A mail that cannot be rendered for somebody who has every field is one nobody would get.
    """
    for one in reading.problems:
        problems.add(_as_seen_from(asked_at, one, workspace))
    _note_silences(reading, problems)
    if reading.source is None:
        return None
    known = {
        "contact": frozenset(workspace.words.fields),
        "owner": _OWNER,
        "sender": _SENDER,
        "mail": CAMPAIGN_MAIL | frozenset(about_mail),
    }
    unknown = list(_unknown_names(reading.source, known))
    for root, name in unknown:
        place = _place(workspace, reading.source.template, given, f"{root}.{name}")
        message = f'nothing called "{name}" is known about the {root}.'
        hint = did_you_mean(name, known[root]).strip() or f"Known: {', '.join(sorted(known[root]))}."
        problems.add(Problem(*place, "NS230", message, hint))
    if unknown:
        return None
    problem = _try_out(reading.source, workspace.words.fields, about_mail)
    if problem is None:
        return reading.source
    problems.add(Problem(reading.source.template, 1, 1, "NS231", sentence(problem), "Make it simpler."))
    return None


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


def _try_out(source: MailSource, fields: Mapping[str, Field], about_mail: Mapping[str, Any]) -> str | None:
    """Why the mail cannot be rendered for somebody who has every field, if it cannot."""
    context = {
        "contact": {name: _SAMPLES[field.type] for name, field in fields.items()},
        "owner": dict.fromkeys(_OWNER, "sample"),
        "sender": dict.fromkeys(_SENDER, "sample"),
        "mail": {**dict.fromkeys(CAMPAIGN_MAIL, "sample"), **about_mail},
    }
    try:
        compile_mail(source).render(context, _SAMPLE_URLS)
    except RenderError as error:
        return str(error).removeprefix(f"{source.template}: ")
    return None


def _as_seen_from(asked_at: Place, one: TemplateProblem, workspace: Workspace) -> Problem:
    """What rendering found, told where its author would mend it."""
    place, hint = (one.file, one.line, one.column), one.hint
    if not (workspace.folder / one.file).is_file():
        place = asked_at  # a template that is not there has no lines; what names it has
    elif one.code == _NO_SUBJECT and one.file != asked_at[0]:
        place, hint = asked_at, f'Write subject: "…" beside it, or between two lines of --- at the top of {one.file}.'
    return Problem(*place, one.code, sentence(one.message), hint, one.severity)


def _unknown_names(source: MailSource, known: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    for used in sorted(compile_mail(source).uses):
        root, _, name = used.partition(".")
        if name and name not in known[root]:
            yield root, name


def _place(workspace: Workspace, template: str, given: Sequence[Original], name: str) -> Place:
    """Where a name stands in what the author wrote; the template's beginning when it stands in a layout."""
    try:
        text = (workspace.folder / template).read_text(encoding="utf-8-sig")
    except OSError:
        text = ""
    for original in (*given, Original(template, text)):
        if found := re.search(rf"\b{re.escape(name)}\b", original.text):
            return original.place(found.start())
    return template, 1, 1
