"""How the demo tells its story: lines as things happen, and on a terminal one line below them that moves."""

import sys
from datetime import datetime
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Telling:
    """Says what happened; says nothing when asked for JSON."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        self._console = Console(highlight=False, soft_wrap=True, stderr=False)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self._is_quiet and self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=10, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def line(self, text: str = "") -> None:
        """One line of the story."""
        if not self._is_quiet:
            self._console.print(Text(text))
            sys.stdout.flush()

    def week(self, number: int, text: str) -> None:
        """One line of the story, with the week it happened in."""
        self.line(f"  week {number:<2}  {text}")

    def moment(self, now: datetime, week: int, weeks: int, done: float, mails: int, hits: int) -> None:
        """Where the story is: only on a terminal."""
        if self._live is not None:
            self._live.update(
                Text(
                    f"  {bar(done)}  week {week} of {weeks} · {now:%a %-d %b %H:%M} · {mails:,} mails · {hits:,} machine requests"
                )
            )


def bar(share: float, width: int = 24) -> str:
    """`████████░░░░ 62 %`: how much of something is done."""
    full = round(width * min(max(share, 0.0), 1.0))
    return f"{'█' * full}{'░' * (width - full)} {share * 100:3.0f} %"
