"""What sequences leave for colleagues: tasks with a deadline, notes by mail; each once, and to somebody who works here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.errors import BadInput, NotFound
from nurture.handoff import store, tasks
from nurture.timing import parse_duration
from tests.support.stories import Story, running_story

#: A Tuesday, ten in the morning in Berlin, five in New York.
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HANDOFF = """\
format: 1
definition: Somebody who fits.
rules:
  - {when: score >= 30, route: owner, due_after: 8 hours}
fallback: dana@acme.example
"""


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, {"campaigns/handoff.yaml": HANDOFF}) as running:
        yield running


def contact_of(story: Story, owner: str | None = "luis@acme.example", **values: str) -> Contact:
    owners = {row["email"]: row["id"] for row in story.rows("operator")}
    return story.add_contact("ana@reader.example", owner_id=owners[owner] if owner else None, **values)


def add(story: Story, contact: Contact, *, key: str = "k", due_after: str = "2 hours", to: str = "owner") -> bool:
    with story.database.writing() as session:
        return tasks.add_task(
            session,
            key=key,
            contact=contact,
            to=to,
            what="Call {{ contact.first_name | fallback('them') }}",
            due_after=parse_duration(due_after),
            because="evaluators, step call",
            now=story.now,
        )


def due_at(story: Story) -> datetime:
    with story.database.reading() as session:
        [(task, _, _)] = store.list_tasks(session)
    return task.due_at


def test_a_task_is_left_once_for_the_owner(story: Story) -> None:
    contact = contact_of(story, first_name="Ana")
    assert add(story, contact)
    assert not add(story, contact), "the same intention"
    with story.database.reading() as session:
        [(task, whom, operator)] = store.list_tasks(session)
        assert operator is not None
        assert whom is not None
        assert (task.what, whom.email, operator.email) == ("Call Ana", "ana@reader.example", "luis@acme.example")
        assert store.list_tasks(session, owner="Luis@acme.example") != []
        assert store.list_tasks(session, owner="dana@acme.example") == []


@pytest.mark.parametrize(
    ("due_after", "due"),
    [
        # Luis works from 13:00 to 21:00 UTC, and his day has not begun.
        ("0 hours", datetime(2026, 3, 10, 13, tzinfo=UTC)),
        ("2 hours", datetime(2026, 3, 10, 15, tzinfo=UTC)),
        ("9 hours", datetime(2026, 3, 11, 14, tzinfo=UTC)),
        ("1 day", datetime(2026, 3, 11, 13, tzinfo=UTC)),
        ("2 days", datetime(2026, 3, 12, 13, tzinfo=UTC)),
        ("2 working days", datetime(2026, 3, 12, 13, tzinfo=UTC)),
        ("4 days", datetime(2026, 3, 16, 13, tzinfo=UTC)),  # over a weekend
    ],
)
def test_its_deadline_counts_the_working_time_of_whoever_is_to_do_it(
    story: Story, due_after: str, due: datetime
) -> None:
    add(story, contact_of(story), due_after=due_after)
    assert due_at(story) == due


@pytest.mark.parametrize("to", ["owner", "nobody@acme.example"])
def test_without_an_owner_who_works_here_it_falls_back_to_whom_the_agreement_names(story: Story, to: str) -> None:
    add(story, contact_of(story, None), to=to)
    with story.database.reading() as session:
        [(_, _, operator)] = store.list_tasks(session)
    assert operator is not None
    assert operator.email == "dana@acme.example"


def test_a_task_is_done_once(story: Story) -> None:
    add(story, contact_of(story))
    with story.database.writing() as session:
        [(task, _, _)] = store.list_tasks(session)
        done = tasks.complete(session, task.id, story.now)
        assert done.done_at == story.now
    with story.database.writing() as session:
        assert store.list_tasks(session) == []
        assert len(store.list_tasks(session, with_done=True)) == 1
        with pytest.raises(BadInput, match="was done on 2026-03-10 09:00 UTC already"):
            tasks.complete(session, task.id, story.now + timedelta(days=1))
        with pytest.raises(NotFound, match="there is no task 7;"):
            tasks.complete(session, 7, story.now)


def notify(
    story: Story, contact: Contact, *, subject: str = "Look at {{ contact.first_name }}", text: str = "Hm."
) -> None:
    with story.database.writing() as session:
        tasks.notify(session, key="k", contact=contact, subject=subject, text=text, now=story.now)


def test_a_note_reaches_the_owner_once_with_a_short_portrait(story: Story) -> None:
    contact = contact_of(story, first_name="Ana", last_name="Sample", company="Sample & Sons")
    for _ in range(2):
        notify(story, contact, text="Line one.\nLine two about {{ contact.company }}.")
    story.settle()
    [letter] = story.letters_to("luis@acme.example")
    assert letter.subject == "Look at Ana"
    assert letter.text.splitlines()[2:4] == ["Line one.", "Line two about Sample & Sons."]
    assert "Ana Sample, Sample & Sons" in letter.text
    assert "nurture contacts show ana@reader.example" in letter.text
    assert "Line one.<br" in letter.html
    assert letter.arrived.message["Auto-Submitted"] == "auto-generated"
    assert letter.arrived.message["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    "text",
    ["{{ contact.nothing }}", "{{ contact.company }}", "{% if %}", "{{ contact.__class__ }}", "{{ 1 / 0 }}", "100 % {"],
)
def test_a_note_that_cannot_be_filled_in_goes_out_as_it_was_written(story: Story, text: str) -> None:
    notify(story, contact_of(story), subject="A note", text=text)
    story.settle()
    [letter] = story.letters_to("luis@acme.example")
    assert text in letter.text


def test_what_a_contact_is_called_is_no_header_no_markup_and_no_template(story: Story) -> None:
    mean = "Ana\r\nBcc: evil@x.example <b>{{ 7 * 7 }}"
    notify(story, contact_of(story, first_name=mean), text="About {{ contact.first_name }}")
    story.settle()
    [letter] = story.letters_to("luis@acme.example")
    assert letter.arrived.message["Bcc"] is None
    assert "<b>{{" not in letter.html
    assert "{{ 7 * 7 }}" in letter.text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Call {{ contact.first_name }} of {{ contact.company | fallback('?') }}", None),
        (
            "{{ contact.first_nam }}",
            'nothing called "first_nam" is known about the contact. Did you mean "first_name"?',
        ),
        ("{{ owner.name }}", '"owner.name" is not known here'),
        ("{% include 'x' %}", "include"),
        ("{{ contact.first_name ", "is never closed"),
    ],
)
def test_mistakes_in_a_text_are_found_before_anybody_gets_it(text: str, fault: str | None) -> None:
    found = tasks.find_fault(text, {"first_name", "company"})
    assert found is None if fault is None else fault in (found or "")
