"""Writes the parts of docs/ that are made from the code, or says which of them are out of date.

`python -m tests.project.generated --write` is what `make docs` runs; without `--write` it only compares.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.project.pages import charts, checks, commands, formats, relays, settings, words
from tests.project.pages.markdown import names_of_blocks, replace_blocks

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"

#: Pages that are generated as a whole.
PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": commands.page,
    "settings.md": settings.page,
    "yaml.md": formats.page,
    "checks.md": checks.page,
}

#: What stands between `<!-- generated: NAME -->` and `<!-- end -->` on any other page.
BLOCKS: Mapping[str, Callable[[], str]] = {
    "rooms": charts.rooms,
    "delivery-chart": charts.deliveries,
    "call-chart": charts.calls,
    "hand-off-chart": charts.hand_offs,
    "relays": relays.overview,
    "each-relay": relays.sections,
    "fields": words.fields,
    "questions": words.questions,
    "filters": words.filters,
    "addresses": words.addresses,
}


def generate() -> dict[Path, str]:
    """Every page that has something generated in it, as it should be."""
    found = {DOCS / name: page() for name, page in PAGES.items()}
    for path in sorted(DOCS.rglob("*.md")):
        if path in found:
            continue
        text = path.read_text(encoding="utf-8")
        if names := names_of_blocks(text):
            found[path] = replace_blocks(text, {name: BLOCKS[name]() for name in names})
    return found


def outdated() -> dict[Path, str]:
    """The pages that are not as they should be."""
    return {
        path: text for path, text in generate().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main() -> int:
    """Write or compare; 1 when a comparison found a difference."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="write what is out of date")
    is_writing = options.parse_args().write
    pages = outdated()
    for path, text in pages.items():
        name = path.relative_to(REPOSITORY)
        if is_writing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")
        else:
            sys.stdout.write(f"{name} is out of date; type `make docs`\n")
    return 1 if pages and not is_writing else 0


if __name__ == "__main__":
    sys.exit(main())
