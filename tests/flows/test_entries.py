"""Who comes into a sequence: each trigger, once or again, and what happens when several want the same person."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture.contacts.actions import change_contact, join_list, leave_list, tag_contact
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.sequences import store
from nurture.sequences.entries import Entry, enroll
from nurture.tracking.actions import record_told
from tests.support.stories import Story, running_story
from tests.support.workspaces import SETTINGS

#: A Monday, nine in the morning.
START = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
NO_CAPS = {"NURTURE_SENDING__CAP_PER_DAY": "100", "NURTURE_SENDING__CAP_PER_WEEK": "100"}

DATES = SETTINGS + '\n[fields.renewal_on]\ntype = "date"\n'


def sequence(name: str, entry: str, steps: str = "[{id: hello, send: report, subject: Hello}]", **keys: object) -> str:
    """The file of a sequence."""
    more = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return f"format: 1\nsequence: {name}\ntopic: insights\n{more}enroll: {entry}\nsteps: {steps}\n"


LONG = "[{id: hello, send: report, subject: Hello}, {wait: 10 days}]"
FILES = {
    "settings.toml": DATES,
    "campaigns/sequences/evaluators.yaml": sequence("evaluators", "{when: company_size >= 50}"),
    "campaigns/sequences/joined.yaml": sequence("joined", "{joined: fair, again: always}", compatible_with="all"),
    "campaigns/sequences/renewal.yaml": sequence("renewal", "{on_date: renewal_on - 30 days, again: after 100 days}"),
    "campaigns/sequences/curious.yaml": sequence("curious", '{did: visited("/pricing")}', compatible_with="all"),
    "campaigns/sequences/formed.yaml": sequence("formed", "{submitted: demo}", compatible_with="all"),
    "campaigns/sequences/vip.yaml": sequence("vip", '{when: has_tag("vip")}', LONG, priority=80),
    "campaigns/sequences/second.yaml": sequence("second", '{when: has_tag("vip")}', LONG, priority=20),
    "campaigns/sequences/urgent.yaml": sequence(
        "urgent", '{when: has_tag("urgent")}', LONG, priority=90, if_busy="replace"
    ),
    "campaigns/sequences/modest.yaml": sequence("modest", '{when: has_tag("modest")}', LONG, if_busy="skip"),
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


def ways(story: Story, email: str = "ana@reader.example") -> list[tuple[str, str, str]]:
    """Every enrollment of somebody: which, how it stands, why it ended."""
    with story.database.reading() as session:
        rows = store.list_enrollments(session, [story.contact(email).id])
        return [(row.sequence, row.status, row.exit_reason) for row in rows]


def came_in(story: Story, email: str = "ana@reader.example") -> Counter[str]:
    return Counter(name for name, _, reason in ways(story, email) if reason != "busy")


def join(story: Story, contact: Contact, name: str = "fair") -> None:
    with story.database.writing() as session:
        join_list(session, name, [contact.id], story.now)


def leave(story: Story, contact: Contact, name: str = "fair") -> None:
    with story.database.writing() as session:
        leave_list(session, name, [contact.id], story.now)


def tag(story: Story, contact: Contact, *tags: str) -> None:
    with story.database.writing() as session:
        for one in tags:
            tag_contact(session, contact.id, one, story.now)


def test_whoever_a_condition_begins_to_hold_for_comes_in_once(story: Story) -> None:
    ana = story.add_contact("ana@reader.example", fields={"company_size": 10})
    story.live(days=1)
    assert not came_in(story)
    with story.database.writing() as session:
        change_contact(session, session.get_one(Contact, ana.id), {"company_size": 50}, story.now)
    story.live(days=40)
    assert came_in(story) == {"evaluators": 1}


def test_whoever_joins_a_list_comes_in_each_time_they_join_it(story: Story) -> None:
    ana = story.add_contact("ana@reader.example")
    join(story, ana)
    story.live(days=2)
    assert came_in(story) == {"joined": 1}
    leave(story, ana)
    story.live(days=1)
    join(story, ana)
    story.live(days=2)
    assert came_in(story) == {"joined": 2}
    assert len(story.letters_to("ana@reader.example")) == 2


def test_a_whole_list_comes_in_however_many_joined_at_once(story: Story) -> None:
    emails = [f"reader{number}@reader.example" for number in range(60)]
    for email in emails:
        join(story, story.add_contact(email))
    story.live(days=1)
    assert [email for email in emails if came_in(story, email) != {"joined": 1}] == []


def test_whoever_was_on_the_list_before_the_sequence_was_published_did_not_join_it(
    sqlite: Database, tmp_path: Path
) -> None:
    with running_story(tmp_path / "house", sqlite.url, START, {}, **NO_CAPS) as story:
        ana = story.add_contact("ana@reader.example")
        join(story, ana)
        story.live(days=1)
        story.publish({"campaigns/sequences/joined.yaml": FILES["campaigns/sequences/joined.yaml"]})
        story.live(days=2)
        assert not came_in(story)


def test_a_date_of_the_contact_lets_them_in_when_it_comes_although_nothing_about_them_changes(story: Story) -> None:
    story.add_contact("ana@reader.example", fields={"renewal_on": "2026-04-20"})
    story.live_until(datetime(2026, 3, 20, 23, 0, tzinfo=UTC))
    assert not came_in(story)
    story.live_until(datetime(2026, 3, 21, 23, 0, tzinfo=UTC))
    assert came_in(story) == {"renewal": 1}
    story.live(days=30)
    assert came_in(story) == {"renewal": 1}


def test_a_date_that_came_while_the_house_was_down_counts_for_a_week(lite: Story) -> None:
    lite.add_contact("ana@reader.example", fields={"renewal_on": "2026-04-20"})
    lite.add_contact("ben@reader.example", fields={"renewal_on": "2026-04-11"})
    lite.settle()
    lite.sleep(days=17)
    lite.live(days=2)
    assert came_in(lite) == {"renewal": 1}
    assert not came_in(lite, "ben@reader.example")


def test_next_years_date_lets_them_in_again(lite: Story) -> None:
    ana = lite.add_contact("ana@reader.example", fields={"renewal_on": "2026-04-20"})
    lite.live(days=20)
    with lite.database.writing() as session:
        change_contact(session, session.get_one(Contact, ana.id), {"renewal_on": "2027-04-20"}, lite.now)
    lite.live_until(datetime(2027, 3, 25, tzinfo=UTC))
    assert came_in(lite) == {"renewal": 2}


def test_whoever_does_something_comes_in(story: Story) -> None:
    story.add_contact("ana@reader.example", country="US", fields={"company_size": 90})
    story.live(minutes=5)
    [letter] = story.letters_to("ana@reader.example")
    story.ask(letter.clicks[0])
    story.live(minutes=5)
    assert came_in(story) == {"evaluators": 1}
    story.ask(letter.clicks[1])
    story.live(days=20)
    assert came_in(story) == {"evaluators": 1, "curious": 1}


def test_whoever_sends_a_form_comes_in(story: Story) -> None:
    ana = story.add_contact("ana@reader.example")
    story.live(days=1)
    with story.database.writing() as session:
        record_told(session, ana.id, "submitted", "demo", story.now, story.now)
    story.live(days=1)
    assert came_in(story) == {"formed": 1}


def test_when_two_want_the_same_person_the_more_important_comes_first_and_the_other_waits(story: Story) -> None:
    ana = story.add_contact("ana@reader.example")
    tag(story, ana, "vip")
    story.live(days=1)
    assert ways(story) == [("vip", "waiting", "")]
    story.live(days=12)
    assert ways(story) == [("vip", "finished", ""), ("second", "waiting", "")]


def test_one_that_replaces_ends_what_is_less_important(story: Story) -> None:
    ana = story.add_contact("ana@reader.example")
    tag(story, ana, "vip")
    story.live(days=1)
    tag(story, ana, "urgent")
    story.live(days=1)
    assert ways(story) == [("vip", "exited", "replaced"), ("urgent", "waiting", "")]


def test_one_that_stays_out_when_somebody_is_busy_does_not_come_later(lite: Story) -> None:
    ana = lite.add_contact("ana@reader.example")
    tag(lite, ana, "vip")
    lite.live(days=1)
    tag(lite, ana, "modest")
    lite.live(days=40)
    assert ("modest", "exited", "busy") in ways(lite)
    assert came_in(lite) == {"vip": 1, "second": 1}


def test_sequences_that_go_together_run_together(lite: Story) -> None:
    ana = lite.add_contact("ana@reader.example")
    tag(lite, ana, "vip")
    join(lite, ana)
    lite.live(hours=1)
    assert set(came_in(lite)) == {"vip", "joined"}


def test_by_hand_somebody_who_is_busy_comes_in_when_the_other_sequence_ends(story: Story) -> None:
    ana = story.add_contact("ana@reader.example")
    tag(story, ana, "vip")
    story.live(days=1)

    def put_in() -> Entry:
        with story.database.writing() as session:
            return enroll(session, story.app.language, "evaluators", ana, because="by hand", now=story.now)

    assert (put_in(), put_in()) == (Entry.WAITS, Entry.ALREADY)
    assert came_in(story) == {"vip": 1}
    story.live(days=40)
    assert came_in(story) == {"vip": 1, "evaluators": 1, "second": 1}


def test_nobody_is_on_two_sequences_that_do_not_go_together(story: Story) -> None:
    ana = story.add_contact("ana@reader.example", fields={"company_size": 99, "renewal_on": "2026-04-09"})
    tag(story, ana, "vip", "modest")
    for _ in range(60):
        story.live(days=1)
        with story.database.reading() as session:
            here = [row.sequence for row in store.list_on_the_way(session, [ana.id])]
        assert len(here) <= 1
    assert came_in(story) == {"vip": 1, "evaluators": 1, "renewal": 1, "second": 1}
