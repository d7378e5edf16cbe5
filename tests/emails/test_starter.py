"""The letters that come with the starter: nobody's name breaks them, and they can be read anywhere."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser

from nurture.delivery.offering import SAMPLE_MEETING
from nurture.rendering.compiling import RenderedMail, compile_mail
from nurture.rendering.loading import read_template
from tests.emails.approve import NOBODY
from tests.emails.test_looks import MEASURE, only_the_page
from tests.emails.workspace import CONTEXT, STARTER, urls

LETTERS = sorted(str(path.relative_to(STARTER).with_suffix("")) for path in STARTER.glob("sequences/*/*.md"))


def rendered(name: str, context: Any = CONTEXT) -> RenderedMail:
    about = {**context, "mail": {**context["mail"], "meeting": SAMPLE_MEETING}}
    return compile_mail(read_template(STARTER, name).get_source()).render(about, urls())


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_has_no_flaw_and_is_short(name: str) -> None:
    reading = read_template(STARTER, name)
    assert [str(problem) for problem in reading.problems] == []
    mail = rendered(name)
    assert len(mail.subject) <= 60
    assert len(mail.html.encode()) < 20_000
    assert len(mail.text.partition("Unsubscribe")[0].split()) <= 190


@pytest.mark.parametrize("name", LETTERS)
def test_whoever_has_no_first_name_is_greeted_all_the_same(name: str) -> None:
    assert rendered(name, NOBODY).text.startswith("Hello there,")


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_speaks_of_its_reader_more_than_of_us(name: str) -> None:
    own = re.sub(r'"[^"]+"', "", rendered(name).text)  # what others said is theirs
    words = [word.strip(".,:;!?*'()").lower() for word in own.split()]
    ours = sum(words.count(word) for word in ("we", "us", "our", "ours", "i", "me", "my", "mine"))
    theirs = sum(words.count(word) for word in ("you", "your", "yours"))
    assert theirs >= ours


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_letter_can_be_read_and_tapped_with_images_off(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.route("**/*", only_the_page)
    for name in LETTERS:
        file = tmp_path / f"{Path(name).name}.html"
        file.write_text(rendered(name).html, encoding="utf-8")
        page.goto(file.as_uri())
        for width in (320, 700):
            page.set_viewport_size({"width": width, "height": 800})
            found: dict[str, Any] = page.evaluate(MEASURE)
            assert found["width"] <= width, name
            assert all(text["contrast"] >= 4.5 for text in found["shown"]), name
            assert all(text["size"] >= (14 if text["small"] else 16) for text in found["shown"]), name
            for link in found["links"]:
                assert link["inSentence"] or link["height"] >= 44, (name, link)
    page.close()
