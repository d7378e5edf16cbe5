"""What processes used of the machine, and whether other programs had it while something was measured."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass
class Foreign:
    """How much of one processor went to others while the block ran: their load and what the host took."""

    #: More of one processor than this, taken by others or by the host, and a run says little.
    TOO_BUSY: ClassVar[float] = 0.10

    share: float = 0.0

    @property
    def is_too_busy(self) -> bool:
        return self.share > self.TOO_BUSY


@contextmanager
def watching(*, ours: "list[int] | None" = None) -> Iterator[Foreign]:
    """Measures what the block, its children and the processes `ours` did not use themselves."""
    foreign, pids = Foreign(), list(ours or ())
    began, busy, own = time.perf_counter(), _busy(), _own(pids)
    yield foreign
    seconds = time.perf_counter() - began
    foreign.share = max(0.0, (_busy() - busy) - (_own(pids) - own)) / max(seconds, 1e-6)


def _busy() -> float:
    """Seconds that all processors together were not idle, since the start of the machine."""
    user, nice, system, _idle, _wait, irq, soft, stolen, *_ = (
        int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own(pids: list[int]) -> float:
    used = os.times()
    theirs = sum(processor_of(pid, with_children=True) for pid in pids)
    return used.user + used.system + used.children_user + used.children_system + theirs


def processor_of(pid: int, *, with_children: bool = False) -> float:
    """Seconds of the processor a process has used, and its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_children else 13])) / os.sysconf("SC_CLK_TCK")


def peak_memory() -> int:
    """The most memory this process ever had, in MB; what getrusage says includes the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
