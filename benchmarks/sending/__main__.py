"""How fast mail leaves the house, measured against Postfix's smtp-source in the same run.

`python -m benchmarks.sending [--messages N] [--rounds N] [--only PART,PART] [--people N] [--full]`

A sender process of the product claims, asks permission, renders, sends and records personal letters of 29 kB over 20
connections, with limits on; `smtp-source -d -s 20` writes one ready-made message of the same size again and again. They
take turns, in rounds, at the same sink, and what counts is the median of the ratios. No ratio is printed unless the
sink took exactly as many messages as people may be mailed. How much of the machine went to other programs meanwhile is
measured too, and a run they disturbed is called so.

Parts: sqlite1 postgres1 ed25519 rsa2048 conventional (into smtp-sink), null1 null2 (into a sink that only looks for
dots), far far4 (a relay 20 ms away, with PIPELINING and without), first, memory, queueing, stages. Memory and queueing
take a million people with --full, else a tenth.
"""

import argparse
import pstats
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.sending import starting
from benchmarks.sending.house import Kept, postmaster
from benchmarks.sending.scene import Scene, Sent
from benchmarks.sending.sinks import Generated, Missing, Sink, generate, null_sink, postfix_sink
from benchmarks.sending.stages import print_stages
from benchmarks.sending.usage import Foreign, watching
from benchmarks.sending.worker import CLOCKS

Done = TypeVar("Done", Sent, Generated)

CONNECTIONS = 20
RTT = 0.020
PARTS = (
    "sqlite1", "postgres1", "ed25519", "rsa2048", "conventional", "null1", "null2", "far", "far4", "first", "memory",
    "queueing", "stages",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the table at the end."""

    what: str
    asked: str
    measured: str
    is_met: bool | None  # None: nothing is asked
    required: str = ""
    spread: str = ""


@dataclass
class Bench:
    """What is measured, and what was."""

    scene: Scene
    folder: Path
    rounds: int
    parts: Sequence[str]
    size: int = 0
    lines: list[Line] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)

    def ratio(self, what: str, asked: float, ratios: Sequence[float], required: float | None = None) -> None:
        median = statistics.median(ratios)
        spread = f"{min(ratios):.2f} – {max(ratios):.2f}"
        least = f"{required:g}" if required is not None else ""
        self.lines.append(Line(what, f"≥ {asked:g}", f"{median:.2f}", median >= asked, least, spread))

    def at_most(self, what: str, asked: float, measured: float, unit: str = "") -> None:
        self.lines.append(Line(what, f"≤ {asked:g}{unit}", f"{measured:.2f}{unit}", measured <= asked))

    def watch(self, sink: Sink, work: Callable[[], Done], what: str, messages: int) -> Done:
        """Run it, and say at once what it did."""
        sinks, before = sink.processor, sink.count()
        with watching(ours=[sink.process.pid, *postmaster()]) as foreign:
            done = work()
        self._note(foreign)
        taken = max(1, sink.count() - before)
        print(
            f"  {what:28}{messages / done.seconds:>10,.0f} a second{1e6 * done.processor / messages:>9.0f} µs"
            f"{1e6 * (sink.processor - sinks) / taken:>9.0f} µs sink"
            f"{done.memory_in_words:>9}"
            f"{f'  others took {foreign.share:.2f} of a processor' if foreign.is_too_busy else ''}",
            flush=True,
        )
        return done

    def _note(self, foreign: Foreign) -> None:
        self.foreign.append(foreign.share)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=50_000, help="readers in each run")
    options.add_argument("--people", type=int, default=200_000, help="contacts in the database")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default="", help="parts, with commas between them")
    options.add_argument("--full", action="store_true", help="a million people for memory and queueing")
    chosen = options.parse_args()
    parts = chosen.only.split(",") if chosen.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        options.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="nurture-sending-") as place:
        folder = Path(place)
        scene = Scene(folder, Kept(max(chosen.people, chosen.messages)), chosen.messages)
        bench = Bench(scene, folder, chosen.rounds, parts)
        try:
            _measure(bench)
            if {"memory", "queueing"} & set(parts):
                _measure_many(bench, 1_000_000 if chosen.full else 100_000)
        finally:
            scene.close()
        _print(bench)


def _measure(bench: Bench) -> None:
    for work in (_warm_up, _into_smtp_sink, _into_null_sink, _far_away, _first, _stages):
        try:
            work(bench)
        except Missing as missing:
            print(f"left out: {missing}")


def _warm_up(bench: Bench) -> None:
    """Also tells how large a message is."""
    with null_sink(bench.folder) as sink:
        sent = bench.scene.send("sqlite", sink, connections=CONNECTIONS)
        bench.size = sink.story().bytes // sent.messages
    print(
        f"{bench.scene.readers:,} readers of {bench.scene.allowed:,} of whom may be mailed, {bench.size:,} bytes a message, "
        f"{bench.rounds} rounds\n"
    )


def _into_smtp_sink(bench: Bench) -> None:
    wanted = [one for one in PARTS[:5] if one in bench.parts]
    if not wanted:
        return
    scene, messages, found = bench.scene, bench.scene.allowed, defaultdict[str, list[float]](list)
    how: dict[str, Callable[[Sink], Sent]] = {
        "sqlite1": partial(scene.send, "sqlite"),
        "postgres1": partial(scene.send, "postgres"),
        "ed25519": partial(scene.send, "sqlite", signing="ed25519"),
        "rsa2048": partial(scene.send, "sqlite", signing="rsa2048", processes=2),
    }
    scene.get_ready(wanted)
    processor = []
    with postfix_sink(bench.folder) as sink:
        for number in range(bench.rounds):
            print(f"into smtp-sink, round {number + 1}")
            source = bench.watch(
                sink, partial(generate, sink.port, messages, bench.size, CONNECTIONS), "smtp-source", messages
            )
            rate = messages / source.seconds
            for part in wanted:
                if part == "conventional":
                    few = min(2_000, messages)
                    sent = bench.watch(sink, partial(scene.send_conventionally, sink, few), part, few)
                    found["conventional"].append(sent.seconds / few)
                    continue
                sent = bench.watch(sink, partial(how[part], sink), part, messages)
                found[part].append(messages / sent.seconds / rate)
                if part == "sqlite1":
                    found["ours"].append(sent.seconds / messages)
                    processor.append(sent.processor / source.processor)
    for part, what, asked, required in (
        ("sqlite1", "SQLite, one process / smtp-source", 1.1, 0.9),
        ("postgres1", "PostgreSQL, one process / smtp-source", 0.95, 0.8),
        ("ed25519", "DKIM Ed25519, one process / smtp-source", 0.6, None),
        ("rsa2048", "DKIM RSA-2048, two processes / smtp-source", 0.35, None),
    ):
        if found[part]:
            bench.ratio(what, asked, found[part], required)
    if processor:
        bench.at_most("sender's processor / smtp-source's", 2.5, statistics.median(processor))
    if found["conventional"] and found["ours"]:
        ratios = [theirs / ours for theirs, ours in zip(found["conventional"], found["ours"], strict=True)]
        bench.ratio("SQLite, one process / the conventional way", 30, ratios)


def _into_null_sink(bench: Bench) -> None:
    wanted = [one for one in ("null1", "null2") if one in bench.parts]
    if not wanted:
        return
    messages, found = bench.scene.allowed, defaultdict[str, list[float]](list)
    with null_sink(bench.folder) as sink:
        for number in range(bench.rounds):
            print(f"into the null sink, round {number + 1}")
            source = bench.watch(
                sink, partial(generate, sink.port, messages, bench.size, CONNECTIONS), "smtp-source", messages
            )
            for part in wanted:
                processes = int(part[-1])
                sent = bench.watch(
                    sink,
                    partial(bench.scene.send, "sqlite", sink, processes=processes),
                    part,
                    messages,
                )
                found[part].append(source.seconds / sent.seconds)
    for part, asked, required in (("null1", 0.5, 0.4), ("null2", 0.9, 0.75)):
        if found[part]:
            bench.ratio(f"null sink, SQLite, {part[-1]} process(es) / smtp-source", asked, found[part], required)


def _far_away(bench: Bench) -> None:
    for part, pipelining, trips in (("far", True, 1), ("far4", False, 4)):
        if part not in bench.parts:
            continue
        print(f"a relay 20 ms away, {'with' if pipelining else 'without'} PIPELINING")
        with null_sink(bench.folder, delay=int(1000 * RTT), pipelining=pipelining) as sink:
            sent = bench.watch(sink, partial(bench.scene.send, "sqlite", sink), part, bench.scene.allowed)
        most = CONNECTIONS / (trips * RTT)
        what = f"20 ms away, {'with' if pipelining else 'without'} PIPELINING / (connections ÷ {trips} RTT)"
        bench.ratio(what, 0.9, [bench.scene.allowed / sent.seconds / most])


def _first(bench: Bench) -> None:
    if "first" in bench.parts:
        with null_sink(bench.folder) as sink:
            sent = bench.scene.send("sqlite", sink)
        bench.at_most("first mail after a sender begins", 1, sent.first_after, " s")
        with null_sink(bench.folder) as sink:
            seconds = starting.seconds_to_first_mail(bench.scene, sink)
        bench.lines.append(Line("first mail after `nurture run` was typed", "", f"{seconds:.2f} s", None))


def _stages(bench: Bench) -> None:
    if "stages" in bench.parts:
        with null_sink(bench.folder) as sink:
            clocked = bench.scene.send("sqlite", sink, profile=CLOCKS)
            bench.scene.send("sqlite", sink, profile=str(bench.folder / "profile"))
        print_stages(clocked, [pstats.Stats(str(one)) for one in sorted(bench.folder.glob("profile.*"))])


def _measure_many(bench: Bench, many: int) -> None:
    if "memory" in bench.parts:
        used = []
        for readers in (many // 10, many):
            scene = Scene(bench.folder / f"of-{readers}", Kept(many), readers)
            try:
                with null_sink(bench.folder) as sink:
                    sent = bench.watch(sink, partial(scene.send, "sqlite", sink), f"{readers:,}", scene.allowed)
            finally:
                scene.close()
            used.append(sent.memory)
        bench.at_most(f"memory of a sender, {many:,} recipients", 100, used[1], " MB")
        bench.at_most(f"memory at {many:,} / at {many // 10:,}", 1.1, used[1] / used[0])
    if "queueing" in bench.parts:
        from benchmarks.queueing import queue_once

        ours, bare = queue_once(bench.folder / "queueing", many)
        bench.at_most(f"queueing {many:,} / the bare INSERT … SELECT", 1.5, ours / bare)


def _print(bench: Bench) -> None:
    print(f"\n{'':58}{'asked':>9}{'required':>10}{'measured':>10}")
    for line in bench.lines:
        verdict = "  MISSED" if line.is_met is False else ""
        print(
            f"{line.what:58}{line.asked:>9}{line.required:>10}{line.measured:>10}{verdict}{f'  ({line.spread})' if line.spread else ''}"
        )
    most = max(bench.foreign, default=0.0)
    if most > Foreign.TOO_BUSY:
        print(
            f"\nToo busy to trust: other programs took up to {most:.2f} of a processor while something was measured. Run it "
            "again on a quiet machine."
        )


if __name__ == "__main__":
    main()
