"""The mails of campaigns as files name them: read, held against what a mail may know, complaints with their places.

Rendering knows what a template takes; which contact fields exist, and what is known about a mail of a kind, only its
campaign knows. A name nobody could fill is found here, and not by the first reader it fails for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nurture.campaigns.reading import Problem, Problems, Workspace
from nurture.errors import did_you_mean
from nurture.rendering.compiling import compile_mail
from nurture.rendering.loading import Reading
from nurture.rendering.source import MailSource

_OWNER = frozenset({"name", "email", "signature"})
_SENDER = frozenset({"name", "email", "postal_address", "signature"})

#: What every mail of a campaign knows about itself.
CAMPAIGN_MAIL = frozenset({"title", "kind", "reason", "topic_label"})


def take_mail(
    workspace: Workspace, reading: Reading, problems: Problems, *, asked_by: str, about_mail: Iterable[str] = ()
) -> MailSource | None:
    """What was read, unless it has errors; `asked_by` is the file that named it, `about_mail` what `mail.` knows beside that."""
    problems.take_over(reading.problems, from_=asked_by)
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
        line, column = _place(workspace.folder / reading.source.template, f"{root}.{name}")
        message = f'nothing called "{name}" is known about the {root}.'
        hint = did_you_mean(name, known[root]).strip() or f"Known: {', '.join(sorted(known[root]))}."
        problems.add(Problem(reading.source.template, line, column, "NS230", message, hint))
    return None if unknown else reading.source


def _unknown_names(source: MailSource, known: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    for used in sorted(compile_mail(source).uses):
        root, _, name = used.partition(".")
        if name and name not in known[root]:
            yield root, name


def _place(file: Path, name: str) -> tuple[int, int]:
    """Where a name stands in the author's file; its beginning when it stands in a layout."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError:
        return 1, 1
    for number, line in enumerate(lines, 1):
        if found := re.search(rf"\b{re.escape(name)}\b", line):
            return number, found.start() + 1
    return 1, 1
