"""Somebody at a real terminal: sees what it shows, types, presses Ctrl-C."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 60


@dataclass
class Typist:
    """A command that runs, and everything it has shown so far: what was typed too, unless it was hidden."""

    process: "subprocess.Popen[bytes]"
    terminal: int
    seen: str = ""

    def see(self, text: str) -> None:
        """Wait until this is shown, behind what was waited for before."""
        start = len(self.seen)
        while text not in self.seen[start:]:
            more = self._read()
            assert more, f"{text!r} was never shown:\n{self.seen}"
            self.seen += more

    def type(self, text: str) -> None:
        os.write(self.terminal, f"{text}\n".encode())

    def press_ctrl_d(self) -> None:
        os.write(self.terminal, b"\x04")

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        while more := self._read():
            self.seen += more
        return self.process.wait(_SECONDS)

    def _read(self) -> str:
        ready, _, _ = select.select([self.terminal], [], [], _SECONDS)
        try:
            return os.read(self.terminal, 65536).decode() if ready else ""
        except OSError:  # Linux tells the end of a terminal so
            return ""


@contextmanager
def typing(workspace: Path, *words: str, columns: int = 80) -> Iterator[Typist]:
    """`nurture` at a terminal so wide, in a workspace."""
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (40, columns))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("NURTURE_") and name != "COLUMNS"
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "nurture", "--workspace", str(workspace), *words],
        stdin=inside, stdout=inside, stderr=inside, start_new_session=True, env=environment,
    )  # fmt: skip
    os.close(inside)
    try:
        yield Typist(process, terminal)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(terminal)
