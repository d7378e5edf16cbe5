"""Kills senders in the middle of their work, hundreds of times, and counts what became of every mail.

`python -m benchmarks.chaos [KILLS] [--workers 1,2,4] [--database sqlite,postgres] [--seed N] [--without-intent]`

For each setup a small workspace is published and its contacts are imported, all by commands; then `nurture run` writes to
everybody who comes in, and sends to a sink that reads every message to its final dot and takes its time over the answer. At random
moments one of the processes is killed with SIGKILL: mostly one that sends, now and then the one that decides; half of the
time the blow waits until a body is unanswered. `nurture run --workers N` replaces its senders; with 0 it sends by itself.
It is started anew whenever it was killed. Contacts keep coming in while it lasts.

At the end everything is left to finish, and judged. *Lost*: an uncertain mail aside, a person the sink never saw, or a mail
that is said to be sent and did not arrive. *Twice*: a person whose message was read to its dot more than once. *Uncertain*
may be as many as the killed process had connections open, summed over the kills. Exits 1 if any of it does not hold.

`--without-intent` makes the database forget the intent to send when a worker dies, as if it had never been committed before
the body: then mails are sent twice, and the judgement must say so.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from nurture.database.engine import sqlite_url
from tests.support.commands import CommandLine
from tests.support.counting import CountingSink, ports_of, ports_to, running_counter
from tests.support.databases import Databases
from tests.support.forgetting import forget_intents
from tests.support.workspaces import small_workspace

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
enroll: {when: in_list("everybody")}
steps:
  - {id: report, send: report, subject: "Your report, {{ contact.first_name | fallback('friend') }}"}
"""

_BATCH = 1000
_OPEN = ("queued", "claimed", "sending", "held")
_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True)
class Setup:
    """What is set against what."""

    database: str
    workers: int
    kills: int
    can_pipeline: bool
    seed: int
    forgets: bool


@dataclass
class Verdict:
    """What became of every mail of one setup."""

    kills: int = 0
    with_unanswered: int = 0
    of_the_deciding: int = 0
    bound: int = 0
    messages: int = 0
    lost: int = 0
    twice: int = 0
    uncertain: int = 0
    uncertain_arrived: int = 0
    unfinished: int = 0
    seconds: float = 0.0
    others: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        is_known = self.uncertain <= self.bound and not self.unfinished
        return not (self.lost or self.twice or self.others) and is_known


class Scene:
    """One workspace with its sink, and the processes of `nurture run` in it."""

    def __init__(self, folder: Path, url: str, sink: CountingSink, setup: Setup) -> None:
        self._folder = folder
        self._sink = sink
        self._setup = setup
        self._people = 0
        self._engine = sa.create_engine(sa.make_url(url))
        self._log = (folder / "log").open("a")
        self._main: subprocess.Popen[bytes] | None = None
        environment = {
            "NURTURE_DATABASE__URL": url,
            "NURTURE_SMTP__PORT": str(sink.port),
            "NURTURE_SENDING__BLAST_GUARD": "0",
            "NURTURE_SENDING__FIRST_WAVE": "0",
            "NURTURE_LOG__LEVEL": "warning",
        }
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("NURTURE_")}
        self._environment |= environment
        self.commands = CommandLine(folder / "workspace", environment, _PATIENCE_SECONDS)

    def prepare(self) -> None:
        """A sequence of one mail, for everybody who is imported."""
        small_workspace(self.commands.workspace, **{"campaigns/sequences/evaluators.yaml": SEQUENCE})
        self.commands.run("publish")
        self.import_more()
        if self._setup.forgets:
            forget_intents(self._engine)

    def import_more(self) -> None:
        path = self._folder / f"contacts-{self._people}.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["Email", "First Name", "Country"])
            for number in range(self._people, self._people + _BATCH):
                rows.writerow([f"reader{number}@company{number % 97}.example", f"Ana{number}", "US"])
        self._people += _BATCH
        self.commands.run("contacts", "import", str(path), "--consent", "opt-in", "--list", "everybody")

    def counts(self) -> dict[str, int]:
        statement = "SELECT status, count(*) FROM delivery WHERE purpose = 'campaign' GROUP BY status"
        with self._engine.connect() as connection:
            return {str(status): int(count) for status, count in connection.exec_driver_sql(statement).all()}

    @property
    def unsent(self) -> int:
        """How many of the people there are have not been written to."""
        return self._people - sum(count for status, count in self.counts().items() if status not in _OPEN)

    def start(self) -> None:
        workers = ["--workers", str(self._setup.workers)] if self._setup.workers else []
        self._main = subprocess.Popen(
            [sys.executable, "-m", "nurture", "-w", str(self.commands.workspace), "run", "--port", "0", *workers],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def look(self) -> None:
        """Start `nurture run` again if it is gone, as systemd would."""
        if self._main is None or self._main.poll() is not None:
            self.start()

    @property
    def main_pid(self) -> int:
        assert self._main is not None
        return self._main.pid

    def senders(self) -> dict[int, set[int]]:
        """The processes that speak to the sink, each with the ports it does so from."""
        ports = ports_to(self._sink.port)
        found = {pid: ports_of(pid, ports) for pid in [self.main_pid, *_descendants(self.main_pid)]}
        return {pid: mine for pid, mine in found.items() if mine}

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        if self._main is not None and pid == self._main.pid:
            self._main.wait()

    def finish(self) -> None:
        """Let everything that is left be sent, then stop."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while self.unsent and time.monotonic() < give_up_at:
            self.look()
            time.sleep(0.25)
        if self._main is not None:
            self._main.terminate()
            self._main.wait()
        self.commands.run("run", "--once")

    def judge(self, verdict: Verdict) -> None:
        """Hold what the house believes against what the sink saw."""
        rows = [one for one in self.commands.json("deliveries", "--limit", "0") if one["purpose"] == "campaign"]
        seen = self._sink.counts
        status = {one["email"]: one["status"] for one in rows}
        verdict.messages = len(rows)
        verdict.twice = sum(count > 1 for count in seen.values())
        for number in range(self._people):
            email = f"reader{number}@company{number % 97}.example"
            match status.get(email, "not there"):
                case "uncertain":
                    verdict.uncertain += 1
                    verdict.uncertain_arrived += seen[email] > 0
                case "sent":
                    verdict.lost += not seen[email]
                case "queued" | "claimed" | "sending" | "held":
                    verdict.unfinished += 1
                case other:
                    verdict.lost += not seen[email]
                    verdict.others[other] = verdict.others.get(other, 0) + 1

    def close(self) -> None:
        if self._main is not None and self._main.poll() is None:
            self._main.kill()
            self._main.wait()
        self._engine.dispose()
        self._log.close()


def play(setup: Setup, databases: Databases) -> Verdict:
    """One setup from its workspace to its verdict."""
    chance = random.Random(setup.seed)  # the same blows for the same seed
    patience = random.Random(setup.seed)  # of the sink, which runs in a thread of its own
    began = time.monotonic()
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="nurture-chaos-")))
        url = ends.enter_context(_url(setup.database, databases, folder))
        sink = ends.enter_context(
            running_counter(delay=lambda: patience.uniform(0.01, 0.15), can_pipeline=setup.can_pipeline)
        )
        scene = Scene(folder, url, sink, setup)
        ends.callback(scene.close)
        scene.prepare()
        verdict = Verdict()
        scene.start()
        while verdict.kills < setup.kills:
            if scene.unsent < _BATCH // 2:
                scene.import_more()
            _strike(scene, sink, chance, verdict)
        scene.finish()
        scene.judge(verdict)
        verdict.seconds = time.monotonic() - began
        if not verdict.holds:
            print(f"seed {setup.seed}: the end of the log:\n{(folder / 'log').read_text()[-4000:]}", file=sys.stderr)
    return verdict


def _strike(scene: Scene, sink: CountingSink, chance: random.Random, verdict: Verdict) -> None:
    """Kill one process that is at work."""
    while not (senders := scene.senders()):
        scene.look()
        time.sleep(0.02)
    victim = chance.choice(sorted(senders))
    if victim != scene.main_pid and chance.random() < 0.05:
        victim = scene.main_pid
    elif chance.random() < 0.6:
        _wait_for_unanswered(victim, sink)
    else:
        time.sleep(chance.uniform(0, 0.1))
    ports = ports_of(victim, ports_to(sink.port))
    unanswered = sum(port in sink.unanswered for port in ports)
    if not Path(f"/proc/{victim}").exists():
        return
    scene.kill(victim)
    verdict.kills += 1
    verdict.bound += len(ports)
    verdict.with_unanswered += unanswered > 0
    verdict.of_the_deciding += not ports
    scene.look()


def _wait_for_unanswered(pid: int, sink: CountingSink) -> None:
    """Until half of what it has open waits for an answer."""
    give_up_at = time.monotonic() + 2
    ports = ports_of(pid, ports_to(sink.port))
    while time.monotonic() < give_up_at and 2 * sum(port in sink.unanswered for port in ports) < len(ports):
        time.sleep(0.001)


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


@contextmanager
def _url(kind: str, databases: Databases, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield sqlite_url(folder / "nurture.db")
    else:
        with databases.postgres() as database:
            yield database.url


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos")
    parser.add_argument("kills", type=int, nargs="?", default=40, help="kills in each setup")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--database", default="sqlite,postgres")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-intent", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing it started outlives it
    print(
        f"{'':24}{'kills':>7}{'unanswered':>12}{'mails':>8}{'lost':>6}{'twice':>7}{'uncertain':>11}{'bound':>7}",
        flush=True,
    )
    held, kills, unanswered = True, 0, 0
    with tempfile.TemporaryDirectory(prefix="nurture-chaos-") as folder:
        databases = Databases(Path(folder), Path(tempfile.gettempdir()) / f"nurture-chaos-{os.getpid()}")
        try:
            for number, (kind, workers) in enumerate(
                (kind, int(workers)) for workers in given.workers.split(",") for kind in given.database.split(",")
            ):
                setup = Setup(kind, workers, given.kills, number % 2 == 0, given.seed + number, given.without_intent)
                found = play(setup, databases)
                held, kills, unanswered = held and found.holds, kills + found.kills, unanswered + found.with_unanswered
                name = f"{kind}, {workers} worker{'' if workers == 1 else 's'}"
                print(
                    f"{name:24}{found.kills:>7,}{found.with_unanswered:>12,}{found.messages:>8,}{found.lost:>6,}"
                    f"{found.twice:>7,}{found.uncertain:>11,}{found.bound:>7,}"
                    f"  {'holds' if found.holds else 'DOES NOT HOLD'}, {found.seconds:.0f} s, "
                    f"{found.uncertain_arrived} of the uncertain arrived, {found.of_the_deciding} of the kills hit nobody "
                    f"who sent{f', {found.unfinished} unfinished' if found.unfinished else ''}"
                    f"{f', {json.dumps(found.others)}' if found.others else ''}",
                    flush=True,
                )
        finally:
            databases.close()
    share = unanswered / kills if kills else 0
    print(f"\n{kills:,} kills, {unanswered:,} ({share:.0%}) of them while a body was unanswered.")
    if not held:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
