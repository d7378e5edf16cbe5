"""docs/checks.md: every code of `nurture check`, what it means, an example that has it, and what to do."""

import re

from nurture.campaigns.reading import Problem
from tests.project.pages.markdown import NOTICE, fenced
from tests.project.pages.mistakes import Mistake, findings
from tests.project.pages.settings import REPOSITORY

_INTRODUCTION = """\
# What `nurture check` says

Every problem is told with its file, line and column, what is wrong, and what to do; all of them at once. An error keeps
`nurture publish` from publishing anything; a warning is a careful colleague's remark.

`--format json` tells the same to a script, `--format github` to a pull request, at the lines it changes:

```yaml
- run: nurture check --format github
```

## When a remark is wrong

A remark is a rule of thumb, and you may know better. Then say so where it is made, with the reason; the reason is for
whoever reads the file next, and `nurture check --silenced` lists all of them.

```yaml
silence: {NT401: "the plan is told in the text"}
```

It stands at the top of any file in campaigns/ and in the front matter of any mail, in Markdown as in MJML, and covers
the remarks about that file; on a step of a sequence it covers the remarks about that step. What is remarked about a
template is silenced in the template, not where it is sent. An error cannot be silenced, and a silence that silences
nothing is a remark of its own, so that none outlives what it was for.
"""
_GROUPS = {
    ("NS0",): "Any file, and settings.toml",
    ("NS2",): "Sequences, newsletters and their mails",
    ("NS30", "NS33"): "The shape of sequences",
    ("NS31", "NS32"): "Scoring and hand-off",
    ("NS35",): "Questions",
    ("NS4",): "Consent",
    ("NT1",): "Templates: their files",
    ("NT2",): "Templates: Jinja",
    ("NT3",): "Templates: MJML",
    ("NT4",): "Templates: the mail itself",
}
_WIDTH = 110
_LANGUAGES = {".yaml": "yaml", ".toml": "toml", ".mjml": "html", ".md": "markdown"}


def codes_in_code() -> set[str]:
    """All codes that stand in the source."""
    found: set[str] = set()
    for path in (REPOSITORY / "nurture").rglob("*.py"):
        found |= set(re.findall(r'"(N[ST]\d{3})"', path.read_text(encoding="utf-8")))
    return found


def page() -> str:
    """The whole page."""
    found = findings()
    parts = [NOTICE, _INTRODUCTION.strip()]
    for group, title in _GROUPS.items():
        codes = sorted(code for code in found if code.startswith(group))
        parts.append(f"## {title}")
        parts += [_section(*found[code]) for code in codes]
    return "\n\n".join(parts) + "\n"


def _section(mistake: Mistake, problem: Problem) -> str:
    kind = " A warning." if problem.severity == "warning" else ""
    parts = [f"### {mistake.code}", mistake.meaning + kind]
    lines = mistake.text.splitlines()
    line = lines[min(problem.line, len(lines)) - 1].strip()  # YAML finds an open quote at the end of the file
    if (problem.line, problem.column) != (1, 1) and len(line) < _WIDTH:
        parts.append(fenced(line, _LANGUAGES[mistake.file[mistake.file.rindex(".") :]]))
    parts.append(fenced("\n".join(_clip(one) for one in str(problem).splitlines())))
    parts.append(mistake.do)
    return "\n\n".join(parts)


def _clip(line: str) -> str:
    """A hint may list everything that is known; the first of it is enough here."""
    return line if len(line) <= 2 * _WIDTH else line[: 2 * _WIDTH].rpartition(",")[0] + ", …"
