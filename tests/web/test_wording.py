"""Public pages in four languages: which one they speak, and that none of them lacks a sentence."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from nurture import web
from nurture.web.site import PAGES
from nurture.web.visits import Visit
from nurture.web.wording import LANGUAGES, Wording, texts_of, wording_for
from tests.web.houses import House, Mail

OTHERS = [code for code in LANGUAGES if code != "en"]
_SAID = re.compile(r"""say\(\s*"([a-z_]+\.[a-z_]+)"\s*[,)]""")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_texts_with_the_same_placeholders(language: str) -> None:
    ours, theirs = texts_of("en"), texts_of(language)
    assert theirs.keys() == ours.keys()
    for key, text in ours.items():
        assert placeholders(theirs[key]) == placeholders(text), key
        tags = re.findall(r"</?\w+", text)
        assert re.findall(r"</?\w+", theirs[key]) == tags, key


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_was_left_in_english(language: str) -> None:
    """A text of four words and more that reads the same in two languages was forgotten."""
    ours, theirs = texts_of("en"), texts_of(language)
    assert [key for key, text in ours.items() if len(text.split()) > 3 and theirs[key] == text] == []


def test_every_text_that_a_page_says_exists() -> None:
    """A page's own source is asked, so that no sentence is missed for want of a visit in a test."""
    assert PAGES.loader is not None
    for name in PAGES.list_templates():
        source, _, _ = PAGES.loader.get_source(PAGES, name)
        for key in _SAID.findall(source):
            assert key in texts_of("en"), f"{name}: {key}"
    for file in Path(web.__file__).parent.glob("*.py"):
        for key in _SAID.findall(file.read_text("utf-8")):
            assert key in texts_of("en"), f"{file.name}: {key}"


@pytest.mark.parametrize(
    ("asked", "known", "header", "spoken"),
    [
        ("", None, "", "en"),
        ("", None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", None, "pl, fr;q=0.5, es;q=0.7", "es"),
        ("", None, "en;q=0, fr;q=0.1", "fr"),
        ("", None, "*", "en"),
        ("", None, "de;q=wrong, ,;;q=1", "en"),
        ("", "es-MX", "de", "es"),
        ("", "pl", "de", "de"),
        ("fr", "es", "de", "fr"),
        ("xx", "es", "de", "es"),
        ("<b>", None, "", "en"),
    ],
)
def test_a_page_speaks_the_language_chosen_then_known_then_asked_for_then_english(
    asked: str, known: str | None, header: str, spoken: str
) -> None:
    visit = Visit("GET", asked={"language": asked} if asked else {}, accept_language=header)
    assert wording_for(visit, known).language == spoken


def test_what_is_filled_in_is_escaped_and_our_own_markup_is_not() -> None:
    said = Wording().say("meet.length", time="<script>")
    assert said == "<b>&lt;script&gt;</b>, for half an hour."


def test_days_and_times_are_written_as_their_readers_write_them() -> None:
    at, berlin = datetime(2026, 3, 10, 10, 0, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    said = {code: (Wording(code).day(date(2026, 8, 1)), Wording(code).time(at, berlin)) for code in LANGUAGES}
    assert said == {
        "en": ("1 August 2026", "Tuesday 10 March, 11:00 (Berlin time)"),
        "de": ("1. August 2026", "Dienstag, 10. März, 11:00 Uhr (Ortszeit Berlin)"),
        "fr": ("1er août 2026", "mardi 10 mars à 11:00 (heure de Berlin)"),
        "es": ("1 de agosto de 2026", "martes 10 de marzo, 11:00 (hora de Berlin)"),
    }
    assert Wording().time(at, ZoneInfo("UTC")) == "Tuesday 10 March, 10:00 (UTC)"


@pytest.mark.parametrize("language", LANGUAGES)
def test_somebody_leaves_and_comes_back_in_their_language(lite: House, language: str) -> None:
    mail = lite.send(lite.add_contact(language=language))
    for answer in (
        lite.http.get(mail.leave, headers={"accept-language": "pl"}),
        lite.http.post(mail.leave, data={"leave": "yes"}),
        lite.http.post(mail.leave, data={"undo": "yes"}),
        lite.http.get(mail.preferences),
        lite.http.post(mail.preferences, data={"shown": "insights"}),
    ):
        assert f'<html lang="{language}"' in answer.text
    assert Wording(language).say("preferences.title_changed") in answer.text


def test_another_language_is_one_plain_link_away_and_stays_after_the_button(lite: House, lite_mail: Mail) -> None:
    page = lite.http.get(lite_mail.leave).text
    links = dict(re.findall(r'<a href="(\?[^"]+)" lang="(\w+)"', page))
    assert sorted(links.values()) == ["de", "es", "fr"]
    german = next(link for link, language in links.items() if language == "de")
    assert '<html lang="de"' in lite.http.get(lite_mail.leave + german).text
    answer = lite.http.post(lite_mail.leave + german, data={"leave": "yes"})
    assert "hört nichts mehr von uns" in answer.text


def test_the_one_click_answer_does_not_give_the_language_of_its_reader_away(lite: House) -> None:
    """RFC 8058 [31]: a known contact, and one who was never there, get the same bytes."""
    mail = lite.send(lite.add_contact(language="es"))
    answer = lite.http.post(mail.header_leave, data={"List-Unsubscribe": "One-Click"})
    assert '<html lang="en"' in answer.text
