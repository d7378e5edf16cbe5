"""Small files, right and wrong, each of one format, and what is said about them in a workspace that is right otherwise.

`python -m tests.campaigns.cases` writes beside every wrong file what is said about it now. Read each before you keep it.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from nurture.app.declaring import declared_of
from nurture.app.house import App
from nurture.campaigns.publishing import Reading, read_workspace
from nurture.settings import read_settings
from tests.support.workspaces import SETTINGS, open_house, small_workspace

HERE = Path(__file__).parent
STARTER = HERE.parents[1]

#: Where a file of each format stands in the workspace.
PLACES = {
    "sequence": "campaigns/sequences/welcome",
    "newsletter": "campaigns/newsletters/weekly/newsletter",
    "issue": "campaigns/newsletters/weekly/first",
    "announcement": "campaigns/newsletters/weekly/announcement",
    "segments": "campaigns/segments",
    "questions": "campaigns/questions",
    "scoring": "campaigns/scoring",
    "handoff": "campaigns/handoff",
    "consent": "campaigns/consent",
    "forms": "campaigns/forms",
    "template": "templates/report",
    "settings": "settings",
}

FIELDS = """
[fields.industry]
type = "text"

[fields.is_partner]
type = "flag"

[fields.trial_ends]
type = "date"
"""

SEGMENTS = "format: 1\nsegments:\n  right-size: company_size >= 40\n"

NEWSLETTER = """\
format: 1
newsletter: weekly
topic: insights
owner: dana@acme.example
audience: stage != "disqualified"
schedule: {on: tue, at: "09:00"}
"""

ANNOUNCEMENT = "---\nsubject: From now on\n---\nHello {{ contact.first_name | fallback('there') }}, one idea a week.\n"


@dataclass(frozen=True)
class Case:
    """A file of one format."""

    file: Path

    @property
    def kind(self) -> str:
        return self.file.parent.name

    @property
    def place(self) -> str:
        return PLACES[self.kind] + self.file.suffix

    @property
    def is_told_elsewhere(self) -> bool:
        """What is wrong with a declaration may be told where somebody rests on it, and so may a missing file."""
        return self.kind == "settings"

    @property
    def expected(self) -> Path:
        """Where it stands what is said about it."""
        return self.file.with_suffix(".txt")

    def __str__(self) -> str:
        return f"{self.kind}/{self.file.stem}"


def cases(folder: str) -> list[Case]:
    """The files below `valid` or `invalid`."""
    return [Case(path) for path in sorted((HERE / folder).glob("*/*")) if path.suffix != ".txt"]


class House:
    """Reads workspaces in which one file is a case."""

    def __init__(self, folder: Path, house: App) -> None:
        self._folder = folder
        self._house = house

    @property
    def today(self) -> date:
        """The day on which files are looked at."""
        return self._house.clock.now().date()

    def read(self, *files: Case, **more: str) -> Reading:
        """What is found in a workspace with these files; `more` are others, `/` written as `__`."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            workspace = small_workspace(Path(name), **{**_around(files), **more})
            for file in files:
                if file.kind == "template":
                    (workspace / "templates/report.mjml").unlink()
                shutil.copy(file.file, workspace / file.place)
            for part in ("layouts", "parts"):
                shutil.copytree(STARTER / "templates" / part, workspace / "templates" / part)
            return self.look_at(workspace)

    def look_at(self, workspace: Path, not_recorded: float | None = None) -> Reading:
        """What is found in a workspace, but for the notes to operators, which every workspace has."""
        house = replace(self._house, folder=workspace, settings=read_settings(workspace, {}))
        house.__dict__["declared"] = declared_of(house.settings)
        kinds = [kind for kind in house.kinds() if kind.name != "service"]
        return read_workspace(replace(house.workspace(), not_recorded=not_recorded), kinds)


def _around(files: tuple[Case, ...]) -> dict[str, str]:
    """What else a workspace needs for these files to mean something."""
    around = {"settings.toml": SETTINGS + FIELDS, "campaigns/segments.yaml": SEGMENTS}
    if any(file.kind == "forms" for file in files):
        around["campaigns/segments.yaml"] = SEGMENTS + '  readers: in_list("benchmark-report")\n'
    if {file.kind for file in files} & {"newsletter", "issue", "announcement"}:
        around["campaigns/newsletters/weekly/newsletter.yaml"] = NEWSLETTER
        around["campaigns/newsletters/weekly/announcement.md"] = ANNOUNCEMENT
    return around


@contextmanager
def open_for_reading(folder: Path) -> Iterator[House]:
    """A house whose files are looked at."""
    house = open_house(small_workspace(folder / "house"), "", relay_port=25)
    try:
        yield House(folder, house)
    finally:
        house.close()


def said(reading: Reading) -> str:
    """Every problem as `nurture check` prints it."""
    return "".join(f"{problem}\n" for problem in reading.problems)


def approve() -> None:
    """Write down what is said about every wrong file."""
    with tempfile.TemporaryDirectory() as name, open_for_reading(Path(name)) as house:
        for case in cases("invalid"):
            text = said(house.read(case))
            if not case.expected.exists() or case.expected.read_text(encoding="utf-8") != text:
                case.expected.write_text(text, encoding="utf-8")
                sys.stdout.write(f"{case}\n{text}\n")


if __name__ == "__main__":
    approve()
