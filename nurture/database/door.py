"""The door before SQLite's write lock: whoever waits stands in it, so that nobody who has just written passes them.

SQLite lets processes look for its lock again and again, ever more seldom; one that writes much takes it in between each
time. So whoever wants to write goes through a lock on a file beside the database first and keeps that until they have
SQLite's. An import then needs no pauses in which others could come in: it finds the door taken, and waits. Only senders
(`database.desk`), which write every millisecond, look first whether they can do without. Nothing depends on it but who is
next: a process that knows no door is as safe as any other, and one that dies leaves it open.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

#: A sender is done in a millisecond; whoever takes longer than a few of those may take long.
_LOOK_AGAIN_SECONDS, _LOOK_AGAIN_AT_FIRST = 0.001, 0.0001
_AT_FIRST = 20
_NOBODY_SETS_IT = threading.Event()


class Door:
    """One process' side of it; used by one thread at a time."""

    def __init__(self, beside: Path | None) -> None:
        self._path = Path(f"{beside}-door") if beside else None
        self._descriptor: int | None = None

    def begin(self, execute: Callable[[str], Any], *, patience: float = 20, looks_first: bool = False) -> bool:
        """Begin a transaction that writes, on a connection that does not wait by itself; False: not in so many seconds."""
        if looks_first and begins(execute):
            return True
        try:
            at_first = round(patience / _LOOK_AGAIN_AT_FIRST)
            later = round(patience / _LOOK_AGAIN_SECONDS)
            for looks in range(1 + min(at_first, _AT_FIRST + later)):
                if self._is_ours() and begins(execute):
                    return True
                _NOBODY_SETS_IT.wait(_LOOK_AGAIN_AT_FIRST if looks < _AT_FIRST else _LOOK_AGAIN_SECONDS)
        finally:
            self._leave()
        return False

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_ours(self) -> bool:
        if self._path is None:
            return True
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _leave(self) -> None:
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def begins(execute: Callable[[str], Any]) -> bool:
    """Begin such a transaction if the lock is free; whether it was."""
    try:
        execute("BEGIN IMMEDIATE")
    except (sqlite3.OperationalError, OperationalError) as error:
        if getattr(getattr(error, "orig", error), "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
