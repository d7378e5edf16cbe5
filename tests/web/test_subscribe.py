"""Signing up over HTTP: one answer for everybody, one mail that asks, and nothing happens before its button was pressed."""

import email
import email.policy
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nurture.campaigns.declared import get_declared
from nurture.campaigns.store import get_content
from nurture.consent.rules import Basis, Proof
from nurture.consent.suppressions.actions import opt_out, suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.database.engine import Database
from nurture.delivery import composing
from nurture.delivery.facts import gather_facts, gather_people
from nurture.delivery.store import delivery_of_key
from nurture.delivery.urls import sign_delivery
from nurture.engines.rounds import run_due
from nurture.forms.actions import find_form
from nurture.forms.stamps import confirm_token, stamp
from nurture.privacy import erasing
from nurture.tokens import TokenPurpose
from nurture.tracking.store import answers_of
from nurture.web.embedding import embed
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


def opened(house: House, key: str) -> EmailMessage:
    """A mail of the house as it would leave."""
    with house.app.database.writing() as session:
        delivery = delivery_of_key(session, key)
        assert delivery is not None
        recipient = composing.find_recipient(session, delivery)
        assert recipient is not None
        mail = composing.get_mail(session, delivery)
        people = gather_people(session, [None], answers_of)
        content = get_content(session, delivery.version_id)
        declared, now = get_declared(session), house.clock.now()
        delivery.facts = gather_facts(people, delivery, content, declared, now, mail.uses)
        composed = composing.compose(mail, delivery, house.app.house, recipient, "")
    message = email.message_from_bytes(composed.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


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
    assert "Yes, send me the letter." in page.text
    assert "You may see what I open." in page.text
    assert "Please call me." not in page.text
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


def test_nobody_can_tell_a_known_address_from_an_unknown_one(forms: House) -> None:
    forms.add_contact("ana@reader.example", company="Sample & Sons")
    left = forms.add_contact("left@reader.example")
    bad = forms.add_contact("bad@reader.example")
    with forms.app.database.writing() as session:
        opt_out(session, left.address_hash, how="a test", now=forms.clock.now())
        suppress(session, bad.address_hash, SuppressionReason.COMPLAINT, how="a test", now=forms.clock.now())
    answers = {
        (answer.status_code, answer.text)
        for name in ("ana", "left", "bad", "nobody")
        for answer in [submit(forms, email=f"{name}@reader.example")]
    }
    assert len(answers) == 1
    by_status = {row["status"] for row in letters(forms) if row["contact_id"] == bad.id}
    assert by_status == {"refused"}
    assert [row["status"] for row in letters(forms) if row["contact_id"] != bad.id] == ["queued"] * 3
    assert contact(forms, "ana@reader.example")["company"] == "Sample & Sons"


def test_their_own_double_opt_in_lifts_what_was_said_by_them_and_for_them(forms: House) -> None:
    ana = forms.add_contact("ana@reader.example")
    with forms.app.database.writing() as session:
        for reason in (SuppressionReason.OPT_OUT, SuppressionReason.MANUAL):
            suppress(session, ana.address_hash, reason, how="a test", now=forms.clock.now())
    submit(forms, email="ana@reader.example")
    forms.http.post(link(forms))
    standing = {reason: stands for _, reason, stands in forms.suppressions()}
    assert standing == {"opt_out": False, "manual": False}
    events = [row for row in forms.rows("consent_event") if row["what"] == "lifted"]
    assert {row["wording"] for row in events} == {"Yes, send me the letter."}


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint", "erased"])
def test_confirming_a_mail_that_came_before_lifts_no_bounce_no_complaint_and_no_erasure(
    lite_forms: House, reason: str
) -> None:
    ana = lite_forms.add_contact("ana@reader.example")
    submit(lite_forms, email="ana@reader.example")
    with lite_forms.app.database.writing() as session:
        suppress(session, ana.address_hash, SuppressionReason(reason), how="a test", now=lite_forms.clock.now())
    lite_forms.http.post(link(lite_forms))
    assert [(why, stands) for _, why, stands in lite_forms.suppressions()] == [(reason, True)]


def test_an_old_link_tells_nobody_who_left_that_they_are_in(lite_forms: House) -> None:
    submit(lite_forms)
    page = link(lite_forms)
    assert "You are in" in lite_forms.http.post(page).text
    assert "You are in" in lite_forms.http.get(page).text
    (ana,) = lite_forms.rows("contact")
    with lite_forms.app.database.writing() as session:
        opt_out(session, ana["address_hash"], how="a test", now=lite_forms.clock.now())
    for answer in (lite_forms.http.get(page), lite_forms.http.post(page)):
        assert "There is nothing left to confirm" in answer.text
    assert [stands for *_, stands in lite_forms.suppressions()] == [True]


def test_whoever_left_everything_comes_back_only_for_what_they_asked_for(forms: House) -> None:
    bo = forms.add_contact("bo@reader.example")
    with forms.app.database.writing() as session:
        opt_out(session, bo.address_hash, how="a test", now=forms.clock.now())
    submit(forms)
    forms.http.post(link(forms))
    assert {row["topic"]: row["state"] for row in forms.rows("consent") if row["purpose"] == "mail"} == {
        "insights": "given",
        "events": "withdrawn",
    }
    al = forms.add_contact("al@reader.example")
    submit(forms, email="al@reader.example")
    forms.http.post(link(forms))
    assert {row["state"] for row in forms.rows("consent") if row["contact_id"] == al.id} == {"given"}


def test_an_erased_address_gets_no_mail_and_the_same_page(lite_forms: House) -> None:
    gone = lite_forms.app.hasher.hash("gone@reader.example")
    with lite_forms.app.database.writing() as session:
        suppress(session, gone, SuppressionReason.ERASED, how="a test", now=lite_forms.clock.now())
    assert "One press is missing" in submit(lite_forms, email="gone@reader.example").text
    assert [row["status"] for row in letters(lite_forms)] == ["refused"]


@pytest.mark.parametrize(
    ("typed", "after"), [({"homepage": "https://spam.example"}, LONG_ENOUGH), ({}, {"seconds": 1})]
)
def test_a_machine_sees_what_people_see_and_nothing_happens(
    lite_forms: House, typed: dict[str, str], after: dict[str, int]
) -> None:
    before = lite_forms.everything()
    assert "One press is missing" in submit(lite_forms, PAGE, after=after, **typed).text
    assert lite_forms.everything() == before


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"email": "no address"}, "This is no complete address"),
        ({"email": ""}, "Please write your address."),
        ({"email": "bo@reader.example\r\nBcc: all@reader.example"}, "This is no complete address"),
        ({"email": "bo@gmial.com"}, "Did you mean bo@gmail.com?"),
        ({"field_company": ""}, "Please fill this in."),
        ({"field_first_name": "B" * 300}, "Please be brief"),
        ({"field_company_size": "many"}, "Please write a number"),
        ({"consent": ""}, "Please tick this if you agree."),
        ({"wording": "0000000000000000"}, "please read it once more"),
        ({"stamp": "nonsense"}, "please read it once more"),
    ],
)
def test_what_is_missing_is_told_beside_it_and_nothing_is_lost(
    lite_forms: House, typed: dict[str, str], told: str
) -> None:
    before = lite_forms.everything()
    given = {"field_first_name": '<b>"Bo"', **typed}
    answer = submit(lite_forms, PAGE, after=LONG_ENOUGH, **given)
    assert answer.status_code == 422
    assert told in words(answer)
    assert "&lt;b&gt;" in answer.text or "field_first_name" in typed
    assert "<b>" not in answer.text
    assert lite_forms.everything() == before


def test_whoever_means_a_strange_domain_presses_once_more(lite_forms: House) -> None:
    first = submit(lite_forms, email="bo@gmial.com")
    data = {**TYPED, **hidden(first.text), "email": "bo@gmial.com"}
    assert lite_forms.http.post(PAGE, data=data).status_code == 200
    assert [row["email"] for row in lite_forms.rows("newcomer")] == ["bo@gmial.com"]


def test_what_comes_too_often_from_one_place_is_put_off_and_one_address_is_written_to_three_times(
    lite_forms: House,
) -> None:
    for _ in range(5):
        assert "One press is missing" in submit(lite_forms).text
    assert len(letters(lite_forms)) == 3
    for number in range(25):
        answer = submit(lite_forms, email=f"bo{number}@reader.example", after={"seconds": 3})
    assert answer.status_code == 429
    assert len(lite_forms.rows("sign_up")) == 20
    lite_forms.step(hours=1)
    assert submit(lite_forms, email="late@reader.example").status_code == 200


def test_nobody_fills_a_strangers_mailbox_day_after_day_or_by_spelling_it_otherwise(lite_forms: House) -> None:
    for _ in range(6):
        for _ in range(5):
            submit(lite_forms)
        lite_forms.step(hours=25)
    assert len(letters(lite_forms)) == 6
    for number in range(6):
        submit(lite_forms, email=f"Al+{number}@reader.example")
    assert len(letters(lite_forms)) == 6 + 3


@pytest.mark.parametrize("is_known", [True, False])
def test_forms_sent_at_the_same_moment_are_taken_one_after_the_other(forms: House, *, is_known: bool) -> None:
    if is_known:
        forms.add_contact("bo@reader.example")
    data = {**hidden(forms.http.get(PAGE).text), **TYPED}
    forms.step(seconds=30)
    with ThreadPoolExecutor(10) as hands:
        answers = list(hands.map(lambda _: httpx2.post(f"{forms.server.url}{PAGE}", data=data, timeout=60), range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(letters(forms)) == 3
    assert sorted(row["state"] for row in forms.rows("sign_up")) == ["pending", "replaced", "replaced"]


def test_one_line_of_ipv6_is_one_place_whatever_address_it_takes(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    settings = {"NURTURE_WEB__TRUSTED_PROXIES": "127.0.0.1", "NURTURE_FORMS__PER_IP": "2"}
    files = {"campaigns/forms.yaml": FORMS}
    with running_house(tmp_path / "house", sqlite.url, now, files=files, environment=settings) as house:
        seen = []
        for number, ip in enumerate(["2001:db8::1", "2001:db8::a:b:c:d", "2001:db8:0:0:9::", "2001:db8:0:1::1"]):
            house.http.headers["X-Forwarded-For"] = ip
            seen.append(submit(house, email=f"bo{number}@reader.example").status_code)
        assert seen == [200, 200, 429, 200]


def test_who_asks_is_seen_through_trusted_proxies_only(sqlite: Database, tmp_path: Path, now: datetime) -> None:
    settings = {"NURTURE_WEB__TRUSTED_PROXIES": "127.0.0.1"}
    files = {"campaigns/forms.yaml": FORMS}
    with running_house(tmp_path / "house", sqlite.url, now, files=files, environment=settings) as house:
        house.http.headers["X-Forwarded-For"] = "203.0.113.9, 198.51.100.7"
        submit(house)
        assert house.rows("sign_up")[0]["ip"] == "198.51.100.7"


def test_nobody_is_reminded_more_than_once_and_then_it_is_forgotten(forms: House) -> None:
    """STANDARDS 92: one reminder at most; what was typed is deleted."""
    submit(forms)
    run(forms)
    assert len(letters(forms)) == 1
    forms.step(days=2)
    run(forms)
    run(forms)
    assert len(letters(forms)) == 2
    (reminder,) = [row for row in letters(forms) if row["key"].endswith(":again")]
    assert re.search(r"[\"']days[\"']: 5\b", str(reminder["facts"]))
    submit(forms)
    forms.step(days=3)
    run(forms)
    assert len(letters(forms)) == 3
    path = link(forms)
    forms.step(days=4)
    run(forms)
    assert len(letters(forms)) == 3
    assert forms.rows("newcomer") == []
    assert sorted(row["state"] for row in forms.rows("sign_up")) == ["forgotten", "replaced"]
    for row in forms.rows("sign_up"):
        assert (row["address_hash"], row["ip"], row["page"], row["said"]) in [("", "", "", {}), ("", "", "", "{}")]
    assert forms.http.get(path).status_code == forms.http.post(path).status_code == 410
    assert forms.rows("contact") == []


def test_whoever_said_no_is_asked_once_and_not_reminded(forms: House) -> None:
    """They may have changed their mind, or a stranger typed their address: one mail tells, a second one insists."""
    bo = forms.add_contact("bo@reader.example")
    submit(forms)
    with forms.app.database.writing() as session:
        opt_out(session, bo.address_hash, how="a test", now=forms.clock.now())
    forms.step(days=2)
    run(forms)
    assert len(letters(forms)) == 1
    forms.step(days=5)
    run(forms)
    assert [row["state"] for row in forms.rows("sign_up")] == ["forgotten"]


def test_a_call_is_a_wish_for_contact_and_no_demonstration(lite_forms: House) -> None:
    submit(lite_forms, f"{PAGE}/luis", call="yes")
    lite_forms.http.post(link(lite_forms))
    bo = contact(lite_forms)
    assert bo["interest"] == "information"
    assert "Please call me." in bo["interest_because"]
    (task,) = lite_forms.rows("task")
    luis = next(row["id"] for row in lite_forms.rows("operator") if row["email"] == "luis@acme.example")
    assert (task["operator_id"], bo["owner_id"]) == (luis, luis)
    assert lite_forms.rows("hand_off") == []
    (note,) = [row for row in lite_forms.rows("delivery") if row["campaign"] == "service:notify"]
    assert note["operator_id"] == luis
    assert ": asked for a call" in str(note["facts"])


def test_the_page_of_a_colleague_is_theirs_and_nobody_elses_page_is_there(lite_forms: House) -> None:
    assert lite_forms.http.get(f"{PAGE}/dana").status_code == 200
    assert lite_forms.http.get(f"{PAGE}/nobody").status_code == 404
    assert lite_forms.http.get("/subscribe/nothing").status_code == 404
    lite_forms.add_contact("ana@reader.example", source="crm")
    submit(lite_forms, f"{PAGE}/dana?from=fair", email="ana@reader.example")
    lite_forms.http.post(link(lite_forms))
    ana = contact(lite_forms, "ana@reader.example")
    dana = next(row["id"] for row in lite_forms.rows("operator") if row["email"] == "dana@acme.example")
    assert (ana["source"], ana["owner_id"]) == ("crm", dana)


def personal(house: House, mail_id: int) -> str:
    return f"{PAGE}/for/{sign_delivery(house.app.keys, TokenPurpose.FORM, mail_id)}"


def test_a_personal_link_asks_only_what_is_not_known_and_shows_no_more_than_who_it_is_for(lite_forms: House) -> None:
    mail = lite_forms.send(lite_forms.add_contact(first_name="Annegret", company="Sample & Sons"))
    page = lite_forms.http.get(personal(lite_forms, mail.id)).text
    assert "a…@reader.example" in page
    assert 'name="field_company_size"' in page
    assert "<span>Company size " in page
    for secret in ("ana@reader", "Annegret", "Sample", "field_first_name", 'name="email"', "field_company&"):
        assert secret not in page
    answer = submit(
        lite_forms, personal(lite_forms, mail.id), email="", field_company="Theirs", field_company_size="80"
    )
    assert "Welcome." in answer.text
    ana = contact(lite_forms, "ana@reader.example")
    assert ana["company"] == "Sample & Sons"
    assert "80" in str(ana["fields"])
    assert letters(lite_forms) == []


def test_a_forwarded_link_lets_nobody_agree_to_be_tracked_for_somebody_else(lite_forms: House) -> None:
    ana = lite_forms.add_contact(country="DE")
    mail = lite_forms.send(ana)
    answer = submit(lite_forms, personal(lite_forms, mail.id), email="", tracking="yes")
    assert "One press is missing" in answer.text
    assert [row for row in lite_forms.rows("consent_event") if row["purpose"] == "tracking"] == []
    assert [letter["contact_id"] for letter in letters(lite_forms)] == [ana.id]
    lite_forms.http.post(link(lite_forms))
    assert len([row for row in lite_forms.rows("consent_event") if row["purpose"] == "tracking"]) == 1


def test_a_forwarded_link_brings_back_nobody_who_left(lite_forms: House) -> None:
    ana = lite_forms.add_contact()
    mail = lite_forms.send(ana)
    with lite_forms.app.database.writing() as session:
        opt_out(session, ana.address_hash, how="a test", now=lite_forms.clock.now())
    assert "One press is missing" in submit(lite_forms, personal(lite_forms, mail.id), email="", field_company="X").text
    assert lite_forms.has_left(mail)
    (letter,) = letters(lite_forms)
    assert letter["contact_id"] == ana.id


def test_the_link_of_a_test_mail_or_of_somebody_erased_changes_nobody(lite_forms: House) -> None:
    test = lite_forms.send(None, key="test")
    before = lite_forms.everything()
    assert "test mail" in lite_forms.http.get(personal(lite_forms, test.id)).text
    assert "nothing was noted" in submit(lite_forms, personal(lite_forms, test.id)).text
    assert lite_forms.everything() == before
    bo = lite_forms.add_contact("bo@reader.example")
    mail = lite_forms.send(bo, key="bo")
    lite_forms.erase(bo)
    assert 'name="email"' in lite_forms.http.get(personal(lite_forms, mail.id)).text
    right = personal(lite_forms, mail.id)
    wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
    assert lite_forms.http.get(wrong).status_code == 404


def test_a_form_on_another_site_runs_nothing_fetches_nothing_and_works(lite_forms: House) -> None:
    with lite_forms.app.database.reading() as session:
        form = find_form(session, "newsletter")
    assert form is not None
    html = embed(form, "de", lite_forms.app.keys, lite_forms.server.url, label="website")
    assert not re.search(r"<script|<link|<img|src=|@import|url\(|\son\w+=", html)
    assert "checked" not in html
    action = re.search(r'action="([^"]+)"', html)
    assert action is not None
    data = {**hidden(html), **TYPED}
    answer = httpx2.post(unescape(action[1]), data=data, headers={"Origin": "https://elsewhere.example"})
    assert "Ein Klick fehlt noch" in answer.text
    (row,) = lite_forms.rows("sign_up")
    assert (row["language"], row["label"]) == ("de", "website")
    lite_forms.http.post(link(lite_forms))
    (given,) = [row for row in lite_forms.rows("consent_event") if row["what"] == "given"]
    assert given["wording"] == "Ja, schicken Sie mir den Brief."


@pytest.mark.parametrize("changed", ["Yes, send me the letter.", "You may see what I open."])
def test_whoever_saw_older_words_agreed_to_those(lite_forms: House, changed: str) -> None:
    page = lite_forms.http.get(PAGE)
    lite_forms.step(minutes=1)
    forms_file = lite_forms.app.folder / "campaigns/forms.yaml"
    forms_file.write_text(FORMS.replace(changed, "Other words."), encoding="utf-8")
    lite_forms.app.publish(lite_forms.app.read_files(), published_by="a test")
    assert "Other words." in lite_forms.http.get(PAGE).text
    assert lite_forms.http.post(PAGE, data={**hidden(page.text), **TYPED, "tracking": "yes"}).status_code == 200
    lite_forms.http.post(link(lite_forms))
    said = {row["purpose"]: row["wording"] for row in lite_forms.rows("consent_event")}
    assert said == {"mail": "Yes, send me the letter.", "tracking": "You may see what I open."}


def test_confirming_two_forms_makes_one_contact(forms: House) -> None:
    submit(forms)
    submit(forms, f"{PAGE}?language=de", field_first_name="Bodo")
    assert [row["state"] for row in forms.rows("sign_up")].count("replaced") == 1
    assert forms.http.post(link(forms, 0)).status_code == 410
    assert "Willkommen." in forms.http.post(link(forms, 1)).text
    assert contact(forms)["first_name"] == "Bodo"
    assert len(forms.rows("contact")) == 1


@pytest.mark.parametrize("is_known", [True, False])
def test_whoever_is_erased_meanwhile_confirms_nothing_and_sees_that_it_is_over(
    lite_forms: House, *, is_known: bool
) -> None:
    if is_known:
        lite_forms.add_contact("bo@reader.example")
    submit(lite_forms)
    now, hash_ = lite_forms.clock.now(), lite_forms.app.hasher.hash("bo@reader.example")
    with lite_forms.app.database.writing() as session:
        erasing.begin(session, hash_, proof=Proof("a test"), now=now)
    erasing.finish(lite_forms.app.database, now)
    path = link(lite_forms)
    assert [lite_forms.http.get(path).status_code, lite_forms.http.post(path).status_code] == [410, 410]
    assert lite_forms.rows("contact") == []


def test_a_token_of_another_purpose_or_with_a_slip_confirms_nothing(lite_forms: House) -> None:
    submit(lite_forms)
    before = lite_forms.everything()
    token = link(lite_forms).removeprefix("/confirm/")
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert lite_forms.http.post(f"/confirm/{wrong}").status_code == 404
    foreign = stamp(lite_forms.app.keys, "x", None)
    assert lite_forms.http.post(f"/confirm/{foreign}").status_code == 404
    assert lite_forms.everything() == before


def test_the_mail_that_asks_has_no_marketing_and_no_pixel(lite_forms: House) -> None:
    """STANDARDS 92: byte check of the double opt-in mail: one link, nothing counted, nothing a stranger typed."""
    submit(lite_forms, field_first_name="http://spam.example buy")
    (row,) = lite_forms.rows("sign_up")
    message = opened(lite_forms, f"sign-up:{row['id']}")
    assert message["List-Unsubscribe"] is None
    assert message["Auto-Submitted"] == "auto-generated"
    html, text = (message.get_body((kind,)) for kind in ("html", "plain"))
    assert html is not None
    assert text is not None
    for content in (html.get_content(), text.get_content()):
        assert set(re.findall(r"https?://[^\s\"'<>)]+", content.replace("http://www.w3.org", ""))) <= {
            f"http://127.0.0.1:8000{link(lite_forms)}",
        }
        for never in ("<img", "/o/", "/c/", "utm_", "spam.example", "buy"):
            assert never not in content
    assert message["To"] == "bo@reader.example"
