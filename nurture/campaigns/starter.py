"""Where the starter workspace is: `nurture init` copies it, and what a workspace leaves out is taken from it."""

from pathlib import Path

import nurture


def starter_folder() -> Path:
    """Inside the installed package, or the repository itself."""
    package = Path(nurture.__file__).parent
    inside = package / "starter"
    return inside if inside.exists() else package.parent
