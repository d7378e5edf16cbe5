"""Somebody says what they want, with one press; a scanner that follows the link says nothing."""

import pytest

from nurture.consent.suppressions.actions import opt_out
from tests.web.houses import House, Mail

KINDS = ("information", "demonstration", "need")


def wishes(house: House) -> list[str]:
    return [row["what"] for row in house.rows("activity") if row["kind"] == "wish"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_press_records_the_wish_as_their_own_word(house: House, mail: Mail, kind: str) -> None:
    answer = house.http.post(f"{mail.wish}/{kind}", data={"wish": "yes"})
    assert answer.status_code == 200
    assert "Thank you." in answer.text
    (contact,) = house.rows("contact")
    assert contact["interest"] == kind
    assert contact["interest_at"] is not None
    assert contact["interest_because"].startswith("Yes, ")
    (activity,) = house.rows("activity")
    assert (activity["kind"], activity["what"], activity["actor"]) == ("wish", kind, "person")
    assert activity["delivery_id"] == mail.id


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_following_the_link_changes_nothing(house: House, mail: Mail, method: str) -> None:
    before = house.everything()
    for kind in KINDS:
        for _ in range(3):
            answer = house.http.request(method, f"{mail.wish}/{kind}")
            assert answer.status_code == 200
            assert answer.text.count("<button") == (1 if method == "GET" else 0)
    assert house.everything() == before


def test_pressing_twice_says_it_once(house: House, mail: Mail) -> None:
    for _ in range(2):
        assert house.http.post(f"{mail.wish}/need").status_code == 200
    assert wishes(house) == ["need"]


def test_the_same_wish_months_later_is_a_new_one(house: House, mail: Mail) -> None:
    house.http.post(f"{mail.wish}/need")
    house.step(days=60)
    house.http.post(f"{mail.wish}/need")
    assert wishes(house) == ["need", "need"]


def test_a_wish_holds_what_a_sequence_had_queued_until_it_has_looked(house: House, mail: Mail) -> None:
    house.queue_next(mail)
    house.http.post(f"{mail.wish}/demonstration")
    queued = next(row for row in house.rows("delivery") if row["key"] == "next")
    assert (queued["status"], queued["because"]) == ("held", "recheck")
    assert {row["reader"] for row in house.rows("changed_contact")} >= {"scoring", "sequences"}


def test_whoever_left_is_heard_but_not_promised_mail(house: House, mail: Mail) -> None:
    with house.app.database.writing() as session:
        opt_out(session, mail.address_hash, how="a test", now=house.clock.now())
    answer = house.http.post(f"{mail.wish}/demonstration")
    assert "please write to us (dana@acme.example)" in answer.text
    assert wishes(house) == ["demonstration"]


def test_an_unknown_kind_or_token_is_not_found(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    assert lite.http.post(f"{lite_mail.wish}/everything").status_code == 404
    token = lite_mail.wish.removeprefix("/wish/")
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert lite.http.post(f"/wish/{wrong}/need").status_code == 404
    assert lite.everything() == before


def test_a_test_mail_shows_the_page_and_changes_nobody(house: House) -> None:
    test = house.send(None)
    before = house.everything()
    assert "test mail" in house.http.get(f"{test.wish}/need").text
    assert "nothing was noted" in house.http.post(f"{test.wish}/need").text
    assert house.everything() == before


def test_the_page_of_an_erased_person_is_gone(house: House) -> None:
    contact = house.add_contact("bo@reader.example")
    mail = house.send(contact)
    house.erase(contact)
    assert house.http.get(f"{mail.wish}/need").status_code == 410
    assert house.http.post(f"{mail.wish}/need").status_code == 410
    assert wishes(house) == []
