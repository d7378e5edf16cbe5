"""People rather than steps: a colleague's own deal, somebody who is away, colleagues, and an owner's yes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.campaigns import store as campaigns
from nurture.campaigns.agreements import agree, withdraw
from nurture.consent.holds.actions import find_target, lift, place
from nurture.contacts import store as contacts
from nurture.contacts.actions import join_list, mark_changed
from nurture.contacts.store import Contact
from nurture.database.engine import Database, Session
from nurture.delivery.owners import list_missing
from nurture.reports.queries import count_on_steps, stretch
from nurture.reports.results import totals
from tests.support.stories import Story, running_story
from tests.support.workspaces import SETTINGS

#: A Tuesday, ten in the morning in Berlin.
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA, BEN, LUIS = "ana@reader.example", "ben@colleagues.example", "luis@acme.example"

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
sender: owner
enroll: {when: in_list("report")}
exit:
  - {when: replied(), as: replied}
window: {days: daily, hours: "09:00-17:00", timezone: Europe/Berlin}
steps:
  - {id: first, send: report, subject: The first}
  - wait: 2 days
  - {id: second, send: report, subject: The second}
"""
FILES = {
    "campaigns/sequences/evaluators.yaml": SEQUENCE,
    "campaigns/scoring.yaml": (
        "format: 1\nthreshold: {score: 30, fit: D}\nactivities:\n  - {when: clicked(), points: 40}\n"
        "fit: []\ngrades: {A: 45, B: 25, C: 10}\n"
    ),
}
ENGLISH = "I am out of the office until 16 March and will answer when I am back."


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES) as told:
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    """On SQLite only, where the database plays no part; colleagues have a domain of their own here."""
    files = FILES | {"settings.toml": f'{SETTINGS}\n[company]\ndomains = ["Colleagues.example"]\n'}
    with running_story(tmp_path / "house", sqlite.url, START, files) as told:
        yield told


def bring(story: Story, email: str = ANA, **values: object) -> Contact:
    """Somebody of Luis's who asked for the report."""
    with story.database.reading() as session:
        luis = contacts.find_operator(session, LUIS)
        assert luis is not None
    contact = story.add_contact(email, owner_id=luis.id, **values)
    with story.database.writing() as session:
        join_list(session, "report", [contact.id], story.now)
    return contact


def subjects(story: Story, email: str = ANA) -> list[str]:
    return [one.subject for one in story.letters_to(email)]


def hold(story: Story, length: timedelta, target: str = ANA) -> None:
    with story.database.writing() as session:
        place(session, find_target(session, target), length=length, because="a deal", now=story.now)


# Hands off.


def test_a_sequence_stands_still_while_a_deal_is_going_on_and_goes_on_after_it(story: Story) -> None:
    bring(story)
    story.live(hours=1)
    hold(story, timedelta(days=10), "reader.example")
    story.live(days=9)
    assert subjects(story) == ["The first"]
    [way] = story.rows("enrollment")
    assert way["ended_at"] is None
    story.live(days=2)
    assert subjects(story) == ["The first", "The second"]


def test_a_mail_that_is_queued_already_waits_and_leaves_when_the_hold_is_lifted(story: Story) -> None:
    story.publish({"campaigns/sequences/evaluators.yaml": SEQUENCE.replace("2 days", "10 hours")})
    bring(story)
    story.live(hours=11)
    assert [one.status for one in story.deliveries_to(ANA)] == ["sent", "queued"], "it leaves in the morning"
    hold(story, timedelta(days=30))
    story.live(days=5)
    assert subjects(story) == ["The first"]
    [_, held] = story.deliveries_to(ANA)
    assert (held.status, held.because) == ("held", "hold: Luis Ortega holds them until 2026-04-09: “a deal”")
    with story.database.writing() as session:
        lift(session, find_target(session, ANA), story.now)
    story.live(days=1)
    assert subjects(story) == ["The first", "The second"]


# Away.


@pytest.mark.parametrize("text", [ENGLISH, "Ich bin bis zum 16.3. im Urlaub und nicht erreichbar."])
def test_who_is_away_gets_the_next_mail_when_they_are_back(story: Story, text: str) -> None:
    bring(story, timezone="Europe/Berlin")
    story.live(hours=1)
    letter = story.letters_to(ANA)[0]
    story.write_to_us(letter.reply_to, f"{text}\n\n> back on 1 April", Auto_Submitted="auto-replied")
    assert story.contact(ANA).away_until == datetime(2026, 3, 16, 23, 0, tzinfo=UTC), "midnight in Berlin"
    story.live(days=6)
    assert subjects(story) == ["The first"]
    story.live(days=1)
    assert subjects(story) == ["The first", "The second"]
    assert not [row for row in story.rows("activity") if row["kind"] == "reply"]


def test_what_a_mail_server_says_about_a_mail_is_nobodys_absence(lite: Story) -> None:
    bring(lite)
    lite.live(hours=1)
    letter = lite.letters_to(ANA)[0]
    content = (
        f"From: <>\r\nTo: {letter.reply_to}\r\nSubject: Delayed\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n'
        "--x\r\nContent-Type: text/plain\r\n\r\nWe will retry until 16 March.\r\n--x--\r\n"
    )
    lite.hand_in(letter.reply_to, content.encode())
    assert lite.contact(ANA).away_until is None
    lite.write_to_us(letter.reply_to, "I am away.", Auto_Submitted="auto-replied")
    assert lite.contact(ANA).away_until is None


# Colleagues.


def test_colleagues_get_mail_and_are_never_scored_counted_or_handed_over(lite: Story) -> None:
    for email in (ANA, BEN):
        bring(lite, email)
    lite.live(hours=1)
    for email in (ANA, BEN):
        assert lite.ask(lite.letters_to(email)[0].clicks[0]).status_code == 302
    lite.live(hours=3)
    assert subjects(lite, BEN) == ["The first"]
    assert (lite.contact(ANA).score, lite.contact(ANA).stage) == (40, "lead")
    assert (lite.contact(BEN).score, lite.contact(BEN).stage) == (0, "subscriber")
    with lite.database.reading() as session:
        last = stretch(session, START, lite.now + timedelta(hours=1))
        assert (last.mails, last.people, last.clicked) == (1, 1, 1)
        assert (totals(session).sent, totals(session).clicked) == (1, 1)
        assert sum(sum(steps.values()) for steps in count_on_steps(session).values()) == 1


# An owner's yes.


def say(session: Session, story: Story, *, yes: bool) -> None:
    luis, current = contacts.find_operator(session, LUIS), campaigns.find_current(session, "sequence", "evaluators")
    assert luis is not None
    assert current is not None
    if yes:
        agree(session, luis.id, "evaluators", current[1], by="luis", now=story.now)
    else:
        withdraw(session, luis.id, "evaluators", current[1], now=story.now)
    mark_changed(session, [story.contact(ANA).id], story.now)


def senders(story: Story) -> list[str]:
    return [str(one.arrived.message["From"]).partition(" <")[0].strip('"') for one in story.letters_to(ANA)]


def test_a_mail_carries_the_owners_name_only_after_their_yes(story: Story) -> None:
    bring(story)
    story.live(hours=1)
    with story.database.writing() as session:
        [missing] = list_missing(session)
        assert str(missing) == (
            "evaluators: Luis Ortega has not said yes to its mails; until then they go out as Dana Reed. "
            "`nurture agree evaluators --as luis@acme.example`"
        )
        say(session, story, yes=True)
    with story.database.reading() as session:
        assert list_missing(session) == []
    story.live(days=3)
    assert senders(story) == ["Dana Reed", "Luis Ortega"]


def test_the_yes_is_to_the_mails_and_outlives_versions_that_do_not_change_them(lite: Story) -> None:
    bring(lite)
    with lite.database.writing() as session:
        say(session, lite, yes=True)
    lite.publish({"campaigns/sequences/evaluators.yaml": SEQUENCE.replace("2 days", "3 days")})
    with lite.database.reading() as session:
        assert list_missing(session) == []
    lite.publish({"campaigns/sequences/evaluators.yaml": SEQUENCE.replace("The second", "Something else")})
    with lite.database.reading() as session:
        assert [one.owner.email for one in list_missing(session)] == [LUIS]


@pytest.mark.parametrize("until", ["default", "wait"])
def test_a_yes_taken_back_reaches_a_mail_that_is_queued_already(lite: Story, until: str) -> None:
    night = SEQUENCE.replace("sender: owner", f"sender: owner\nuntil_owner_agrees: {until}").replace(
        "2 days", "10 hours"
    )
    lite.publish({"campaigns/sequences/evaluators.yaml": night})
    bring(lite)
    with lite.database.writing() as session:
        say(session, lite, yes=True)
    lite.live(hours=11)
    assert [one.status for one in lite.deliveries_to(ANA)] == ["sent", "queued"]
    with lite.database.writing() as session:
        say(session, lite, yes=False)
    lite.live(days=3)
    assert senders(lite) == (["Luis Ortega", "Dana Reed"] if until == "default" else ["Luis Ortega"])
    if until == "wait":
        with lite.database.writing() as session:
            say(session, lite, yes=True)
        lite.live(days=1)
        assert senders(lite) == ["Luis Ortega", "Luis Ortega"]
