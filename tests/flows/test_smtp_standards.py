"""Mails as they arrive at a real relay: STANDARDS 1, 5 to 9, 12, 19, 20 and 22, for people with awkward names.

2, 4, 10, 11 and 13 to 18 are told by the other test_smtp_*, 1 to 4 and 11 also by imports, 21 by first mails.
"""

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path

import pytest

from nurture.contacts.actions import join_list
from nurture.database.engine import Database
from tests.support.stories import Letter, Story, running_story
from tests.support.workspaces import LETTER, SETTINGS

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
SUBJECT = "Отчёт für {{ contact.first_name }} 👩‍💻, was wir gelernt haben, in einem Satz und dann in noch einem, der länger ist"
SEQUENCE = f"""\
format: 1
sequence: evaluators
topic: insights
enroll:
  when: in_list("report")
steps:
  - {{id: report, send: report, subject: "{SUBJECT}"}}
"""
#: A line for which SMTP has no room, and lines that SMTP or mbox would take for their own.
TROUBLE = f"<mj-text>{'x' * 5000}<br />\n.\n..x\n.hidden\nFrom here on\n{'.' * 300} and on</mj-text>"
SENDER = 'Müller, "Bob" (CEO) @ Acme'
NAMES = {
    "ana@reader.example": "Ana",
    "ben@reader.example": "A\r\nBcc: evil@x.example",
    "eve@reader.example": "日本語 " * 30,
}


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    files = {
        "settings.toml": SETTINGS.replace('"Dana Reed"\nemail = "dana@acme.example"\npostal', f"'{SENDER}'\nemail = 'dana@acme.example'\npostal"),
        "campaigns/sequences/evaluators.yaml": SEQUENCE,
        "templates/report.mjml": LETTER.replace("<mj-text>{{ sender", f"{TROUBLE}<mj-text>{{{{ sender"),
    }  # fmt: skip
    with running_story(tmp_path / "house", sqlite.url, START, files) as told:
        for address, name in NAMES.items():
            contact = told.add_contact(address, first_name=name)
            with told.database.writing() as session:
                join_list(session, "report", [contact.id], told.now)
        yield told


def parsed(letter: Letter) -> email.message.EmailMessage:
    found = email.message_from_bytes(letter.arrived.content, policy=email.policy.default)
    assert not found.defects
    return found


def test_every_mail_is_one_that_the_standards_allow(story: Story) -> None:
    story.live(hours=1)
    assert len(story.post.letters) == len(NAMES)
    for letter in story.post.letters:
        content, message = letter.arrived.content, parsed(letter)
        # 1: a template's line of 5,000 becomes short ones. 19: seven bits, whatever the relay offers.
        head, _, body = content.partition(b"\r\n\r\n")
        assert max(map(len, head.split(b"\r\n"))) <= 998
        assert max(map(len, body.split(b"\r\n"))) <= 76
        assert content.isascii()
        # 5: one each, and nobody in Bcc. 7: a line break in a name begins no header.
        for name in ("From", "Date", "Message-ID", "Subject", "To"):
            assert len(message.get_all(name, [])) == 1, name
        assert message["Bcc"] is None
        assert message["Date"].datetime == START
        # 6: unique, and in the domain of the sender.
        assert message["Message-ID"].endswith("@acme.example>")
        # 8: other alphabets come back as they were written.
        assert message["Subject"].startswith("Отчёт für ")
        assert message["Subject"].endswith(
            "👩‍💻, was wir gelernt haben, in einem Satz und dann in noch einem, der länger ist"
        )
        # 9: a name with every special character is one mailbox.
        assert message["From"].addresses == (Address(SENDER, addr_spec="dana@acme.example"),)
        # 20: what begins with a dot arrives as it was written. 22: text before HTML, both full.
        text, html = letter.arrived.part("plain"), letter.arrived.part("html")
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert {part.get_content_charset() for part in message.iter_parts()} == {"utf-8"}
        assert "Hello" in text
        assert ". ..x .hidden From here on" in " ".join(html.split())
        assert f"{'.' * 300} and on" in html
    ids = {parsed(letter)["Message-ID"] for letter in story.post.letters}
    assert len(ids) == len(NAMES)


def test_a_retry_is_the_same_mail_byte_for_byte_and_waits_longer_each_time_and_no_is_not_asked_twice(
    story: Story,
) -> None:
    """STANDARDS 6 and 12."""
    later = iter(["451 4.3.0 later"] * 3)
    answers = {"ana@reader.example": later, "ben@reader.example": iter(["550 5.1.1 gone"])}
    story.post.on_data = lambda address: next(answers.get(address, iter(())), None)
    story.live(hours=2)
    tries = [one for one in story.post.tries if one.arrived.rcpt_to == "ana@reader.example"]
    assert len({one.arrived.content for one in tries}) == 1
    assert [(one.at - START).total_seconds() / 60 for one in tries] == [0, 5, 20, 50]
    story.live(days=6)
    assert len([one for one in story.post.tries if one.arrived.rcpt_to == "ben@reader.example"]) == 1
    assert [one.status for one in story.deliveries_to("ben@reader.example")] == ["failed"]
