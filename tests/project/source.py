"""The source of the product as the tests of its shape read it."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "nurture"
_AS_ALEMBIC_WRITES_THEM = PACKAGE / "database" / "migrations" / "versions"


@dataclass(frozen=True)
class Module:
    """One file of nurture/."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Its path below nurture/: `delivery/rules.py`."""
        return self.path.relative_to(PACKAGE).as_posix()

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def imports(self) -> Iterator[str]:
        """The modules it imports, wherever in it that stands."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module=str(module)):
                    yield module


@functools.cache
def every_module() -> list[Module]:
    """All modules but the migrations and what is empty."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if text.strip() and _AS_ALEMBIC_WRITES_THEM not in path.parents:
            found.append(Module(path, text, ast.parse(text)))
    return found
