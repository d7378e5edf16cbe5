"""Writes the starter workspace: the repository's own templates, campaigns and settings, which the wheel carries along."""

from pathlib import Path

from nurture.app import make_secrets
from nurture.campaigns.starter import starter_folder
from nurture.cli.schemas import schemas_folder, write_schemas
from nurture.errors import BadInput
from nurture.settings import SETTINGS_FILE, STATE_FOLDER

_GITIGNORE = f"# Secrets and the database stay here.\n{STATE_FOLDER}/\nrefused.csv\n"
_PARTS = ("templates", "campaigns", SETTINGS_FILE)


def write_starter(target: Path, postal_address: str = "") -> tuple[list[Path], list[Path]]:
    """Copy what is not there yet and make the secrets; which files were written, which were kept."""
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target} is a file; name a folder for the workspace.")
    # First, because it may refuse.
    target.mkdir(parents=True, exist_ok=True)
    make_secrets(target)
    source = starter_folder()
    written: list[Path] = []
    kept: list[Path] = []
    for name in _PARTS:
        root = source / name
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and not path.name.startswith("."):
                _write(target / path.relative_to(source), path.read_bytes(), written, kept)
    _write(target / ".gitignore", _GITIGNORE.encode(), written, kept)
    write_schemas(schemas_folder(target))
    if postal_address:
        _set_postal_address(target / SETTINGS_FILE, postal_address)
    return written, kept


def _write(place: Path, content: bytes, written: list[Path], kept: list[Path]) -> None:
    if place.exists():
        kept.append(place)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    written.append(place)


def _set_postal_address(settings: Path, address: str) -> None:
    """Fill in the postal address where the file has it empty; one that is there stays."""
    text = settings.read_text(encoding="utf-8")
    quoted = '"' + " ".join(address.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'
    settings.write_text(text.replace('postal_address = ""', f"postal_address = {quoted}", 1), encoding="utf-8")
