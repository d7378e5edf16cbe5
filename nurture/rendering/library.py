"""The files of templates/: layouts, parts and mails, read from there and from nowhere else."""

import os
from hashlib import sha256
from pathlib import Path

from nurture.errors import did_you_mean
from nurture.rendering.scanning import Original, Place, with_line_feeds
from nurture.rendering.source import Findings


class Library:
    """The files of templates/, named as templates name them: "layouts/letter.mjml"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder.resolve()
        #: What a mail rests on: every file that was looked for, with the SHA-256 of what it held; None: not there.
        self.files: dict[Path, str | None] = {}

    def read(self, path: Path) -> str:
        """The text of a file, its lines ended in one way."""
        content = path.read_bytes()
        self.files[path] = sha256(content).hexdigest()
        return with_line_feeds(content.decode())

    def find(self, name: str, asked_at: Place, findings: Findings, written: str = "") -> Original | None:
        """The file of that name; what stands in the way is reported where it was asked for, as it was `written`."""
        path = self.folder / name.replace("\0", "")  # no file has a NUL in its name
        if Path(name).is_absolute() or not path.resolve().is_relative_to(self.root):
            findings.add(
                asked_at, "NT102", f'"{written or name}" leads outside {self.folder.name}/', "name a file inside it"
            )
            return None
        if not path.is_file():
            known = [str(p.relative_to(self.folder)) for p in sorted(path.parent.glob("*.mjml"))]
            hint = f"it should be {self.shown(path)}.{did_you_mean(name, known)}"
            findings.add(asked_at, "NT101", f'there is no "{name}"', hint)
            return None
        try:
            return Original(self.shown(path), self.read(path))
        except UnicodeDecodeError:
            findings.add((self.shown(path), 1, 1), "NT101", "this file is not UTF-8 text", "save it as UTF-8")
            return None

    def find_beside(self, original: Original, path: str, asked_at: Place, findings: Findings) -> Original | None:
        """The file that a path names as seen from another file."""
        folder = (self.folder.absolute().parent / original.file).parent
        return self.find(os.path.relpath(folder / path, self.folder.absolute()), asked_at, findings, path)

    def shown(self, path: Path) -> str:
        """A path as its author knows it: seen from the workspace, in which templates/ lies."""
        workspace = self.folder.absolute().parent
        try:
            return path.absolute().relative_to(workspace).as_posix()
        except ValueError:
            return path.as_posix()
