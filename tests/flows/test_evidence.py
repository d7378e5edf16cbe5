"""A mail in doubt is sent as soon as anything happens that can only happen if it arrived, and keeps what that was."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from nurture.database.engine import Database
from nurture.sequences.entries import enroll
from tests.support.stories import Letter, Story, running_story
from tests.support.workspaces import ONE_STEP

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA = "ana@reader.example"


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    files = {"campaigns/sequences/evaluators.yaml": ONE_STEP}
    with running_story(tmp_path / "house", sqlite.url, START, files) as told:
        yield told


def bring_a_letter_in_doubt(story: Story) -> Letter:
    """A mail that arrived, and whose answer was lost with the sender."""
    contact = story.add_contact(ANA)
    with story.database.writing() as session:
        assert enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)
    story.settle()
    [letter] = story.letters_to(ANA)
    with story.database.writing() as session:
        session.execute(
            sa.text("UPDATE delivery SET status = 'uncertain', because = 'its worker died before the answer'")
        )
    return letter


@pytest.mark.parametrize(
    ("do", "what"),
    [
        (lambda story, letter: story.ask(letter.pixel), "it was opened or a link of it followed"),
        (lambda story, letter: story.ask(letter.clicks[0], agent="python-requests/2"), "it was opened or a link of it followed"),
        (lambda story, letter: story.write_to_us(letter.reply_to, "Thank you!"), "it was answered"),
        (lambda story, letter: story.write_to_us(letter.leave_by_mail, ""), "somebody left by its address"),
        (lambda story, letter: story.leave(letter), "somebody left by its link"),
    ],
    ids=["open", "click of a machine", "reply", "mail to the way out", "one click"],
)  # fmt: skip
def test_whatever_can_only_happen_if_it_arrived_settles_the_doubt(
    story: Story, do: Callable[[Story, Letter], object], what: str
) -> None:
    do(story, bring_a_letter_in_doubt(story))
    story.settle()
    [delivery] = story.deliveries_to(ANA)
    assert (delivery.status, delivery.because) == ("sent", f"it arrived: {what}, 2026-03-10 09:00 UTC")


def test_a_mail_in_no_doubt_is_not_touched(story: Story) -> None:
    letter = bring_a_letter_in_doubt(story)
    with story.database.writing() as session:
        session.execute(sa.text("UPDATE delivery SET status = 'failed', because = 'the relay refused it'"))
    story.ask(letter.pixel)
    story.settle()
    assert story.deliveries_to(ANA)[0].status == "failed"
