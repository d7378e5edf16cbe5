"""Changes settings.toml and .nurture/secrets as a careful person would: both or none, and never half of one.

What is to be written is read as settings first, so that nothing is written that could not be read. Comments and order
stay. The secrets are readable by their owner only, from their first byte on.
"""

import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nurture.settings.places import SECRETS_FILE, SETTINGS_FILE, STATE_FOLDER
from nurture.settings.reading import understand
from nurture.settings.sections import Settings
from nurture.toml.editing import Path as Key
from nurture.toml.editing import Value, put, put_entry


@dataclass(frozen=True)
class Wanted:
    """What is to stand in the files: plain values, those of one relay, and secrets."""

    values: Mapping[Key, Value] = field(default_factory=dict)
    relay: str = ""
    of_relay: Mapping[str, Value] = field(default_factory=dict)
    secrets: Mapping[Key, Value] = field(default_factory=dict, repr=False)


def read_with(workspace: Path, wanted: Wanted) -> Settings:
    """The settings as they would be."""
    return understand(*_texts(workspace, wanted))


def write(workspace: Path, wanted: Wanted) -> None:
    """Write both files; whoever presses Ctrl-C meanwhile finds both written."""
    with _alone(workspace):
        text, secrets = _texts(workspace, wanted)
        understand(text, secrets)
        with _undisturbed():
            if wanted.secrets:
                _replace(workspace / SECRETS_FILE, secrets, 0o600)
            if wanted.values or wanted.relay:
                _replace(workspace / SETTINGS_FILE, text, None)


def _texts(workspace: Path, wanted: Wanted) -> tuple[str, str]:
    text, secrets = _read(workspace / SETTINGS_FILE), _read(workspace / SECRETS_FILE)
    for key, value in wanted.values.items():
        text = put(text, key, value, file=SETTINGS_FILE)
    if wanted.relay:
        text = put_entry(text, "relays", wanted.relay, wanted.of_relay, file=SETTINGS_FILE)
    for key, value in wanted.secrets.items():
        secrets = put(secrets, key, value, file=SECRETS_FILE, dotted=True)
    return text, secrets


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    # Line ends stay as they are; the mark some editors put in front is no TOML.
    return path.read_bytes().decode("utf-8-sig")


def _replace(path: Path, text: str, mode: int | None) -> None:
    """Put a whole new file in the place of the old one."""
    place = path.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            Path(temporary).chmod(mode)
        elif place.exists():
            shutil.copymode(place, temporary)
        else:
            Path(temporary).chmod(0o644)
        Path(temporary).replace(place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _alone(workspace: Path) -> Iterator[None]:
    """One process at a time changes what others may be changing, such as a token that was renewed."""
    folder = workspace / STATE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Between the two files nobody is interrupted; what was pressed counts afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def renew_secret(workspace: Path, key: Key, secret: str) -> None:
    """Write down a secret that took the place of another one, such as a refresh token."""
    write(workspace, Wanted(secrets={key: secret}))
