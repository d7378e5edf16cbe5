"""The journal beside the database: every no and every mail that was about to be sent, append only.

A database that is restored from a backup has forgotten who left since, and whom it has mailed. Both stand here: a line
of JSON each. A no is written *before* the commit it accompanies (`note`). What gives permission back, and the intent to
send, follow the commit (`note_later`); a mail is written to its relay only after both. They stand
in `.nurture/journal/` of the workspace, whichever the database. Addresses stand here by hash only. `engines.catching_up`
compares what is newer with the database at each start. Files are cut by size and go after their time; several processes
may write at once.
"""

import json
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

#: What one mail more or less of is no harm: of the commit they accompany a power cut leaves a trace, and the journal follows on its own.
PASSING = frozenset({"sending", "unsent"})

_MOST_BYTES = 16 * 2**20
_ENDING = ".jsonl"
_BEFORE, _AFTER, _LINES = "journal before the commit", "journal after the commit", "journal lines after the commit"


@dataclass(frozen=True, order=True)
class Place:
    """How far into the journal: which file, and the byte in it."""

    file: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """The place a mark names; an empty one is the beginning."""
        file, _, offset = text.partition(":")
        return cls(int(file or 0), int(offset or 0))


class Journal:
    """The files of one workspace."""

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._open: tuple[int, int] | None = None  # number of the file, and its descriptor

    @property
    def name(self) -> str:
        """Names this journal, wherever it is copied to; empty while nothing was ever written."""
        try:
            return (self._folder / "name").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""

    def append(self, entries: Sequence[Mapping[str, Any]], *, lines: Sequence[str] = (), must_last: bool) -> None:
        """Write entries, and `lines` that are entries already, in one piece; `must_last` waits until they would survive
        a power cut.
        """
        # It begins with an end of line, so that what a process that died left unfinished spoils nothing behind it.
        text = "\n" + "".join([*[_as_line(one) for one in entries], *lines])
        with self._lock:
            descriptor, rest = self._descriptor(), text.encode()
            # A full disk takes a part of it first and complains only about the rest.
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if must_last:
                os.fdatasync(descriptor)

    def settle(self) -> None:
        """What was appended so far would survive a power cut when this returns."""
        with self._lock:
            if self._open is not None:
                os.fdatasync(self._open[1])

    def entries(self, since: Place) -> Iterator[tuple[dict[str, Any], Place]]:
        """What was written after a place, each with the place after it; unfinished lines are passed over."""
        for number in self._numbers():
            if number < since.file:
                continue
            offset = since.offset if number == since.file else 0
            with self._path(number).open("rb") as stream:
                stream.seek(offset)
                for line in stream:
                    if not line.endswith(b"\n"):
                        break  # somebody is writing it, or died over it
                    offset += len(line)
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    yield entry, Place(number, offset)

    def forget(self, before: datetime) -> int:
        """Delete files that nothing was written to since; how many. The one that is written to stays."""
        old = [one for one in self._numbers()[:-1] if self._path(one).stat().st_mtime < before.timestamp()]
        for number in old:
            self._path(number).unlink(missing_ok=True)
        return len(old)

    def close(self) -> None:
        with self._lock:
            last, self._open = self._open, None
            if last is not None:
                os.close(last[1])

    def _descriptor(self) -> int:
        """The file that is written to, a new one when it is full."""
        if self._open is None:
            self._open = self._opened(max(self._numbers(), default=0))
        elif os.fstat(self._open[1]).st_size >= self._most_bytes:
            # Whatever fails, the number that is kept is an open file of ours: one that was closed is soon another's.
            full, self._open = self._open, self._opened(self._open[0])
            try:
                os.fdatasync(full[1])
            finally:
                os.close(full[1])
        return self._open[1]

    def _opened(self, number: int) -> tuple[int, int]:
        """The first file from this number on that is not full, made if need be, with its descriptor."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.name:
            (self._folder / "name").write_text(secrets.token_hex(8), encoding="ascii")
        number = max(number, 1)
        while self._path(number).exists() and self._path(number).stat().st_size >= self._most_bytes:
            number += 1
        # Appending is what lets several processes write: each piece goes to the end, whole.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return number, os.open(self._path(number), flags, 0o600)

    def _numbers(self) -> list[int]:
        return sorted(int(one.stem) for one in self._folder.glob(f"*{_ENDING}") if one.stem.isdigit())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}{_ENDING}"


_as_json = json.JSONEncoder(separators=(",", ":")).encode


def _as_line(entry: Mapping[str, Any]) -> str:
    return f"{_as_json(entry)}\n"


def note(session: Session, what: str, at: datetime, **facts: Any) -> None:
    """Have this written before the transaction commits."""
    session.info.setdefault(_BEFORE, []).append(_entry(what, at, facts))


def note_all(session: Session, what: str, at: datetime, many: Iterable[Mapping[str, Any]]) -> None:
    """The same of many things that happened at once."""
    session.info.setdefault(_BEFORE, []).extend(_entries(what, at, many))


def note_later(session: Session, what: str, at: datetime, **facts: Any) -> None:
    """Have this written once the transaction has committed: should it get lost, we are stricter than we need be."""
    session.info.setdefault(_AFTER, []).append(_entry(what, at, facts))


def note_lines_later(session: Session, what: str, at: datetime, many: Iterable[str]) -> None:
    """The same of many things that happened at once and may be lost (`PASSING`), each as the inside of a JSON object."""
    assert what in PASSING
    begin = f'{{"at":"{at.astimezone(UTC).isoformat()}","what":"{what}",'
    session.info.setdefault(_LINES, []).extend([f"{begin}{one}}}\n" for one in many])


def drop_notes(session: Session) -> None:
    """Write nothing of what was noted: it comes from the journal."""
    for notes in (_BEFORE, _AFTER, _LINES):
        session.info.pop(notes, None)


def notes_before(session: Session) -> list[dict[str, Any]]:
    """What is to be written before the commit, handed out once."""
    noted: list[dict[str, Any]] = session.info.pop(_BEFORE, [])
    return noted


def notes_after(session: Session) -> tuple[list[dict[str, Any]], list[str]]:
    """What is to be written after the commit, entries and lines, handed out once."""
    return session.info.pop(_AFTER, []), session.info.pop(_LINES, [])


def at_of(entry: Mapping[str, Any]) -> datetime:
    """When what an entry says happened."""
    return datetime.fromisoformat(entry["at"])


def _entries(what: str, at: datetime, many: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    same = {"at": at.astimezone(UTC).isoformat(), "what": what}
    return [{**same, **facts} for facts in many]


def _entry(what: str, at: datetime, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": at.astimezone(UTC).isoformat(), "what": what, **{k: v for k, v in facts.items() if v is not None}}
