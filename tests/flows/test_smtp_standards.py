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

from nurture.adapters.smtp import SmtpConnection
from nurture.contacts.actions import join_list
from nurture.database.engine import Database
from nurture.delivery.mailer import Envelope
from nurture.delivery.rules import Heard
from tests.support.conversations import BODY, PIPELINED, converse
from tests.support.scripts import ScriptedRelay
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


@pytest.mark.parametrize("sender", ["dana@acme.example", "jörg@acme.example"])
def test_mail_from_a_sender_beyond_ascii_says_so_although_it_comes_back_to_an_ascii_address(
    sqlite: Database, tmp_path: Path, sender: str
) -> None:
    """STANDARDS 10: its From is UTF-8 (RFC 6531, 3; RFC 6532)."""
    settings = SETTINGS.replace('"dana@acme.example"', f'"{sender}"', 1) + '\n[inbound]\ndomain = "in.acme.example"\n'
    files = {
        "settings.toml": settings,
        "campaigns/sequences/evaluators.yaml": SEQUENCE,
        "templates/report.mjml": LETTER,
    }
    with running_story(tmp_path / "house", sqlite.url, START, files) as story:
        contact = story.add_contact("ana@reader.example", first_name="Ana")
        with story.database.writing() as session:
            join_list(session, "report", [contact.id], story.now)
        story.live(hours=1)
        [letter] = story.post.letters
    assert f"<{sender}>\r\n".encode() in letter.arrived.content
    assert letter.arrived.mail_from.isascii()
    assert letter.arrived.is_utf8 is not sender.isascii()


def test_headers_beyond_ascii_are_not_handed_to_a_relay_that_does_not_offer_to_take_them() -> None:
    """STANDARDS 10: neither by themselves nor behind the mail before."""
    because = "the relay does not offer SMTPUTF8 (RFC 6531), which the address of the sender needs"

    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        plain = Envelope("b-1@in.acme.example", "ana@reader.example", len(BODY))
        beyond = plain._replace(is_utf8=True)
        assert await connection.begin(plain) is None
        assert (await connection.finish(BODY, beyond)).heard is Heard.ACCEPTED
        outcome = await connection.begin(beyond)
        assert outcome is not None
        assert (outcome.heard, outcome.reply) == (Heard.REJECTED, because)
        assert connection.is_usable
        assert relay.commands() == ["EHLO", "MAIL", "RCPT", "DATA", "."]

    converse(talk, PIPELINED)
