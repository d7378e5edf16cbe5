"""What is installed: the wheel holds everything the product needs, and a workspace made from it has no errors."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project.source import PACKAGE, REPOSITORY

_POSTAL = "Acme Inc., 12 Example Street, 10115 Berlin, Germany"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """Built by the locked build tool, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    return zipfile.Path(next(folder.glob("*.whl")))


def _files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(REPOSITORY).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def _names(wheel: zipfile.Path) -> set[str]:
    return {name for name in wheel.root.namelist() if not name.endswith("/")}


def test_every_file_of_the_package_is_in_it(wheel: zipfile.Path) -> None:
    names = _names(wheel)
    assert _files_below(PACKAGE) <= names
    for folder in ("web/pages", "demo/looks", "demo/issues", "reports", "database/migrations"):
        assert any(name.startswith(f"nurture/{folder}/") for name in names), folder


def test_the_starter_workspace_is_in_it(wheel: zipfile.Path) -> None:
    starter = {name.removeprefix("nurture/starter/") for name in _names(wheel) if name.startswith("nurture/starter/")}
    assert starter == _files_below(REPOSITORY / "templates") | _files_below(REPOSITORY / "campaigns") | {
        "settings.toml"
    }


def test_nothing_else_is_in_it(wheel: zipfile.Path) -> None:
    beside = {name.split("/")[0] for name in _names(wheel)} - {"nurture"}
    assert all(name.endswith(".dist-info") for name in beside)
    assert not [name for name in _names(wheel) if "__pycache__" in name or ".nurture/" in name]


def test_what_is_unpacked_makes_a_workspace_without_errors(wheel: zipfile.Path, tmp_path: Path) -> None:
    site, workspace = tmp_path / "site", tmp_path / "workspace"
    wheel.root.extractall(site)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NURTURE_")}

    def nurture(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nurture", *arguments],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    nurture("init", str(workspace), "--postal-address", _POSTAL)
    assert "No problems" in nurture("--workspace", str(workspace), "check")
