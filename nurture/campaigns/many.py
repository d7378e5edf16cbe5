"""Many files at once: a workspace of a thousand sequences is read by all processors, a small one by this process.

Reading is parsing and compiling, and each file can be read without the others; what is found comes back in the order of
the files. Processes are forked, so they begin with all that this one has read; where other threads run, as in the
server, forking is no safe thing, and everything is read here.
"""

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from nurture.campaigns.reading import Problem, Problems, Silence

#: From how many files on it is worth to begin further processes.
MANY = 60

Read = TypeVar("Read")
#: What the forked processes do with each file; they get it by being forked, so that it needs no pickling.
_reads: list[Callable[[Path, Problems], Any]] = []


def read_each(paths: Sequence[Path], read: Callable[[Path, Problems], Read | None], problems: Problems) -> list[Read]:
    """What `read` makes of each file, but for those it makes nothing of; complaints go to `problems`."""
    if len(paths) < MANY:
        return _read_here(paths, read, problems)
    with _rarely_collected():
        return _read_many(paths, read, problems)


def _read_here(paths: Sequence[Path], read: Callable[[Path, Problems], Read | None], problems: Problems) -> list[Read]:
    return [one for path in paths if (one := read(path, problems)) is not None]


def _read_many(paths: Sequence[Path], read: Callable[[Path, Problems], Read | None], problems: Problems) -> list[Read]:
    processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if processes == 1 or threading.active_count() > 1:
        return _read_here(paths, read, problems)
    _reads.append(read)
    try:
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            answers: list[tuple[Read | None, list[Problem], list[Silence]]] = pool.map(_read_one, paths)
    finally:
        _reads.pop()
    for _, found, silences in answers:
        problems.found += found
        problems.silences += silences
    return [one for one, _, _ in answers if one is not None]


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Nearly all that is read stays; to look through it for garbage at Python's usual pace takes longer than to read it."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _read_one(path: Path) -> tuple[Any, list[Problem], list[Silence]]:
    problems = Problems()
    one = _reads[-1](path, problems)
    found, silences = problems.found, problems.silences
    # What was read goes on with the problems of all.
    problems.found, problems.silences = [], []
    return one, found, silences
