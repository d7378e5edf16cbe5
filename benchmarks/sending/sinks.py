"""Whom the benchmark sends to, and the generator it is held against.

`smtp-sink` and `smtp-source` are Postfix's. Where they are not installed, the Debian package is unpacked into the cache,
so that no daemon starts. The null sink is `sink.c`, compiled when it is first needed; it may hold each answer for some
milliseconds, as a relay far away does. A part for which something is missing says so and is left out.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sending.house import cache
from benchmarks.sending.usage import processor_of

_HERE = Path(__file__).parent
_COUNTED = re.compile(rb"mesg=(\d+)")
_PATIENCE_SECONDS = 10.0


class Missing(Exception):
    """A part cannot be measured here, and why."""


@dataclass(frozen=True)
class Story:
    """How many messages a sink took; of the null sink also when by `time.monotonic`, and how many bytes."""

    taken: int
    first_at: float = 0.0
    last_at: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class Sink:
    """One that runs."""

    port: int
    process: "subprocess.Popen[bytes]"
    _counts: Path

    @property
    def processor(self) -> float:
        """Seconds of the processor it has used."""
        return processor_of(self.process.pid)

    def count(self) -> int:
        """How many messages it took."""
        return self.story().taken

    def story(self) -> Story:
        """What it took."""
        raise NotImplementedError


class NullSink(Sink):
    """`sink.c`."""

    def story(self) -> Story:
        before = self._counts.read_bytes().count(b"\n")
        self.process.send_signal(signal.SIGUSR1)
        lines = _lines_behind(self._counts, before)
        taken, first, last, size = map(int, lines[-1].split())
        return Story(taken, first / 1e9, last / 1e9, size)


class PostfixSink(Sink):
    """`smtp-sink`, which prints a running counter."""

    def story(self) -> Story:
        found = _COUNTED.findall(self._counts.read_bytes()[-200:])
        return Story(int(found[-1]) if found else 0)


def _lines_behind(path: Path, before: int) -> list[bytes]:
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        lines = path.read_bytes().split(b"\n")
        if len(lines) - 1 > before:
            return lines[:-1]
        time.sleep(0.01)
    raise SystemExit("the null sink does not answer")


@contextmanager
def null_sink(folder: Path, *, delay: int = 0, pipelining: bool = True) -> Iterator[Sink]:
    """One that holds each answer for `delay` milliseconds."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Missing("there is no C compiler for the null sink (apt install gcc)")
    program = folder / "sink"
    if not program.exists():
        subprocess.run([compiler, "-O2", "-o", str(program), str(_HERE / "sink.c")], check=True)
    counts = folder / f"null-{time.monotonic_ns()}"
    with counts.open("wb") as out:
        process = subprocess.Popen([str(program), str(delay), str(int(pipelining))], stdout=out)
    try:
        yield NullSink(int(_lines_behind(counts, 0)[0]), process, counts)
    finally:
        _end(process)


@contextmanager
def postfix_sink(folder: Path) -> Iterator[Sink]:
    """Postfix's."""
    program, environment = _postfix("smtp-sink")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    counts = folder / f"postfix-{time.monotonic_ns()}"
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with counts.open("wb") as out:
        words = [program, *as_user, "-c", f"127.0.0.1:{port}", "1000"]
        process = subprocess.Popen(words, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_for(port, counts)
        yield PostfixSink(port, process, counts)
    finally:
        _end(process)


def _wait_for(port: int, log: Path) -> None:
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        with socket.socket() as guest:
            if guest.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"smtp-sink does not listen: {log.read_bytes().decode(errors='replace')}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Generated:
    """What smtp-source did."""

    seconds: float
    processor: float
    memory_in_words: str = ""


def generate(port: int, messages: int, size: int, connections: int) -> Generated:
    """So many messages of that size from `smtp-source -d`."""
    program, environment = _postfix("smtp-source")
    words = [program, "-d", "-s", str(connections), "-m", str(messages), "-l", str(size), "-f", "dana@acme.example"]
    began = time.perf_counter()
    process = subprocess.Popen([*words, "-t", "reader@firm1.example", f"127.0.0.1:{port}"], env=environment)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"smtp-source ended with {process.returncode}")
    return Generated(seconds, used.ru_utime + used.ru_stime)


def _postfix(name: str) -> tuple[str, dict[str, str]]:
    """The program of that name, and the environment it runs in."""
    for place in (shutil.which(name), f"/usr/sbin/{name}"):
        if place and Path(place).exists():
            return place, dict(os.environ)
    folder = cache() / "postfix"
    program = folder / "usr" / "sbin" / name
    if not program.exists():
        _unpack(folder)
    return str(program), {**os.environ, "LD_LIBRARY_PATH": str(folder / "usr" / "lib" / "postfix")}


def _unpack(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Missing("there is no smtp-source and no apt-get to fetch it with; install postfix")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", "postfix"], cwd=folder, check=True, capture_output=True)
        for package in folder.glob("postfix_*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise Missing(f"smtp-source cannot be fetched: {error.stderr.decode(errors='replace').strip()}") from None
