"""A sender process, as `nurture run --workers N` has them, that begins when it is told to and says what it used.

`python -m benchmarks.sending.worker FOLDER URL PORT CONNECTIONS` opens the house, prints "ready", waits for a line on
stdin, sends until nothing is due, and prints a line of JSON. One word more is a file for what cProfile sees of both
threads; or "clocks": what each stage took.
"""

import asyncio
import cProfile
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.sending.clocks import Clocks
from benchmarks.sending.opening import open_sending_half
from benchmarks.sending.usage import peak_memory
from nurture.engines.sending import Heart

CLOCKS = "clocks"


def main(folder: str, url: str, port: str, connections: str, profile: str = "") -> None:
    app = open_sending_half(Path(folder), url, NURTURE_SMTP__PORT=port, NURTURE_SMTP__CONNECTIONS=connections)
    with Heart(app.database) as heart:
        sender = app.sender(heart.worker)
        print("ready", flush=True)
        sys.stdin.readline()
        seen = _watch() if profile and profile != CLOCKS else []
        clocks = Clocks() if profile == CLOCKS else None
        began, used = time.monotonic(), time.process_time()
        counts, relay_down = asyncio.run(_send(sender))
        ended, used = time.monotonic(), time.process_time() - used
        for one in seen:
            one.disable()
        stages = clocks.read() if clocks else {}
        if seen:
            _keep(seen, profile)
    app.close()
    print(
        json.dumps(
            {
                "began": began, "ended": ended, "processor": used, "memory": peak_memory(), "counts": dict(counts),
                "relay_down": relay_down, "stages": stages,
            }
        ),
        flush=True,
    )  # fmt: skip


async def _send(sender: Any) -> tuple[dict[str, int], str]:
    counts, relay_down = await sender.drain()
    await sender.close()
    return counts, relay_down


def _watch() -> list[cProfile.Profile]:
    """A profile of this thread and of each that begins from here on."""
    # By the processor's time of each thread: most of what a thread does on the clock is waiting for the other.
    seen = [cProfile.Profile(time.thread_time)]

    def watch(*_: object) -> None:
        sys.setprofile(None)
        seen.append(cProfile.Profile(time.thread_time))
        seen[-1].enable()

    threading.setprofile(watch)
    seen[0].enable()
    return seen


def _keep(seen: list[cProfile.Profile], path: str) -> None:
    for number, one in enumerate(seen):
        one.create_stats()
        one.dump_stats(f"{path}.{number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
