"""Which workspace a command works on, and how it opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.app.house import App

_chosen: list[Path] = []


def remember(folder: Path) -> None:
    """What `--workspace` said."""
    _chosen[:] = [folder]


def folder() -> Path:
    """The workspace of this command."""
    return (_chosen[0] if _chosen else Path()).resolve()


@contextmanager
def opened() -> Iterator["App"]:
    """The house of this workspace; says so when the clock is moved."""
    from nurture.app import open_app
    from nurture.cli.output import warn
    from nurture.errors import NotFound
    from nurture.settings import SETTINGS_FILE

    if not (folder() / SETTINGS_FILE).exists():
        raise NotFound(f"{folder()}: there is no settings.toml here; `nurture init` makes a workspace.")
    app = open_app(folder())
    try:
        if offset := app.settings.clock.offset:
            warn(f"Rehearsal: the present is moved by {offset}, to {app.clock.now():%Y-%m-%d %H:%M} UTC.")
        yield app
    finally:
        app.close()
