"""The mails of campaigns as files name them: read, held against what a mail may know, complaints with their places.

Rendering knows what a template takes; which contact fields exist, and what is known about a mail of a kind, only its
campaign knows. A name nobody could fill is found here, and not by the first reader it fails for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nurture.campaigns.reading import Problem, Problems, Workspace, sentence
from nurture.errors import did_you_mean
from nurture.rendering.compiling import compile_mail
from nurture.rendering.loading import Reading
from nurture.rendering.scanning import Original, Place
from nurture.rendering.source import MailSource, TemplateProblem

_OWNER = frozenset({"name", "email", "signature"})
_SENDER = frozenset({"name", "email", "postal_address", "signature"})

_NO_SUBJECT = "NT110"

#: What every mail of a campaign knows about itself.
CAMPAIGN_MAIL = frozenset({"title", "kind", "reason", "topic_label"})


def take_mail(
    workspace: Workspace,
    reading: Reading,
    problems: Problems,
    *,
    asked_at: Place,
    given: Sequence[Original] = (),
    about_mail: Iterable[str] = (),
) -> MailSource | None:
    """What was read, unless it has errors.

    `asked_at` is where it was named, `given` what was written beside that, `about_mail` what `mail.` knows in addition.
    """
    for one in reading.problems:
        problems.add(_as_seen_from(asked_at, one, workspace))
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
    return None if unknown else reading.source


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
