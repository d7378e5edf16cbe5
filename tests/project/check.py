"""Everything that must hold before a change is done: `make check`.

1. the checkers, one line each with what came out and how long it took; the output of one that fails is shown whole;
2. what the tests really did: how many examples of how many properties, and which tests were skipped and why;
3. everything that tells a checker to look away, counted, each with its reason; one without fails the check.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.project.silencers import Silencer, every_silencer

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Step:
    """One checker: its command, and what it means that it found nothing."""

    name: str
    command: Sequence[str]
    when_good: str


def steps(counts: Path) -> list[Step]:
    """The checkers, the quick ones first."""
    python = sys.executable
    pytest = [python, "-m", "pytest", "-q", "-n", "4", "-p", "tests.project.counting", "--counts", str(counts)]
    return [
        Step("format", [str(BIN / "ruff"), "format", "--check", "."], "laid out as agreed"),
        Step("lint", [str(BIN / "ruff"), "check", "."], "nothing to remark"),
        Step("imports", [str(BIN / "lint-imports")], "every room imports to the right only"),
        Step("docs", [python, "-m", "tests.project.generated"], "the generated pages are up to date"),
        Step("types", [str(BIN / "mypy")], "all types fit"),
        Step("tests", pytest, "passed"),
    ]


def main() -> int:
    """Run everything; 1 if anything failed."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        failed = [step.name for step in steps(counts) if not _run(step, counts)]
        _say("")
        if counts.exists():
            _tell_counts(json.loads(counts.read_text(encoding="utf-8")))
    if not _tell_silencers(every_silencer()):
        failed.append("silencers")
    seconds = time.perf_counter() - began
    _say("")
    _say(f"✗ failed: {', '.join(failed)} ({seconds:.0f} s)" if failed else f"✓ everything holds ({seconds:.0f} s)")
    return 1 if failed else 0


def _run(step: Step, counts: Path) -> bool:
    began = time.perf_counter()
    done = subprocess.run(step.command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    is_good = done.returncode == 0
    told = _outcomes(counts) if step.name == "tests" and counts.exists() else step.when_good
    _say(f"{'✓' if is_good else '✗'} {step.name:<8} {seconds:6.1f} s  {told if is_good else 'failed:'}")
    if not is_good:
        _say("\n".join(f"    {line}" for line in (done.stdout + done.stderr).strip().splitlines()))
    return is_good


def _outcomes(counts: Path) -> str:
    found = json.loads(counts.read_text(encoding="utf-8"))["outcomes"]
    return ", ".join(f"{count:,} {word}" for word, count in found.items())


def _tell_counts(counts: dict[str, Any]) -> None:
    _say(f"{counts['examples']:,} Hypothesis examples of {counts['properties']:,} properties")
    skipped = counts["skipped"]
    _say(f"{len(skipped):,} tests skipped{':' if skipped else ''}")
    for name, reason in skipped.items():
        _say(f"    {name}: {reason}")


def _tell_silencers(found: list[Silencer]) -> bool:
    """Count them by kind, with their reasons; False when one has none."""
    kinds = Counter(one.kind for one in found)
    for kind in ("type: ignore", "noqa", "import contract silenced", "ruff rule off"):
        kinds.setdefault(kind, 0)
    for kind, count in kinds.items():
        _say(f"{count:,} × {kind}")
        for (what, reason), places in _grouped(one for one in found if one.kind == kind and one.reason).items():
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            _say(f"    {what}: {reason}  ({places[0]}{more})")
    bare = [one for one in found if not one.reason]
    for one in bare:
        _say(f"✗ {one.place}: {one.what} gives no reason; write it behind, as a comment.")
    return not bare


def _grouped(found: Any) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for one in found:
        groups.setdefault((one.what, one.reason), []).append(one.place)
    return groups


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
