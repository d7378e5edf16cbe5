"""Reads a long file in a second process, so that one core reads and checks while the other writes.

The process knows the file and the hash key, and no database. What it read travels through a pipe that takes some
thousand rows, so that it reads on while the other holds the lock, and memory stays flat. It ends with the import: when
the last row was read, when the import stops, and when it is killed, for then nobody reads the pipe any more.
"""

import fcntl
import multiprocessing
import pickle
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from nurture.consent.fresh import Batch, batches_of
from nurture.consent.terms import Terms
from nurture.contacts.fields import DeclaredField
from nurture.contacts.imports import Survey, read_rows
from nurture.errors import NurtureError

#: What Linux lets everybody have.
_PIPE_BYTES = 1 << 20


class ReaderLost(NurtureError):
    """The process that reads the file ended before the file did; run the same import again, it goes on where it stopped."""


@contextmanager
def read_aside(
    file: Survey, declared: Mapping[str, DeclaredField], terms: Terms, now: datetime, *, is_sqlite: bool
) -> Iterator[Iterator[Batch]]:
    """The rows of a file, read and worked out by a process of their own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    _widen(theirs)
    reader = context.Process(
        target=_read, args=(theirs, file, dict(declared), terms, now, is_sqlite), name="nurture-reader", daemon=True
    )
    reader.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    try:
        yield _received(ours)
    finally:
        ours.close()
        reader.terminate()
        reader.join()


def _widen(pipe: Connection) -> None:
    """Room for more than one chunk: in the 64 KiB of a pipe the reader would stand still most of the time."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
        with suppress(PermissionError):  # what one user's pipes may hold together is used up
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _received(pipe: Connection) -> Iterator[Batch]:
    while True:
        try:
            content = pickle.loads(pipe.recv_bytes())  # noqa: S301 — our own process sent it
            if content is None:
                return
            if isinstance(content, NurtureError):
                raise content
            made: tuple[Any, ...] = (*content, _Rest(pipe.recv_bytes()).read)
        except EOFError:
            raise ReaderLost from None
        yield Batch(*made)


class _Rest:
    """What is unpacked only if somebody turns out to be known: of most people nobody wants it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> list[tuple[Any, ...]]:
        rest: list[tuple[Any, ...]] = pickle.loads(self._content)  # noqa: S301 — our own process sent it
        return rest


def _read(
    pipe: Connection,
    file: Survey,
    declared: Mapping[str, DeclaredField],
    terms: Terms,
    now: datetime,
    is_sqlite: bool,  # noqa: FBT001 — a process is given its arguments in their places
) -> None:
    """What the second process does. Ctrl-C is the first one's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        try:
            for batch in batches_of(read_rows(file, declared), terms, now, is_sqlite=is_sqlite):
                *content, read_rest = (getattr(batch, one.name) for one in fields(batch))
                for part in (content, read_rest()):
                    pipe.send_bytes(pickle.dumps(part, pickle.HIGHEST_PROTOCOL))
            pipe.send_bytes(pickle.dumps(None))
        except NurtureError as error:
            pipe.send_bytes(pickle.dumps(error))
    except BrokenPipeError:
        return  # the import stopped
