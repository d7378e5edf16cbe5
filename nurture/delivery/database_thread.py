"""A thread in which a sender touches the database, so that its event loop does not wait for it.

What is given to it is done in order, one after the other.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class DatabaseThread:
    """Begins with its first work; `close` waits for the last."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._todo: SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[[], Any]] | None]
        self._todo = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], Answer]) -> "asyncio.Future[Answer]":
        """Have this done; what it returns or raises comes with the future. Called on the event loop."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._todo.put((loop, future, work))
        return future

    def close(self) -> None:
        """Do what was given to it and end."""
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (task := self._todo.get()) is not None:
            loop, future, work = task
            try:
                answer = work()
            except BaseException as error:  # noqa: BLE001 — whoever asked for it is told, and decides
                loop.call_soon_threadsafe(_tell_error, future, error)
            else:
                loop.call_soon_threadsafe(_tell, future, answer)


def _tell(future: "asyncio.Future[Any]", answer: Any) -> None:
    if not future.done():
        future.set_result(answer)


def _tell_error(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
