"""How much of a mail is written ahead, for whoever wrote it: `nurture preview --explain`.

A mail is fastest when all that differs between two readers is printed as it is. A *region* is a piece that Jinja renders
as a whole for each reader before it is encoded; one with many readers is better written without.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nurture.rendering.compiling import CompiledMail
from nurture.rendering.loading import Reading, read_markdown, read_template
from nurture.rendering.scanning import Place
from nurture.rendering.wire import compile_wire

_NOT_MAILS = {"layouts", "parts", "partials"}
_TAG = re.compile(r"\{%[-+]?\s*(\w+).*?%\}", re.DOTALL)


@dataclass(frozen=True)
class Rendered:
    """A region: where its tag was written, and why Jinja renders it."""

    place: Place
    tag: str
    why: str


@dataclass(frozen=True)
class Explained:
    """What is written ahead of one mail; `why_plain` says why none of it is, and is empty otherwise."""

    template: str
    share: float
    expressions: int
    regions: tuple[Rendered, ...]
    why_plain: str

    def to_json(self) -> dict[str, Any]:
        regions = [
            {"file": one.place[0], "line": one.place[1], "column": one.place[2], "tag": one.tag, "why": one.why}
            for one in self.regions
        ]
        return {
            "template": self.template,
            "share": round(self.share, 4),
            "expressions": self.expressions,
            "regions": regions,
            "why_plain": self.why_plain,
        }


def explain(mail: CompiledMail) -> Explained:
    """What `compile_wire` makes of a mail."""
    wire = compile_wire(mail)
    lines = mail.page.split("\n")
    found: list[Rendered] = []
    for region in wire.regions:
        word = region.tag.split()[0]
        behind = "\n".join(lines[region.line - 1 :])
        tag = next((one[0] for one in _TAG.finditer(behind) if one[1] == word), region.tag)
        found.append(Rendered(mail.places.get(tag, (mail.template, 1, 1)), tag, region.why))
    return Explained(mail.template, wire.share, wire.expressions, tuple(found), wire.why_plain)


def read_folder(templates: Path, folder: Path) -> Iterator[tuple[Path, Reading]]:
    """Every mail below a folder, in a workspace with these `templates` or anywhere else."""
    folder, templates = folder.resolve(), templates.resolve()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".md", ".mjml"} or not _NOT_MAILS.isdisjoint(path.parts[len(folder.parent.parts) :]):
            continue
        yield path, read_file(templates, folder, path)


def read_file(templates: Path, folder: Path, path: Path) -> Reading:
    """One mail; a subject that its sequence would give it does not matter here."""
    reading = _read(templates, folder, path, None)
    if any(problem.code == "NT110" for problem in reading.problems):
        return _read(templates, folder, path, "-")
    return reading


def _read(templates: Path, folder: Path, path: Path, subject: str | None) -> Reading:
    if path.is_relative_to(templates):
        folder = templates
    elif path.suffix == ".md":
        return read_markdown(templates, path, subject=subject, default_layout="newsletter")
    name = path.relative_to(folder).with_suffix("").as_posix()
    return read_template(folder, name, subject=subject, is_campaign=False)
