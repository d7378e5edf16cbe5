"""How the pages look: contrast in both schemes, a phone, a keyboard, no JavaScript, paper."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Page

from nurture.database.engine import Database
from nurture.web.site import STYLE
from tests.web.busy import FILES, live_through_eight_weeks
from tests.web.houses import House, Mail, running_house

Scheme: TypeAlias = Literal["light", "dark"]

SIZES = (320, 375, 1200)
CSS = STYLE.decode()


def colors(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


LIGHT = colors(CSS[: CSS.index("prefers-color-scheme")])
DARK = colors(CSS[CSS.index("prefers-color-scheme") :])


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_color_can_be_read(scheme: dict[str, str]) -> None:
    """WCAG 1.4.3: 4.5:1."""
    for name in ("text", "quiet", "accent", "good", "waiting", "bad"):
        assert contrast(scheme[name], scheme["paper"]) >= 4.5, name
    assert contrast(scheme["on-accent"], scheme["accent"]) >= 4.5


def test_both_schemes_name_the_same_colors_and_nothing_else_is_colored() -> None:
    assert LIGHT.keys() == DARK.keys()
    rules = CSS[CSS.index("*, *::before") : CSS.index("@media print")]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rules)


def test_spacing_goes_in_steps_of_four_pixels() -> None:
    for value in re.findall(r"(?:margin|padding|gap)[a-z-]*: ([^;]+);", CSS):
        for pixels in re.findall(r"(\d+)px", value):
            assert int(pixels) % 4 == 0, value


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser, lite: House) -> Iterator[Page]:
    """A phone of 320 px without JavaScript, in both color schemes."""
    context = browser.new_context(
        base_url=lite.server.url,
        viewport={"width": 320, "height": 568},
        color_scheme=request.param,
        java_script_enabled=False,
    )
    yield context.new_page()
    context.close()


pytestmark = pytest.mark.filterwarnings("default:NO CHROMIUM")


@pytest.mark.browser
def test_somebody_leaves_and_comes_back_by_keyboard_alone(phone: Page, lite: House, lite_mail: Mail) -> None:
    phone.goto(lite_mail.leave)
    assert phone.title() == "Stop all mail to a…@reader.example"
    phone.keyboard.press("Tab")
    assert phone.locator("button:focus").inner_text() == "Stop all mail"
    with phone.expect_navigation():
        phone.keyboard.press("Enter")
    assert phone.title() == "a…@reader.example won’t hear from us again."
    assert lite.has_left(lite_mail)
    phone.keyboard.press("Tab")
    assert phone.locator("button:focus").inner_text() == "Undo: write to me again"
    with phone.expect_navigation():
        phone.keyboard.press("Space")
    assert phone.title() == "a…@reader.example hears from us again"
    assert not lite.has_left(lite_mail)


@pytest.mark.browser
def test_somebody_leaves_one_topic_and_tracking_by_keyboard_alone(phone: Page, lite_mail: Mail) -> None:
    phone.goto(lite_mail.preferences)
    for keys in (["Tab", "Space"], ["Tab", "Space"], ["Tab"], ["Tab", "Space"], ["Tab"]):  # the third is how often
        for key in keys:
            phone.keyboard.press(key)
    assert phone.locator("button:focus").inner_text() == "Save my choices"
    with phone.expect_navigation():
        phone.keyboard.press("Enter")
    said = phone.get_by_role("status").inner_text()
    assert "You no longer get Insights." in said
    assert "We no longer see which mails you open" in said
    assert phone.get_by_role("checkbox", checked=True).count() == 0


@pytest.mark.browser
def test_a_wish_is_one_press(phone: Page, lite: House, lite_mail: Mail) -> None:
    phone.goto(f"{lite_mail.wish}/demonstration")
    phone.get_by_role("button", name="Yes, show me a demonstration").press("Enter")
    phone.get_by_role("heading", name="Thank you.").wait_for()
    assert lite.rows("contact")[0]["interest"] == "demonstration"


@pytest.mark.browser
def test_the_mail_shows_in_its_sandbox_and_its_links_lead_on(phone: Page, lite_mail: Mail) -> None:
    phone.goto(lite_mail.view)
    assert "Hello Ana" in phone.inner_text("body")
    assert phone.get_by_role("link", name="the report").get_attribute("href", timeout=5000) is not None


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_pages_fit_and_can_be_used_at_every_size(
    browser: Browser, lite: House, lite_mail: Mail, width: int, scheme: Scheme
) -> None:
    paths = [lite_mail.leave, lite_mail.preferences, f"{lite_mail.wish}/need", "/", "/u/wrong"]
    with looking_at(browser, lite, width, scheme) as page:
        for path in paths:
            page.goto(path)
            check_fit(page, width)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_overview_fits_every_size(
    browser: Browser, sqlite: Database, tmp_path: Path, now: datetime, width: int, scheme: Scheme
) -> None:
    with running_house(tmp_path / "house", sqlite.url, now, shows_overview=True, files=FILES) as house:
        live_through_eight_weeks(house)
        with looking_at(browser, house, width, scheme) as page:
            page.goto("/")
            page.get_by_text("The same as a table").click()
            check_fit(page, width)


@contextmanager
def looking_at(
    browser: Browser, house: House, width: int, scheme: Scheme, *, has_scripts: bool = True
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=house.server.url,
        viewport={"width": width, "height": 700},
        color_scheme=scheme,
        java_script_enabled=has_scripts,
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def check_fit(page: Page, width: int) -> None:
    """No sideways scrolling, letters of 16 px and up, buttons of 44 px and up, short lines, one heading, a language."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.evaluate(_SMALLEST_LETTERS) >= 16
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["height"], box["width"]) >= 44
    for line in page.locator("p").all():
        box = line.bounding_box()
        assert box is not None
        assert box["width"] <= _WIDEST_LINE
    for checkbox in page.get_by_role("checkbox").all():
        assert checkbox.evaluate("input => input.labels.length") == 1


#: 75 characters of running text in this font are about as wide: half an em each, and a little.
_WIDEST_LINE = 75 * 16 * 0.52

_SMALLEST_LETTERS = """
Math.min(...[...document.querySelectorAll("main *, footer *")].filter(one => one.textContent.trim())
.map(one => parseFloat(getComputedStyle(one).fontSize)))
"""


@pytest.mark.browser
def test_whoever_comes_by_keyboard_sees_where_they_are(phone: Page, lite_mail: Mail) -> None:
    phone.goto(lite_mail.leave)
    seen = {phone.screenshot(animations="disabled")}
    for count in (2, 3):  # on the button, then on the link
        phone.keyboard.press("Tab")
        seen.add(phone.screenshot(animations="disabled"))
        assert len(seen) == count


@pytest.mark.browser
def test_on_paper_there_are_no_buttons(browser: Browser, lite: House, lite_mail: Mail) -> None:
    context = browser.new_context(base_url=lite.server.url)
    page = context.new_page()
    page.goto(lite_mail.leave)
    page.emulate_media(media="print")
    assert not page.get_by_role("button").is_visible()
    assert page.get_by_role("heading", level=1).is_visible()
    context.close()
