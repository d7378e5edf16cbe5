"""The command line as the demo's people use it: each command in a process of its own, at the demo's time.

The processes are forked from one that has Python's modules loaded already (a fork server), because starting Python
costs more than most commands do. What runs in them is `python -m nurture …`.
"""

import json
import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nurture.clock import Clock, SystemClock
from nurture.errors import NurtureError


class CommandFailed(NurtureError):
    """A command of the demo did not work."""


class CommandLine:
    """Runs `nurture` as a person at this workspace would."""

    def __init__(self, workspace: Path, environment: Mapping[str, str], clock: Clock) -> None:
        self._workspace = workspace
        self._environment = environment
        self._clock = clock
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["nurture.cli.main", "nurture.app"])

    def run(self, *arguments: str) -> Any:
        """The JSON a command printed, or its text if it prints none."""
        behind = self._clock.now() - SystemClock().now()
        environment = {**self._environment, "NURTURE_CLOCK__OFFSET": f"{round(behind.total_seconds())} seconds"}
        with tempfile.TemporaryDirectory(prefix="nurture-command-") as folder:
            said, complained = Path(folder, "stdout"), Path(folder, "stderr")
            words = ["nurture", "--workspace", str(self._workspace), *arguments]
            process = self._processes.Process(target=_run, args=(words, environment, said, complained))
            process.start()
            process.join()
            if process.exitcode:
                why = complained.read_text().strip() or said.read_text().strip()
                raise CommandFailed(f"nurture {' '.join(arguments)}: {why}")
            return json.loads(said.read_text()) if "--json" in arguments else said.read_text()


def _run(words: list[str], environment: Mapping[str, str], said: Path, complained: Path) -> None:
    """What the forked process does."""
    os.environ.update(environment)
    sys.argv = words
    with said.open("w") as sys.stdout, complained.open("w") as sys.stderr:
        runpy.run_module("nurture", run_name="__main__")
