"""What a report means, whatever mail server wrote it."""

import email
from email.message import EmailMessage
from email.policy import default

import pytest

from nurture.inbound.returned import failed_with, is_complaint


def report(part: str, lines: str) -> EmailMessage:
    """The part of a report that machines read, in its surroundings (RFC 6522)."""
    text = (
        'Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\n\r\nAbout your mail.\r\n'
        f"--b\r\nContent-Type: message/{part}\r\n\r\n{lines}\r\n--b--\r\n"
    )
    message = email.message_from_string(text, policy=default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize(
    ("action", "status", "failed"),
    [
        ("failed", "5.1.1", "5.1.1"),
        ("Failed (user unknown)", "5.1.1 (no such user)", "5.1.1"),
        ("failed", "4.4.7", "4.4.7"),
        ("failed", "none", "no status"),
        ("delayed", "4.4.1", None),
        ("relayed", "2.0.0", None),
        ("delivered", "2.0.0", None),
        ("expanded", "2.0.0", None),
    ],
)
def test_only_what_failed_has_failed(action: str, status: str, failed: str | None) -> None:
    """STANDARDS 54, 55."""
    block = f"Final-Recipient: rfc822; a@b.example\r\nAction: {action}\r\nStatus: {status}\r\n"
    assert failed_with(report("delivery-status", f"Reporting-MTA: dns; mx.example\r\n\r\n{block}")) == failed


@pytest.mark.parametrize(
    ("feedback", "is_one"),
    [
        ("abuse", True), ("fraud", True), ("virus", True), ("opt-out", True), ("other", True), ("Not-Spam", False),
        ("auth-failure", False),
    ],
)  # fmt: skip
def test_every_report_is_a_complaint_but_one_that_says_that_it_is_none(feedback: str, is_one: bool) -> None:
    """STANDARDS 60."""
    lines = f"Feedback-Type: {feedback}\r\nUser-Agent: mx/1\r\nVersion: 1\r\n"
    assert is_complaint(report("feedback-report", lines)) is is_one


def test_words_are_no_bounce_and_what_comes_to_a_complaint_address_is_one_all_the_same() -> None:
    message = EmailMessage()
    message.set_content("Action: failed\nStatus: 5.1.1\n")
    assert failed_with(message) is None
    assert is_complaint(message)
