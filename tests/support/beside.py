"""A scripted relay that runs beside the test, for commands that block the test's own thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.scripts import Script, ScriptedRelay, scripted


@contextmanager
def scripted_beside(script: Script | None = None) -> Iterator[ScriptedRelay]:
    """A scripted relay in a thread of its own."""
    loop = asyncio.new_event_loop()
    is_up, may_end = threading.Event(), asyncio.Event()
    found: list[ScriptedRelay] = []

    async def serve() -> None:
        async with scripted(script) as relay:
            found.append(relay)
            is_up.set()
            await may_end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    is_up.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(may_end.set)
        thread.join()
        loop.close()
