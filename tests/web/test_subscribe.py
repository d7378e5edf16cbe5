"""Signing up over HTTP: one answer for everybody, one mail that asks, and nothing happens before its button was pressed."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nurture.consent.rules import Basis
from nurture.consent.suppressions.actions import opt_out, suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.database.engine import Database
from nurture.delivery.store import delivery_of_key
from nurture.engines.jobs import run_due
from nurture.forms.actions import find_form
from nurture.forms.stamps import confirm_token, stamp
from tests.web.houses import House, running_house, words

FORMS = """\
format: 1
forms:
  newsletter:
    title: {en: The letter, de: Der Brief}
    topics: [insights]
    fields: [first_name, {name: company, required: true}, company_size]
    consent: {en: "Yes, send me the letter.", de: "Ja, schicken Sie mir den Brief."}
    tracking: {en: You may see what I open., de: "Sie dürfen sehen, was ich öffne."}
    call: {en: Please call me., de: Rufen Sie mich bitte an.}
    tags: [signed-up]
    list: readers
    enroll: evaluators
    owner: luis@acme.example
    thanks: {text: {en: Welcome., de: Willkommen.}, url: "https://acme.example/start"}
"""
PAGE = "/subscribe/newsletter"
TYPED = {"email": "bo@reader.example", "field_first_name": "Bo", "field_company": "Bo & Co", "consent": "yes"}
LONG_ENOUGH = {"seconds": 30}


@pytest.fixture
def forms(database: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    with running_house(tmp_path / "house", database.url, now, files={"campaigns/forms.yaml": FORMS}) as made:
        yield made


@pytest.fixture
def lite_forms(sqlite: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    with running_house(tmp_path / "house", sqlite.url, now, files={"campaigns/forms.yaml": FORMS}) as made:
        yield made


def hidden(page: str) -> dict[str, str]:
    """What the form carries along by itself."""
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}


def submit(house: House, path: str = PAGE, *, after: dict[str, int] = LONG_ENOUGH, **typed: str) -> httpx2.Response:
    """Open a form, read it, fill it in and send it."""
    page = house.http.get(path)
    assert page.status_code == 200
    house.step(**after)
    data = {**hidden(page.text), **TYPED, **typed}
    return house.http.post(path, data={name: value for name, value in data.items() if value})


def link(house: House, number: int = -1) -> str:
    """Where the mail that asks leads, of the sign-up of that number."""
    row = sorted(house.rows("sign_up"), key=lambda one: one["id"])[number]
    return f"/confirm/{confirm_token(house.app.keys, row['id'])}"


def contact(house: House, email: str = "bo@reader.example") -> dict[str, Any]:
    return next(row for row in house.rows("contact") if row["email"] == email)


def letters(house: House) -> list[dict[str, Any]]:
    return [row for row in house.rows("delivery") if row["campaign"] == "service:confirm"]


def run(house: House) -> None:
    run_due(house.app.bench(house.app.register()), house.clock.now())


def test_whoever_signs_up_and_confirms_is_who_they_said(forms: House) -> None:
    """GDPR 7(1): the ledger has the exact words, their version, the page, the address of the net and the times."""
    answer = submit(forms, f"{PAGE}?from=booth", tracking="yes", field_company_size="1.200")
    assert answer.status_code == 200
    assert "One press is missing" in answer.text
    assert forms.rows("contact") == []
    (asked,) = letters(forms)
    assert (asked["purpose"], asked["status"], asked["contact_id"]) == ("service", "queued", None)
    path = link(forms)
    before = forms.everything()
    for method in ("GET", "HEAD", "GET"):
        page = forms.http.request(method, path)
        assert page.status_code == 200
        assert forms.everything() == before
    assert "b…@reader.example" in page.text
    forms.step(hours=3)
    assert "Welcome." in forms.http.post(path, data={"confirm": "yes"}).text
    bo = contact(forms)
    assert (bo["first_name"], bo["company"], bo["language"]) == ("Bo", "Bo & Co", "en")
    assert bo["source"] == "trade show"
    (mail,) = [row for row in forms.rows("consent_event") if row["purpose"] == "mail"]
    assert (mail["what"], mail["basis"], mail["topic"]) == ("given", Basis.DOUBLE_OPT_IN, "insights")
    assert mail["wording"] == "Yes, send me the letter."
    assert len(mail["wording_version"]) == 16
    assert mail["page"].endswith("/subscribe/newsletter?from=booth")
    assert mail["ip"] == "127.0.0.1"
    assert mail["recorded_at"] - timedelta(hours=3) == forms.rows("sign_up")[0]["submitted_at"]
    (tracking,) = [row for row in forms.rows("consent_event") if row["purpose"] == "tracking"]
    assert tracking["wording"] == "You may see what I open."
    assert {row["tag"] for row in forms.rows("contact_tag")} == {"signed-up"}
    assert len(forms.rows("list_member")) == len(forms.rows("enrollment")) == 1
    (sent,) = [row for row in forms.rows("activity") if row["kind"] == "form"]
    assert sent["place"] == "newsletter"
    assert forms.rows("newcomer") == []
    assert forms.rows("sign_up")[0]["said"] in ({}, "{}")
    assert letters(forms)[0]["contact_id"] == bo["id"]
    once = forms.everything()
    assert "Welcome." in forms.http.post(path).text
    assert forms.everything() == once
