"""What `check` found about files, remembered until one of them changes, so that a thousand of them are read once.

An entry is one small JSON file. It names the files it rests on with what they held, and the program that wrote it; when
anything of that differs, when it is damaged or gone, the files are read as if there had been no entry. What rests on the
day says so itself. Only `check` asks here: what is published is always read anew. The folder may be deleted, or kept
from one run of a build server to the next.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import Node

import nurture
from nurture.campaigns import nodes

#: How many entries there may be; beyond that those written first go.
MOST = 20_000

_RESTS_ON = ("jinja2", "markdown-it-py", "markupsafe", "mjml-python", "ruamel.yaml")


class Memory:
    """The entries of one workspace, for one run of `check`."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        self._folder = folder
        self._workspace = workspace
        self._digests: dict[str, str | None] = {}

    def recall(self, about: object) -> Any:
        """What was found about something; None when that is not known, or not certain any more."""
        try:
            digest, _, text = self._path(about).read_text(encoding="utf-8").partition("\n")
        except (OSError, UnicodeDecodeError):
            return None
        if digest != digest_of(text.encode()):
            return None
        entry = json.loads(text)
        is_unchanged = all(self._digest(name) == known for name, known in entry["files"].items())
        return entry["found"] if entry["by"] == _program() and is_unchanged else None

    def keep(self, about: object, found: object, files: Mapping[Path, str | None]) -> None:
        """Remember what was found in `files`, given with the digests of what was read; None for one not there."""
        names = {os.path.relpath(path, self._workspace): digest for path, digest in files.items()}
        text = json.dumps({"by": _program(), "files": names, "found": found})
        path = self._path(about)
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(f"{digest_of(text.encode())}\n{text}", encoding="utf-8")
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):  # a full or a read-only disk keeps nobody from checking
                unfinished.unlink()

    def recall_document(self, name: str, text: str) -> Node | None:
        """The YAML document of a file with this text."""
        known = self.recall(["yaml", name])
        return nodes.from_json(known["root"]) if known and known["of"] == digest_of(text.encode()) else None

    def keep_document(self, name: str, text: str, root: Node) -> None:
        """Remember what the text says; of one file only what it said last."""
        if (written := nodes.to_json(root)) is not None:
            self.keep(["yaml", name], {"of": digest_of(text.encode()), "root": written}, {})

    def prune(self) -> None:
        """Forget what was written first, once there is too much."""
        try:
            entries = list(self._folder.iterdir())
            if len(entries) > MOST:
                for path in sorted(entries, key=lambda one: one.stat().st_mtime)[: len(entries) - MOST // 2]:
                    path.unlink(missing_ok=True)
        except OSError:
            return  # another check prunes at the same time, or there is no folder yet

    def _path(self, about: object) -> Path:
        return self._folder / f"{digest_of(json.dumps(about).encode())}.json"

    def _digest(self, name: str) -> str | None:
        """Of a file as it is now; layouts and parts are asked about again and again."""
        if name not in self._digests:
            path = self._workspace / name
            try:
                self._digests[name] = digest_of(path.read_bytes()) if path.is_file() else None
            except OSError:
                return "unreadable"
        return self._digests[name]


def digest_of(content: bytes) -> str:
    return sha256(content).hexdigest()


@cache
def _program() -> str:
    """Everything that decides what is found, but for the files."""
    own = sha256()
    for path in sorted(Path(nurture.__file__).parent.rglob("*.py")):
        own.update(path.read_bytes())
    return " ".join((own.hexdigest(), sys.version, *map(version, _RESTS_ON)))
