"""The mail in a browser: the bytes that were sent, behind a policy of their own."""

import re

from nurture.contacts.actions import change_contact
from tests.web.houses import House, Mail


def test_the_mail_is_shown_as_it_was_sent(lite: House, lite_mail: Mail) -> None:
    answer = lite.http.get(lite_mail.view)
    assert answer.status_code == 200
    assert answer.text.split() == lite_mail.html.split()


def test_the_links_are_those_of_the_mail(lite: House, lite_mail: Mail) -> None:
    shown = re.findall(r'href="([^"]+)"', lite.http.get(lite_mail.view).text)
    assert shown == re.findall(r'href="([^"]+)"', lite_mail.html)
    assert f"{lite.app.settings.web.base_url}{lite_mail.click(0)}" in shown


def test_it_stays_as_it_was_when_the_contact_changes(lite: House, lite_mail: Mail) -> None:
    before = lite.http.get(lite_mail.view).text
    assert "Hello Ana" in before
    contact = lite.add_contact("bo@reader.example", first_name="Bo")
    other = lite.send(contact)
    with lite.app.database.writing() as session:
        change_contact(session, contact, {"first_name": "Beatrice"}, lite.clock.now())
    assert "Hello Bo" in lite.http.get(other.view).text


def test_a_mail_may_show_pictures_and_styles_and_nothing_else(lite: House, lite_mail: Mail) -> None:
    policy = lite.http.get(lite_mail.view).headers["content-security-policy"]
    directives = dict(one.partition(" ")[::2] for one in policy.split("; "))
    assert directives == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "http://127.0.0.1:8000 'self' https: data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "sandbox": "allow-popups allow-popups-to-escape-sandbox",
    }


def test_looking_changes_nothing(house: House, mail: Mail) -> None:
    before = house.everything()
    for method in ("GET", "HEAD", "OPTIONS"):
        for _ in range(3):
            house.http.request(method, mail.view)
    assert house.everything() == before


def test_the_mail_of_an_erased_person_is_gone(house: House) -> None:
    contact = house.add_contact("bo@reader.example")
    mail = house.send(contact)
    house.erase(contact)
    answer = house.http.get(mail.view)
    assert answer.status_code == 410
    assert "bo@reader.example" not in answer.text


def test_a_test_mail_can_be_viewed(lite: House) -> None:
    assert "Hello Sam" in lite.http.get(lite.send(None).view).text


def test_a_changed_token_is_not_found(lite: House, lite_mail: Mail) -> None:
    token = lite_mail.view.removeprefix("/view/")
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert lite.http.get(f"/view/{wrong}").status_code == 404
