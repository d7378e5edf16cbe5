"""The book and the graph as a reviewer sees them: alone in a browser, on a phone, in the dark, without a network."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from nurture.cli.starter import write_starter
from nurture.reports import book
from tests.support.commands import CommandLine
from tests.web.test_looks import CSS, DARK, LIGHT, Scheme, check_fit, colors

PAPER = (Path(book.__file__).parent / "pages" / "paper.css").read_text(encoding="utf-8")
PICTURE = "https://elsewhere.example/press.png"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the book and the graph of a sequence whose first mail wants a picture from elsewhere."""
    folder = tmp_path_factory.mktemp("reviewed")
    write_starter(folder, "Acme Inc., 12 Example Street, Berlin")
    mail = folder / "templates/sequences/evaluators/report.md"
    mail.write_text(
        f"{mail.read_text(encoding='utf-8')}\n\n![A press that plans itself]({PICTURE})\n", encoding="utf-8"
    )
    command = CommandLine(folder)
    command.run("book", "evaluators", "--out", str(folder / "book.html"))
    command.run("graph", "evaluators", "--out", str(folder / "graph.svg"))
    return folder


@pytest.fixture
def page(browser: Browser, written: Path) -> Page:
    made = browser.new_context(viewport={"width": 900, "height": 900}).new_page()
    made.goto((written / "book.html").as_uri())
    return made


def test_its_colors_are_those_of_the_console() -> None:
    light, dark = PAPER.split("prefers-color-scheme", maxsplit=1)
    for here, there in ((colors_of(light), LIGHT), (colors_of(dark), DARK)):
        assert here.items() <= there.items()
        assert here.keys() == there.keys() - {"on-accent"}
    assert colors(CSS[: CSS.index("prefers-color-scheme")]) == LIGHT


def colors_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


pytestmark = pytest.mark.filterwarnings("default:NO CHROMIUM")


@pytest.mark.browser
def test_nothing_leaves_it_and_nothing_in_it_runs(browser: Browser, written: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((written / "book.html").as_uri(), wait_until="networkidle")
    assert page.locator("iframe").count() == 6
    assert PICTURE in (page.locator("iframe").first.get_attribute("srcdoc") or "")
    # A link in a mail, clicked.
    first = page.frame_locator("iframe").first
    first.get_by_role("link").first.click()
    page.wait_for_timeout(300)
    assert first.get_by_text("here is the benchmark").count() == 1, "it leads nowhere"
    assert [one for one in asked if not one.startswith(("file:", "about:"))] == []
    assert len(page.context.pages) == 1
    assert page.locator("script").count() == 0
    page.close()


@pytest.mark.browser
def test_a_mail_is_shown_with_the_words_of_its_pictures(page: Page) -> None:
    picture = page.frame_locator("iframe").first.get_by_alt_text("A press that plans itself")
    assert picture.evaluate("one => one.naturalWidth") == 0
    assert page.locator(".as-text").first.inner_text().startswith("Hello Ana,")


@pytest.mark.browser
def test_headings_stand_in_order(page: Page) -> None:
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("iframe:not([title])").count() == 0


@pytest.mark.browser
def test_its_contents_lead_to_their_places_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#way")
    missing = "[...document.querySelectorAll('nav a')].filter(one => !document.querySelector(one.hash)).length"
    assert page.evaluate(missing) == 0


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 900])
def test_it_fits_every_size(browser: Browser, written: Path, width: int, scheme: Scheme) -> None:
    context = browser.new_context(viewport={"width": width, "height": 700}, color_scheme=scheme)
    page = context.new_page()
    page.goto((written / "book.html").as_uri())
    check_fit(page, width)
    context.close()


@pytest.mark.browser
def test_mails_have_room_in_their_frames(browser: Browser, written: Path) -> None:
    for width in (320, 900):
        page = browser.new_page(viewport={"width": width, "height": 700})
        page.goto((written / "book.html").as_uri())
        for frame in page.frames[1:]:
            needs, has = frame.evaluate("[document.documentElement.scrollHeight, innerHeight]")
            assert needs <= has
        page.close()


@pytest.mark.browser
def test_words_stay_in_their_boxes(browser: Browser, written: Path) -> None:
    page = browser.new_page()
    page.goto((written / "graph.svg").as_uri())
    assert page.evaluate(_OUTSIDE) == []
    page.close()


_OUTSIDE = """
[...document.querySelectorAll(".flow-box, .flow-label, .flow-note")].flatMap(group => {
  const box = group.querySelector("rect").getBBox();
  return [...group.querySelectorAll("text")].filter(one => {
    const text = one.getBBox();
    return text.x < box.x || text.x + text.width > box.x + box.width || text.y < box.y
      || text.y + text.height > box.y + box.height;
  }).map(one => one.textContent);
})
"""


@pytest.mark.browser
def test_on_paper_all_of_it_is_printed(page: Page) -> None:
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation").is_visible()
    assert page.get_by_role("heading", name="Your yes").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.querySelector('.flow').getBoundingClientRect().width") <= 900
