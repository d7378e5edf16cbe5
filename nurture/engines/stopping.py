"""Somebody asks the house to stop: whatever takes long looks here between two pieces of its work, and leaves the rest.

Nothing is lost by that. Each piece is a transaction that remembers how far it got, so the next start goes on from there.
An engine has a `Stopping` of its own within that of its process, because another engine may take its place.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Whether somebody asked; safe to use from any thread."""

    def __init__(self, within: Self | None = None) -> None:
        self._asked = threading.Event()
        self._within = within

    @property
    def is_asked(self) -> bool:
        """Whether this one was asked to stop, or what it is part of."""
        return self._asked.is_set() or (self._within is not None and self._within.is_asked)

    def ask(self) -> None:
        """Have it stop."""
        self._asked.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Rest for so long, or until this one is asked to stop; whether it has to."""
        self._asked.wait(seconds)
        return self.is_asked

    @contextmanager
    def on_signals(self, *then: Callable[[], None], second_ends: bool = True) -> Iterator[None]:
        """SIGTERM and SIGINT ask, and `then` these are called; a second signal ends the process at once.

        Not that of a process which is told by two: the terminal says it to all, and whoever started it once more.
        """
        before = {one: signal.getsignal(one) for one in _SIGNALS}

        def ask(_signal: int, _frame: FrameType | None) -> None:
            self.ask()
            for one in then:
                one()
            if second_ends:
                for number in _SIGNALS:
                    signal.signal(number, signal.SIG_DFL)

        for number in _SIGNALS:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
