"""`[web] way_out = "mailto"`: a house that nobody outside can reach; its readers leave by mail."""

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from nurture.cli.examination import _links
from nurture.database.engine import Database
from nurture.delivery.rules import MOST_BY_MAIL_ALONE
from tests.web.houses import LETTER, House, Mail, running_house

BY_MAIL = {"NURTURE_WEB__WAY_OUT": "mailto", "NURTURE_INBOUND__DOMAIN": "mail.acme.example"}


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    with running_house(tmp_path / "house", sqlite.url, now, environment=BY_MAIL) as made:
        yield made


def links(mail: Mail) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="([^"]+)"', mail.html)]


def way_out(mail: Mail) -> str:
    """The address that List-Unsubscribe names."""
    found = re.fullmatch(r"<mailto:([^>?]+)>", mail.message["List-Unsubscribe"])
    assert found is not None, mail.message["List-Unsubscribe"]
    return found[1]


def write(house: House, to: str, *, sender: str = "x@elsewhere.example", text: str = "") -> None:
    content = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: \r\nMessage-ID: <{len(house.rows('inbound_mail'))}@elsewhere.example>\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    house.app.take_mail([to], message, content)


def test_the_header_names_the_mail_alone_and_promises_no_one_click(lite: House, lite_mail: Mail) -> None:
    """RFC 8058 3.1 [25]: List-Unsubscribe-Post only beside an https way out; RFC 2369 [24, 33]."""
    assert way_out(lite_mail).endswith("@mail.acme.example")
    assert lite_mail.message["List-Unsubscribe-Post"] is None


def test_there_is_no_pixel_and_links_are_as_they_were_written(lite: House, lite_mail: Mail) -> None:
    assert "<img" not in lite_mail.html
    web = [link for link in links(lite_mail) if link.startswith("http")]
    authored = [unescape(link) for link in re.findall(r'href="(https://[^"]+)"', LETTER)]
    assert web == [link.replace("{{ contact.email | urlencode }}", "ana%40reader.example") for link in authored]
    assert "127.0.0.1" not in lite_mail.message.as_string()


def test_every_other_link_is_a_mail_to_us_that_says_what_it_means(lite: House, lite_mail: Mail) -> None:
    ours = [urlsplit(link) for link in links(lite_mail) if link.startswith("mailto:") and "mail.acme" in link]
    said = [parse_qs(one.query)["subject"][0] for one in ours]
    assert said == [
        "Yes, send me more information", "Yes, show me a demonstration", "Yes, I have a need, talk to me",
        "Unsubscribe", "What I get from you", "Please send me this mail again",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "Please let me stay forever", "stop"])
def test_a_mail_to_the_way_out_takes_the_tokens_person_off_whoever_sends_it(
    lite: House, lite_mail: Mail, text: str
) -> None:
    """RFC 2369 [33]: any subject, any body, none at all; the From may be forged."""
    lite.add_contact("bo@reader.example")
    write(lite, way_out(lite_mail), sender="bo@reader.example", text=text)
    assert [(one, reason) for one, reason, _ in lite.suppressions()] == [(lite_mail.address_hash, "opt_out")]


def test_the_link_in_the_body_is_the_same_way_out(lite: House, lite_mail: Mail) -> None:
    link = next(one for one in links(lite_mail) if "leave%2B" in one or "leave+" in one)
    write(lite, urlsplit(link).path)
    assert lite.has_left(lite_mail)


def test_a_wish_by_mail_comes_back_as_a_reply_to_that_mail(lite: House, lite_mail: Mail) -> None:
    link = next(one for one in links(lite_mail) if "demonstration" in one)
    write(lite, urlsplit(link).path, sender="ana@reader.example", text=parse_qs(urlsplit(link).query)["body"][0])
    (activity,) = lite.rows("activity")
    assert (activity["kind"], activity["what"]) == ("reply", "Yes, show me a demonstration")
    assert lite.suppressions() == []


def test_real_mail_is_sent_without_a_public_server_but_not_without_a_mailbox(lite: House) -> None:
    boundary = lite.app.boundary
    real = type(boundary)(
        False, "http://127.0.0.1:8000", frozenset("*"), frozenset(), is_by_mail_alone=True, inbound_domain="mail.acme.example"
    )  # fmt: skip
    assert real.find_objection("reader.example") is None
    for domain in ("", "localhost", "acme.local"):
        none = type(boundary)(False, "", frozenset("*"), frozenset(), is_by_mail_alone=True, inbound_domain=domain)
        assert "inbound.domain" in (none.find_objection("reader.example") or "")


def test_doctor_says_where_readers_leave_and_how_many_mails_that_carries(lite: House) -> None:
    finding = _links(lite.app)
    assert (finding.is_ok, finding.what) == (
        True,
        "readers leave by mail to mail.acme.example; at most 1,000 mails a day",
    )


def test_the_house_holds_itself_to_a_thousand_a_day_and_records_nothing(lite: House) -> None:
    assert lite.app._limits(lite.app.declared).most_per_day == MOST_BY_MAIL_ALONE == 1000
    assert (lite.app.declared.tracking, lite.app.declared.utm) == ("none", None)
