"""Commands typed in this process: as quick as a call, and with everything a real one prints and how it ends."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nurture.cli import main
from nurture.database.engine import Database, sqlite_url


@dataclass
class Terminal:
    """Types commands in a workspace; `here` is the folder the prompt stands in."""

    workspace: Path
    here: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    @property
    def database_url(self) -> str:
        return sqlite_url(self.workspace / ".nurture" / "nurture.db")

    def open_database(self) -> Database:
        """The database of the workspace, to look at behind the commands' back."""
        return Database(self.database_url)

    def set(self, **environment: str) -> None:
        """Set variables of the environment, such as `NURTURE_SMTP__PORT`."""
        for name, value in environment.items():
            self.patch.setenv(name, value)

    def type(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Run a command; what it said on stdout and on stderr."""
        self.patch.setattr("sys.argv", ["nurture", "--workspace", str(self.workspace), *words])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
        out, err = self.capture.readouterr()
        assert (ended.value.code or 0) == code, (out, err)
        return out, err

    def json(self, *words: str, code: int = 0) -> Any:
        """The one JSON document a command printed."""
        return json.loads(self.type(*words, "--json", code=code)[0])

    def refused(self, *words: str, code: int = 1) -> str:
        """The one sentence with which a command ended; nothing but it was printed."""
        out, err = self.type(*words, code=code)
        assert out == ""
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return err.rstrip("\n")

    def write(self, text: str, name: str = "people.csv") -> str:
        """Write a file where the prompt stands."""
        path = self.here / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of the workspace."""
        path = self.workspace / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
