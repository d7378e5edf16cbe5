"""`nurture forms`: counts, a form for another site, a QR code."""

import re
from pathlib import Path

import pytest

from tests.support.terminals import Terminal


def test_forms_are_counted_with_their_addresses(house: Terminal) -> None:
    found = {one["form"]: one for one in house.json("forms")}
    assert set(found) == {"newsletter", "benchmark-report"}
    assert found["newsletter"]["submitted"] == found["newsletter"]["confirmed"] == 0
    assert found["newsletter"]["address"].endswith("/subscribe/newsletter")
    assert set(found["newsletter"]["rate"]) == {"count", "base", "share", "low", "high"}
    out, _ = house.type("forms")
    assert "too few to tell" in out


def test_a_form_is_printed_in_one_of_its_languages(house: Terminal) -> None:
    out, warned = house.type("forms", "embed", "newsletter", "--language", "de", "--from", "website")
    assert out.startswith('<form method="post" action="http')
    assert "/subscribe/newsletter?from=website&amp;language=de" in out
    assert "Ihre E-Mail-Adresse" in out
    assert "web.base_url" in warned


def test_a_qr_code_is_a_picture_or_a_page_to_print(house: Terminal, here: Path) -> None:
    given = house.json(
        "forms", "qr", "newsletter", "--owner", "Luis@acme.example", "--from", "booth", "--out", str(here / "b.svg")
    )
    assert given["address"].endswith("/subscribe/newsletter/luis?from=booth")
    svg = (here / "b.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "viewBox=" in svg
    assert not re.search(r"href|<script|<image", svg)
    house.type("forms", "qr", "newsletter", "--owner", "luis@acme.example", "--out", str(here / "b.html"))
    page = (here / "b.html").read_text(encoding="utf-8")
    assert "The Planning Letter" in page
    assert "Luis Ortega" in page
    assert "/subscribe/newsletter/luis<" in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["embed", "newsleter"], 'no form "newsleter" is published; type `nurture publish` after you wrote it. Did you mean "newsletter"?'),
        (["embed", "newsletter", "--language", "fr"], "newsletter is not written in fr; it is in en, de."),
        (["embed", "newsletter", "--from", "My Booth"], '--from "My Booth": write small letters, digits and hyphens, such as booth or spring-fair.'),
        (["qr", "newsletter", "--owner", "lui@acme.example"], 'lui@acme.example is no operator of settings.toml. Did you mean "luis@acme.example"?'),
        (["qr", "newsletter", "--out", "booth.png"], "booth.png: say .svg for the code alone, or .html for a page to print."),
    ],
)  # fmt: skip
def test_what_cannot_be_printed_is_said(house: Terminal, words: list[str], sentence: str) -> None:
    assert house.refused("forms", *words) == sentence
