"""The rows of a file that were refused: written down with their reasons as they come, and counted for the report."""

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from nurture.contacts.imports import RefusedRow, Survey

REFUSED_FILE = "refused.csv"
_REASONS_SHOWN = 8


class Refusals:
    """Takes refused rows one by one. `folder` is where refused.csv goes; None in a rehearsal, which writes nothing.

    `keeps` them by line and reason for whoever wants them all.
    """

    def __init__(self, file: "Survey", folder: Path | None, *, keeps: bool) -> None:
        self._file, self._folder, self._keeps = file, folder, keeps
        self._reasons: Counter[str] = Counter()
        self._lines: dict[str, int] = {}
        self._stream: TextIO | None = None
        self._writer: Any = None
        self.rows: list[tuple[int, str]] = []

    def take(self, row: "RefusedRow") -> None:
        """One row; reasons name no address, so there are few of them."""
        from nurture.contacts.cells import guard

        self._reasons[row.reason] += 1
        self._lines[row.reason] = min(row.line, self._lines.get(row.reason, row.line))
        if self._keeps:
            self.rows.append((row.line, row.reason))
        if self._folder is None:
            return
        if self._stream is None:
            self._stream = self._part().open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._stream, lineterminator="\n")
            self._writer.writerow([guard(cell) for cell in ("line", "reason", *self._file.columns.headers)])
        self._writer.writerow([guard(cell) for cell in (str(row.line), row.reason, *row.cells)])

    def finish(self) -> Path | None:
        """The file they are in, if there are any; until now it had another name, so that nobody finds half of it."""
        self.rows.sort()
        if self._stream is None:
            return None
        self._stream.close()
        target = self._part().with_suffix("")
        self._part().replace(target)
        return target

    def told(self) -> list[str]:
        """The most frequent reasons, each with a line of the file."""
        return told_reasons(self._reasons, self._lines)

    def _part(self) -> Path:
        assert self._folder is not None
        target = self._folder / REFUSED_FILE
        if target.resolve() == self._file.sheet.path.resolve():
            target = self._folder / f"still-{REFUSED_FILE}"
        return target.with_name(f"{target.name}.part")


def told_reasons(reasons: "Counter[str]", lines: dict[str, int]) -> list[str]:
    """The most frequent reasons, each with the first line it is about."""
    told = [
        f"  refused {count:,}: {reason} (line {lines[reason]:,}{' and others' if count > 1 else ''})"
        for reason, count in reasons.most_common(_REASONS_SHOWN)
    ]
    return told + ([f"  and {len(reasons) - _REASONS_SHOWN:,} more reasons"] if len(reasons) > _REASONS_SHOWN else [])


def why_refused(refused: "list[RefusedRow]") -> list[str]:
    """The same for rows at hand."""
    reasons = Counter(row.reason for row in refused)
    return told_reasons(reasons, {row.reason: row.line for row in reversed(refused)})
