"""A large workspace is read by several processes, and nothing that is found depends on it."""

import os
import subprocess
import sys
from pathlib import Path

from nurture.campaigns.many import MANY
from tests.support.workspaces import ONE_STEP, SETTINGS, small_workspace

#: Reads a workspace in a process without other threads, as the command does, and prints what is said.
CHECK = """
import os, sys, threading
from pathlib import Path
from nurture.campaigns import many
from tests.campaigns.cases import House, said
from tests.support.workspaces import open_house
os.sched_getaffinity = lambda _: {0, 1}
many.MANY = int(sys.argv[2])
assert threading.active_count() == 1
forked = []
many.multiprocessing.get_context = lambda kind, real=many.multiprocessing.get_context: forked.append(kind) or real(kind)
folder = Path(sys.argv[1])
house = open_house(folder, "", relay_port=25)
reading = house.read_files()
house.close()
print(f"{len(forked)} forks")
print(said(reading), *(f"{unit.kind} {unit.name}" for unit in reading.units), *reading.silenced, sep="\\n")
"""


def check(folder: Path, many: int) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(folder), str(many)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    forks, _, rest = done.stdout.partition("\n")
    return forks, rest


def test_many_files_are_read_as_one_by_one(tmp_path: Path) -> None:
    files = {
        f"campaigns/sequences/sequence-{n}.yaml": ONE_STEP.replace("sequence: evaluators", f"sequence: sequence-{n}")
        for n in range(MANY)
    }
    broken = ONE_STEP.replace("topic: insights", "topic: insihgts")
    twin = ONE_STEP.replace("sequence: evaluators", "sequence: sequence-7")
    long = ONE_STEP.replace("sequence: evaluators", "sequence: long").replace("Your report", "Your report " * 6)
    silent = long.replace("sequence: long", 'sequence: silent\nsilence: {NS240: "they like it long"}')
    more = {f"campaigns/sequences/z-{n}.yaml": text for n, text in enumerate((broken, twin, long, silent))}
    folder = small_workspace(tmp_path / "house", **{"settings.toml": SETTINGS}, **files, **more)
    (forks, together), (no_forks, alone) = check(folder, MANY), check(folder, 1_000)
    assert (forks, no_forks) == ("1 forks", "0 forks")
    assert together == alone
    for expected in (
        'no topic "insihgts"',
        "NS204",
        "NS240, warning",
        "they like it long",
        f"sequence sequence-{MANY - 1}",
    ):
        assert expected in together
