"""How fast mail leaves, over weeks: a new domain warms up, and a receiver that refuses us is left alone for a while."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nurture.database.engine import Database
from nurture.delivery.notices import tell_caretakers
from nurture.delivery.pacing import store
from nurture.delivery.pacing.lanes import Span
from tests.flows.test_newsletter import FILES, MONDAY
from tests.support.stories import Story, running_story

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DANA = "dana@acme.example"


@pytest.fixture
def settings() -> dict[str, str]:
    return {"NURTURE_SENDING__FIRST_WAVE": "0"}


@pytest.fixture
def story(tmp_path: Path, sqlite: Database, settings: dict[str, str]) -> Iterator[Story]:
    url = sqlite.engine.url.render_as_string(hide_password=False)
    with running_story(tmp_path / "here", url, MONDAY, FILES, **settings) as running:
        yield running


class TestWarmUp:
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {
            "NURTURE_SENDING__FIRST_WAVE": "0",
            "NURTURE_WARM_UP__SENDERS": "acme.example",
            "NURTURE_WARM_UP__FIRST_DAY": "2",
            "NURTURE_WARM_UP__GROWTH": "1.5",
            "NURTURE_WARM_UP__TARGET": "12",
        }

    def test_a_domain_that_nobody_knows_sends_a_little_more_on_each_of_ten_days(self, story: Story) -> None:
        """STANDARDS 51: a warm-up plan per domain, never above it."""
        for number in range(60):
            story.add_contact(f"p{number}@{'gmail.com' if number % 2 else 'one.example'}")
        story.live(days=9, hours=8)
        letters = [one for one in story.post.letters if one.arrived.rcpt_to != DANA]
        days = Counter((one.at.date() - MONDAY.date()).days for one in letters)
        # Then the target is reached, and nothing holds them back but what is new to one provider.
        assert [days[day] for day in range(6)] == [2, 3, 4, 6, 9, 12]
        assert len({one.arrived.rcpt_to for one in letters}) == len(letters) == 60


def test_a_receiver_that_refuses_us_for_an_hour_gets_few_tries_and_in_the_end_every_mail(story: Story) -> None:
    """STANDARDS 50: the lane of that provider stops, backs off, alerts, and suppresses nobody."""
    until = story.now + HOUR
    refused = "421 4.7.28 an unusual rate of mail from your domain"
    story.post.on_data = lambda to: refused if to.endswith("gmail.com") and story.now < until else None
    for number in range(20):
        story.add_contact(f"p{number}@{'gmail.com' if number % 2 else 'one.example'}")
    story.settle()
    assert len([one for one in story.post.letters if one.arrived.rcpt_to.endswith("one.example")]) == 10
    story.live(hours=3)
    tries = [one for one in story.post.tries if one.arrived.rcpt_to.endswith("gmail.com")]
    in_the_hour = [one.at - MONDAY for one in tries if one.at < until]
    # As many as were on the wire at the first refusal, and one when the quarter of an hour was over.
    assert len([at for at in in_the_hour if at < MINUTE]) <= 4
    assert [at for at in in_the_hour if at >= MINUTE] == [15 * MINUTE]
    came = Counter(one.arrived.rcpt_to for one in story.post.letters)
    assert all(came[f"p{number}@{'gmail.com' if number % 2 else 'one.example'}"] == 1 for number in range(20))
    assert story.rows("suppression") == []
    told = [one.subject for one in story.letters_to(DANA)]
    assert told == [
        "google refuses our mail: it rests until 2026-03-09 08:15 UTC",
        "google refuses our mail: it rests until 2026-03-09 09:15 UTC",
    ]


def test_what_was_counted_days_ago_is_let_go_of_within_a_day(story: Story) -> None:
    with story.database.writing() as session:
        store.add(session, {("limit:company one.example", Span.HOUR, MONDAY - timedelta(days=3)): 5})
    story.live(days=1)
    assert story.rows("pace_count") == []


def test_whoever_is_told_that_a_campaign_stopped_reads_which_command_lets_it_go_on(story: Story) -> None:
    """The prompt wants a reason for going on with a campaign that stopped by itself."""
    with story.database.writing() as session:
        facts = {"campaign": "newsletter:weekly", "because": "2 readers complained", "is_stopped": True}
        tell_caretakers(session, "stopped", key="stopped", facts=facts, now=story.now)
    story.settle()
    [letter] = story.letters_to(DANA)
    assert 'nurture resume newsletter:weekly --because "…"' in letter.text


def test_a_receiver_that_says_for_good_that_it_does_not_want_us_loses_no_mail(story: Story) -> None:
    """STANDARDS 49: a 5.7.515 must pause the domain and must not suppress the addresses."""
    until = story.now + 10 * MINUTE
    refused = "550 5.7.515 Access denied, sending domain does not meet the required authentication level"
    story.post.on_data = lambda to: refused if to.endswith("outlook.com") and story.now < until else None
    story.add_contact("ana@outlook.com")
    story.live(hours=1)
    assert len(story.letters_to("ana@outlook.com")) == 1
    assert story.rows("suppression") == []
