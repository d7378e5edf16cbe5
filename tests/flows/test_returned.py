"""What mail servers say about our mails: bounces at the return path, complaints at their own address. Real SMTP both ways."""

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from nurture.database.engine import Database
from nurture.delivery.urls import complaint_local_part, return_path
from nurture.inbound.listener import Listener
from nurture.sequences.entries import enroll
from nurture.tokens import TokenKeys
from tests.support.stories import REPLY_DOMAIN, Letter, Story, running_story

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA = "ana@reader.example"

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
window: {days: daily, hours: "09:00-17:00", timezone: Europe/Berlin}
steps:
  - {id: report, send: report, subject: Your report}
  - wait: 10 hours
  - {id: second, send: report, subject: Something else}
"""


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    files = {"campaigns/sequences/evaluators.yaml": SEQUENCE}
    with running_story(tmp_path / "house", sqlite.url, START, files) as told:
        yield told


def bring(story: Story, email: str = ANA) -> Letter:
    """Somebody who has the first mail."""
    contact = story.add_contact(email, first_name="Ana")
    with story.database.writing() as session:
        assert enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)
    story.settle()
    [letter] = story.letters_to(email)
    return letter


def report(kind: str, lines: str) -> bytes:
    """A report as mail servers write them (RFC 6522)."""
    part = "delivery-status" if kind == "delivery-status" else "feedback-report"
    return (
        "From: MAILER-DAEMON@mx.reader.example\r\nTo: us\r\nSubject: About your mail\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nAbout your mail. To unsubscribe, stop.\r\n"
        f"--b\r\nContent-Type: message/{part}\r\n\r\n{lines}\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: Your report\r\n\r\n--b--\r\n"
    ).encode()


def bounce(action: str, status: str) -> bytes:
    block = f"Final-Recipient: rfc822; {ANA}\r\nAction: {action}\r\nStatus: {status}\r\n"
    return report("delivery-status", f"Reporting-MTA: dns; mx.reader.example\r\n\r\n{block}")


def kinds(story: Story) -> list[str]:
    return [row["kind"] for row in sorted(story.rows("inbound_mail"), key=lambda row: row["id"])]


def suppressed(story: Story) -> list[str]:
    return [row["reason"] for row in story.rows("suppression")]


def test_a_mail_comes_back_to_an_address_that_names_it(story: Story) -> None:
    """STANDARDS 23: From, Reply-To and Return-Path are three addresses, and the last one maps to one delivery."""
    letter = bring(story)
    [delivery] = story.deliveries_to(ANA)
    assert letter.arrived.mail_from == return_path(story.app.keys, delivery.id, REPLY_DOMAIN)
    assert len(letter.arrived.mail_from.partition("@")[0]) <= 64
    assert "dana@acme.example" in str(letter.arrived.message["From"])
    assert letter.reply_to.startswith("reply+")


def test_a_bounce_is_told_of_its_mail_and_suppresses_nobody(story: Story) -> None:
    """STANDARDS 55, 58: what is only late is no bounce; nobody has left, although the report talks of unsubscribing."""
    letter = bring(story)
    story.hand_in(letter.arrived.mail_from, b"Message-ID: <1@mx>\r\n" + bounce("delayed", "4.4.1"))
    assert story.deliveries_to(ANA)[0].status == "sent"
    story.hand_in(letter.arrived.mail_from, b"Message-ID: <2@mx>\r\n" + bounce("failed", "5.1.1"))
    delivery = story.deliveries_to(ANA)[0]
    assert (delivery.status, delivery.because) == ("bounced", "bounced: 5.1.1")
    assert kinds(story) == ["automatic", "bounce"]
    assert suppressed(story) == []


def test_a_bounce_settles_the_doubt_whether_a_mail_was_handed_over(story: Story) -> None:
    letter = bring(story)
    [delivery] = story.deliveries_to(ANA)
    with story.database.writing() as session:
        found = session.get(type(delivery), delivery.id)
        assert found is not None
        found.status = "uncertain"
        session.add(found)
    story.hand_in(letter.arrived.mail_from, bounce("failed", "5.2.2"))
    assert story.deliveries_to(ANA)[0].status == "bounced"


def test_a_forged_return_path_is_about_nothing(story: Story) -> None:
    """STANDARDS 58: joe jobs, tokens of other purposes and of other keys."""
    letter = bring(story)
    [delivery] = story.deliveries_to(ANA)
    token = letter.arrived.mail_from.removeprefix("b-").partition("@")[0]
    forged = [
        f"b-{token[:-1]}{'a' if token[-1] != 'a' else 'b'}@{REPLY_DOMAIN}",
        f"b-{letter.reply_to.partition('+')[2]}",
        return_path(TokenKeys(["somebody else's"]), delivery.id, REPLY_DOMAIN),
        f"complaint+{token}@{REPLY_DOMAIN}",
        f"b-@{REPLY_DOMAIN}",
    ]
    for turn, address in enumerate(forged):
        story.hand_in(address, f"Message-ID: <{turn}@x>\r\n".encode() + bounce("failed", "5.1.1"))
    assert story.deliveries_to(ANA)[0].status == "sent"
    assert kinds(story) == ["unmatched"] * len(forged)
    assert suppressed(story) == []


def test_nobody_answers_to_a_return_path(story: Story) -> None:
    """STANDARDS 59, 63: an absence is noted, words that come there are no reply, and a "stop" is one wherever it comes."""
    letter = bring(story)
    away = EmailMessage()
    away["From"], away["Subject"], away["Auto-Submitted"] = ANA, "Out of office", "auto-replied"
    away.set_content("I am out of the office until 20 March 2026.")
    story.hand_in(letter.arrived.mail_from, away.as_bytes())
    assert story.contact(ANA).away_until is not None
    words = EmailMessage()
    words["From"], words["Subject"], words["Message-ID"] = ANA, "Your mail", "<words@reader.example>"
    words.set_content("There is nobody of that name here.")
    story.hand_in(letter.arrived.mail_from, words.as_bytes())
    assert kinds(story) == ["automatic", "automatic"]
    assert story.rows("activity") == []
    stop = EmailMessage()
    stop["From"], stop["Subject"], stop["Message-ID"] = ANA, "Stop", "<stop@reader.example>"
    stop.set_content("Please remove me from your list.")
    story.hand_in(letter.arrived.mail_from, stop.as_bytes())
    assert suppressed(story) == ["opt_out"]


def complaint(feedback: str) -> bytes:
    return report("feedback-report", f"Feedback-Type: {feedback}\r\nUser-Agent: mx/1\r\nVersion: 1\r\n")


@pytest.mark.parametrize(
    ("feedback", "is_one"),
    [
        ("abuse", True),
        ("fraud", True),
        ("opt-out", True),
        ("other", True),
        ("not-spam", False),
        ("auth-failure", False),
    ],
)
def test_whoever_calls_a_mail_spam_gets_no_other_one(story: Story, feedback: str, is_one: bool) -> None:
    """STANDARDS 37, 60: found by the id in the header, whoever the report says that it is about."""
    letter = bring(story)
    header = str(letter.arrived.message["CFBL-Address"])
    address = header.partition(";")[0]
    assert header.endswith("; report=arf")
    assert letter.arrived.message["CFBL-Feedback-ID"] == address.partition("+")[2].partition("@")[0]
    assert ANA not in header
    story.hand_in(address, complaint(feedback))
    assert suppressed(story) == (["complaint"] if is_one else [])
    assert story.deliveries_to(ANA)[0].status == ("complained" if is_one else "sent")
    story.live(days=2)
    assert len(story.letters_to(ANA)) == (1 if is_one else 2)


def test_a_first_complaint_is_told_at_once_and_once(story: Story) -> None:
    """Nothing of the campaign is due for hours, and nobody looks at it until then."""
    letters = [bring(story), bring(story, "ben@reader.example")]
    for number, letter in enumerate(letters):
        address = str(letter.arrived.message["CFBL-Address"]).partition(";")[0]
        story.hand_in(address, f"Message-ID: <{number}@mx>\r\n".encode() + complaint("abuse"))
        story.settle()
        assert [one.subject for one in story.letters_to("dana@acme.example")] == [
            "sequence:evaluators got its first complaint"
        ]


def test_a_complaint_about_a_test_or_a_forged_one_concerns_nobody(story: Story) -> None:
    bring(story)
    [delivery] = story.deliveries_to(ANA)
    forged = complaint_local_part(TokenKeys(["somebody else's"]), delivery.id)
    story.hand_in(f"{forged}@{REPLY_DOMAIN}", complaint("abuse"))
    with story.database.writing() as session:
        found = session.get(type(delivery), delivery.id)
        assert found is not None
        found.purpose = "test"
        session.add(found)
    right = complaint_local_part(story.app.keys, delivery.id)
    story.hand_in(f"{right}@{REPLY_DOMAIN}", complaint("abuse"))
    assert suppressed(story) == []


def test_mail_to_the_domain_of_the_return_path_is_taken_in_too_and_no_other() -> None:
    taken: list[list[str]] = []
    listener = Listener(
        "127.0.0.1", 0, REPLY_DOMAIN, lambda to, *_: taken.append(to), return_path_domain="bounces.acme.example"
    )
    listener.start()
    try:
        with smtplib.SMTP("127.0.0.1", listener.port, timeout=30) as client:
            client.sendmail("", ["b-token@bounces.acme.example"], bounce("failed", "5.1.1"))
            client.sendmail("", [f"b-token@{REPLY_DOMAIN}"], bounce("failed", "5.1.1"))
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("", ["b-token@acme.example"], bounce("failed", "5.1.1"))
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("", ["dana@bounces.acme.example"], bounce("failed", "5.1.1"))
    finally:
        listener.stop()
    assert taken == [["b-token@bounces.acme.example"], [f"b-token@{REPLY_DOMAIN}"]]
