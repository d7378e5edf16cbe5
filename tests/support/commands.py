"""The command line as people use it: real processes at a real workspace."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60

_started: "list[subprocess.Popen[str]]" = []


def end_all() -> None:
    """Kill what a test that failed left running, and close what nobody read: its neighbors have nothing to do with it."""
    while _started:
        with _started.pop() as process:
            process.kill()


@dataclass
class CommandLine:
    """Runs `nurture` in a workspace with some settings of the environment."""

    workspace: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    patience_seconds: float = TIMEOUT_SECONDS

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A process that the test talks to, or kills."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NURTURE_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "nurture", "--workspace", str(self.workspace), *arguments],
            env={**environment, **self.environment},
            cwd=self.workspace if self.workspace.exists() else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _started.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """What a command printed on stdout and stderr; it must exit with `code`."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=self.patience_seconds)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return out, err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The one JSON document a command printed."""
        return json.loads(self.run(*arguments, "--json", code=code)[0])
