"""Everything that tells a checker to look away, each with its reason: the comment beside it or right above it.

A reason given once in a file counts for the same silencer further down. What has none is told by `make check`, which
then fails.
"""

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("nurture", "tests", "benchmarks")

_IN_CODE = re.compile(
    r"#\s*(type:\s*ignore|ruff:\s*noqa|flake8:\s*noqa|noqa|mypy:)(\[[\w\s,-]+\]|:\s*[A-Z]+[A-Z0-9, ]*)?(.*)"
)
_ENTRY = re.compile(r'\s*"?(?P<name>[^"#=]+?)"?\s*(=.*?)?,?\s*(#\s*(?P<reason>.*))?')


@dataclass(frozen=True)
class Silencer:
    """One of them; an empty `reason` is a mistake."""

    kind: str
    place: str
    what: str
    reason: str


def every_silencer() -> list[Silencer]:
    """All of the repository."""
    found = [
        one for folder in FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py")) for one in _in_code(path)
    ]
    return [*found, *_in_settings()]


def _in_code(path: Path) -> Iterator[Silencer]:
    name = path.relative_to(REPOSITORY).as_posix()
    # Migrations are as Alembic writes them; no checker reads them.
    if not name.startswith("nurture/database/migrations/versions/"):
        yield from silencers_of(name, path.read_text(encoding="utf-8"))


def silencers_of(name: str, text: str) -> Iterator[Silencer]:
    """Those in one file of Python, told by its comments."""
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    lines = text.splitlines()
    given: dict[str, str] = {}
    for line, comment in comments.items():
        match = _IN_CODE.match(comment)
        if not match:
            continue
        what = " ".join(f"{match[1]}{match[2] or ''}".split())
        reason = match[3].strip(" #—–-")
        is_above_alone = line - 1 in comments and lines[line - 2].strip() == comments[line - 1]
        if not reason and is_above_alone:
            reason = comments[line - 1].strip("# ")
        given[what] = given.get(what) or reason
        yield Silencer("type: ignore" if "type" in match[1] else "noqa", f"{name}:{line}", what, reason or given[what])


def _in_settings() -> Iterator[Silencer]:
    """What pyproject.toml switches off."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    lines = text.splitlines()
    settings = tomllib.loads(text)
    lint = settings["tool"]["ruff"]["lint"]
    for rule in lint["ignore"]:
        yield _entry(lines, "ruff rule off", rule)
    for files, rules in lint["per-file-ignores"].items():
        yield _entry(lines, "ruff rules off for files", files, shown=f"{files}: {', '.join(rules)}")
    for path in sorted({*settings["tool"]["ruff"].get("exclude", []), *settings["tool"]["mypy"].get("exclude", [])}):
        yield _entry(lines, "files no checker reads", path)
    for contract in settings["tool"]["importlinter"]["contracts"]:
        for ignored in contract.get("ignore_imports", []):
            yield _entry(lines, "import contract silenced", ignored, shown=f"{contract['name']}: {ignored}")
        if contract.get("allow_indirect_imports"):
            yield _entry(lines, "import contract silenced", "allow_indirect_imports", shown=contract["name"])
    for override in settings["tool"]["mypy"].get("overrides", []):
        for key in sorted(override.keys() - {"module"}):
            yield _entry(lines, "mypy check off for modules", key, shown=f"{key}: {', '.join(override['module'])}")


def _entry(lines: list[str], kind: str, name: str, *, shown: str = "") -> Silencer:
    """An entry of pyproject.toml with the comment behind it, or right above it."""
    for number, line in enumerate(lines):
        match = _ENTRY.fullmatch(line)
        listed = f'"{name}"' in line
        if listed or (match and match["name"].strip() == name):
            behind = line.rpartition("#")[2].strip() if "#" in line else ""
            above = lines[number - 1].strip()
            reason = behind or (above.strip("# ") if above.startswith("#") else "")
            return Silencer(kind, f"pyproject.toml:{number + 1}", shown or name, reason)
    raise AssertionError(f"pyproject.toml names {name} in a way that is not looked for here")
