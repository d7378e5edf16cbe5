"""Less than leaving: topics and tracking, chosen on a page that acts at once."""

import pytest

from nurture.consent.actions import choose_topic
from nurture.consent.rules import ConsentPurpose
from nurture.consent.suppressions.actions import opt_out
from tests.support.schema import METADATA
from tests.web.houses import House, Mail, words

SHOWN = {"shown": ["insights", "events"], "shown_tracking": "yes"}


def states(house: House, purpose: str = ConsentPurpose.MAIL) -> dict[str, str]:
    return {row["topic"]: row["state"] for row in house.rows("consent") if row["purpose"] == purpose}


def test_the_page_shows_every_topic_with_its_label_and_what_holds_now(lite: House, lite_mail: Mail) -> None:
    answer = lite.http.get(lite_mail.preferences)
    assert "What a…@reader.example gets from us" in words(answer)
    page = answer.text
    assert "Insights" in page
    assert "Events &lt;near you&gt;" in page
    assert "Two or three a year." in page
    assert page.count(" checked") == 4  # two topics, as it comes, and tracking, which is the default in this country
    assert "ana@reader.example" not in page


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_page_changes_nothing(house: House, mail: Mail, method: str) -> None:
    before = house.everything()
    for _ in range(3):
        assert house.http.request(method, mail.preferences).status_code == 200
    assert house.everything() == before


def test_leaving_one_topic_leaves_only_that_one_and_says_so(house: House, mail: Mail) -> None:
    answer = house.http.post(mail.preferences, data={**SHOWN, "topic": "events", "tracking": "yes"})
    assert answer.status_code == 200
    assert "Your choices hold from now on" in answer.text
    assert "You no longer get Insights." in answer.text
    assert states(house) == {"insights": "withdrawn", "events": "given"}
    assert house.suppressions() == []
    event = house.rows("consent_event")[-1]
    assert (event["what"], event["topic"], event["how"]) == ("withdrawn", "insights", "preferences page")


def test_a_topic_that_was_left_can_be_taken_up_again(house: House, mail: Mail) -> None:
    house.http.post(mail.preferences, data={**SHOWN, "topic": "events", "tracking": "yes"})
    answer = house.http.post(mail.preferences, data={**SHOWN, "topic": ["events", "insights"], "tracking": "yes"})
    assert "You get Insights again." in answer.text
    assert states(house) == {"insights": "given", "events": "given"}


def test_multipart_works_as_well(house: House, mail: Mail) -> None:
    fields = [
        ("shown", "insights"),
        ("shown", "events"),
        ("topic", "events"),
        ("shown_tracking", "yes"),
        ("tracking", "yes"),
    ]
    answer = house.http.post(mail.preferences, files=[(name, (None, value)) for name, value in fields])
    assert answer.status_code == 200
    assert states(house) == {"insights": "withdrawn", "events": "given"}


def test_tracking_ends_at_once_and_begins_again_when_a_mail_confirmed_it(house: House, mail: Mail) -> None:
    both = {**SHOWN, "topic": ["events", "insights"]}
    answer = house.http.post(mail.preferences, data=both)
    assert "We no longer see which mails you open" in answer.text
    assert states(house, ConsentPurpose.TRACKING) == {"": "withdrawn"}
    house.http.get(mail.pixel)
    assert house.hits() == []
    answer = house.http.post(mail.preferences, data={**both, "tracking": "yes"})
    assert "We are writing to a…@reader.example" in words(answer)
    assert "Your choices hold" not in words(answer)
    house.http.get(mail.pixel)
    assert house.hits() == []
    (letter,) = [row for row in house.rows("delivery") if row["campaign"] == "service:request"]
    page = "/request/" + letter["facts"]["mail"]["url"].rpartition("/")[2]
    assert "May we see which mails you open" in words(house.http.get(page))
    assert "From now on we see which mails you open" in words(house.http.post(page))
    house.http.get(mail.pixel)
    assert len(house.hits()) == 1
    (given,) = [row for row in house.rows("consent_event") if (row["purpose"], row["what"]) == ("tracking", "given")]
    assert (given["how"], given["wording"]) == ("the preferences page, confirmed by mail", "Yes, you may")
    assert states(house) == {"insights": "given", "events": "given"}


def test_saving_what_holds_already_changes_nothing_and_says_so(house: House, mail: Mail) -> None:
    before = house.everything()
    answer = house.http.post(mail.preferences, data={**SHOWN, "topic": ["events", "insights"], "tracking": "yes"})
    assert "Nothing changed" in answer.text
    assert house.everything() == before


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"do=something"])
def test_a_form_that_is_not_ours_changes_nothing(house: House, mail: Mail, content: bytes) -> None:
    before = house.everything()
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert house.http.post(mail.preferences, content=content, headers=kind).status_code == 200
    assert house.everything() == before


def test_a_topic_the_form_did_not_show_is_left_alone(house: House, mail: Mail) -> None:
    house.http.post(mail.preferences, data={"shown": "insights"})
    assert states(house) == {"insights": "withdrawn", "events": "given"}
    assert states(house, ConsentPurpose.TRACKING) == {}


def test_nobody_is_signed_up_for_what_they_never_agreed_to(house: House, mail: Mail) -> None:
    table = METADATA.tables["consent"]
    with house.app.database.writing() as session:
        session.execute(table.update().where(table.c.topic == "events").values(state="refused", basis=None))
    assert "Events" not in house.http.get(mail.preferences).text
    before = house.everything()
    house.http.post(mail.preferences, data={**SHOWN, "topic": ["insights", "events", "unheard-of"], "tracking": "yes"})
    assert house.everything() == before


def test_the_one_button_for_everything_leads_through_the_way_out(house: House, mail: Mail) -> None:
    page = house.http.get(mail.preferences).text
    action = page.partition('action="')[2].partition('"')[0]
    assert action.startswith("/u/")
    answer = house.http.post(action, data={"leave": "yes"})
    assert "a…@reader.example won’t hear from us again." in words(answer)
    assert house.has_left(mail)


def test_whoever_left_everything_is_told_so_and_may_come_back(house: House, mail: Mail) -> None:
    with house.app.database.writing() as session:
        opt_out(session, mail.address_hash, how="page", now=house.clock.now(), delivery_id=mail.id)
    page = house.http.get(mail.preferences)
    assert "a…@reader.example gets no mail from us" in words(page)
    action = page.text.partition('action="')[2].partition('"')[0]
    house.http.post(action, data={"undo": "yes"})
    assert not house.has_left(mail)
    assert "What a…@reader.example gets" in words(house.http.get(mail.preferences))


def test_a_withdrawal_elsewhere_is_not_undone_by_an_old_page(house: House, mail: Mail) -> None:
    contact = house.add_contact("bo@reader.example")
    other = house.send(contact)
    with house.app.database.writing() as session:
        choose_topic(session, contact, "events", wanted=False, how="a test", now=house.clock.now())
    house.http.post(mail.preferences, data={**SHOWN, "topic": ["insights", "events"], "tracking": "yes"})
    assert "You no longer get" not in house.http.get(other.preferences).text
    mine = {row["topic"]: row["state"] for row in house.rows("consent") if row["contact_id"] == contact.id}
    assert mine == {"insights": "given", "events": "withdrawn"}


def test_a_test_mail_shows_the_page_and_changes_nobody(house: House) -> None:
    test = house.send(None)
    before = house.everything()
    page = house.http.get(test.preferences)
    assert page.status_code == 200
    assert "test mail" in page.text
    assert "Insights" in page.text
    for form in ({**SHOWN}, {"leave": "yes"}):
        assert "nobody was changed" in house.http.post(test.preferences, data=form).text
    assert house.everything() == before


def test_the_page_of_an_erased_person_is_gone(house: House) -> None:
    contact = house.add_contact("bo@reader.example")
    other = house.send(contact)
    house.erase(contact)
    before = house.everything()
    assert house.http.get(other.preferences).status_code == 410
    assert house.http.post(other.preferences, data=SHOWN).status_code == 410
    assert house.everything() == before


def test_a_changed_token_is_not_found(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    token = lite_mail.preferences.removeprefix("/preferences/")
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert lite.http.post(f"/preferences/{wrong}", data=SHOWN).status_code == 404
    assert lite.everything() == before


def test_less_often_is_one_choice_that_acts_at_once_and_is_kept_with_its_words(house: House, mail: Mail) -> None:
    """GDPR 7(1) [85]: the exact text that was shown stands in the ledger."""
    answer = house.http.post(mail.preferences, data={"frequency": "month"})
    assert "You get one mail a month at most." in words(answer)
    assert [row["at_most"] for row in house.rows("rhythm")] == ["month"]
    event = house.rows("consent_event")[-1]
    assert (event["how"], event["wording"], event["page"]) == (
        "preferences page", "At most one mail a month", "/preferences",
    )  # fmt: skip
    assert 'value="month" checked' in house.http.get(mail.preferences).text
    assert "Nothing changed" in house.http.post(mail.preferences, data={"frequency": "month"}).text
    assert "as they come" in house.http.post(mail.preferences, data={"frequency": "any"}).text
    assert house.rows("rhythm") == []


def test_a_pause_of_a_month_is_one_press_and_another_ends_it(house: House, mail: Mail) -> None:
    answer = house.http.post(mail.preferences, data={"pause": "month"})
    assert "You get no mail until 9 April 2026." in words(answer)
    assert house.rows("suppression") == []
    assert "End the pause" in house.http.get(mail.preferences).text
    assert "The pause is over" in words(house.http.post(mail.preferences, data={"pause": "end"}))
    assert "Pause for a month" in house.http.get(mail.preferences).text


@pytest.mark.parametrize("form", [{"frequency": "day"}, {"pause": "year"}, {"ask": "everything"}])
def test_what_the_page_does_not_offer_changes_nothing(lite: House, lite_mail: Mail, form: dict[str, str]) -> None:
    before = lite.everything()
    assert "Nothing changed" in lite.http.post(lite_mail.preferences, data=form).text
    assert lite.everything() == before
