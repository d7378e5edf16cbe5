"""Every public page in a real browser: on a phone, light and dark, by keyboard alone, without JavaScript, and with axe.

What each page does is told elsewhere; here nobody may be kept from using it. WCAG 2.2 AA is what the law asks of such
pages in the EU (EN 301 549) and what `axe` looks for, as far as a machine can.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from nurture.database.engine import sqlite_url
from nurture.web.wording import LANGUAGES
from tests.conftest import NOW
from tests.web.every_page import every_page, house_with_everything
from tests.web.houses import House
from tests.web.test_looks import Scheme, looking_at

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default:NO CHROMIUM")]

PHONE = 320
#: What can be reached with the Tab key, the parts of one group of radio buttons counting once.
_REACHABLE = """
() => {
  const found = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, select, summary")]
    .filter(one => one.checkVisibility() && one.tabIndex >= 0)
  const groups = new Set()
  return found.filter(one => one.type !== "radio" || !groups.has(one.name) && groups.add(one.name)).length
}
"""


#: The shorter side of the smallest thing to press or fill in.
_SMALLEST = """
() => Math.min(...[...document.querySelectorAll("button, input:not([type=hidden], [tabindex='-1']), textarea, select")]
  .map(one => one.getBoundingClientRect()).map(box => Math.min(box.width, box.height)))
"""


@dataclass(frozen=True)
class Open:
    """A house in which everything can be looked at."""

    house: House
    pages: dict[str, str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    folder: Path = tmp_path_factory.mktemp("every page")
    now: datetime = NOW
    with house_with_everything(folder / "house", sqlite_url(folder / "house.db"), now) as house:
        yield Open(house, every_page(house, house.send(house.add_contact())))


@pytest.fixture(scope="module", params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser, shop: Open) -> Iterator[Page]:
    """A phone of 320 px without JavaScript."""
    scheme: Scheme = request.param
    with looking_at(browser, shop.house, PHONE, scheme, has_scripts=False) as page:
        yield page


@pytest.fixture(scope="module", params=["light", "dark"])
def judged(request: pytest.FixtureRequest, browser: Browser, shop: Open) -> Iterator[Page]:
    """The same phone, with scripts: axe is one."""
    with looking_at(browser, shop.house, PHONE, request.param) as page:
        yield page


NAMES = (
    "front", "not there", "a link cut short", "leave", "preferences", "a wish", "meet", "meet at a time", "a question",
    "the mail", "sign up", "sign up with a rep", "sign up by a mail", "confirm", "request: address",
    "request: download", "request: erase",
)  # fmt: skip


def violations(page: Page) -> list[tuple[str, str, list[str]]]:
    """What axe has to say against the page as it stands in the browser now."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["help"], [node["html"][:120] for node in one["nodes"]]) for one in found]


def check(page: Page, *, is_ours: bool = True) -> None:
    """What holds for every page."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, "nobody scrolls sideways"
    if is_ours:
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("main").count() == 1
        assert page.evaluate(_SMALLEST) >= 24, "WCAG 2.2, 2.5.8"


def walk_by_keyboard(page: Page) -> None:
    """Tab reaches everything once, in the order in which it is read, and one sees where one is."""
    expected: int = page.evaluate(_REACHABLE)
    places: list[Any] = []
    for _ in range(expected):
        page.keyboard.press("Tab")
        places.append(page.evaluate(_WHERE))
    assert all(place is not None and place["outlined"] for place in places), places
    order = [place["index"] for place in places]
    assert order == sorted(set(order)), "each once, in reading order"


#: The element that has the focus: its place in the document, and whether an outline shows it.
_WHERE = """
() => {
  const one = document.activeElement
  if (!one || one === document.body) return null
  const style = getComputedStyle(one)
  return {
    index: [...document.querySelectorAll("*")].indexOf(one),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  }
}
"""


def test_no_public_page_is_missing_here(shop: Open) -> None:
    assert tuple(shop.pages) == NAMES
    patterns = {path.split("/")[1] for path in shop.pages.values()}
    assert patterns >= {"u", "preferences", "request", "view", "wish", "meet", "answer", "subscribe", "confirm"}


@pytest.mark.parametrize("name", NAMES)
def test_everybody_can_use_the_page_on_a_phone_without_javascript(shop: Open, phone: Page, name: str) -> None:
    answer = phone.goto(shop.pages[name])
    assert answer is not None
    assert answer.status in {200, 404}
    # The mail itself brings its own looks, held to account elsewhere; its outline is the browser's.
    is_ours = name != "the mail"
    check(phone, is_ours=is_ours)
    if is_ours:
        walk_by_keyboard(phone)


# No script runs in the mail's sandbox, not even axe's: mails are held to account in tests/emails.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "the mail"])
def test_axe_finds_nothing_against_the_page(shop: Open, judged: Page, name: str) -> None:
    judged.goto(shop.pages[name])
    assert violations(judged) == []


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_longer_words_fit_as_well(shop: Open, phone: Page, language: str) -> None:
    for name in ("leave", "preferences", "meet", "a question", "request: erase"):
        phone.goto(f"{shop.pages[name].partition('?')[0]}?language={language}")
        assert phone.evaluate("document.documentElement.lang") == language
        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE, name


#: What is pressed, in this order, where, and what the page then says.
PRESSED = (
    ("preferences", "Save my choices", "Nothing changed"),
    ("preferences", "Pause for a month", "Your choices hold from now on"),
    ("preferences", "Use this address", "does not look like"),
    ("preferences", "Delete everything about me", "We are writing to b…@reader.example"),
    ("wish", "Yes, show me a demonstration", "Thank you"),
    ("meet", "Send", "Please pick a time"),
    ("leave", "Stop all mail", "won’t hear from us again"),
    ("leave", "Undo: write to me again", "hears from us again"),
)


def test_what_follows_a_press_can_be_used_as_well(shop: Open, judged: Page) -> None:
    """By the keyboard: the button gets the focus and Enter presses it. Boxes that must be filled are, with nonsense."""
    theirs = shop.house.send(shop.house.add_contact(f"b{len(shop.house.rows('contact'))}@reader.example"))
    meet = next(link for link in theirs.every_link() if link.startswith("/meet/")).partition("?")[0]
    paths = {
        "preferences": theirs.preferences, "wish": f"{theirs.wish}/demonstration", "meet": meet, "leave": theirs.leave,
    }  # fmt: skip
    for where, button, said in PRESSED:
        judged.goto(paths[where])
        if button == "Use this address":
            judged.get_by_label("Your new address").fill("bo@localhost")
        if button == "Send":
            judged.locator("textarea").fill(" ")
        judged.get_by_role("button", name=button).focus()
        with judged.expect_navigation():
            judged.keyboard.press("Enter")
        assert said in judged.inner_text("body"), (where, button)
        check(judged)
        assert violations(judged) == [], where
