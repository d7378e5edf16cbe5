"""Sender processes beside the one that decides: started, looked after and stopped by it.

Each is a worker incarnation with connections of its own; what they share is the database, where a row has one worker.
They are forked from a process that has nothing but our modules loaded, so that another one is there in a moment and each
takes little memory. One that dies is replaced; what it held is taken back as from any worker that died. When the process
that started them is gone, however it went, they finish the messages at hand and end too.
"""

import logging
import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from nurture.clock import Clock

log = logging.getLogger(__name__)

#: A process that ends at once, whenever it is started, is started less and less often.
_FIRST_REST_SECONDS = 1.0
_LONGEST_REST_SECONDS = 60.0
#: Whoever lived so long had begun to work, and another one is started at once: what cannot begin ends in a fraction of it.
_LIVED_SECONDS = 0.5


@dataclass
class _Place:
    """One of the senders: the process of now, or when there will be another."""

    number: int
    process: BaseProcess | None = None
    started_at: float = 0.0
    rest: float = 0.0


class SenderProcesses:
    """So many processes that run `target(*arguments)`."""

    def __init__(self, count: int, target: Callable[..., None], arguments: tuple[Any, ...], clock: Clock) -> None:
        self._places = [_Place(number) for number in range(1, count + 1)]
        self._target = target
        self._arguments = arguments
        self._clock = clock
        self._context = multiprocessing.get_context("forkserver")
        # It imports what a sender works with: loaded once for all of them, and while this process still begins.
        self._context.set_forkserver_preload([target.__module__])
        forkserver.ensure_running()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start them all."""
        self.look()

    def look(self) -> None:
        """Replace whoever died; called every second."""
        with self._lock:
            for place in self._places:
                now = self._clock.elapsed()
                if place.process is not None and not place.process.is_alive():
                    self._bury(place, now)
                if place.process is None and now >= place.started_at + place.rest:
                    self._start(place, now)

    def stop(self) -> None:
        """Have each finish the messages at hand, and wait for it."""
        with self._lock:
            processes = [one.process for one in self._places if one.process is not None]
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
            self._places = []

    @property
    def in_words(self) -> str:
        """How many are at work, of how many."""
        with self._lock:
            alive = sum(one.process is not None and one.process.is_alive() for one in self._places)
            return f"senders: {alive} of {len(self._places)} at work"

    def _start(self, place: _Place, now: float) -> None:
        process = self._context.Process(
            target=self._target, args=self._arguments, name=f"nurture-sender-{place.number}", daemon=True
        )
        process.start()
        place.process, place.started_at = process, now

    def _bury(self, place: _Place, now: float) -> None:
        assert place.process is not None
        place.process.join()
        lived = now - place.started_at
        place.rest = (
            0.0 if lived >= _LIVED_SECONDS else min(max(_FIRST_REST_SECONDS, place.rest * 2), _LONGEST_REST_SECONDS)
        )
        log.warning(
            "sender %s ended with %s after %.0f seconds; another one takes its place",
            place.number, place.process.exitcode, lived,
        )  # fmt: skip
        place.process = None


def stop_with_parent(stop: Callable[[], None]) -> None:
    """In a sender process: stop when whoever started it is gone, even if nothing could be said any more."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        log.warning("the process that decides is gone; the messages at hand are finished, then this one ends")
        stop()

    threading.Thread(target=watch, name="nurture-parent", daemon=True).start()
