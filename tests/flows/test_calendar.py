"""When mail leaves, told through a whole house: holidays, days the house keeps free, and a newsletter that goes first."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.database.engine import Database
from nurture.delivery.guard.actions import allow
from nurture.delivery.rules import HeldBecause
from nurture.sequences.entries import enroll
from tests.flows.test_newsletter import FILES as NEWSLETTER
from tests.flows.test_newsletter import ONE
from tests.support.stories import Story, running_story
from tests.support.workspaces import SETTINGS

#: The Thursday before Easter.
THURSDAY = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)
#: A Monday; the newsletter's slot is the day after.
MONDAY = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)
ANA = "ana@reader.example"

OFFICE = """\
format: 1
sequence: evaluators
topic: insights
window: {days: mon-fri, hours: "09:00-17:00", timezone: contact, holidays: contact}
late: {within: 1 days, otherwise: skip}
steps:
  - {id: one, send: report, subject: One}
  - wait: 1 days
  - {id: two, send: report, subject: Two}
"""

Tell = Callable[..., Story]


@pytest.fixture
def tell(sqlite: Database, tmp_path: Path) -> Iterator[Tell]:
    with ExitStack() as ends:

        def begin(start: datetime, files: dict[str, str], **environment: str) -> Story:
            return ends.enter_context(running_story(tmp_path / "house", sqlite.url, start, files, **environment))

        yield begin


def enter(story: Story, email: str, **values: str) -> None:
    contact = story.add_contact(email, **values)
    with story.database.writing() as session:
        enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)


def left(story: Story, email: str) -> list[tuple[str, str]]:
    """What somebody got, and when: month, day and hour in UTC."""
    return [(one.subject, f"{one.at:%m-%d %H}") for one in story.letters_to(email)]


def test_over_easter_nothing_reaches_those_who_keep_it_and_nothing_is_too_late_for_it(tell: Tell) -> None:
    story = tell(THURSDAY, {"campaigns/sequences/evaluators.yaml": OFFICE})
    enter(story, ANA, country="DE", timezone="Europe/Berlin")
    enter(story, "joe@reader.example", country="US", timezone="America/New_York")
    story.live(days=7)
    # Good Friday and Easter Monday are holidays in Germany; in New York the bank is open.
    assert left(story, ANA) == [("One", "04-02 09"), ("Two", "04-07 07")]
    assert left(story, "joe@reader.example") == [("One", "04-02 13"), ("Two", "04-03 13")]


def test_days_that_are_kept_free_after_mails_were_queued_hold_them_and_none_is_late_for_it(tell: Tell) -> None:
    story = tell(THURSDAY, {"campaigns/sequences/evaluators.yaml": OFFICE})
    story.sleep(hours=11)  # it is evening where they are
    enter(story, ANA, country="FR", timezone="Europe/Paris")
    story.settle()
    assert not left(story, ANA)
    story.app.declared = replace(story.app.declared, blackout=("2026-04-03..2026-04-08",))
    story.publish({"settings.toml": f'{SETTINGS}\n[sending]\nblackout = ["2026-04-03..2026-04-08"]\n'})
    story.live_until(datetime(2026, 4, 8, 21, 0, tzinfo=UTC))
    assert not left(story, ANA)
    assert {one.because for one in story.deliveries_to(ANA)} == {HeldBecause.BLACKOUT}
    story.live(days=1)
    assert left(story, ANA) == [("One", "04-09 07")]


STEPS = """\
format: 1
sequence: evaluators
topic: insights
steps:
  - {id: one, send: report, subject: First step}
  - wait: 1 days
  - {id: two, send: report, subject: Second step}
  - wait: 1 days
  - {id: ask, send: report, subject: Shall we talk?, kind: ask}
"""


def test_a_step_makes_room_for_the_issue_that_comes_tomorrow_though_nobody_has_queued_it(tell: Tell) -> None:
    story = tell(MONDAY, {**NEWSLETTER, **ONE, "campaigns/sequences/evaluators.yaml": STEPS})
    story.add_contact(ANA)
    story.live_until(MONDAY + timedelta(days=7, hours=6))
    [announcement] = story.letters_to(ANA)
    with story.database.writing() as session:
        enroll(session, story.app.language, "evaluators", story.contact(ANA), because="a test", now=story.now)
    story.settle()
    assert {one.because for one in story.deliveries_to(ANA)} == {"", HeldBecause.ISSUE_FIRST}
    story.live(days=3)
    subjects = [one.subject for one in story.letters_to(ANA)]
    # The issue kept its slot, and the step came when the day was over.
    assert subjects == [announcement.subject, "One", "First step"]
    issue, step = story.letters_to(ANA)[1:]
    assert issue.at == MONDAY.replace(hour=8) + timedelta(days=8)
    assert step.at - issue.at == timedelta(days=1)


def test_an_ask_waits_until_it_is_earned_and_then_follows_the_late_policy(tell: Tell) -> None:
    story = tell(MONDAY, {"campaigns/sequences/evaluators.yaml": STEPS}, NURTURE_SENDING__CAP_PER_WEEK="7")
    enter(story, ANA)
    enter(story, "kim@reader.example")
    with story.database.writing() as session:
        session.get_one(type(story.contact(ANA)), story.contact("kim@reader.example").id).interest = "demonstration"
    story.live(days=29)
    assert [one.subject for one in story.letters_to(ANA)] == ["First step", "Second step"]
    assert [one.subject for one in story.letters_to("kim@reader.example")] == [
        "First step",
        "Second step",
        "Shall we talk?",
    ]
    story.live(days=5)
    assert [one.status for one in story.deliveries_to(ANA)] == ["sent", "sent", "expired"]


def test_a_blast_that_nobody_planned_stops_and_goes_on_with_a_yes(tell: Tell) -> None:
    story = tell(MONDAY, NEWSLETTER, NURTURE_SENDING__BLAST_GUARD="5")
    for number in range(12):
        story.add_contact(f"reader{number}@reader.example")
    story.live(days=3)
    assert len(story.post.letters) == 5
    with story.database.writing() as session:
        allow(session, "weekly", 12, timedelta(days=1), allowed_by="a test", now=story.now)
    story.settle()
    assert len(story.post.letters) == 12
