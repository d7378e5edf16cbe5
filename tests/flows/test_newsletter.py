"""A newsletter from its announcement on: once to everybody, then one issue a week to whoever stayed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.clock import SystemClock
from nurture.consent.rules import Basis
from nurture.contacts.actions import move_stage
from nurture.database.engine import Database
from nurture.newsletters.actions import keep_schedule
from nurture.newsletters.left_out import left_out_of_announcement, left_out_of_issue
from nurture.newsletters.published import get_published
from nurture.newsletters.queueing.actions import Stint
from nurture.reports.upcoming import Upcoming, next_issue
from tests.support.commands import CommandLine
from tests.support.imports import Importer
from tests.support.stories import Story, running_story

#: A Monday, nine in the morning for Dana in Berlin, who writes the newsletter.
MONDAY = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
FIRST_TUESDAY = datetime(2026, 3, 17, 8, 0, tzinfo=UTC)
SECOND_TUESDAY = datetime(2026, 3, 24, 8, 0, tzinfo=UTC)
#: Nine o'clock in summer time.
THIRD_TUESDAY = datetime(2026, 3, 31, 7, 0, tzinfo=UTC)
A_WEEK = timedelta(days=7)
DANA = "dana@acme.example"

PLAIN = """\
<mjml><mj-head><mj-title>Letter</mj-title></mj-head><mj-body><mj-section><mj-column>
{% block content %}{% endblock %}
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a> · <a href="{{ view_url }}">View</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
NEWSLETTER = """\
format: 1
newsletter: weekly
name: The Planning Letter
topic: insights
owner: dana@acme.example
audience: stage != "disqualified"
wait_after: 5 working days
schedule: {every: week, on: tue, at: "09:00", timezone: sender}
layout: plain
"""
FOLDER = "campaigns/newsletters/weekly"


def issue(number: int, subject: str, text: str = "One idea.", *, front: str = "ready: true") -> str:
    return f"---\nnumber: {number}\nsubject: {subject}\n{front}\n---\n{text}\n"


FILES = {
    "templates/layouts/plain.mjml": PLAIN,
    f"{FOLDER}/newsletter.yaml": NEWSLETTER,
    f"{FOLDER}/announcement.md": "---\nsubject: A short letter, every Tuesday\nlayout: plain\n---\nHello.\n",
}
ONE, TWO, THREE = (
    {f"{FOLDER}/{stem}.md": issue(number, stem.capitalize())} for number, stem in enumerate(["one", "two", "three"], 1)
)

Tell = Callable[..., Story]


@pytest.fixture
def tell(database: Database, tmp_path: Path) -> Iterator[Tell]:
    """Begins the story of a newsletter with the issues a test names."""
    yield from _telling(database, tmp_path)


@pytest.fixture
def tell_lite(sqlite: Database, tmp_path: Path) -> Iterator[Tell]:
    """The same on SQLite only, where the database plays no part."""
    yield from _telling(sqlite, tmp_path)


def _telling(database: Database, folder: Path) -> Iterator[Tell]:
    running = []

    def begin(*issues: dict[str, str], **files: str) -> Story:
        every = {**FILES, **{name: text for one in issues for name, text in one.items()}, **files}
        running.append(running_story(folder / "house", database.url, MONDAY, every))
        return running[-1].__enter__()

    yield begin
    for one in running:
        one.__exit__(None, None, None)


def post_of(story: Story, email: str) -> list[tuple[datetime, str]]:
    return [(letter.at, letter.subject) for letter in story.letters_to(email)]


# From the announcement to the first issue.


def test_somebodys_first_issue_is_the_next_one_due_after_their_announcement_and_the_wait(tell: Tell) -> None:
    story = tell(ONE, TWO, THREE)
    story.add_contact("ana@reader.example")
    story.live(days=1, hours=1)
    on_tuesday = story.now
    story.add_contact("ben@reader.example")
    story.live_until(THIRD_TUESDAY)
    assert post_of(story, "ana@reader.example") == [
        (MONDAY, "A short letter, every Tuesday"),
        (FIRST_TUESDAY, "One"),
        (SECOND_TUESDAY, "Two"),
        (THIRD_TUESDAY, "Three"),
    ]
    # Five working days after a Tuesday at ten is an hour too late for the first slot.
    assert post_of(story, "ben@reader.example") == [
        (on_tuesday, "A short letter, every Tuesday"),
        (SECOND_TUESDAY, "Two"),
        (THIRD_TUESDAY, "Three"),
    ]
    assert story.letters_to(DANA) == []


def test_the_announcement_comes_once_whatever_happens_to_a_contact(tell: Tell, tmp_path: Path) -> None:
    story = tell()
    importer = Importer(story.database, story.app.hasher, tmp_path, story.now)
    file = "Email,First Name,Country,Opted In\nana@reader.example,Ana,US,yes\nben@reader.example,Ben,US,yes\n"
    assert importer.take(file).created == 2
    story.settle()
    importer.now = story.now
    importer.take(file)
    story.settle()
    importer.take(file.replace("Ana", "Anna").replace("ana@", "ANA@"), source="field")
    story.publish({f"{FOLDER}/announcement.md": FILES[f"{FOLDER}/announcement.md"].replace("Hello", "Hi")})
    story.live(days=5)
    assert len(story.letters_to("ana@reader.example")) == len(story.letters_to("ben@reader.example")) == 1


def test_the_announcement_comes_once_although_several_processes_announce(tell: Tell) -> None:
    story = tell()
    people = [f"reader{number}@reader.example" for number in range(12)]
    for email in people:
        story.add_contact(email)
    commands = CommandLine(
        story.app.folder,
        {
            "NURTURE_DATABASE__URL": story.database.url,
            "NURTURE_SMTP__PORT": str(story.post.port),
            "NURTURE_SECRET": "a secret for tests",
            "NURTURE_SUPPRESSION_KEY": "a suppression key for tests",
            # They live when the story does: on a Sunday of ours what they queue would wait for Monday.
            "NURTURE_CLOCK__OFFSET": f"{int((story.now - SystemClock().now()).total_seconds())} seconds",
        },
    )
    # The story looks on: what it would find due may be in the hands of a process a moment later.
    processes = [commands.start("run", "--once") for _ in range(3)]
    for one in processes:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, out + err
    # Their clock runs while the story's stands: what one queued, or has to try again, is due a little later.
    story.live(hours=1)
    assert sorted(one.arrived.rcpt_to for one in story.post.letters if one.arrived.rcpt_to != DANA) == sorted(people)


def test_who_left_after_the_announcement_gets_nothing(tell: Tell) -> None:
    story = tell(ONE, TWO)
    for name in ("ana", "ben", "cal"):
        story.add_contact(f"{name}@reader.example")
    story.live(days=2)
    story.leave(story.letters_to("ana@reader.example")[0])
    story.live_until(FIRST_TUESDAY - timedelta(microseconds=1))
    # The last moment before the issue is as good as any.
    story.leave(story.letters_to("ben@reader.example")[0])
    story.live_until(SECOND_TUESDAY)
    counts = {name: len(story.letters_to(f"{name}@reader.example")) for name in ("ana", "ben", "cal")}
    assert counts == {"ana": 1, "ben": 1, "cal": 3}


def test_who_takes_their_opt_out_back_reads_on(tell_lite: Tell) -> None:
    story = tell_lite(ONE, TWO, THREE)
    for name in ("ana", "ben"):  # an issue that nobody would read is not used up
        story.add_contact(f"{name}@reader.example")
    story.live(days=2)
    [announcement] = story.letters_to("ana@reader.example")
    story.leave(announcement)
    story.live_until(SECOND_TUESDAY + timedelta(days=1))
    assert story.http.post(announcement.one_click, data={"undo": "yes"}).status_code == 200
    story.live_until(THIRD_TUESDAY)
    assert post_of(story, "ana@reader.example")[1:] == [(THIRD_TUESDAY, "Three")]
    assert left_out(story, "one") == {"ana": "refused: opted out on 2026-03-11"}
    assert left_out(story, "two") == {"ana": "had left when it went out"}


# When nothing is ready.


def test_without_an_issue_the_owner_is_reminded_two_days_before_and_on_the_day_nothing_goes_out(tell: Tell) -> None:
    story = tell()
    story.add_contact("ana@reader.example")
    story.live_until(SECOND_TUESDAY - timedelta(days=3))
    assert len(story.letters_to("ana@reader.example")) == 1
    assert post_of(story, DANA) == [
        (
            FIRST_TUESDAY - timedelta(days=2),
            "The Planning Letter: no issue is ready for Tuesday 17 March, 09:00",
        ),
        (FIRST_TUESDAY, "The Planning Letter did not go out on Tuesday 17 March, 09:00"),
    ]
    story.publish(ONE)
    story.live_until(SECOND_TUESDAY)
    assert len(story.letters_to(DANA)) == 2, "an issue that is ready in time reminds nobody"
    assert post_of(story, "ana@reader.example")[-1] == (SECOND_TUESDAY, "One")


def test_a_reminder_is_enough_to_make_it_in_time(tell_lite: Tell) -> None:
    story = tell_lite({f"{FOLDER}/one.md": issue(1, "One", front="ready: false")})
    story.add_contact("ana@reader.example")
    story.live_until(FIRST_TUESDAY - timedelta(hours=1))
    assert len(story.letters_to(DANA)) == 1
    story.publish(ONE)
    story.live_until(FIRST_TUESDAY)
    assert len(story.letters_to(DANA)) == 1
    assert post_of(story, "ana@reader.example")[-1] == (FIRST_TUESDAY, "One")


def test_before_anybody_reads_it_nobody_is_reminded_and_no_issue_is_used_up(tell_lite: Tell) -> None:
    story = tell_lite(ONE)
    story.live_until(SECOND_TUESDAY)
    assert story.post.letters == []
    story.add_contact("ana@reader.example")
    story.live(days=14)
    assert [subject for _, subject in post_of(story, "ana@reader.example")][1] == "One"


def test_after_an_outage_an_issue_goes_out_late_or_a_slot_is_passed_over_but_never_two_at_once(
    tell_lite: Tell,
) -> None:
    story = tell_lite(ONE, TWO, THREE)
    story.add_contact("ana@reader.example")
    story.live_until(FIRST_TUESDAY - timedelta(hours=3))
    story.sleep(hours=12)
    story.live(hours=1)
    assert post_of(story, "ana@reader.example")[1:] == [(FIRST_TUESDAY + timedelta(hours=9), "One")]
    story.sleep(days=16)  # over two slots, to a Thursday
    story.settle()
    assert len(story.letters_to("ana@reader.example")) == 2
    story.live(days=7)
    assert post_of(story, "ana@reader.example")[2:] == [(THIRD_TUESDAY + A_WEEK, "Two")]


def test_what_comes_next_after_an_outage_is_what_then_goes_out(tell_lite: Tell) -> None:
    story = tell_lite(ONE, TWO)
    story.add_contact("ana@reader.example")
    story.live(days=1)
    story.clock.step_to(FIRST_TUESDAY + timedelta(hours=9))
    assert coming(story) == Upcoming("The Planning Letter, issue 1", FIRST_TUESDAY, 1, "newsletter:weekly", "one")
    story.settle()
    assert post_of(story, "ana@reader.example")[-1] == (story.now, "One")
    story.clock.step_to(SECOND_TUESDAY + timedelta(days=2))
    assert coming(story) == Upcoming("The Planning Letter, issue 2", THIRD_TUESDAY, 1, "newsletter:weekly", "two")
    story.live_until(THIRD_TUESDAY)
    assert post_of(story, "ana@reader.example")[-1] == (THIRD_TUESDAY, "Two")
    story.clock.step_to(THIRD_TUESDAY + A_WEEK + timedelta(hours=1))
    nothing = Upcoming("The Planning Letter: no issue is ready", THIRD_TUESDAY + 2 * A_WEEK, None, "newsletter:weekly")
    assert coming(story) == nothing, "a slot that passed with nothing to go out comes no more"


def coming(story: Story) -> Upcoming:
    with story.database.reading() as session:
        return next_issue(session, get_published(session, "weekly"), story.now)


# Who was left out.


def test_who_was_left_out_of_the_announcement_can_be_said_by_name(tell: Tell) -> None:
    story = tell()
    story.post.on_rcpt = lambda to: "550 5.1.1 no such user" if to.startswith("fay") else None
    story.add_contact("ana@reader.example")
    story.add_contact("bob@reader.example", basis=None)
    story.add_contact("cal@reader.example", topic=None)
    story.add_contact("dee@reader.example", basis=Basis.MET, country="DE")
    story.add_contact("fay@reader.example")
    gil = story.add_contact("gil@reader.example")
    with story.database.writing() as session:
        move_stage(session, gil, "disqualified", "a test", story.now)
    story.settle()
    with story.database.reading() as session:
        found = left_out_of_announcement(session, story.app.language, "weekly", story.now)
    assert {one.contact.email.partition("@")[0]: one.because for one in found} == {
        "bob": "without a basis, may not be written to (rule)",
        "cal": "nobody knows on which basis to write about this topic",
        "dee": "as met, may not be written to (rule)",
        "fay": "failed: the relay refused it",
    }


def test_an_announcement_that_waits_for_office_hours_leaves_nobody_out(tell_lite: Tell) -> None:
    at_night = f'{NEWSLETTER}announce_in: {{days: mon-fri, hours: "20:00-22:00"}}\n'
    story = tell_lite(**{f"{FOLDER}/newsletter.yaml": at_night})
    story.add_contact("ana@reader.example", timezone="Europe/Berlin")
    story.settle()
    with story.database.reading() as session:
        assert left_out_of_announcement(session, story.app.language, "weekly", story.now) == []
    story.live(days=1)
    assert [at for at, _ in post_of(story, "ana@reader.example")] == [MONDAY.replace(hour=19)]


def test_who_was_left_out_of_an_issue_can_be_said_by_name(tell: Tell) -> None:
    for_the_us = issue(2, "Two", front='ready: true\naudience: country == "US"')
    story = tell(ONE, **{f"{FOLDER}/two.md": for_the_us})
    for name in ("ana", "ben", "cal"):
        story.add_contact(f"{name}@reader.example")
    story.add_contact("dee@reader.example", country="DE")
    story.live(days=2)
    story.leave(story.letters_to("ben@reader.example")[0])
    story.add_contact("eve@reader.example")
    story.live_until(FIRST_TUESDAY)
    story.post.on_rcpt = lambda to: "550 5.1.1 no such user" if to.startswith("cal") else None
    story.live_until(SECOND_TUESDAY)
    assert left_out(story, "one") == {
        "ben": "refused: opted out on 2026-03-11",
        "eve": "their first issue comes from 2026-03-18 on",
    }
    assert left_out(story, "two") == {
        "ben": "opted out on 2026-03-11",
        "cal": "failed: the relay refused it",
        "dee": "not in the audience of this issue",
    }


def left_out(story: Story, name: str) -> dict[str, str]:
    with story.database.reading() as session:
        found = left_out_of_issue(session, story.app.language, "weekly", name, story.now)
    return {one.contact.email.partition("@")[0]: one.because for one in found}


# What is published stays.


def test_an_issue_published_again_after_it_went_out_changes_nobody(tell: Tell) -> None:
    story = tell(ONE)
    story.add_contact("ana@reader.example")
    story.live_until(FIRST_TUESDAY + timedelta(hours=1))
    [_, sent] = story.letters_to("ana@reader.example")
    before = story.ask(sent.view).text
    story.publish({f"{FOLDER}/one.md": issue(1, "One, corrected", "Another idea.")})
    story.live_until(SECOND_TUESDAY)
    assert len(story.letters_to("ana@reader.example")) == 2
    assert "One idea." in before
    assert story.ask(sent.view).text == before
    assert post_of(story, DANA)[-1][1].startswith("The Planning Letter did not go out")


def test_an_issue_published_again_just_after_its_slot_began_goes_out_as_it_was_then(tell_lite: Tell) -> None:
    story = tell_lite(ONE)
    story.add_contact("ana@reader.example")
    story.live_until(FIRST_TUESDAY - timedelta(microseconds=1))
    story.clock.step_to(FIRST_TUESDAY)
    with story.database.writing() as session:
        assert keep_schedule(session, story.app.language, story.now, Stint()) == 1
    story.publish({f"{FOLDER}/one.md": issue(1, "One, corrected", "Another idea.")})
    story.live(days=1)
    assert post_of(story, "ana@reader.example")[1:] == [(FIRST_TUESDAY, "One")]


def test_an_issue_published_again_while_it_goes_out_reads_the_same_for_everybody(tell: Tell) -> None:
    in_their_time = NEWSLETTER.replace("timezone: sender", "timezone: reader")
    story = tell(ONE, **{f"{FOLDER}/newsletter.yaml": in_their_time})
    story.add_contact("ken@reader.example", timezone="Asia/Tokyo")
    story.add_contact("ana@reader.example", timezone="America/New_York")
    story.live_until(FIRST_TUESDAY - timedelta(hours=1))
    story.publish({f"{FOLDER}/one.md": issue(1, "One, corrected", "Another idea.")})
    story.live(days=1)
    assert post_of(story, "ken@reader.example")[1:] == [(datetime(2026, 3, 17, 0, 0, tzinfo=UTC), "One")]
    assert post_of(story, "ana@reader.example")[1:] == [(datetime(2026, 3, 17, 13, 0, tzinfo=UTC), "One")]
