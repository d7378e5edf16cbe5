"""An outbox full of mail that is due, made once for a whole run of the benchmark, and sender processes that send it.

Each run begins with a fresh copy. It counts only if the sink took exactly as many messages as there are people who may
be mailed, and the database says that so many were sent.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks import population
from benchmarks.sending.house import Kept, open_doors, open_house, queue, tidy, write_workspace
from benchmarks.sending.opening import KEYS
from benchmarks.sending.sinks import Sink
from nurture.database import installation
from nurture.database.engine import sqlite_url

#: How the keys of DKIM are called in their folder; whether the name servers know them is nothing to a benchmark.
_KEY = "b1._domainkey.acme.example.pem"


@dataclass(frozen=True)
class Sent:
    """What one or more sender processes did together."""

    messages: int
    seconds: float
    processor: float  # of all of them
    memory: int  # of the largest, in MB
    first_after: float  # seconds from the word "go" to the first message at the sink, if it knows
    stages: Mapping[str, float] = field(default_factory=dict)  # seconds of the processor, if they were asked for

    @property
    def memory_in_words(self) -> str:
        return f"{self.memory} MB"


class Scene:
    """Mail for so many readers, in a house that signs with DKIM or does not."""

    def __init__(self, folder: Path, kept: Kept, readers: int) -> None:
        self.readers = readers
        self.allowed = population.count_allowed(readers)
        self._folder = folder
        self._kept = kept
        self._ends = ExitStack()
        self._templates: dict[str, str] = {}
        self.workspaces = {
            kind: write_workspace(folder / f"workspace-{kind}") for kind in ("plain", "ed25519", "rsa2048")
        }
        for kind in ("ed25519", "rsa2048"):
            _write_key(self.workspaces[kind] / ".nurture" / "dkim", kind)

    def get_ready(self, parts: Sequence[str]) -> None:
        """Have PostgreSQL run, if a part needs it, before anything is measured: else it counts as another program."""
        if "postgres1" in parts:
            self._kept.server()

    def close(self) -> None:
        self._ends.close()

    @contextmanager
    def database(self, kind: str) -> Iterator[str]:
        """The URL of a fresh copy."""
        template = self._template(kind)
        if kind == "postgres":
            with self._kept.postgres(template=str(make_url(template).database)) as url:
                self._settle_in(url)
                yield url
            return
        copy = self._folder / f"run-{time.monotonic_ns()}"
        copy.mkdir()
        shutil.copy(make_url(template).database or "", copy / "nurture.db")
        try:
            self._settle_in(sqlite_url(copy / "nurture.db"))
            yield sqlite_url(copy / "nurture.db")
        finally:
            shutil.rmtree(copy)

    def _template(self, kind: str) -> str:
        if kind not in self._templates:
            made = self._kept.postgres() if kind == "postgres" else self._kept.sqlite(self._folder / "template")
            url = self._ends.enter_context(made)
            app = open_house(self.workspaces["plain"], url)
            now = datetime.now(UTC)
            open_doors(app, now)
            queue(app, self.readers, now)
            app.close()
            self._templates[kind] = url
        return self._templates[kind]

    def _settle_in(self, url: str) -> None:
        """A copied database is paused until somebody says that it is the one that sends."""
        app = open_house(self.workspaces["plain"], url)
        with app.database.writing() as session:
            installation.resume(session, home=app.home, here=True)
        tidy(app.database)
        app.close()

    def send(
        self,
        kind: str,
        sink: Sink,
        *,
        processes: int = 1,
        connections: int = 20,
        signing: str = "plain",
        profile: str = "",
    ) -> Sent:
        """Send it all from so many processes, the connections shared among them."""
        before = sink.count()
        with self.database(kind) as url:
            share = [connections // processes] * processes
            shared = [str(self.workspaces[signing]), url, str(sink.port)]
            more = [profile] if profile else []
            told = _run([_start("benchmarks.sending.worker", [*shared, str(one), *more]) for one in share])
            self._check(url, sink.count() - before, told)
        return Sent(
            self.allowed,
            max(one["ended"] for one in told) - min(one["began"] for one in told),
            sum(one["processor"] for one in told),
            max(one["memory"] for one in told),
            sink.story().first_at - min(one["began"] for one in told),
            told[0]["stages"],
        )

    def send_conventionally(self, sink: Sink, messages: int, connections: int = 20) -> Sent:
        """Some of it, as others do."""
        before = sink.count()
        with self.database("sqlite") as url:
            words = [str(self.workspaces["plain"]), url, str(sink.port), str(connections), str(messages)]
            worker = _start("benchmarks.sending.conventional", words)
            [told] = _run([worker])
            if sink.count() - before != messages:
                raise SystemExit(f"the sink took {sink.count() - before} messages of {messages}")
        return Sent(messages, told["ended"] - told["began"], told["processor"], told["memory"], 0.0)

    def _check(self, url: str, taken: int, told: Sequence[dict[str, Any]]) -> None:
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            statement = sa.text("SELECT status, count(*) FROM delivery GROUP BY status")
            statuses: dict[str, int] = dict(connection.execute(statement).tuples().all())
        engine.dispose()
        if taken != self.allowed or statuses.get("sent") != self.allowed:
            down = {one["relay_down"] for one in told} - {""}
            raise SystemExit(
                f"{self.allowed:,} may be mailed, the sink took {taken:,}, and the database says {statuses}"
                f"{'; ' + ', '.join(down) if down else ''}: there is no ratio to be had."
            )


def _start(module: str, words: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


def _run(workers: Sequence["subprocess.Popen[str]"]) -> list[dict[str, Any]]:
    """Have all of them begin at once; what each says it did."""
    for one in workers:
        _said(one, "ready")
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [json.loads(_said(one)) for one in workers]
    for one in workers:
        one.wait()
    return told


def _said(process: "subprocess.Popen[str]", word: str = "") -> str:
    """The next line of a worker, which must be this one if a word is given."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line or (word and line != word):
        raise SystemExit(f"a sender process ended ({process.wait()}) instead of saying {word or 'what it did'}: {line}")
    return line


def environment() -> dict[str, str]:
    """What processes of the benchmark are started with."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("NURTURE_")}, **KEYS}


def _write_key(folder: Path, kind: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir(parents=True, mode=0o700)
    (folder / _KEY).write_bytes(text)
    (folder / _KEY).chmod(0o600)
