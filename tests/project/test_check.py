"""What `make check` counts is what happened, and a silencer without a reason is found."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.project.silencers import Silencer, every_silencer, silencers_of
from tests.project.source import REPOSITORY

_TESTS = """\
import pytest
from hypothesis import given, settings, strategies as st

@given(st.integers())
@settings(max_examples=20, database=None)
def test_a_property(number):
    assert number == number

@given(st.integers())
@settings(max_examples=15, database=None)
def test_another(number):
    assert number == number

@pytest.mark.skip(reason="no reason at all")
def test_skipped():
    assert False
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_examples_and_skips_are_counted_over_all_processes(tmp_path: Path, processes: str) -> None:
    (tmp_path / "test_some.py").write_text(_TESTS, encoding="utf-8")
    counts = tmp_path / "counts.json"
    command = [sys.executable, "-m", "pytest", "-q", "-n", processes, "-p", "tests.project.counting"]
    command += ["--counts", str(counts), "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)]
    found = _counted(command, counts, tmp_path / "printed.txt")
    assert (found["properties"], found["examples"]) == (2, 35)
    assert found["outcomes"] == {"passed": 2, "skipped": 1}
    assert list(found["skipped"].values()) == ["no reason at all"]


def _counted(command: list[str], counts: Path, printed: Path) -> Any:
    """What a run that takes two seconds says of itself.

    Within a run of many tests, xdist now and then waits for ever for processes that it started and that have reported
    (pytest-dev/pytest-xdist#110). What is asked here is what was counted, so whoever has written that is not waited for.
    """
    with printed.open("w", encoding="utf-8") as file:
        environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
        run = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        status = run.wait(timeout=60)
    except subprocess.TimeoutExpired:
        status = 0 if counts.exists() else -signal.SIGABRT
        with suppress(subprocess.TimeoutExpired):
            os.killpg(run.pid, signal.SIGABRT)  # and say where they stand
            run.wait(timeout=10)
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert status == 0, f"{status}: {printed.read_text(encoding='utf-8')}"
    return json.loads(counts.read_text(encoding="utf-8"))


def silenced(*lines: str) -> list[tuple[str, str]]:
    return [(one.what, one.reason) for one in silencers_of("some.py", "\n".join(lines) + "\n")]


def test_a_reason_stands_behind_the_silencer_or_above_it() -> None:
    assert silenced("x = 1  # noqa: S101 — it is one") == [("noqa: S101", "it is one")]
    assert silenced("x = y  # type: ignore[misc]  # y is untyped") == [("type: ignore[misc]", "y is untyped")]
    assert silenced("# y is untyped", "x = y  # type: ignore[misc]") == [("type: ignore[misc]", "y is untyped")]


def test_a_reason_counts_for_the_same_silencer_further_down() -> None:
    assert silenced("a()  # noqa: N802 — their names", "b()  # noqa: N802") == [("noqa: N802", "their names")] * 2


def test_a_silencer_without_a_reason_is_found() -> None:
    assert silenced("x = 1  # noqa", "y = x  # type: ignore[misc]") == [("noqa", ""), ("type: ignore[misc]", "")]
    assert silenced("x = 'not # noqa'") == []


def test_everything_that_is_switched_off_is_listed_once() -> None:
    found: list[Silencer] = every_silencer()
    assert {one.kind for one in found} >= {"type: ignore", "noqa", "ruff rule off", "import contract silenced"}
    assert len(found) == len(set(found))
