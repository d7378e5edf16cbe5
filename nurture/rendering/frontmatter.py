"""The lines between `---` at the top of a mail: its subject, its preheader, its layout, and whatever else its room keeps.

YAML 1.2, so that `country: NO` is Norway and not false. The values are plain text, numbers and dates.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode

from nurture.rendering.scanning import Original, Place
from nurture.rendering.source import Findings
from nurture.yaml import plain_yaml

_FENCED = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class FrontMatter:
    """What stood between the lines, and where each value was written."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A value as text, None when it is not given."""
        value = self.values.get(name)
        return None if value is None else str(value).strip()


def split(original: Original, findings: Findings) -> tuple[FrontMatter, Original]:
    """The front matter of a file, and the rest of it with its lines still counted from the top."""
    fenced = _FENCED.match(original.text)
    if not fenced:
        if re.match(r"---[ \t]*\n", original.text):
            findings.add(
                (original.file, 1, 1), "NT109", "the front matter is never closed", "add a line `---` below it"
            )
        return FrontMatter(), original
    rest = Original(original.file, original.text[fenced.end() :], 1 + fenced[0].count("\n"))
    yaml = plain_yaml()
    try:
        node = yaml.compose(fenced[1])
        values = yaml.constructor.construct_document(node) if node else None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 2, mark.column + 1) if mark else (2, 1)
        said = (getattr(error, "problem", None) or "it holds a character that YAML does not allow").rstrip(".")
        findings.add((original.file, line, column), "NT109", f"the front matter cannot be read: {said}", "mend it")
        return FrontMatter(), rest
    if values is None:
        return FrontMatter(), rest
    if not isinstance(values, dict) or not isinstance(node, MappingNode):
        message = "the front matter has no names"
        findings.add((original.file, 2, 1), "NT109", message, 'write lines such as subject: "Five questions"')
        return FrontMatter(), rest
    places = {
        key.value: (original.file, value.start_mark.line + 2, value.start_mark.column + 1)
        for key, value in node.value
        if isinstance(key, ScalarNode)
    }
    return FrontMatter({str(key): value for key, value in values.items()}, places), rest
