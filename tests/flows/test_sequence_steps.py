"""Every kind of step in a whole house: what it waits for, what it leaves behind, and that nothing of it happens twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.contacts import store as contacts
from nurture.contacts.actions import change_contact, join_list
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.sequences import store
from nurture.sequences.entries import enroll
from nurture.sequences.store import EnrollmentRow
from tests.support.stories import Letter, Story, running_story
from tests.support.workspaces import SETTINGS

#: A Monday, nine in the morning.
START = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
NO_CAPS = {
    "NURTURE_SENDING__CAP_PER_DAY": "100",
    "NURTURE_SENDING__CAP_PER_WEEK": "100",
    "NURTURE_SENDING__BLAST_GUARD": "100000",
    "NURTURE_SENDING__FIRST_WAVE": "0",
}
ANA = "ana@reader.example"

EVENTS = """\
format: 1
sequence: evaluators
topic: insights
steps:
  - {id: first, send: report, subject: First}
  - id: clicked
    wait_for: clicked("first", link="/pricing")
    up_to: 5 days
    then: [{tag: curious}, {id: prices, send: report, subject: Prices}]
    else: [{tag: quiet}]
  - {list: readers}
  - {list: {leave: fresh}}
  - notify: {subject: "{{ contact.first_name }} is through", text: Have a look.}
  - task: {what: Call them, due_after: 1 day}
  - {enroll: second}
"""
SECOND = """\
format: 1
sequence: second
topic: insights
steps: [{id: hello, send: report, subject: Second}]
"""
MOMENTS = """\
format: 1
sequence: moments
topic: insights
window: {days: mon-fri, hours: "09:00-17:00", timezone: Europe/Berlin, holidays: DE}
steps:
  - wait: {until: "tue, thu", at: "10:00"}
  - {id: tuesday, send: report, subject: Tuesday}
  - wait: {until: renewal_on - 30 days, at: "09:00"}
  - {id: renewal, send: report, subject: Renewal}
"""
ROUNDS = """\
format: 1
sequence: rounds
topic: insights
steps:
  - {id: again, send: report, subject: Again}
  - wait: 2 days
  - {goto: again, at_most: 2}
  - {id: last, send: report, subject: Last}
"""
TEST = """\
format: 1
sequence: test
topic: insights
steps:
  - id: opening
    split:
      question: {weight: 1, steps: [{id: ask-first, send: report, subject: A question}]}
      answer: {weight: 1, steps: [{id: answer-first, send: report, subject: An answer}]}
    winner: {goal: has_tag("won") and company_size == 1, after: 1 day, at_least: 10}
  - wait: 3 days
"""
FILES = {
    "settings.toml": SETTINGS + '\n[fields.renewal_on]\ntype = "date"\n',
    "campaigns/sequences/evaluators.yaml": EVENTS,
    "campaigns/sequences/second.yaml": SECOND,
    "campaigns/sequences/moments.yaml": MOMENTS,
    "campaigns/sequences/rounds.yaml": ROUNDS,
    "campaigns/sequences/test.yaml": TEST,
}


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES, **NO_CAPS) as told:
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    """On SQLite only, where the database plays no part."""
    with running_story(tmp_path / "house", sqlite.url, START, FILES, **NO_CAPS) as told:
        yield told


def begin(story: Story, sequence: str, email: str = ANA, **values: object) -> Contact:
    with story.database.reading() as session:
        luis = contacts.find_operator(session, "luis@acme.example")
        assert luis is not None
    contact = story.add_contact(email, owner_id=luis.id, first_name="Ana", **values)
    with story.database.writing() as session:
        join_list(session, "fresh", [contact.id], story.now)
        enroll(session, story.app.language, sequence, contact, because="a test", now=story.now)
    return contact


def known(story: Story, contact: Contact) -> tuple[set[str], set[str]]:
    """Tags and lists of somebody."""
    with story.database.reading() as session:
        tags, lists = contacts.tags_of(session, [contact.id]), contacts.lists_of(session, [contact.id])
        return set(tags.get(contact.id, ())), set(lists.get(contact.id, ()))


def subjects(story: Story, email: str = ANA) -> list[str]:
    return [letter.subject for letter in story.letters_to(email)]


def got_at(story: Story, subject: str) -> datetime:
    [at] = [letter.at for letter in story.letters_to(ANA) if letter.subject == subject]
    return at


def click(story: Story, letter: Letter, link: int) -> None:
    assert story.ask(letter.clicks[link]).status_code == 302


def test_what_is_waited_for_moves_somebody_on_within_minutes(story: Story) -> None:
    ana = begin(story, "evaluators", country="US")
    story.live(days=2)
    [first] = story.letters_to(ANA)
    click(story, first, 1)
    story.live(minutes=5)
    assert subjects(story)[:2] == ["First", "Prices"]
    assert known(story, ana) == ({"curious"}, {"readers"})


def test_when_it_does_not_come_the_deadline_moves_them_on(story: Story) -> None:
    ana = begin(story, "evaluators")
    story.live(days=4)
    assert known(story, ana) == (set(), {"fresh"})
    story.live(days=2)
    assert known(story, ana) == ({"quiet"}, {"readers"})


def test_a_click_after_the_deadline_is_too_late_however_late_anybody_looks(lite: Story) -> None:
    ana = begin(lite, "evaluators", country="US")
    lite.live(hours=1)
    [first] = lite.letters_to(ANA)
    lite.sleep(days=6)
    click(lite, first, 1)
    lite.live(days=1)
    assert known(lite, ana)[0] == {"quiet"}


def test_a_machine_that_fetches_every_link_moves_nobody_on(lite: Story) -> None:
    ana = begin(lite, "evaluators", country="US")
    lite.live(hours=1)
    [first] = lite.letters_to(ANA)
    for link in range(2):
        click(lite, first, link)
    lite.live(days=3)
    assert known(lite, ana)[0] == set()


def test_colleagues_hear_of_it_once_and_have_something_to_do(story: Story) -> None:
    begin(story, "evaluators")
    story.live(days=8)
    told = [letter.subject for letter in story.letters_to("luis@acme.example")]
    assert told == ["Ana is through"]
    assert [task["what"] for task in story.rows("task")] == ["Call them"]


def test_a_sequence_puts_somebody_into_another_one_when_it_ends(story: Story) -> None:
    ana = begin(story, "evaluators")
    story.live(days=8)
    assert subjects(story) == ["First", "Second"]
    with story.database.reading() as session:
        ways = [(row.sequence, row.status) for row in store.list_enrollments(session, [ana.id])]
    assert ways == [("evaluators", "finished"), ("second", "finished")]


def test_moments_come_on_the_wall_clock_of_the_window_and_holidays_are_kept_free(story: Story) -> None:
    begin(story, "moments", fields={"renewal_on": "2026-05-03"})
    story.live(days=30)
    assert got_at(story, "Tuesday") == datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
    # Thirty days before is Good Friday; the next opening is the Tuesday after Easter, in summer time.
    assert got_at(story, "Renewal") == datetime(2026, 4, 7, 7, 0, tzinfo=UTC)


def test_a_date_that_is_moved_is_followed(lite: Story) -> None:
    ana = begin(lite, "moments", fields={"renewal_on": "2026-05-03"})
    lite.live(days=5)
    with lite.database.writing() as session:
        change_contact(session, session.get_one(Contact, ana.id), {"renewal_on": "2026-06-01"}, lite.now)
    lite.live(days=60)
    assert got_at(lite, "Renewal") == datetime(2026, 5, 4, 7, 0, tzinfo=UTC)


def test_going_back_sends_a_mail_again_as_often_as_the_file_says(story: Story) -> None:
    begin(story, "rounds")
    story.live(days=20)
    assert subjects(story) == ["Again", "Again", "Again", "Last"]
    gaps = [
        later.at - sooner.at for sooner, later in zip(story.letters_to(ANA), story.letters_to(ANA)[1:], strict=False)
    ]
    assert gaps == [timedelta(days=2), timedelta(days=2), timedelta(days=2)]


def test_every_step_that_was_passed_is_kept_with_the_way_it_led_on(lite: Story) -> None:
    begin(lite, "rounds")
    lite.live(days=20)
    passed = sorted((row["visit"], row["step"], row["way"]) for row in lite.rows("step_visit"))
    assert passed == [
        (1, "again", "sent"), (1, "goto-1", "again"), (1, "wait-1", ""),
        (2, "again", "sent"), (2, "goto-1", "again"), (2, "wait-1", ""),
        (3, "again", "sent"), (3, "goto-1", "enough"), (3, "last", "sent"), (3, "wait-1", ""),
    ]  # fmt: skip


def arms(story: Story) -> dict[str, str]:
    """By address: which opening they got."""
    return {email: subject for email in who(story) for subject in subjects(story, email)[:1]}


def who(story: Story) -> list[str]:
    return [row["email"] for row in story.rows("contact")]


def test_a_test_that_is_won_sends_everybody_who_comes_later_the_winning_way(story: Story) -> None:
    for number in range(60):
        begin(story, "test", f"reader{number}@reader.example", fields={"company_size": 0})
    story.live(hours=1)
    won = {email for email, subject in arms(story).items() if subject == "An answer"}
    assert 10 <= len(won) <= 50
    with story.database.writing() as session:
        for email in won:
            contact = contacts.find_contact(session, email)
            assert contact is not None
            change_contact(session, contact, {"company_size": 1}, story.now)
            contacts.insert_tag(session, contact.id, "won", story.now)
    story.live(hours=30)
    [test] = story.rows("split_test")
    assert (test["arm"], test["ended_at"] is not None) == ("answer", True)
    assert "100.0 %" in test["because"]
    for number in range(60, 80):
        begin(story, "test", f"reader{number}@reader.example", fields={"company_size": 0})
    story.live(hours=1)
    later = [arms(story)[f"reader{number}@reader.example"] for number in range(60, 80)]
    assert set(later) == {"An answer"}


def test_a_test_without_a_difference_goes_on(lite: Story) -> None:
    for number in range(40):
        begin(lite, "test", f"reader{number}@reader.example", fields={"company_size": 0})
    lite.live(days=3)
    assert [row["arm"] for row in lite.rows("split_test")] == [None]
    assert {row["ended_at"] for row in lite.rows("split_test")} == {None}


def test_an_edited_arm_begins_another_test(lite: Story) -> None:
    for number in range(30):
        begin(lite, "test", f"reader{number}@reader.example", fields={"company_size": 0})
    lite.live(days=2)
    lite.publish({"campaigns/sequences/test.yaml": TEST.replace("answer: {weight: 1", "answer: {weight: 2")})
    begin(lite, "test", "late@reader.example", fields={"company_size": 0})
    lite.live(days=2)
    signatures = {row["signature"] for row in lite.rows("split_test")}
    assert signatures == {"answer=1|question=1", "answer=2|question=1"}


def test_the_loser_of_a_race_throws_its_decision_away(story: Story) -> None:
    ana = begin(story, "rounds")
    with story.database.writing() as session:
        rows = store.list_due(session, story.now, 10)
        saved = [store.Saving(row.id, row.revision, {**_values(row), "revision": row.revision + 1}) for row in rows]
        assert store.save_decided(session, saved) == {row.id for row in rows}
        assert store.save_decided(session, saved) == set()
        revisions = session.scalars(
            sa.select(col(EnrollmentRow.revision)).where(col(EnrollmentRow.contact_id) == ana.id)
        )
        assert list(revisions) == [1]


def _values(row: EnrollmentRow) -> dict[str, object]:
    names = ("status", "step", "visit", "since", "wake_at", "exit_reason", "ended_at")
    return {name: getattr(row, name) for name in names}
