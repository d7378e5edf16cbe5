"""The question of a mail: following an answer says nothing, one press says it, and nobody is asked twice."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nurture.consent.suppressions.actions import opt_out
from nurture.database.engine import Database
from tests.web.houses import House, Mail, running_house, words

QUESTIONS = """\
format: 1
questions:
  timing:
    text: When does it have to work?
    sets: timing
    answers:
      - {label: This quarter, value: "yes"}
      - {label: Größer & später, value: "no"}
    translations:
      de: {text: Bis wann muss es laufen?, answers: [In diesem Quartal, Später]}
  size:
    text: How many are you?
    sets: company_size
    answers: [{label: Fewer than 50, value: 20}, {label: 50 or more, value: 100}]
"""
LETTER = """\
<mjml><mj-head><mj-title>Report</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Hello, here is <a href="https://acme.example/report">the report</a>.</mj-text>
{{ question("timing", "size") }}
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
PART = Path(__file__).parents[2] / "templates" / "parts" / "question.mjml"


@pytest.fixture
def asking(database: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    """A house whose one letter asks a question."""
    files = {
        "campaigns/questions.yaml": QUESTIONS,
        "templates/report.mjml": LETTER,
        "templates/parts/question.mjml": PART.read_text(encoding="utf-8"),
    }
    with running_house(tmp_path / "house", database.url, now, files=files) as made:
        yield made


def links(mail: Mail) -> list[str]:
    return [link for link in mail.every_link() if link.startswith("/answer/")]


def answers(house: House) -> list[tuple[str, str, str]]:
    """Question, answer and who said it, as the history has them."""
    rows = [row for row in house.rows("activity") if row["kind"] == "answer"]
    return [(row["place"], row["link_label"], row["actor"]) for row in sorted(rows, key=lambda row: row["id"])]


def only_contact(house: House) -> dict[str, Any]:
    (contact,) = house.rows("contact")
    return contact


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_following_every_answer_changes_nothing(asking: House, method: str) -> None:
    mail = asking.send(asking.add_contact())
    before = asking.everything()
    for link in links(mail) * 3:
        answer = asking.http.request(method, link)
        assert answer.status_code == (405 if method == "OPTIONS" else 200)
        assert answer.text.count("<button") == (1 if method == "GET" else 0)
    assert len(links(mail)) == 2
    assert asking.everything() == before


def test_one_press_is_their_own_word_whether_they_are_tracked_or_not(asking: House, now: datetime) -> None:
    mail = asking.send(asking.add_contact(country="DE"))  # where nobody is tracked without having agreed
    assert "Your answer is noted" in asking.http.post(links(mail)[1]).text
    contact = only_contact(asking)
    assert contact["timing"] == "no"
    said = contact["ability_said"]["timing"]
    assert (said["by"], said["at"]) == ("themselves", now.isoformat())
    assert answers(asking) == [("timing", "größer & später", "person")]
    assert [(row["field"], row["after"]) for row in asking.rows("contact_change") if row["field"] == "timing"] == [
        ("timing", "no")
    ]
    assert {row["reader"] for row in asking.rows("changed_contact")} >= {"scoring", "sequences"}


def test_pressing_again_says_nothing_new_and_another_answer_takes_its_place(asking: House) -> None:
    mail = asking.send(asking.add_contact())
    for _ in range(3):
        asking.http.post(links(mail)[0])
    assert answers(asking) == [("timing", "this quarter", "person")]
    asking.step(hours=1)
    asking.http.post(links(mail)[1])
    assert only_contact(asking)["timing"] == "no"
    assert [answer for _, answer, _ in answers(asking)] == ["this quarter", "größer & später"]


def test_whoever_a_mail_was_forwarded_to_learns_no_answer_and_sees_whose_it_would_be(asking: House) -> None:
    mail = asking.send(asking.add_contact())
    asking.http.post(links(mail)[0])
    first, second = (asking.http.get(link) for link in links(mail))
    for page in (first, second):
        assert "It counts for a…@reader.example." in words(page)
        assert "You have answered this before" in words(page)
        assert "ana@" not in page.text
        assert page.text.count("<button") == 1


def test_what_is_answered_is_not_asked_again_and_then_nothing_is(asking: House) -> None:
    contact = asking.add_contact()
    first = asking.send(contact)
    assert "When does it have to work?" in first.html
    asking.http.post(links(first)[0])
    second = asking.send(contact, key="second")
    assert "How many are you?" in second.html
    asking.http.post(links(second)[1])
    assert only_contact(asking)["fields"]["company_size"] == 100
    third = asking.send(contact, key="third")
    assert links(third) == []
    assert "How many are you?" not in third.html


def test_what_is_known_of_somebody_is_not_asked(asking: House) -> None:
    mail = asking.send(asking.add_contact(fields={"company_size": 7}, timing="yes"))
    assert links(mail) == []


def test_a_test_mail_shows_the_page_and_changes_nobody(asking: House) -> None:
    mail = asking.send(None)
    before = asking.everything()
    assert "test mail" in words(asking.http.get(links(mail)[0]))
    assert "nothing was noted" in words(asking.http.post(links(mail)[0]))
    assert asking.everything() == before


def test_the_page_speaks_the_language_that_is_chosen_on_it(asking: House) -> None:
    mail = asking.send(asking.add_contact())
    page = words(asking.http.get(f"{links(mail)[0]}?language=de"))
    assert "Bis wann muss es laufen?" in page
    assert "In diesem Quartal" in page
    asking.http.post(f"{links(mail)[0]}?language=de")
    assert answers(asking) == [("timing", "this quarter", "person")]


def test_a_link_that_is_not_ours_says_so_and_one_of_an_erased_person_reveals_nothing(asking: House) -> None:
    contact = asking.add_contact()
    mail = asking.send(contact)
    assert asking.http.post(links(mail)[0].replace("/1", "/9")).status_code == 404
    assert asking.http.post("/answer/AAAA/1").status_code == 404
    wish = links(mail)[0].replace("/answer/", "/wish/").replace("/1", "/need")
    assert asking.http.post(wish).status_code == 404
    asking.erase(contact)
    gone = asking.http.post(links(mail)[0])
    assert gone.status_code == 410
    assert "reader.example" not in gone.text


def test_who_has_left_may_answer_and_is_told_that_no_mail_will_come(asking: House) -> None:
    mail = asking.send(asking.add_contact())
    with asking.app.database.writing() as session:
        opt_out(session, mail.address_hash, how="a test", now=asking.clock.now())
    assert "You left our mails earlier" in words(asking.http.post(links(mail)[0]))
    assert answers(asking) == [("timing", "this quarter", "person")]


def test_nobody_changes_their_answer_without_end(asking: House) -> None:
    mail = asking.send(asking.add_contact())
    codes = [asking.http.post(links(mail)[number % 2]).status_code for number in range(12)]
    # The last one says what they said last, which is no change.
    assert codes == [200] * 10 + [409, 200]
