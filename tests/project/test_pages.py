"""The hand-written pages stay true: links lead somewhere, commands exist, and what can be run is run.

A block of shell below `<!-- run -->` is run as it stands, all of one page in order, in one folder and in one session of
the shell. Mail goes to a relay of the test.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.pages.commands import Command, every_command
from tests.project.source import REPOSITORY
from tests.support.relays import running_relay

PAGES = sorted(
    [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + list((REPOSITORY / "docs").rglob("*.md"))
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
_FENCED = re.compile(r"^(````*)(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCED.sub("", text))


def _anchors(text: str) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for found in _LINK.finditer(_without_code(text) if page.suffix == ".md" else text):
        address = found[1] or found[2]
        if address.startswith(("http://", "https://")):
            continue
        name, _, anchor = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{_named(page)}: {address}"
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), f"{_named(page)}: {address}"


def _typed(text: str) -> Iterator[str]:
    """Every `nurture …` that stands in shell blocks and in lines of code."""
    for _, language, block in _FENCED.findall(text):
        if language in {"sh", "ini"}:
            yield from re.findall(r"(?:^|[\s=/])(nurture [a-z][^\n]*)", re.sub(r"(^|\s)#.*", "", block))
    yield from re.findall(r"`(nurture [a-z][^`]*)`", _FENCED.sub("", text))


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_command_that_is_named_exists(page: Path) -> None:
    commands = {one.name: one for one in every_command()}
    groups = {name.rpartition(" ")[0] for name in commands} | {"nurture"}
    for typed in _typed(page.read_text(encoding="utf-8")):
        words = typed.split()
        name = next((" ".join(words[:size]) for size in (4, 3, 2) if " ".join(words[:size]) in commands), "")
        if not name and " ".join(words[:2]) in groups and len(words) == 2:
            continue
        assert name, f"{_named(page)}: there is no `{typed}`"
        unknown = set(re.findall(r"(?<=\s)--[a-z-]+", typed)) - _options(commands[name])
        assert not unknown, f"{_named(page)}: `{name}` has no {', '.join(unknown)}"


def _options(command: Command) -> set[str]:
    found = {word for one in command.parameters for word in re.findall(r"--[a-z-]+", one.typed)}
    return found | {"--help", "--workspace"}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_charts_hold_no_sign_that_ends_them(page: Path) -> None:
    """In Mermaid a semicolon ends a statement, and a second colon a label."""
    for _, language, block in _FENCED.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines() if language == "mermaid" and "stateDiagram" in block else ():
            assert ";" not in line, line
            assert line.count(":") <= 1, line


def _script(page: Path) -> str:
    return "\n".join(_RUN.findall(page.read_text(encoding="utf-8")))


@pytest.mark.timeout(400)  # a page is twenty commands, each a process; the others of this machine may want it too
@pytest.mark.parametrize("page", [page for page in PAGES if _script(page)], ids=_named)
def test_what_can_be_run_runs(page: Path, tmp_path: Path) -> None:
    start = tmp_path / "repository"  # with nothing in it, and nothing beside it
    start.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NURTURE_")}
    with running_relay() as relay:
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NURTURE_SMTP__PORT": str(relay.port)}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", _script(page)],
            cwd=start,
            env={**kept, **own},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, f"{_named(page)}\n{done.stdout}\n{done.stderr}"
