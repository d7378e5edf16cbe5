"""The way out: RFC 8058 and RFC 2369 as mail clients and people use them. The numbers in brackets name the rules."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from nurture.consent.identity.actions import change_address
from nurture.consent.suppressions.actions import come_back, opt_out, suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts.addresses import read_address
from nurture.contacts.history.rules import Author
from nurture.contacts.store import Contact
from nurture.delivery.urls import Via, leave_url
from tests.support.schema import METADATA
from tests.web.houses import House, Mail, words

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def how_they_left(house: House) -> list[str]:
    return [row["how"] for row in house.rows("consent_event") if row["what"] == "opted_out"]


def test_the_one_click_post_opts_out_at_once_without_cookie_login_or_referrer(house: House, mail: Mail) -> None:
    """RFC 8058, 3.1 [27, 29]."""
    answer = house.http.post(mail.header_leave, data=ONE_CLICK)
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert house.suppressions() == [(mail.address_hash, "opt_out", True)]
    assert how_they_left(house) == ["one-click header"]


def test_a_multipart_body_opts_out_as_well(house: House, mail: Mail) -> None:
    """RFC 8058, 3.2 [28]."""
    answer = house.http.post(mail.header_leave, files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.request.headers["content-type"].startswith("multipart/form-data")
    assert answer.status_code == 200
    assert house.has_left(mail)
    assert how_they_left(house) == ["one-click header"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", None),
        (b"", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click", "text/plain"),
        (b"\xff\xfe%zz&&==", "application/x-www-form-urlencoded"),
        (b"--wrong", "multipart/form-data; boundary=right"),
        (b"--x", "multipart/form-data"),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
    ],
)
def test_whatever_the_body_is_a_post_to_the_way_out_is_a_wish_to_leave(
    lite: House, lite_mail: Mail, content: bytes, kind: str | None
) -> None:
    """RFC 8058, 3.1 [27]: the address alone says who leaves."""
    answer = lite.http.post(lite_mail.header_leave, content=content, headers={"content-type": kind} if kind else {})
    assert answer.status_code == 200
    assert lite.has_left(lite_mail)
    assert how_they_left(lite) == ["one-click header"]


def test_the_button_of_the_page_opts_out_and_says_for_whom(house: House, mail: Mail) -> None:
    """GDPR 7(3), 21(2) [86]: one press, at once, nothing asked."""
    answer = house.http.post(mail.leave, data={"leave": "yes"})
    assert answer.status_code == 200
    assert "a…@reader.example won’t hear from us again." in words(answer)
    assert "ana@reader.example" not in answer.text
    assert "until 9 April 2026" in answer.text
    assert how_they_left(house) == ["page"]


def test_leaving_twice_is_the_same_as_leaving_once(house: House, mail: Mail) -> None:
    """RFC 8058 [31]: the POST may be repeated."""
    first = house.http.post(mail.header_leave, data=ONE_CLICK)
    house.step(days=3)
    second = house.http.post(mail.header_leave, data=ONE_CLICK)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert len(how_they_left(house)) == 1


def test_the_answer_does_not_tell_whether_the_address_is_known(house: House, mail: Mail) -> None:
    """Rule 31: a contact, somebody who left, and somebody who was erased get the same bytes."""
    known = house.http.post(mail.header_leave, data=ONE_CLICK)
    contact = house.add_contact("bo@reader.example")
    other = house.send(contact)
    house.erase(contact)
    erased = house.http.post(other.header_leave, data=ONE_CLICK)
    nobody = leave_url(house.app.keys, "", Via.HEADER, 77, house.app.hasher.hash("nobody@reader.example"))
    unknown = house.http.post(nobody, data=ONE_CLICK)
    assert known.content == erased.content == unknown.content
    assert known.status_code == erased.status_code == unknown.status_code == 200
    assert house.has_left(other)


def test_the_page_still_works_for_somebody_who_was_erased(house: House) -> None:
    contact = house.add_contact("bo@reader.example")
    other = house.send(contact)
    house.erase(contact)
    assert "Stop all mail to your address" in house.http.get(other.leave).text
    answer = house.http.post(other.leave, data={"leave": "yes"})
    assert "Your address won’t hear from us again." in answer.text
    assert house.has_left(other)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_page_changes_nothing(house: House, mail: Mail, method: str) -> None:
    """RFC 8058, 1 [30]."""
    before = house.everything()
    for _ in range(3):
        for link in (mail.leave, mail.header_leave):
            answer = house.http.request(method, link)
            assert answer.status_code == 200
    assert house.everything() == before


def test_the_page_shows_the_masked_address_and_one_button(lite: House, lite_mail: Mail) -> None:
    answer = lite.http.get(lite_mail.leave)
    assert "Stop all mail to a…@reader.example" in words(answer)
    page = answer.text
    assert "ana@reader.example" not in page
    assert page.count("<button") == 1
    assert "Acme, 12 Example Street, Berlin" in page


def test_other_methods_are_told_which_ones_there_are(lite: House, lite_mail: Mail) -> None:
    """Rule 30: OPTIONS and its kin change nothing."""
    before = lite.everything()
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH"):
        answer = lite.http.request(method, lite_mail.leave)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, POST"
    assert lite.everything() == before


def test_a_changed_token_opens_nothing(lite: House, lite_mail: Mail) -> None:
    """Rule 27: flip any one character, and it is no longer ours."""
    lite.http.get("/")  # the connection is open before the many requests
    before = lite.everything()
    token = lite_mail.leave.removeprefix("/u/")
    for at, character in enumerate(token):
        wrong = f"{token[:at]}{'A' if character != 'A' else 'B'}{token[at + 1 :]}"
        answer = lite.http.post(f"/u/{wrong}", data=ONE_CLICK)
        assert answer.status_code == 404
        assert "answer the mail with the one word" in answer.text
    for wrong in (token[:-1], token + "A", token + "=", token.swapcase(), ""):
        assert lite.http.post(f"/u/{wrong}", data=ONE_CLICK).status_code in {404, 405}
    assert lite.everything() == before


def test_a_token_for_one_door_opens_no_other(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    for other in (lite_mail.preferences, lite_mail.view, lite_mail.track):
        token = other.rpartition("/")[2]
        assert lite.http.post(f"/u/{token}", data=ONE_CLICK).status_code == 404
    leave = lite_mail.leave.removeprefix("/u/")
    for path in (f"/preferences/{leave}", f"/view/{leave}", f"/wish/{leave}/need", f"/c/{leave}/0"):
        assert lite.http.get(path).status_code == 404
    assert lite.everything() == before


def test_an_opt_out_can_be_undone_for_thirty_days(house: House, mail: Mail) -> None:
    house.http.post(mail.leave, data={"leave": "yes"})
    page = house.http.get(mail.leave)
    assert "a…@reader.example won’t hear from us again." in words(page)
    assert page.text.count("<button") == 1
    house.step(days=29)
    answer = house.http.post(mail.leave, data={"undo": "yes"})
    assert answer.status_code == 200
    assert "a…@reader.example hears from us again" in words(answer)
    assert house.suppressions() == [(mail.address_hash, "opt_out", False)]
    assert [row["what"] for row in house.rows("consent_event")][-1] == "undone"


def test_after_thirty_days_the_page_says_kindly_what_else_helps(house: House, mail: Mail) -> None:
    house.http.post(mail.leave, data={"leave": "yes"})
    house.step(days=31)
    assert "<button" not in house.http.get(mail.leave).text
    answer = house.http.post(mail.leave, data={"undo": "yes"})
    assert answer.status_code == 409
    assert "sign up as you did the first time" in answer.text
    assert house.suppressions() == [(mail.address_hash, "opt_out", True)]


def test_nobody_with_another_mail_undoes_what_was_said_here_or_told_us(house: House, mail: Mail) -> None:
    """Newsletters get forwarded, and an opt-out may have come by the telephone."""
    with house.app.database.writing(durable=True) as session:
        opt_out(session, mail.address_hash, how="command line", now=house.clock.now())
    assert "<button" not in house.http.get(mail.leave).text
    assert house.http.post(mail.leave, data={"undo": "yes"}).status_code == 409
    assert house.suppressions() == [(mail.address_hash, "opt_out", True)]


def test_who_said_no_once_more_elsewhere_is_not_brought_back_by_whoever_holds_the_first_mail(
    house: House, mail: Mail
) -> None:
    """A forwarded newsletter: its holder leaves for fun, the reader calls and says no, the holder undoes."""
    house.http.post(mail.leave, data={"leave": "yes"})
    house.step(days=1)
    with house.app.database.writing() as session:
        assert not opt_out(session, mail.address_hash, how="command line", now=house.app.clock.now())
    house.http.post(mail.leave, data={"leave": "yes"})
    assert house.http.post(mail.leave, data={"undo": "yes"}).status_code == 409
    assert house.has_left(mail)
    assert how_they_left(house) == ["page", "command line"]


def test_undoing_lifts_no_complaint_and_says_that_no_mail_will_come(house: House, mail: Mail) -> None:
    with house.app.database.writing() as session:
        suppress(session, mail.address_hash, SuppressionReason.COMPLAINT, how="a test", now=house.clock.now())
    house.http.post(mail.leave, data={"leave": "yes"})
    answer = house.http.post(mail.leave, data={"undo": "yes"})
    assert "no mail will come" in answer.text
    with house.app.database.reading() as session:
        standing = suppressions_of(session, [mail.address_hash])[mail.address_hash]
    assert set(standing) == {"complaint"}


def test_the_link_of_an_old_mail_still_works(house: House, mail: Mail) -> None:
    """CAN-SPAM, 16 CFR 316, and CASL [83, 84]: at least 60 days; ours do not end, even when the mail was deleted."""
    house.step(days=400)
    deliveries = METADATA.tables["delivery"]
    with house.app.database.writing() as session:
        session.execute(deliveries.delete())
    assert house.http.get(mail.leave).status_code == 200
    assert house.http.post(mail.leave, data={"leave": "yes"}).status_code == 200
    assert house.has_left(mail)


def test_undoing_what_never_happened_changes_nothing(house: House, mail: Mail) -> None:
    before = house.everything()
    assert house.http.post(mail.leave, data={"undo": "yes"}).status_code == 200
    assert house.everything() == before


def test_a_test_mail_shows_the_same_page_and_changes_nobody(house: House) -> None:
    test = house.send(None)
    before = house.everything()
    page = house.http.get(test.leave)
    assert page.status_code == 200
    assert "test mail" in page.text
    assert "<button" in page.text
    for form in (ONE_CLICK, {"leave": "yes"}, {"undo": "yes"}):
        answer = house.http.post(test.header_leave, data=form)
        assert answer.status_code == 200
        assert "nobody was changed" in answer.text
    assert house.everything() == before


def test_an_opt_out_waits_for_a_long_write_transaction_and_then_works(house: House, mail: Mail) -> None:
    """On SQLite that transaction holds the lock of the whole file, on PostgreSQL that of the contact."""
    answers: list[httpx2.Response] = []
    with house.app.database.writing() as session:
        suppress(session, mail.address_hash, SuppressionReason.MANUAL, how="a test", now=house.clock.now())
        thread = threading.Thread(target=lambda: answers.append(house.http.post(mail.header_leave, data=ONE_CLICK)))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        # Meanwhile nobody who only looks has to wait.
        with httpx2.Client(base_url=house.server.url, timeout=5) as other:
            assert other.get(mail.leave).status_code == 200
            assert other.get(mail.click(0)).status_code == 302
    thread.join(30)
    assert [answer.status_code for answer in answers] == [200]
    assert house.has_left(mail)


def test_many_at_once_leave_once(house: House, mail: Mail) -> None:
    def leave(number: int) -> int:
        link = mail.header_leave if number % 2 else mail.leave
        return house.http.post(link, data=ONE_CLICK).status_code

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(leave, range(24))) == {200}
    assert house.suppressions() == [(mail.address_hash, "opt_out", True)]
    assert len(how_they_left(house)) == 1


def test_who_came_back_under_a_new_address_leaves_by_an_old_mail_and_takes_that_back(
    lite: House, lite_mail: Mail
) -> None:
    """The old address is still on the list, and says nothing about the one we write to."""
    lite.http.post(lite_mail.header_leave, data=ONE_CLICK)
    contact = lite_mail.contact_id
    with lite.app.database.writing() as session:
        ana = session.get_one(Contact, contact)
        new = read_address("ana@new.example")
        change_address(session, ana, new, lite.app.hasher, lite.app.clock.now(), Author("a test"))
        come_back(session, ana.address_hash, how="signed up again", now=lite.app.clock.now())
        new_hash = ana.address_hash
    lite.step(minutes=1)

    def is_off() -> bool:
        with lite.app.database.reading() as session:
            return bool(suppressions_of(session, [new_hash]))

    assert not is_off()
    page = lite.http.get(lite_mail.leave).text
    assert 'name="leave"' in page, "a way out"
    lite.http.post(lite_mail.leave, data={"leave": "yes"})
    assert is_off()
    assert 'name="undo"' in lite.http.get(lite_mail.leave).text
    lite.http.post(lite_mail.leave, data={"undo": "yes"})
    assert not is_off(), "they were told that it was taken back"
