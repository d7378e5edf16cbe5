"""From the files an author wrote to one frozen `MailSource`, with every problem found on the way.

Three kinds of mail come in: MJML that extends a layout or stands for itself, Markdown in templates/, and Markdown in
campaigns/ (an issue, an announcement). All become the same flat text, and all are compiled once here, so that what
`publish` keeps is known to render.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nurture.errors import did_you_mean
from nurture.rendering import asking
from nurture.rendering.checks import check_mail
from nurture.rendering.compiling import CompiledMail, compile_tokens
from nurture.rendering.flattening import Block, Template, flatten, read
from nurture.rendering.folding import fold_constants
from nurture.rendering.frontmatter import FrontMatter, split
from nurture.rendering.library import Library
from nurture.rendering.linting import lint
from nurture.rendering.markdown import DEFAULT_COLORS, to_mjml
from nurture.rendering.notes import without_notes
from nurture.rendering.scanning import Kind, Original, Place, Token, mask, scan, text_of
from nurture.rendering.source import Findings, MailSource, TemplateError, TemplateProblem

CONTENT = "content"  # the block of a layout that Markdown fills
DEFAULT_LAYOUT = "letter"


@dataclass(frozen=True)
class Reading:
    """What reading a mail gave: its source unless there are errors, its front matter, and all problems."""

    source: MailSource | None
    front_matter: Mapping[str, Any]
    problems: tuple[TemplateProblem, ...]
    places: Mapping[str, Place] = field(default_factory=dict)  # where each value of the front matter stands
    compiled: CompiledMail | None = None  # the mail, ready for its first reader
    files: Mapping[Path, str | None] = field(default_factory=dict)  # what it rests on: see `Library`

    def get_source(self) -> MailSource:
        """The mail, or TemplateError with everything that is wrong with it."""
        if self.source is None:
            raise TemplateError(self.problems)
        return self.source


def load_template(
    templates: Path,
    name: str,
    *,
    subject: str | None = None,
    preheader: str | None = None,
    language: str = "en",
    default_layout: str = DEFAULT_LAYOUT,
    is_campaign: bool = True,
) -> MailSource:
    """The mail `name` of templates/ ("sequences/evaluators/report"), or TemplateError with all its problems.

    `subject` and `preheader` win over those in the file. Only a mail that is no campaign (a confirmation, a notice to
    a colleague) may do without a way to leave and a postal address.
    """
    reading = read_template(
        templates,
        name,
        subject=subject,
        preheader=preheader,
        language=language,
        default_layout=default_layout,
        is_campaign=is_campaign,
    )
    return reading.get_source()


def load_markdown(
    templates: Path,
    path: Path,
    *,
    default_layout: str = DEFAULT_LAYOUT,
    subject: str | None = None,
    preheader: str | None = None,
    language: str = "en",
    is_campaign: bool = True,
) -> tuple[dict[str, Any], MailSource]:
    """The front matter and the mail of a Markdown file anywhere in the workspace."""
    reading = read_markdown(
        templates,
        path,
        subject=subject,
        preheader=preheader,
        language=language,
        default_layout=default_layout,
        is_campaign=is_campaign,
    )
    return dict(reading.front_matter), reading.get_source()


def read_template(
    templates: Path,
    name: str,
    *,
    subject: str | Original | None = None,
    preheader: str | Original | None = None,
    language: str = "en",
    default_layout: str = DEFAULT_LAYOUT,
    is_campaign: bool = True,
) -> Reading:
    """The same with its warnings, and without raising: this is what `check` asks.

    A subject or preheader that stands in another file brings its place along.
    """
    library, findings = Library(templates), Findings()
    path = _find(library, name, findings)
    if path is None:
        return Reading(None, {}, tuple(findings.problems))
    wanted = _Wanted(subject, preheader, language, default_layout, is_campaign)
    return _Reader(library, findings, wanted).read(path)


def read_markdown(
    templates: Path,
    path: Path,
    *,
    subject: str | None = None,
    preheader: str | None = None,
    language: str = "en",
    default_layout: str = DEFAULT_LAYOUT,
    is_campaign: bool = True,
) -> Reading:
    """What `read_template` does, for a Markdown file anywhere in the workspace."""
    wanted = _Wanted(subject, preheader, language, default_layout, is_campaign)
    return _Reader(Library(templates), Findings(), wanted).read(path)


def layout_path(layout: str) -> str:
    """The file of a layout below templates/, as `layout:` names it."""
    return layout if layout.endswith(".mjml") else f"layouts/{layout}.mjml"


def _find(library: Library, name: str, findings: Findings) -> Path | None:
    """The file of a mail that is named without its ending."""
    shown = library.shown(library.folder / name)
    names = [name] if name.endswith(_ENDINGS) else [name + ending for ending in _ENDINGS]
    paths = [library.folder / each for each in names]
    if Path(name).is_absolute() or not all(path.resolve().is_relative_to(library.root) for path in paths):
        findings.add((shown, 1, 1), "NT102", f'"{name}" leads outside {library.folder.name}/', "name a mail inside it")
        return None
    library.files.update(dict.fromkeys(paths))
    found = [path for path in paths if path.is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        findings.add((shown, 1, 1), "NT101", f'"{name}" is there as .mjml and as .md', "remove one of them")
        return None
    known = [
        path.relative_to(library.folder).with_suffix("").as_posix()
        for ending in _ENDINGS
        for path in sorted(library.folder.rglob(f"*{ending}"))
        if path.relative_to(library.folder).parts[0] not in {"layouts", "parts"}
    ]
    hint = f"write {shown}.md or {shown}.mjml.{did_you_mean(name, known)}"
    findings.add((shown, 1, 1), "NT101", f'there is no mail "{name}"', hint)
    return None


@dataclass(frozen=True)
class _Wanted:
    subject: str | Original | None
    preheader: str | Original | None
    language: str
    default_layout: str
    is_campaign: bool


class _Reader:
    def __init__(self, library: Library, findings: Findings, wanted: _Wanted) -> None:
        self.library = library
        self.findings = findings
        self.wanted = wanted

    def read(self, path: Path) -> Reading:
        shown = self.library.shown(path)
        if path.exists() and not path.is_file():
            # A pipe would be waited for, a device may never end.
            self.findings.add((shown, 1, 1), "NT101", "this is no file with text in it", "put one in its place")
            return self._done(None, FrontMatter())
        try:
            text = self.library.read(path)
        except FileNotFoundError:
            self.findings.add((shown, 1, 1), "NT101", "there is no such file", "write it, or mend its name")
            return self._done(None, FrontMatter())
        except UnicodeDecodeError:
            self.findings.add((shown, 1, 1), "NT101", "this file is not UTF-8 text", "save it as UTF-8")
            return self._done(None, FrontMatter())
        front, rest = split(Original(shown, text), self.findings)
        tokens = scan(rest, self.findings)
        is_markdown = path.suffix == ".md"
        template = self._markdown(rest, tokens, front) if is_markdown else read(tokens, self.findings)
        flat = flatten(template, self.library, self.findings, self._fillings(front, shown))
        if self.findings.has_errors:
            return self._done(None, front)
        body = fold_constants(_with_colors(without_notes(flat.tokens)))
        subject = self._line(front, "subject", self.wanted.subject, shown)
        preheader = self._line(front, "preheader", self.wanted.preheader, shown)
        if not subject.text:
            hint = 'write subject: "…" between two lines of ---'
            self.findings.add((shown, 1, 1), "NT110", "this mail has no subject", hint)
        language = front.text("language") or self.wanted.language
        source = MailSource(shown, subject.text, preheader.text, text_of(body), language, flat.questions)
        lint(mask(body), self.findings)
        compiled = compile_tokens(source, body, subject, preheader, self.findings)
        if compiled:
            check_mail(source, compiled, self.findings, preheader, is_campaign=self.wanted.is_campaign)
        return self._done(source, front, compiled)

    def _done(self, source: MailSource | None, front: FrontMatter, compiled: CompiledMail | None = None) -> Reading:
        problems = TemplateError(self.findings.problems).problems  # in the order of their places, each once
        if self.findings.has_errors:
            return Reading(None, front.values, problems, front.places)
        return Reading(source, front.values, problems, front.places, compiled, self.library.files)

    def _markdown(self, rest: Original, tokens: list[Token], front: FrontMatter) -> Template:
        """Markdown as the content of its layout."""
        layout = front.text("layout") or self.wanted.default_layout
        name = layout_path(layout)
        at = _original_at(rest.file, front.places.get("layout"), "")
        extends = Token(Kind.STATEMENT, f'{{% extends "{name}" %}}', at, 0, is_made=True)
        opening = Token(Kind.STATEMENT, f"{{% block {CONTENT} %}}", rest, 0, is_made=True)
        content = Block(CONTENT, opening, list(to_mjml(rest, tokens)))
        return Template(extends, [content], {CONTENT: content})

    def _fillings(self, front: FrontMatter, shown: str) -> dict[str, Block]:
        """Front matter that fills the block of its name, where the layout has one: `place: Berlin`."""
        fillings: dict[str, Block] = {}
        for name in front.values.keys() - _OWN_KEYS:
            text = front.text(name)
            if text:
                original = _original_at(shown, front.places.get(name), text)
                tokens = scan(original, self.findings)
                escaped = [t.with_text(html.escape(t.text)) if t.kind is Kind.TEXT else t for t in tokens]
                opening = Token(Kind.STATEMENT, f"{{% block {name} %}}", original, 0, is_made=True)
                fillings[name] = Block(name, opening, list(escaped))
        return fillings

    def _line(self, front: FrontMatter, name: str, given: str | Original | None, shown: str) -> Original:
        """The subject or preheader, with the place where it was written."""
        if isinstance(given, Original):
            return given
        if given is not None:
            return Original(shown, given.strip())
        return _original_at(shown, front.places.get(name), front.text(name) or "")


def _original_at(file: str, place: Place | None, text: str) -> Original:
    return Original(file, text, place[1], place[2]) if place else Original(file, text)


def _with_colors(tokens: list[Token]) -> list[Token]:
    """Colors that Markdown or a question uses and the layout does not set, set to what they are without any brand."""
    ours = (token for token in tokens if token.is_made or token.original.file.endswith(asking.PART))
    asked = {token.inner for token in ours if token.kind is Kind.OUTPUT}
    named = {token.inner.split()[1] for token in tokens if token.word == "set" and len(token.inner.split()) > 1}
    first = tokens[0] if tokens else None
    if first is None:
        return tokens
    missing = [
        Token(Kind.STATEMENT, f'{{% set {name} = "{color}" %}}', first.original, first.offset, is_made=True)
        for name, color in DEFAULT_COLORS.items()
        if name in asked - named
    ]
    return [*missing, *tokens]


_ENDINGS = (".mjml", ".md")
_OWN_KEYS = frozenset({"layout", "subject", "preheader", "language", "silence", CONTENT})
