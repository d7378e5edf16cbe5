"""A rep's own mail, with their own address of ours in BCC: whom it touches, and whom nobody can pretend it came from."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from smtplib import SMTPRecipientsRefused

import pytest

from nurture.contacts.actions import join_list
from nurture.contacts.store import find_operator
from nurture.database.engine import Database
from nurture.delivery.urls import own_local_part
from nurture.tokens import TokenKeys
from tests.support.stories import REPLY_DOMAIN, Story, running_story
from tests.support.workspaces import SETTINGS

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA, LUIS = "ana@reader.example", "luis@acme.example"
SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
enroll:
  when: in_list("report")
steps:
  - {id: first, send: report, subject: "The first"}
  - wait: 2 days
  - {id: second, send: report, subject: "The second"}
"""
FILES = {
    "campaigns/sequences/evaluators.yaml": SEQUENCE,
    "settings.toml": f'{SETTINGS}\n[company]\ndomains = ["acme.example"]\n',
}


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as told:
        contact = told.add_contact(ANA)
        told.add_contact("ben@reader.example")
        with told.database.writing() as session:
            join_list(session, "report", [contact.id], told.now)
        told.live(hours=1)
        yield told


def box(story: Story, who: str = LUIS, keys: TokenKeys | None = None) -> str:
    with story.database.reading() as session:
        rep = find_operator(session, who)
        assert rep is not None
        return f"{own_local_part(keys or story.app.keys, rep.id)}@{REPLY_DOMAIN}"


def write(story: Story, to: str = f"Ana <{ANA}>", sender: str = f"Luis <{LUIS}>", **headers: str) -> None:
    """Luis's mail client: the envelope goes to the box, the headers name whom he wrote to."""
    lines = {"From": sender, "To": to, "Subject": "Our talk on Tuesday", "Message-ID": "<one@acme.example>", **headers}
    text = "\r\n".join(f"{name.replace('_', '-')}: {value}" for name, value in lines.items())
    story.hand_in(box(story), f"{text}\r\n\r\nDear Ana, this stays between us.\r\n".encode())


def touched(story: Story) -> list[tuple[str, str]]:
    emails = {row["id"]: row["email"] for row in story.rows("contact")}
    return sorted((emails[row["contact_id"]], row["note"]) for row in story.rows("touch"))


def test_each_contact_it_went_to_is_touched_once_and_their_sequence_waits_a_week(story: Story) -> None:
    write(story, to=f"Ana <{ANA}>, dana@acme.example, nobody@elsewhere.example", Cc="BEN@reader.example")
    write(story, to=f"Ana <{ANA}>", Cc="ben@reader.example")
    assert touched(story) == [(ANA, "Our talk on Tuesday"), ("ben@reader.example", "Our talk on Tuesday")]
    story.live(days=6)
    assert [one.subject for one in story.letters_to(ANA)] == ["The first"]
    story.live(days=2)
    assert [one.subject for one in story.letters_to(ANA)] == ["The first", "The second"]


def test_of_the_mail_only_the_subject_is_kept_and_of_strangers_nothing(story: Story) -> None:
    write(story, to=f"Ana <{ANA}>, nobody@elsewhere.example")
    kept = str(story.everything())
    assert "stays between us" not in kept
    assert "elsewhere.example" not in kept


@pytest.mark.parametrize(
    ("subject", "note"),
    [("=?utf-8?q?Our=00_talk=1b?=", "Our talk"), ("=?utf-7?q?+2AA-?= talk", "=?utf-7?q?+2AA-?= talk")],
)
def test_a_subject_no_database_keeps_is_kept_as_far_as_it_can_be_read(story: Story, subject: str, note: str) -> None:
    write(story, Subject=subject)
    assert touched(story) == [(ANA, note)]


def test_a_rep_is_told_when_nobody_it_went_to_is_known_and_no_contact_is_made(story: Story) -> None:
    before = len(story.rows("contact"))
    write(story, to="nobody@elsewhere.example")
    story.live(minutes=5)
    assert [one.subject for one in story.letters_to(LUIS)] == ["Nobody noted: Our talk on Tuesday"]
    assert (touched(story), len(story.rows("contact"))) == ([], before)
    assert "elsewhere.example" not in str(story.everything())


@pytest.mark.parametrize(
    "headers",
    [
        {"sender": "mallory@elsewhere.example"},
        {"sender": "dana@acme.example"},
        {"sender": f"{LUIS}, mallory@elsewhere.example"},
        {"Auto_Submitted": "auto-replied"},
    ],
)
def test_a_mail_of_anybody_else_or_of_a_machine_touches_nobody(story: Story, headers: dict[str, str]) -> None:
    write(story, **headers)
    assert touched(story) == []


def test_nobody_makes_up_an_address_and_one_of_a_colleague_who_left_is_dead(story: Story) -> None:
    forged = box(story, keys=TokenKeys(["another secret"]))
    content = f"From: {LUIS}\r\nTo: {ANA}\r\nSubject: Hi\r\n\r\nHi\r\n".encode()
    story.hand_in(forged, content)
    with pytest.raises(SMTPRecipientsRefused):
        story.hand_in(f"luis@{REPLY_DOMAIN}", content)
    with story.database.writing() as session:
        rep = find_operator(session, LUIS)
        assert rep is not None
        rep.is_declared = False
    write(story)
    assert touched(story) == []


def test_a_colleagues_mail_is_no_answer_of_the_contact_whatever_it_quotes(story: Story) -> None:
    letter = story.letters_to(ANA)[0]
    write(story, In_Reply_To=letter.arrived.message["Message-ID"], Subject="Re: The first")
    assert [row["kind"] for row in story.rows("inbound_mail")] == ["touch"]
    assert [row for row in story.rows("activity") if row["kind"] == "reply"] == []
    assert touched(story) == [(ANA, "Re: The first")]
