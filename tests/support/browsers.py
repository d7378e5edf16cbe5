"""A real browser: Chromium as Debian has it.

Where there is none the tests that need it are skipped, and the run says so loudly at its end; with CI set they fail.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NO_CHROMIUM = "NO CHROMIUM: what pages and mails look like was NOT checked. On Debian or Ubuntu: apt install chromium"

_NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Root may not use Chromium's sandbox; the rest keeps it from fetching things of its own.
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def find_chromium() -> str | None:
    """Where this machine has it."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium until the block is left; the test is skipped, or fails where CI is set, when there is none."""
    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        yield browser
        browser.close()
