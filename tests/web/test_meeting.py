"""Somebody picks a time to meet, changes their mind, or says when else; a scanner that follows every link says nothing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser

from nurture.consent.suppressions.actions import opt_out
from nurture.database.engine import Database
from nurture.web.front import CONTENT_SECURITY_POLICY
from tests.web.houses import House, Mail, running_house, words
from tests.web.test_looks import SIZES, Scheme, check_fit, looking_at

OFFER = """\
format: 1
sequence: evaluators
topic: insights
steps:
  - {id: report, offer_meeting: {send: meet, subject: "Half an hour?", slots: 3, kind: ask}}
"""
LETTER = """\
<mjml><mj-head><mj-title>Meet</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-raw>{% for slot in mail.meeting.slots %}</mj-raw>
<mj-text><a href="{{ slot.url }}">{{ slot.label }}</a></mj-text>
<mj-raw>{% endfor %}</mj-raw>
<mj-text><a href="{{ mail.meeting.url }}">Another time</a>, or read <a href="https://acme.example/how">how it goes</a>.</mj-text>
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
FILES = {"campaigns/sequences/evaluators.yaml": OFFER, "templates/meet.mjml": LETTER}
#: Luis works from nine to five in New York; in Berlin that is from three in the afternoon on.
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


@pytest.fixture
def house(database: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    with running_house(tmp_path / "house", database.url, now, files=FILES) as made:
        yield made


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    with running_house(tmp_path / "house", sqlite.url, now, files=FILES) as made:
        yield made


@pytest.fixture
def mail(house: House) -> Mail:
    return send(house)


@pytest.fixture
def lite_mail(lite: House) -> Mail:
    return send(lite)


def send(house: House, **values: str) -> Mail:
    luis = next(row["id"] for row in house.rows("operator") if row["name"] == "Luis Ortega")
    contact = house.add_contact(first_name="Ana", last_name="Sample", owner_id=luis, timezone="Europe/Berlin", **values)
    return house.send(contact)


def offered(mail: Mail) -> list[tuple[str, str]]:
    """Where each link to the page leads, and what its reader sees, in the HTML."""
    found = re.findall(r'<a href="http://127\.0\.0\.1:8000(/meet/[^"]+)"[^>]*>([^<]+)</a>', mail.html)
    return [(unescape(path), unescape(label)) for path, label in found]


def page_of(mail: Mail) -> str:
    return urlsplit(offered(mail)[0][0]).path


def times_of(house: House, mail: Mail) -> list[datetime]:
    facts = next(row["facts"] for row in house.rows("delivery") if row["id"] == mail.id)
    return [datetime.fromisoformat(at) for at in facts["meeting"]["times"]]


def bookings(house: House) -> list[str]:
    return [
        row["what"] for row in sorted(house.rows("activity"), key=lambda row: row["id"]) if row["kind"] == "booking"
    ]


def notes(house: House) -> list[dict[str, str]]:
    rows = sorted((row for row in house.rows("delivery") if row["mail"] == "meeting"), key=lambda row: row["id"])
    return [row["facts"]["mail"] for row in rows]


def test_the_mail_offers_half_hours_of_the_owner_on_different_days_in_the_readers_own_time(
    house: House, mail: Mail, now: datetime
) -> None:
    times = times_of(house, mail)
    labels = [label for _, label in offered(mail)[:3]]
    assert labels == [f"{at.astimezone(BERLIN):%A %-d %B, %H:%M} (Berlin time)" for at in times]
    assert len({at.date() for at in times}) == 3
    for at in times:
        local = at.astimezone(NEW_YORK)
        assert local.weekday() < 5
        assert 9 <= local.hour < 17
        assert at.astimezone(BERLIN).hour < 18, "a civil hour where the reader is"
        assert local.date() > now.astimezone(NEW_YORK).date()


def test_links_to_the_page_are_not_led_through_the_tracked_address_while_others_are(house: House, mail: Mail) -> None:
    assert [path.partition("?")[2] for path, _ in offered(mail)] == ["slot=1", "slot=2", "slot=3", ""]
    text = mail.message.get_body(("plain",))
    assert text is not None
    assert text.get_content().count("/meet/") == 4
    clicks = [link for link in mail.every_link() if link.startswith("/c/")]
    assert len(clicks) == 1
    assert house.http.get(clicks[0]).headers["location"].startswith("https://acme.example/how?utm_")
    assert not [link for link in mail.every_link() if "/meet/" in link and "utm_" in link]


def test_the_page_shows_the_very_times_of_the_mail_with_the_one_that_was_clicked_in_front(
    house: House, mail: Mail
) -> None:
    house.step(days=1)
    page = house.http.get(offered(mail)[1][0])
    buttons = re.findall(r'<button name="slot" value="(\d)"[^>]*>([^<]+)</button>', page.text)
    labels = [label for _, label in offered(mail)]
    assert buttons == [("2", f"Yes, {labels[1]}"), ("1", labels[0]), ("3", labels[2])]
    assert f"Meet Luis Ortega on {labels[1]}?" in words(page)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_following_every_link_changes_nothing(house: House, mail: Mail, method: str) -> None:
    before = house.everything()
    for path, _ in offered(mail):
        assert house.http.request(method, path).status_code == 200
    assert house.everything() == before


def test_one_press_is_their_own_word_and_reaches_whom_they_would_meet(house: House, mail: Mail) -> None:
    house.queue_next(mail)
    answer = house.http.post(page_of(mail), data={"slot": "2"})
    at = times_of(house, mail)[1]
    said = f"{at.astimezone(BERLIN):%A %-d %B %Y, %H:%M} (Europe/Berlin)"
    assert "Thank you. Luis Ortega will know" in words(answer)
    assert "Nothing is in a calendar yet" in words(answer)
    assert bookings(house) == [said]
    (contact,) = house.rows("contact")
    assert (contact["interest"], contact["interest_because"]) == ("demonstration", f"Chose {said}")
    [note] = notes(house)
    assert note["when"] == f"{at.astimezone(NEW_YORK):%A %-d %B, %H:%M} (America/New_York)"
    assert note["theirs"] == said
    # What a sequence had queued is looked at again, and so is the score, which hands over whoever asked.
    queued = next(row for row in house.rows("delivery") if row["key"] == "next")
    assert (queued["status"], queued["because"]) == ("held", "recheck")
    assert {row["reader"] for row in house.rows("changed_contact")} >= {"scoring", "sequences"}


def test_pressing_twice_says_it_once_and_another_time_takes_its_place(house: House, mail: Mail) -> None:
    for slot in ("1", "1", "3"):
        answer = house.http.post(page_of(mail), data={"slot": slot})
    first, third = bookings(house)
    assert [note["before"] for note in notes(house)] == ["", first]
    assert offered(mail)[2][1] in words(answer)
    assert third.partition(" 2026")[0] in words(house.http.get(page_of(mail)))
    buttons = re.findall(r'<button name="slot" value="(\d)"', house.http.get(page_of(mail)).text)
    assert buttons == ["1", "2"], "what is chosen is not offered again"


def test_whoever_has_no_time_then_says_when_in_their_own_words(house: House, mail: Mail) -> None:
    mean = 'Friday\r\nBcc: x@y.example <b>noon</b> {{ 7 * 7 }} "?'
    answer = house.http.post(page_of(mail), data={"words": mean})
    tidy = 'Friday Bcc: x@y.example <b>noon</b> {{ 7 * 7 }} "?'
    assert bookings(house) == [f"another time: {tidy}"]
    assert "<b>noon" not in answer.text
    assert tidy in words(answer).replace("“", "").replace("”", "") or tidy in unescape(answer.text)
    [note] = notes(house)
    assert (note["when"], note["words"]) == ("at another time", tidy)
    assert house.rows("contact")[0]["interest"] == "demonstration"


def test_a_need_that_was_said_before_stays_a_need(house: House, mail: Mail) -> None:
    house.http.post(f"{mail.wish}/need")
    house.http.post(page_of(mail), data={"slot": "1"})
    (contact,) = house.rows("contact")
    assert contact["interest"] == "need"
    assert contact["interest_because"].startswith("Chose ")


@pytest.mark.parametrize("form", [{}, {"slot": "4"}, {"slot": "0"}, {"slot": "one"}, {"words": " \n "}])
def test_what_says_nothing_is_asked_again_and_changes_nothing(
    lite: House, lite_mail: Mail, form: dict[str, str]
) -> None:
    before = lite.everything()
    answer = lite.http.post(page_of(lite_mail), data=form)
    assert answer.status_code == 422
    assert "Please pick a time that is still to come" in answer.text
    assert lite.everything() == before


def test_times_that_have_passed_are_not_offered_any_more(lite: House, lite_mail: Mail) -> None:
    times = times_of(lite, lite_mail)
    lite.clock.step_to(times[0])
    page = lite.http.get(offered(lite_mail)[0][0])
    assert re.findall(r'<button name="slot" value="(\d)"', page.text) == ["2", "3"]
    assert lite.http.post(page_of(lite_mail), data={"slot": "1"}).status_code == 422
    lite.clock.step_to(times[2])
    page = lite.http.get(page_of(lite_mail))
    assert "These times have passed" in page.text
    assert "<textarea" in page.text


def test_nobody_changes_their_mind_for_ever(lite: House, lite_mail: Mail) -> None:
    for number in range(11):
        answer = lite.http.post(page_of(lite_mail), data={"slot": str(number % 2 + 1)})
    assert answer.status_code == 409
    assert len(bookings(lite)) == len(notes(lite)) == 10


def test_whoever_left_is_heard_but_not_promised_mail(lite: House, lite_mail: Mail) -> None:
    with lite.app.database.writing() as session:
        opt_out(session, lite_mail.address_hash, how="a test", now=lite.clock.now())
    answer = lite.http.post(page_of(lite_mail), data={"slot": "1"})
    assert "please write to us (dana@acme.example)" in words(answer)
    assert len(bookings(lite)) == 1


def test_a_test_mail_shows_the_page_and_changes_nobody(house: House) -> None:
    test = house.send(None)
    before = house.everything()
    assert "test mail" in words(house.http.get(page_of(test)))
    assert "nothing was noted" in words(house.http.post(page_of(test), data={"slot": "1"}))
    assert house.everything() == before


def test_only_the_token_of_this_very_purpose_opens_the_page(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    token = page_of(lite_mail).removeprefix("/meet/")
    for wrong in (lite_mail.wish.removeprefix("/wish/"), lite_mail.view.removeprefix("/view/"), token[:-1], "x"):
        assert lite.http.get(f"/meet/{wrong}").status_code == 404
        assert lite.http.post(f"/meet/{wrong}", data={"slot": "1"}).status_code == 404
    assert lite.everything() == before


def test_the_page_of_an_erased_person_is_gone(house: House) -> None:
    mail = send(house)
    contact = next(iter(house.rows("contact")))
    with house.app.database.reading() as session:
        from nurture.contacts.store import Contact

        person = session.get_one(Contact, contact["id"])
    house.erase(person)
    assert house.http.get(page_of(mail)).status_code == 410
    assert house.http.post(page_of(mail), data={"slot": "1"}).status_code == 410


def test_the_clock_of_the_house_is_in_utc_so_that_times_are_kept_without_doubt(lite: House, lite_mail: Mail) -> None:
    assert all(at.tzinfo is not None and at.utcoffset() == UTC.utcoffset(None) for at in times_of(lite, lite_mail))


def test_the_page_is_as_strict_as_every_other(lite: House, lite_mail: Mail) -> None:
    for answer in (lite.http.get(page_of(lite_mail)), lite.http.post(page_of(lite_mail), data={"slot": "1"})):
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
        assert not re.search(r"<script|\sstyle=|\son\w+=|javascript:", answer.text)


def test_a_mail_that_offers_no_times_may_not_speak_of_them(lite: House) -> None:
    path = lite.app.folder / "campaigns/sequences/evaluators.yaml"
    path.write_text(
        "format: 1\nsequence: evaluators\ntopic: insights\nsteps:\n"
        '  - {id: report, send: meet, subject: "Half an hour?", kind: ask}\n',
        encoding="utf-8",
    )
    [problem] = [one for one in lite.app.read_files().problems if one.severity == "error"]
    assert (problem.code, problem.message) == ("NS230", 'nothing called "meeting" is known about the mail.')


pytestmark = pytest.mark.filterwarnings("default:NO CHROMIUM")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_the_page_fits_and_can_be_used_at_every_size(
    browser: Browser, lite: House, lite_mail: Mail, width: int, scheme: Scheme
) -> None:
    with looking_at(browser, lite, width, scheme) as page:
        page.goto(page_of(lite_mail))
        check_fit(page, width)
        page.goto(offered(lite_mail)[1][0])
        check_fit(page, width)
        with page.expect_navigation():
            page.get_by_role("button", name="Yes, ").press("Enter")
        check_fit(page, width)
        page.get_by_label("None of these suits?").fill("On Friday at noon, Berlin time")
        with page.expect_navigation():
            page.get_by_role("button", name="Send").press("Enter")
        check_fit(page, width)
        assert "You wrote: “On Friday at noon, Berlin time”." in page.inner_text("main")
    assert len(bookings(lite)) == 2
