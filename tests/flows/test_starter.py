"""The sequences that come with the starter, lived through by a few people in a whole house."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture.contacts.actions import tag_contact
from nurture.database.engine import Database
from nurture.newsletters.left_out import left_out_of_issue
from tests.project.source import REPOSITORY
from tests.support.stories import Story, running_story

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
ISSUE = "campaigns/newsletters/weekly/monday-morning.md"
LETTERS_FOR_ALL = ("A short letter about planning, every Tuesday", "Five questions to ask before you sign")
STARTER = {
    str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8")
    for path in [REPOSITORY / "settings.toml", *(REPOSITORY / "campaigns").rglob("*"), *(REPOSITORY / "templates").rglob("*")]
    if path.is_file()
}  # fmt: skip


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    address = {"NURTURE_SENDERS__DEFAULT__POSTAL_ADDRESS": "Acme, 12 Example Street, 10115 Berlin, Germany"}
    with running_story(tmp_path / "house", sqlite.url, START, STARTER, **address) as found:
        yield found


def subjects(story: Story, email: str) -> list[str]:
    return [letter.subject for letter in story.letters_to(email)]


def test_whoever_touched_nothing_for_half_a_year_is_asked_and_left_alone_and_the_unseen_are_not(story: Story) -> None:
    quiet, back, unseen = "quiet@reader.example", "back@reader.example", "unseen@reader.example"
    for email, country in ((quiet, "US"), (back, "US"), (unseen, "DE")):  # nobody records what the Germans click
        story.add_contact(email, topic="product-insights", country=country)
    story.live(days=15)
    story.sleep(days=155)  # half a year, at little cost
    story.publish({ISSUE: STARTER[ISSUE].replace("ready: false", "ready: true")})
    story.live(days=16)
    assert subjects(story, unseen) == subjects(story, back)[:3] == subjects(story, quiet)[:3]
    assert subjects(story, back)[3:] == subjects(story, quiet)[3:] == ["The three letters people kept"]

    story.ask(story.letters_to(back)[-1].clicks[0])
    story.live(days=70)
    assert subjects(story, back)[4:] == []
    assert subjects(story, quiet)[4:] == [
        "One sheet for the wall, nothing to read",
        "Three times readers were right and I was not",
        "Shall I keep writing to you?",
    ]

    story.publish({ISSUE.replace("monday", "tuesday"): STARTER[ISSUE].replace("number: 2\nready: false", "number: 3\nready: true")})  # fmt: skip
    story.live(days=8)
    assert len(subjects(story, unseen)) == 4
    assert len(subjects(story, back)) == 5
    assert len(subjects(story, quiet)) == 7, "who rests gets nothing more"
    assert not story.rows("suppression"), "and has not opted out"
    with story.database.reading() as session:
        found = left_out_of_issue(session, story.app.language, "weekly", "tuesday-morning", story.now)
    assert [(one.contact.email, one.because) for one in found] == [(quiet, "no longer in the newsletter's audience")]


def test_whoever_missed_a_demonstration_gets_three_things_and_then_new_times(story: Story) -> None:
    contact = story.add_contact("ana@reader.example", topic="product-insights", timezone="America/New_York")
    with story.database.writing() as session:
        tag_contact(session, contact.id, "missed-demo", now=story.now)
    story.live(days=30)
    letters = [one for one in subjects(story, contact.email) if one not in LETTERS_FOR_ALL]
    assert letters == [
        "What you would have seen",
        "The four questions everybody asks",
        "Try it on Friday without me",
        "Three new times for your demonstration",
    ]
    [offer] = [one for one in story.letters_to(contact.email) if one.subject.startswith("Three new times")]
    assert len({link for link in offer.links if link.startswith("/meet/") and "slot=" in link}) == 3
