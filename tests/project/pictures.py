"""Takes the pictures of the README and of docs/: the overview of a demo that has run, a mail as its reader sees it, the
graph and the book of a sequence.

`python -m tests.project.pictures` runs `nurture demo` and looks at it with Chromium, in about two minutes;
`--url http://127.0.0.1:8000` looks at one that is up already, `--files` only takes the graph and the book.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from nurture.cli.starter import write_starter
from tests.support.browsers import running_browser

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 300_000
_UP = re.compile(r"overview (http://\S+)")


@contextmanager
def running_demo() -> Iterator[str]:
    """Where a demo that has lived through its weeks can be looked at."""
    demo = subprocess.Popen([sys.executable, "-m", "nurture", "demo", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            sys.stdout.write(line)
            if "Look around" in line and (found := _UP.search(line)):
                yield found[1]
                return
        raise RuntimeError("the demo ended before there was anything to look at")
    finally:
        demo.terminate()
        demo.wait()


def take(url: str) -> None:
    """Both pictures, in the light scheme."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_browser() as browser:
        _shoot(browser, url, PICTURES / "overview.png", width=960, height=1080)
        _shoot(browser, f"{url}/inbox/{_a_mail(browser, url)}/html", PICTURES / "mail.png", width=640, height=900)


def take_files() -> None:
    """The graph and the book of the starter's evaluators."""
    with tempfile.TemporaryDirectory() as folder, running_browser() as browser:
        place = Path(folder)
        write_starter(place, "Acme Inc., 12 Example Street, Berlin")
        for words in (("graph", "evaluators", "--out", "graph.svg"), ("book", "evaluators", "--out", "book.html")):
            subprocess.run([sys.executable, "-m", "nurture", *words], cwd=place, check=True)
        _shoot(browser, (place / "graph.svg").as_uri(), PICTURES / "graph.png", width=820, height=1010)
        _shoot(
            browser,
            (place / "book.html").as_uri() + "#mail-2",
            PICTURES / "book.png",
            width=900,
            height=720,
            sharpness=1.5,
        )


def _a_mail(browser: Browser, url: str) -> str:
    """The number of the newest mail with the first issue."""
    page = browser.new_page()
    page.goto(f"{url}/inbox?words=Five+questions")
    address = page.locator("a[href*='/inbox/']").first.get_attribute("href") or ""
    page.close()
    return address.rstrip("/").rpartition("/")[2]


def _shoot(browser: Browser, url: str, file: Path, *, width: int, height: int, sharpness: float = 2) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=sharpness, color_scheme="light", locale="en-US"
    )
    page.goto(url)
    page.screenshot(path=file)
    page.close()
    size = file.stat().st_size
    sys.stdout.write(f"{file.name}: {size:,} bytes\n")
    if size > MOST_BYTES:
        raise RuntimeError(f"{file.name} has {size:,} bytes; make it smaller than {MOST_BYTES:,}")


def main() -> None:
    """Take the pictures of a demo that is up, or of one made for it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", help="where a demo is up")
    options.add_argument("--files", action="store_true", help="only the graph and the book")
    chosen = options.parse_args()
    take_files()
    if chosen.files:
        return
    if url := chosen.url:
        take(url.rstrip("/"))
    else:
        with running_demo() as made:
            take(made)


if __name__ == "__main__":
    main()
