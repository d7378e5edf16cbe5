"""Contacts who belong to nobody get an owner by the rules of settings.toml, and it stands in their history why."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nurture.contacts.actions import change_contact, get_contact
from nurture.contacts.assignment.actions import assign_owners
from nurture.contacts.history.rules import Author
from nurture.contacts.history.store import last_change
from nurture.contacts.store import Operator, list_operators
from nurture.database.engine import Database
from tests.support.stories import Story, running_story
from tests.support.workspaces import SETTINGS, open_house, small_workspace

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
RULES = """
[[assignment]]
name = "german-speaking"
when = 'in_segment("german") and company_size >= 10'
to = ["Dana@acme.example"]

[[assignment]]
name = "everybody else"
to = ["luis@acme.example", "dana@acme.example"]
"""
FILES = {
    "settings.toml": SETTINGS + RULES,
    "campaigns/segments.yaml": 'format: 1\nsegments:\n  german: country in ["DE", "AT"]\n',
}


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES) as told:
        yield told


def owner_of(story: Story, email: str) -> str | None:
    with story.database.reading() as session:
        contact = get_contact(session, email)
        owner = session.get(Operator, contact.owner_id) if contact.owner_id else None
        return owner.email if owner else None


def test_new_contacts_get_the_owner_of_the_first_rule_that_holds_and_keep_them(story: Story) -> None:
    people: dict[str, dict[str, Any]] = {
        "ana@reader.example": {"country": "DE", "fields": {"company_size": 50}},
        "ben@reader.example": {"country": "DE"},
        "cal@reader.example": {"country": "US"},
        "deb@reader.example": {"country": "US", "owner_text": "Bob, who left"},
    }
    for email, values in people.items():
        story.add_contact(email, **values)
    story.settle()
    owners = {email: owner_of(story, email) for email in people}
    assert owners == {
        "ana@reader.example": "dana@acme.example",
        "ben@reader.example": "luis@acme.example",
        "cal@reader.example": "dana@acme.example",
        "deb@reader.example": "luis@acme.example",
    }
    with story.database.reading() as session:
        why = last_change(session, get_contact(session, "ana@reader.example").id, ["owner"])
        assert why is not None
        assert (why.by, why.how) == (
            "assignment",
            'rule "german-speaking": in_segment("german") and company_size >= 10',
        )
    with story.database.writing() as session:
        ben = get_contact(session, "ben@reader.example")
        change_contact(session, ben, {"company_size": 500}, story.now, Author("command line"))
    story.settle()
    assert owner_of(story, "ben@reader.example") == "luis@acme.example", "an owner is never taken away"


def test_nobody_is_given_to_an_operator_who_left(story: Story) -> None:
    with story.database.writing() as session:
        for one in list_operators(session).values():
            one.is_declared = one.email == "dana@acme.example"
    story.add_contact("cal@reader.example", country="US")
    story.settle()
    assert owner_of(story, "cal@reader.example") == "dana@acme.example"


def test_without_rules_nobody_gets_an_owner(sqlite: Database, tmp_path: Path) -> None:
    with running_story(tmp_path / "house", sqlite.url, START, {}) as story:
        contact = story.add_contact("ana@reader.example")
        story.settle()
        assert owner_of(story, "ana@reader.example") is None
        with story.database.writing() as session:
            assert assign_owners(session, story.app.language, [contact.id], story.now) == []


def test_a_rule_that_cannot_be_followed_is_told_with_its_line(sqlite: Database, tmp_path: Path) -> None:
    wrong = RULES.replace("company_size", "compny_size").replace("luis@acme.example", "lui@acme.example")
    folder = small_workspace(tmp_path / "house", **FILES | {"settings.toml": SETTINGS + wrong})
    app = open_house(folder, sqlite.url, relay_port=2525)
    problems = [one for one in app.read_files().problems if "assignment" in one.message]
    app.close()
    lines = (folder / "settings.toml").read_text(encoding="utf-8").splitlines()
    rules = [number for number, line in enumerate(lines, 1) if line == "[[assignment]]"]
    assert [(one.line, one.code) for one in problems] == [(rules[0], "NS004"), (rules[1], "NS004")]
    assert "compny_size" in problems[0].message
    assert 'Did you mean "luis@acme.example"?' in problems[1].hint
