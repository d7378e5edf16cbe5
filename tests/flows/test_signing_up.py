"""Somebody signs up over HTTP, the mail that asks comes by SMTP, and what they asked for follows."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nurture.consent.suppressions.actions import suppress
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.database.engine import Database
from tests.support.stories import REPLY_DOMAIN, Story, running_story

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
FORMS = """\
format: 1
forms:
  letter:
    title: The letter
    topics: [insights]
    fields: [first_name]
    consent: "Yes, send me the letter."
"""
SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
enroll: {submitted: letter}
steps:
  - {id: report, send: report, subject: Your report}
"""


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    files = {"campaigns/forms.yaml": FORMS, "campaigns/sequences/evaluators.yaml": SEQUENCE}
    with running_story(tmp_path / "house", database.url, START, files) as running:
        yield running


def sign_up(story: Story, email: str) -> None:
    page = story.http.get("/subscribe/letter").text
    hidden = {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}
    story.live(seconds=20)
    answer = story.http.post("/subscribe/letter", data={**hidden, "email": email, "consent": "yes"})
    assert answer.status_code == 200


def test_the_mail_that_asks_leads_to_what_was_asked_for(story: Story) -> None:
    """The submitted trigger of a sequence begins with the press that confirms, not with the form."""
    sign_up(story, "Bo@Reader.example")
    story.live(minutes=5)
    (asked,) = story.letters_to("Bo@reader.example")
    assert asked.subject == "Please confirm: The letter"
    (link,) = {link for link in asked.links if "/confirm/" in link}
    path = urlsplit(link).path
    story.http.get(path)
    story.live(minutes=5)
    assert len(story.letters_to("Bo@reader.example")) == 1
    story.http.post(path)
    story.live(minutes=5)
    _, report = story.letters_to("Bo@reader.example")
    assert report.subject == "Your report"
    assert [row["status"] for row in story.rows("delivery")] == ["sent", "sent"]


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "while the mail waits"])
def test_a_complaint_stops_the_mail_that_asks_to_the_last_moment(story: Story, *, is_late: bool) -> None:
    story.stop_relay()
    hash_ = story.app.hasher.hash("bo@reader.example")

    def complain() -> None:
        with story.database.writing() as session:
            suppress(session, hash_, SuppressionReason.COMPLAINT, how="a test", now=story.now)

    if not is_late:
        complain()
    sign_up(story, "bo@reader.example")
    if is_late:
        complain()
    story.start_relay()
    story.live(hours=1)
    assert story.letters_to("bo@reader.example") == []
    assert [(row["status"], row["because"].partition(" on ")[0]) for row in story.rows("delivery")] == [
        ("refused", "complained")
    ]


@pytest.mark.parametrize("words", ["Unsubscribe", "Please leave me alone, I never asked for this."])
def test_who_answers_the_mail_that_asks_with_a_no_has_said_no(story: Story, words: str) -> None:
    """Somebody else may have typed their address; no reminder comes, and no file brings them in as a yes."""
    sign_up(story, "bo@reader.example")
    story.live(minutes=5)
    (asked,) = story.letters_to("bo@reader.example")
    story.write_to_us(f"reply+cut@{REPLY_DOMAIN}", words, In_Reply_To=asked.arrived.message["Message-ID"])
    hash_ = story.app.hasher.hash("bo@reader.example")
    assert [(row["address_hash"], row["reason"]) for row in story.rows("suppression")] == [(hash_, "opt_out")]
    story.live(days=5)
    assert len(story.letters_to("bo@reader.example")) == 1
