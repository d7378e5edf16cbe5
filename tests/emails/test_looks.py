"""The layouts in a real browser: on a narrow phone and a wide screen, light and dark, with images and without.

Chromium stands in for the mail programs that are browsers inside. What it cannot show (Outlook for Windows, which is
not) is held by the approved renderings.
"""

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Route

from tests.emails.approve import APPROVED

pytestmark = pytest.mark.browser

PAGES = sorted(path for path in APPROVED.glob("*.html") if ".nobody" not in path.name)

#: Everything that shows text: its size, its contrast with what lies behind it (WCAG 1.4.3), and how tall links are.
MEASURE = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgb(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const shown = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const [a, b] = [light(rgb(style.color)), light(behind(element))].sort((x, y) => y - x);
    shown.push({text, size, contrast: (a + 0.05) / (b + 0.05), small: !!element.closest('.muted, code, pre')});
  }
  const links = [...document.querySelectorAll('a')].filter(a => a.getClientRects().length).map(a => {
    const beside = [...a.parentElement.childNodes].some(n => n.nodeType == 3 && n.textContent.replace(/[\\s\\u00a0]/g, ''));
    return {text: a.textContent, height: a.getClientRects()[0].height, inSentence: beside && !a.closest('.muted')};
  });
  return {shown, links, width: document.documentElement.scrollWidth};
}"""


def only_the_page(route: Route) -> None:
    """Nothing else is loaded, as in a mail program that blocks images."""
    if route.request.url.startswith("file:"):
        route.continue_()
    else:
        route.abort()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_mail_can_be_read_and_tapped(browser: Browser, path: Path, scheme: Literal["light", "dark"]) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.route("**/*", only_the_page)
    page.goto(path.as_uri())
    for width in (320, 375, 700):
        page.set_viewport_size({"width": width, "height": 800})
        found: dict[str, Any] = page.evaluate(MEASURE)
        assert found["width"] <= width, "it does not fit on the screen"
        assert len(found["shown"]) >= 5
        for text in found["shown"]:
            assert text["contrast"] >= 4.5, text
            assert text["size"] >= (14 if text["small"] else 16), text
        for link in found["links"]:
            assert link["inSentence"] or link["height"] >= 44, link
    page.close()
