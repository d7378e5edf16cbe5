"""What holds over time whatever goes wrong meanwhile: distances, silence after a no, and the bytes of a mail.

Each example of a property is another person in one house whose clock goes on; it begins on a Monday morning, so that it
tells the same story whenever it is told.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.campaigns.agreements import agree
from nurture.campaigns.store import find_current
from nurture.contacts import store as contacts
from nurture.contacts.actions import change_contact, get_contact
from nurture.database.engine import Database
from nurture.database.installation import pause, resume
from nurture.delivery.pausing.actions import go_on
from nurture.delivery.rules import SETTLED
from nurture.engines.catching_up import catch_up
from nurture.engines.local import run_once
from nurture.engines.rounds import run_due
from nurture.sequences.entries import enroll
from tests.support.stories import Story, running_story

START = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
ANA = "ana@reader.example"

LETTER = """\
<mjml><mj-head><mj-title>Letter</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Hello {{ contact.first_name | fallback("there") }} of {{ contact.company | fallback("your house") }},
here is <a href="https://acme.example/hello?to={{ contact.email | urlencode }}">your page</a>.</mj-text>
<mj-text>{{ sender.name }} · {{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a> ·
<a href="{{ view_url }}">View</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
sender: owner
steps:
  - {id: one, send: letter, subject: "One, {{ contact.first_name | fallback('friend') }}"}
  - wait: 5 hours
  - {id: two, send: letter, subject: Two}
  - {tag: read-two}
  - wait: 2 days
  - {id: three, send: letter, subject: Three}
  - wait: 26 hours
  - {id: four, send: letter, subject: Four}
"""
WAITS = (timedelta(hours=5), timedelta(days=2), timedelta(hours=26))
SUBJECTS = ["One, friend", "Two", "Three", "Four"]
FILES = {"templates/letter.mjml": LETTER, "campaigns/sequences/evaluators.yaml": SEQUENCE}
#: The waits keep mails apart here, not the caps.
NO_CAPS = {
    "NURTURE_SENDING__CAP_PER_DAY": "100",
    "NURTURE_SENDING__CAP_PER_WEEK": "100",
    "NURTURE_SENDING__FIRST_WAVE": "0",
}

MANY = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES, **NO_CAPS) as told:
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    """On SQLite only, where the database plays no part."""
    with running_story(tmp_path / "house", sqlite.url, START, FILES, **NO_CAPS) as told:
        yield told


def begin(story: Story, email: str | None = None, **values: str) -> str:
    """Somebody new enters the sequence, the next Monday at nine; their address."""
    behind = (story.now - START) % timedelta(days=7)
    story.live_until(story.now - behind + timedelta(days=7) if behind else story.now)
    return enter(story, email or f"reader{len(story.rows('contact'))}@reader.example", **values)


def enter(story: Story, email: str, **values: str) -> str:
    """Somebody new enters the sequence now."""
    contact = story.add_contact(email, **values)
    with story.database.writing() as session:
        assert enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)
    return email


# What can go wrong for a while: the house is not running, there is no relay, the relay puts mail off, sending is paused.
troubles = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["no house", "no relay", "put off", "paused"]), st.integers(1, 60)),
    max_size=3,
)
Troubles = list[tuple[int, str, int]]


def live_through(story: Story, happening: Troubles) -> None:
    for hours_before, what, hours in happening:
        story.live(hours=hours_before)
        match what:
            case "no house":
                story.sleep(hours=hours)
            case "no relay":
                story.stop_relay()
                story.live(hours=hours)
                story.start_relay()
            case "put off":
                story.post.on_data = lambda _: "451 4.3.0 try later"
                story.live(hours=hours)
                story.post.on_data = lambda _: None
            case "paused":
                with story.database.writing() as session:
                    pause(session, because="a test", now=story.now)
                story.live(hours=hours)
                with story.database.writing() as session:
                    resume(session, home=story.app.home)


# Distances.


@given(troubles)
@MANY
def test_two_mails_are_never_closer_than_the_wait_between_them(lite: Story, happening: Troubles) -> None:
    email = begin(lite)
    live_through(lite, happening)
    lite.live(days=9)
    letters = lite.letters_to(email)
    subjects = [one.subject for one in letters]
    # A mail that the relay puts off for days fails in the end; nothing else keeps one from coming.
    assert subjects == SUBJECTS[: len(subjects)]
    assert len(subjects) == 4 or any(what == "put off" for _, what, _ in happening)
    gaps = [second.at - first.at for first, second in pairwise(letters)]
    assert all(gap >= wait for gap, wait in zip(gaps, WAITS, strict=True)), gaps


# Looking again.


@given(troubles)
@settings(MANY, max_examples=6)
def test_looking_twice_at_one_instant_adds_nothing(story: Story, happening: Troubles) -> None:
    email = begin(story)
    for one in happening:
        live_through(story, [one])
        story.settle()
        for letter in story.letters_to(email)[-1:]:
            story.ask(letter.clicks[0])
        story.settle()
        # A start notes how far it compared the journal; this one has nothing to add.
        catch_up(story.database, story.now)
        before = story.everything(but=("worker",))
        story.settle()
        # So does a second process that was started at the same instant.
        assert not run_once(story.app.workshop(), story.now).counts["sent"]
        assert story.everything(but=("worker",)) == before


# Silence.


@given(troubles, st.integers(0, 120), st.sampled_from(["one click", "a word", "the address"]), troubles)
@MANY
def test_after_an_opt_out_nothing_is_decided_and_nothing_sent(
    lite: Story, before: Troubles, hours: int, door: str, afterwards: Troubles
) -> None:
    email = begin(lite)
    lite.live(hours=1)
    if not lite.letters_to(email):  # ten have left in the examples before, so the campaign stopped itself
        go_on(lite.database, "sequence:evaluators", lite.now)
        lite.live(hours=1)
    [first] = lite.letters_to(email)
    live_through(lite, before)
    lite.sleep(hours=hours)  # what is due by now is not even queued yet
    match door:
        case "one click":
            lite.leave(first)
        case "a word":
            lite.write_to_us(first.reply_to, "Please remove me")
        case "the address":
            lite.write_to_us(first.leave_by_mail, "")
    left_at, tries = lite.now, len(lite.post.tries)
    decided = {one.key for one in lite.deliveries_to(email)}
    [was_over] = [row["ended_at"] is not None for row in ways_of(lite, email)]
    live_through(lite, afterwards)
    lite.live(days=4)
    assert [(one.at, one.arrived.rcpt_to) for one in lite.post.tries[tries:]] == []
    assert {one.key for one in lite.deliveries_to(email)} == decided
    assert all(one.status in SETTLED for one in lite.deliveries_to(email))
    [way] = ways_of(lite, email)
    assert was_over or (way["status"], way["exit_reason"]) == ("exited", "opt_out")
    assert all(row["tagged_at"] <= left_at for row in lite.rows("contact_tag"))


def ways_of(story: Story, email: str) -> list[dict[str, Any]]:
    return [row for row in story.rows("enrollment") if row["contact_id"] == story.contact(email).id]


def test_an_opt_out_while_the_mail_before_is_on_the_wire_keeps_the_next_one_here(
    database: Database, tmp_path: Path
) -> None:
    with running_story(
        tmp_path / "house", database.url, START, FILES, **NO_CAPS, NURTURE_SMTP__CONNECTIONS="1"
    ) as story:
        begin(story, ANA)
        story.settle()
        [letter] = story.letters_to(ANA)
        story.live(hours=4)
        with story.database.writing() as session:
            pause(session, because="a test", now=story.now)
        enter(story, "ben@reader.example")  # his mail is due before her second one
        story.live(hours=1)
        with story.database.writing() as session:
            resume(session, home=story.app.home)
        story.post.hold_answers = threading.Event()
        sending = threading.Thread(target=story.settle)
        sending.start()
        assert story.post.is_holding.wait(30)
        assert story.post.tries[-1].arrived.rcpt_to == "ben@reader.example"
        story.leave(letter)
        story.post.hold_answers.set()
        sending.join()
        assert [len(story.letters_to(one)) for one in (ANA, "ben@reader.example")] == [1, 1]
        assert [one.status for one in story.deliveries_to(ANA)] == ["sent", "refused"]


# The bytes of a mail.

words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)


@given(words, words, words)
@MANY
def test_a_mail_is_the_same_to_the_last_byte_however_often_it_is_tried(
    lite: Story, name: str, company: str, later: str
) -> None:
    email = begin(lite, first_name=name, company=company)
    tried = len(lite.post.tries)
    lite.post.on_data = lambda _: "451 4.3.0 try later"
    lite.settle()
    with lite.database.writing() as session:
        contact = get_contact(session, email)
        change_contact(session, contact, {"first_name": later, "company": None}, lite.now)
    lite.live(minutes=10)
    lite.post.on_data = lambda _: None
    lite.live(hours=1)
    first, *others = lite.post.tries[tried:]
    assert len(others) == 2
    assert all(one.arrived.content == first.arrived.content for one in others)
    shown = lite.ask(first.view)
    assert shown.text.split() == first.html.split()


def test_a_mail_is_shown_and_tried_again_as_it_was_first_made_whatever_is_published_meanwhile(story: Story) -> None:
    with story.database.reading() as session:
        luis = contacts.find_operator(session, "luis@acme.example")
        dana = contacts.find_operator(session, "dana@acme.example")
    assert luis is not None
    assert dana is not None
    contact = story.add_contact(ANA, first_name="Ana", owner_id=luis.id)
    with story.database.writing() as session:
        current = find_current(session, "sequence", "evaluators")
        assert current is not None
        for owner in (luis, dana):
            agree(session, owner.id, "evaluators", current[1], by="a test", now=story.now)
        enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)
    story.post.on_data = lambda _: "451 4.3.0 try later"
    story.settle()
    with story.database.writing() as session:
        change_contact(session, get_contact(session, ANA), {"owner_id": dana.id, "first_name": "Anna"}, story.now)
    story.publish({"templates/letter.mjml": LETTER.replace("Hello", "Good morning")})
    story.post.on_data = lambda _: None
    story.live(hours=1)
    first, second = story.post.tries
    assert first.arrived == second.arrived
    assert first.arrived.message["From"].addresses[0].addr_spec == "luis@acme.example"
    shown = story.ask(first.view).text
    assert shown.split() == first.html.split()
    assert "Hello Ana" in shown
    # The next mail takes what is known by then; its version is still the one they came in by.
    story.live(hours=5)
    [_, letter] = story.letters_to(ANA)
    assert (letter.arrived.message["From"].addresses[0].addr_spec, "Hello Anna" in letter.html) == (
        "dana@acme.example",
        True,
    )
    assert story.ask(first.view).text == shown


def test_a_window_that_closes_while_a_run_is_sending_holds_what_is_left(sqlite: Database, tmp_path: Path) -> None:
    """`run --once` claims what was due when it began, but asks at the moment each mail leaves."""
    sequence = SEQUENCE.replace("steps:", 'window: {days: mon-fri, hours: "09:00-17:00", timezone: contact}\nsteps:')
    files = {**FILES, "campaigns/sequences/evaluators.yaml": sequence}
    with running_story(tmp_path / "house", sqlite.url, START, files, **NO_CAPS) as story:
        began_at = START.replace(hour=16, minute=59)
        story.clock.step_to(began_at)
        enter(story, ANA, timezone="UTC")
        run_due(story.bench, began_at)
        story.clock.step_to(began_at + timedelta(minutes=2))
        assert story.send(as_of=began_at) == {"held": 1}
        story.live(hours=20)
        [letter] = story.letters_to(ANA)
        assert letter.at == START + timedelta(days=1)
