"""The pixel and the links: the real thing for everybody, taken down for people who may be tracked, safe for all."""

import logging
import threading
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.consent.actions import choose_tracking
from nurture.consent.recording.rules import Mode
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.web.tracked import read_destination
from tests.support.workspaces import SETTINGS
from tests.web.houses import LINK_COUNT, TOPICS, House, Mail, running_house

SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0",
    "",
    "curl/8.5.0",
    "python-requests/2.32",
    "Go-http-client/1.1",
    "Mozilla/5.0 (compatible; bingbot/2.0)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Barracuda Sentinel (EE)",
)


BROWSER = {"user-agent": SCANNERS[0]}  # nothing gives it away

#: What every link of the mail says about it; its number comes behind.
UTM = "utm_source=nurture&utm_medium=email&utm_campaign=evaluators&utm_content=report"


def test_the_pixel_is_43_bytes_and_never_cached(lite: House, lite_mail: Mail) -> None:
    answer = lite.http.get(lite_mail.pixel)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert answer.content[:6] == b"GIF89a"
    assert len(answer.content) == 43
    assert "no-store" in answer.headers["cache-control"]
    (hit,) = lite.hits()
    assert (hit["kind"], hit["delivery_id"], hit["link"], hit["ip"]) == ("open", lite_mail.id, None, "127.0.0.1")


def test_a_bad_token_gets_the_same_pixel_and_leaves_no_trace(lite: House, lite_mail: Mail) -> None:
    good = lite.http.get(lite_mail.pixel)
    lite.hits()
    token = lite_mail.pixel.removeprefix("/o/").removesuffix(".gif")
    for wrong in (
        f"{token[:-1]}{chr(ord(token[-1]) ^ 1)}",
        token[1:],
        "",
        "%00",
        "..%2Fetc%2Fpasswd",
        lite_mail.leave.removeprefix("/u/"),
    ):
        answer = lite.http.get(f"/o/{wrong}.gif")
        assert (answer.status_code, answer.content) == (200, good.content)
        assert set(answer.headers) == set(good.headers)
    assert len(lite.hits()) == 1


def test_a_link_leads_where_the_published_mail_says(house: House, mail: Mail) -> None:
    answer = house.http.get(mail.click(0))
    assert answer.status_code == 302
    assert answer.headers["location"] == f"https://acme.example/report?{UTM}-1"
    assert answer.headers["cache-control"] == "no-store"
    (hit,) = house.hits()
    assert (hit["kind"], hit["link"], hit["link_label"], hit["link_path"]) == ("click", 0, "the report", "/report")


def test_a_link_that_holds_the_address_leads_to_it(house: House, mail: Mail) -> None:
    answer = house.http.get(mail.click(1))
    assert answer.headers["location"] == f"https://acme.example/hello?to=ana%40reader.example&{UTM}-2"


def test_a_difficult_destination_is_encoded_once(lite: House, lite_mail: Mail) -> None:
    location = lite.http.get(lite_mail.click(2)).headers["location"]
    assert location == f"https://xn--bcher-kva.example/stra%C3%9Fe?a=1&b=%20%26&c=%C3%BC&{UTM}-3#part"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "PROPFIND"])
def test_every_method_gets_the_real_answer_and_is_taken_down_as_what_it_was(
    lite: House, lite_mail: Mail, method: str
) -> None:
    """Scanners that are turned away come back in disguise [79]."""
    link = lite.http.request(method, lite_mail.click(0))
    assert (link.status_code, link.headers["location"]) == (302, f"https://acme.example/report?{UTM}-1")
    pixel = lite.http.request(method, lite_mail.pixel)
    assert pixel.status_code == 200
    assert [(hit["kind"], hit["method"]) for hit in lite.hits()] == [("click", method), ("open", method)]


@pytest.mark.parametrize("agent", SCANNERS)
def test_scanners_always_get_the_real_redirect_and_pixel(lite: House, lite_mail: Mail, agent: str) -> None:
    """Rule 79: no block page, no captcha; what they are is told apart later."""
    headers = {"user-agent": agent}
    for number in range(LINK_COUNT):
        assert lite.http.get(lite_mail.click(number), headers=headers).status_code == 302
    assert lite.http.get(lite_mail.pixel, headers=headers).status_code == 200
    assert [hit["user_agent"] for hit in lite.hits()] == [agent] * (LINK_COUNT + 1)


def test_fetching_every_link_of_real_mails_three_times_changes_nobody(house: House) -> None:
    """Rule 30: HEAD, GET and OPTIONS of all that stands in a message, as ten scanners do it."""
    mails = [house.send(house.add_contact(f"reader{number}@reader.example")) for number in range(5)]
    hits = ("activity", "changed_contact")
    house.recorder.flush()
    before = house.everything(but=hits)
    fetched = 0
    for mail in mails:
        links = mail.every_link()
        assert len(links) >= LINK_COUNT + 8
        for number, link in enumerate(links * 3):
            agent = SCANNERS[(number + fetched) % len(SCANNERS)]
            for method in ("HEAD", "GET", "OPTIONS"):
                answer = house.http.request(method, link, headers={"user-agent": agent})
                assert answer.status_code in {200, 302, 405}, (method, link)
                fetched += 1
    assert len(house.hits()) == 5 * 3 * 3 * (LINK_COUNT + 1)
    assert house.everything(but=hits) == before
    assert {row["kind"] for row in house.rows("activity")} == {"open", "click"}


def test_nothing_in_a_request_can_name_a_destination(lite: House, lite_mail: Mail) -> None:
    """Rule 80: never an open redirect."""
    evil = "https://evil.example/"
    for query in (f"?url={evil}", f"?next={evil}", f"?u={evil}&to={evil}", f"#{evil}"):
        answer = lite.http.get(
            lite_mail.click(0) + query, headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
        )
        assert answer.headers["location"] == f"https://acme.example/report?{UTM}-1"
    for tail in (
        f"/{evil}",
        f"/0/{evil}",
        f"/0?{evil}/..",
        "//evil.example",
        "/0//evil.example",
        "/%2f%2fevil.example",
    ):
        answer = lite.http.get(lite_mail.track + tail)
        assert "evil" not in answer.headers.get("location", "")
        if answer.status_code == 302:
            assert answer.headers["location"] == f"https://acme.example/report?{UTM}-1"
        else:
            assert answer.status_code == 404


def test_a_number_the_mail_has_no_link_for_is_not_found(lite: House, lite_mail: Mail) -> None:
    for number in (str(LINK_COUNT), "99999", "100000", "-1", "00", "1e1", "٣", "", "0x0", " 0"):
        answer = lite.http.get(f"{lite_mail.track}/{number}")
        assert answer.status_code == 404, number
        assert "answer the mail with the one word" in answer.text
    assert lite.hits() == []


def test_a_changed_token_is_not_found(lite: House, lite_mail: Mail) -> None:
    token = lite_mail.track.removeprefix("/c/")
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert lite.http.get(f"/c/{wrong}/0").status_code == 404
    assert lite.hits() == []


def test_the_links_of_an_erased_person_are_gone(house: House) -> None:
    contact = house.add_contact("bo@reader.example")
    mail = house.send(contact)
    house.erase(contact)
    answer = house.http.get(mail.click(0))
    assert answer.status_code == 410
    assert "no longer here" in answer.text
    assert house.http.get(mail.pixel).status_code == 200
    assert house.hits() == []


def test_whoever_takes_tracking_back_leaves_no_trace_in_mail_already_sent(house: House) -> None:
    """Article 5(3) of the ePrivacy Directive [91]."""
    contact = house.add_contact("bo@reader.example")
    other = house.send(contact)
    with house.app.database.writing() as session:
        choose_tracking(session, contact, wanted=False, how="a test", now=house.clock.now())
    before = house.everything()
    assert house.http.get(other.pixel).status_code == 200
    assert house.http.get(other.click(0)).status_code == 302
    house.recorder.flush()
    assert house.everything() == before


def test_of_whoever_wants_no_more_only_the_day_of_the_last_open_is_kept_and_overwritten(house: House) -> None:
    """EDPB 2/2023, CNIL 2026-042 [91]: a date, overwritten each time; no click, no hour, no address, no device."""
    contact = house.add_contact("bo@reader.example")
    mail = house.send(contact)  # rendered while everything was recorded
    with house.app.database.writing() as session:
        choose_tracking(session, contact, wanted=Mode.LAST_OPEN_DATE, how="a test", now=house.clock.now())
    assert opens(house) == []
    before = house.everything()
    house.http.get(mail.click(0), headers=BROWSER)
    house.http.head(mail.pixel, headers=BROWSER)  # a scanner's
    house.http.get(mail.pixel, headers={"user-agent": ""})  # and another's
    house.recorder.flush()
    assert house.everything() == before
    for days in (0, 3):
        house.clock.step_to(house.clock.now() + timedelta(days=days))
        house.http.get(mail.pixel, headers=BROWSER)
        house.recorder.flush()
        assert opens(house) == [{"contact_id": contact.id, "opened_on": house.clock.now().date()}]
    assert house.hits() == []
    with house.app.database.reading() as session:
        kept = {name: rows for name, rows in house.everything().items() if rows != before[name]}
        assert set(kept) == {"last_open"}
        opened = house.app.language.clause(session, "opened()", {}, house.clock.now())
        assert session.scalars(sa.select(col(Contact.id)).where(opened)).all() == []


def opens(house: House) -> list[dict[str, Any]]:
    return [
        {"contact_id": row["contact_id"], "opened_on": date.fromisoformat(str(row["opened_on"]))}
        for row in house.rows("last_open")
    ]


def test_taking_back_the_rest_too_takes_the_day_away(house: House) -> None:
    contact = house.add_contact("bo@reader.example")
    mail = house.send(contact)
    for wanted in (Mode.LAST_OPEN_DATE, False):
        with house.app.database.writing() as session:
            choose_tracking(session, contact, wanted=wanted, how="a test", now=house.clock.now())
        house.http.get(mail.pixel, headers=BROWSER)
        house.recorder.flush()
        assert len(opens(house)) == (wanted is Mode.LAST_OPEN_DATE)


@pytest.mark.parametrize(
    ("word", "has_pixel", "has_links"),
    [(Mode.FULL, True, True), (Mode.LAST_OPEN_DATE, True, False), (Mode.NONE, False, False)],
)
def test_a_mail_has_no_more_in_it_than_may_be_recorded(
    house: House, word: Mode, has_pixel: bool, has_links: bool
) -> None:
    """Rule 82: off means no pixel and untouched links."""
    contact = house.add_contact("bo@reader.example")
    with house.app.database.writing() as session:
        choose_tracking(session, contact, wanted=word, how="a test", now=house.clock.now())
    html = house.send(contact).html
    assert ("/o/" in html) is has_pixel
    assert ("/c/" in html) is has_links
    assert ("https://acme.example/report?utm" in html) is not has_links


@pytest.mark.parametrize(
    "settings",
    [
        f'{SETTINGS}{TOPICS}[tracking]\nmode = "last_open_date"\n',
        SETTINGS.replace('label = "Insights"\n', 'label = "Insights"\ntracking = "last_open_date"\n') + TOPICS,
    ],
    ids=["installation", "topic"],
)
def test_the_installation_and_a_topic_may_record_less_than_somebody_agreed_to(
    sqlite: Database, tmp_path: Path, now: datetime, settings: str
) -> None:
    with running_house(tmp_path / "house", sqlite.url, now, files={"settings.toml": settings}) as house:
        contact = house.add_contact("bo@reader.example")
        with house.app.database.writing() as session:
            choose_tracking(session, contact, wanted=True, how="a test", now=now)
        mail = house.send(contact)
        assert "/c/" not in mail.html
        house.http.get(mail.click(0), headers=BROWSER)
        house.http.get(mail.pixel, headers=BROWSER)
        assert house.hits() == []
        assert len(opens(house)) == 1


def test_the_access_log_names_the_route_of_a_hit_and_nothing_by_which_to_find_the_person(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    contact = house.add_contact("bo@reader.example")
    mail = house.send(contact)
    with house.app.database.writing() as session:
        choose_tracking(session, contact, wanted=False, how="a test", now=house.clock.now())
    with caplog.at_level(logging.INFO):
        house.http.get(mail.pixel, headers={"user-agent": "Bo's own browser"})
        house.http.get(mail.click(0), headers={"user-agent": "Bo's own browser"})
        house.recorder.flush()
    told = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("nurture"))
    assert "route=/o/{token}.gif" in told
    for secret in (mail.pixel, mail.track, str(mail.id), str(contact.id), "127.0.0.1", "Bo's own browser"):
        assert secret not in told


def test_nobody_is_tracked_where_the_law_wants_a_yes_first(lite: House) -> None:
    for number, country in enumerate(("DE", None)):
        mail = lite.send(lite.add_contact(f"reader{number}@reader.example", country=country))
        lite.http.get(mail.pixel)
        lite.http.get(mail.click(0))
    assert lite.hits() == []


def test_a_click_is_answered_while_a_long_write_transaction_holds_the_lock(lite: House, lite_mail: Mail) -> None:
    """Rule 79: the request only reads."""
    lite.http.get(lite_mail.click(0))
    lite.recorder.flush()
    lite.recorder.start()
    with lite.app.database.writing():
        took = []
        for _ in range(20):
            began_at = lite.clock.elapsed()
            assert lite.http.get(lite_mail.click(0)).status_code == 302
            assert lite.http.get(lite_mail.pixel).status_code == 200
            took.append(lite.clock.elapsed() - began_at)
        # Whoever waited for the lock would wait until the end of this block, which comes later.
        assert max(took) < 5
        assert lite.recorder.pending == 40
    assert len(lite.hits()) == 41


def test_the_forwarded_address_of_a_stranger_is_not_believed(lite: House, lite_mail: Mail) -> None:
    """Rule 81."""
    lite.http.get(lite_mail.pixel, headers={"x-forwarded-for": "203.0.113.9"})
    assert [hit["ip"] for hit in lite.hits()] == ["127.0.0.1"]


def test_behind_a_trusted_proxy_the_last_untrusted_hop_is_the_client(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    """Rule 81: what stands further left was written by the client."""
    trusted = {"NURTURE_WEB__TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"}
    with running_house(tmp_path / "house", sqlite.url, now, environment=trusted) as house:
        mail = house.send(house.add_contact())
        sent = {
            "203.0.113.9": "203.0.113.9",
            "1.2.3.4, 203.0.113.9": "203.0.113.9",
            "1.2.3.4, 203.0.113.9, 10.1.2.3": "203.0.113.9",
            "nonsense, 10.1.2.3": "10.1.2.3",
            "[2001:db8::1]:4711": "2001:db8::1",
        }
        for forwarded in sent:
            house.http.get(mail.pixel, headers={"x-forwarded-for": forwarded})
        two = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "203.0.113.9, 10.1.2.3")]
        house.http.get(mail.pixel, headers=two)
        assert [hit["ip"] for hit in house.hits()] == [*sent.values(), "203.0.113.9"]


def test_hits_of_many_clients_at_once_are_all_taken_down(lite: House, lite_mail: Mail) -> None:
    lite.recorder.start()

    def fetch() -> None:
        with httpx2.Client(base_url=lite.server.url, timeout=30) as client:
            for _ in range(50):
                client.get(lite_mail.pixel)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hits = lite.hits()
    assert len(hits) == 400
    assert all(first["occurred_at"] <= second["occurred_at"] for first, second in pairwise(hits))


@pytest.mark.parametrize(
    "destination",
    [
        None, "", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,hi", "//evil.example/", "/relative",
        "https://", "https:///path", "ftp://acme.example/", "https://acme.example/\r\nSet-Cookie: a=b",
        "https://acme.example℀.evil.example/", "https://❤⒈.example/", "https://acme .example/",
        "\thttps://acme.example/", "https://[::1/",
        "https://acme.example:port/", "mailto:dana@acme.example", "https://a\x00b.example/",
    ],
)  # fmt: skip
def test_only_a_whole_web_address_on_one_line_is_a_destination(destination: str | None) -> None:
    assert read_destination(destination) is None


@pytest.mark.parametrize(
    ("destination", "on_the_wire"),
    [
        ("https://acme.example", "https://acme.example/"),
        ("HTTP://ACME.example:8080/A?b=c#d", "http://acme.example:8080/A?b=c#d"),
        ("https://acme.example/a%20b?c=%2F", "https://acme.example/a%20b?c=%2F"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://user:word@acme.example/", "https://user:word@acme.example/"),
        ("https://münchen.example/ü?q=ß", "https://xn--mnchen-3ya.example/%C3%BC?q=%C3%9F"),
        ("https://I❤.example/", "https://xn--i-7iq.example/"),
        ("https://acme.example\\@evil.example/", "https://acme.example/@evil.example/"),
        ("https:\\\\acme.example\\a?b=\\#\\", "https://acme.example/a?b=%5C#%5C"),
    ],
)
def test_a_destination_is_spelled_as_a_header_can_carry_it(destination: str, on_the_wire: str) -> None:
    assert read_destination(destination) == on_the_wire
