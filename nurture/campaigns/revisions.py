"""Which commit a workspace is at, if it is a git checkout: kept with each publication, so that anybody can find the text."""

import subprocess
from pathlib import Path

_SECONDS = 5


def revision_of(folder: Path) -> str:
    """The commit, with "+" behind it if files here differ from it; empty without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return ""
    return f"{commit}+" if _git(folder, "status", "--porcelain", "--", ".") else commit


def _git(folder: Path, *words: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 — nothing in it comes from outside
            ["git", "--no-optional-locks", "-C", str(folder), *words],  # noqa: S607 — wherever git is installed
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
