"""A new address is confirmed by mails first: to the address on file and to the new one, for an hour, once."""

import re
from html import unescape

import pytest

from tests.web.houses import House, Mail, words

NEW = "ana.new@elsewhere.example"


def letters(house: House) -> list[dict[str, object]]:
    rows = [row for row in house.rows("delivery") if row["campaign"] == "service:request"]
    return sorted(rows, key=lambda row: str(row["key"]))


def links(house: House) -> list[str]:
    """The pages behind the mails that wait: of the address on file, then of the new one."""
    return [re.sub(r"^https?://[^/]+", "", row["facts"]["mail"]["url"]) for row in letters(house)]  # type: ignore[index]  # JSON


def ask(house: House, mail: Mail, **form: str) -> str:
    answer = house.http.post(mail.preferences, data=form)
    assert answer.status_code == 200
    return words(answer)


def email_of(house: House) -> str:
    return str(house.rows("contact")[0]["email"])


def test_a_new_address_holds_once_both_addresses_confirmed_it(house: House, mail: Mail) -> None:
    said = ask(house, mail, ask="address", address=NEW)
    assert "We are writing to a…@reader.example and to the new address" in said
    assert [(row["purpose"], row["contact_id"] is None) for row in letters(house)] == [
        ("service", False),
        ("service", True),
    ]
    old, new = links(house)
    assert "Send our mails to a…@elsewhere.example from now on?" in words(house.http.get(old))
    assert "half is done" in words(house.http.post(old))
    assert email_of(house) == "ana@reader.example"
    assert "Our mails go to a…@elsewhere.example from now on" in words(house.http.post(new))
    assert email_of(house) == NEW
    assert house.rows("newcomer") == []


def test_the_page_shows_no_address_in_full_and_neither_do_the_mails(house: House, mail: Mail) -> None:
    said = ask(house, mail, ask="address", address=NEW)
    for text in (
        said,
        *(house.http.get(link).text for link in links(house)),
        str([row["facts"] for row in letters(house)]),
    ):
        assert NEW not in text
        assert "ana@reader.example" not in text


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_at_the_confirmation_changes_nothing(house: House, mail: Mail, method: str) -> None:
    """Rule 30: scanners follow every link."""
    ask(house, mail, ask="address", address=NEW)
    before = house.everything()
    for link in links(house) * 3:
        house.http.request(method, link)
    assert house.everything() == before


def test_a_link_is_good_for_an_hour_and_for_one_press(house: House, mail: Mail) -> None:
    ask(house, mail, ask="address", address=NEW)
    old, new = links(house)
    house.http.post(old)
    again = house.http.post(old)
    assert (again.status_code, "used already" in words(again)) == (410, True)
    house.step(minutes=60)
    for answer in (house.http.get(new), house.http.post(new)):
        assert (answer.status_code, "good for an hour" in words(answer)) == (410, True)
    assert email_of(house) == "ana@reader.example"


def test_the_new_address_alone_moves_nobody(house: House, mail: Mail) -> None:
    """Whoever holds a forwarded newsletter and their own inbox cannot take somebody's mail over."""
    ask(house, mail, ask="address", address=NEW)
    assert "half is done" in words(house.http.post(links(house)[1]))
    assert email_of(house) == "ana@reader.example"


def test_an_address_of_another_contact_is_not_taken(house: House, mail: Mail) -> None:
    house.add_contact("bo@reader.example")
    said = ask(house, mail, ask="address", address="bo@reader.example")
    assert "We are writing to" in said, "the page does not tell who is known"
    for link in links(house):
        answer = house.http.post(link)
    assert (answer.status_code, "nothing was changed" in words(answer)) == (409, True)
    assert sorted(str(row["email"]) for row in house.rows("contact")) == ["ana@reader.example", "bo@reader.example"]


def test_what_is_no_address_is_said_kindly_and_nobody_is_written_to(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    answer = lite.http.post(lite_mail.preferences, data={"ask": "address", "address": "no address"})
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    assert lite.everything() == before


def test_nobody_fills_somebodys_inbox_with_our_mails(lite: House, lite_mail: Mail) -> None:
    said = [ask(lite, lite_mail, ask="address", address=f"a{number}@elsewhere.example") for number in range(6)]
    assert len(letters(lite)) == 2 * 4
    assert "Enough mails of this kind went out today" in said[-1]


def test_a_typed_address_is_forgotten_a_day_later(lite: House, lite_mail: Mail) -> None:
    ask(lite, lite_mail, ask="address", address=NEW)
    lite.step(days=2)
    ask(lite, lite_mail, ask="address", address="other@elsewhere.example")
    assert [row["email"] for row in lite.rows("newcomer")] == ["other@elsewhere.example"]


def test_the_letter_is_in_the_language_of_the_page(lite: House, lite_mail: Mail) -> None:
    lite.http.post(f"{lite_mail.preferences}?language=fr", data={"ask": "address", "address": NEW})
    assert {row["mail"] for row in letters(lite)} == {"request.fr"}


def test_the_data_are_handed_out_once_and_only_to_the_address_on_file(house: House, mail: Mail) -> None:
    """GDPR 15, 20 [88]: machine-readable, with everything; [94] and one line in the log of who exported."""
    house.http.post(f"{mail.wish}/information")
    assert "We are writing to a…@reader.example." in ask(house, mail, ask="download")
    (link,) = links(house)
    assert "Get everything we know about you?" in words(house.http.get(link))
    answer = house.http.post(link)
    assert answer.headers["content-disposition"] == 'attachment; filename="your-data.json"'
    assert answer.json()["email"] == "ana@reader.example"
    assert {one["table"] for one in answer.json()["kept"]} >= {"contact", "consent_event", "delivery", "activity"}
    again = house.http.post(link)
    assert (again.status_code, "used already" in words(again)) == (410, True)
    assert [row["what"] for row in house.rows("audit_entry")] == ["exported"]


def test_everything_about_somebody_is_deleted_only_after_the_mail_to_them(house: House, mail: Mail) -> None:
    """GDPR 17 [87]: only the hash stays, so that the address is never mailed again."""
    assert "We are writing to a…@reader.example." in ask(house, mail, ask="erase")
    assert len(house.rows("contact")) == 1
    (link,) = links(house)
    assert "Delete everything about a…@reader.example?" in words(house.http.get(link))
    assert "Everything about you is deleted" in words(house.http.post(link))
    assert house.rows("contact") == []
    assert [(one, reason) for one, reason, _ in house.suppressions()] == [(mail.address_hash, "erased")]
    assert house.http.get(link).status_code == 410
    assert house.http.post(link).status_code == 410


def test_a_changed_token_opens_nothing(lite: House, lite_mail: Mail) -> None:
    ask(lite, lite_mail, ask="address", address=NEW)
    link = links(lite)[0]
    before = lite.everything()
    token = link.removeprefix("/request/")
    for at in range(len(token)):
        wrong = f"{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}"
        assert lite.http.post(f"/request/{wrong}").status_code == 404
    assert lite.everything() == before
    assert unescape(link) == link
