"""The first mails to a list: who was in touch last goes first, a few of whom nothing is known, none to the dead."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.consent.domains.asking import Asker
from nurture.consent.domains.rules import Answer
from nurture.consent.rules import Pile
from nurture.consent.silence.actions import say_yes
from nurture.contacts.actions import mark_changed
from nurture.database.engine import Database
from nurture.newsletters.left_out import left_out_of_announcement
from tests.flows.test_newsletter import FILES
from tests.support.imports import Importer
from tests.support.stories import Story, running_story

MONDAY = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", sqlite.url, MONDAY, FILES) as running:
        yield running


def importer_of(story: Story, folder: Path) -> Importer:
    return Importer(story.database, story.app.hasher, folder, story.now)


def queued(story: Story) -> list[str]:
    """Who the announcement is queued for, in order."""
    people = {row["id"]: row["email"] for row in story.rows("contact")}
    mails = sorted((row for row in story.rows("delivery") if row["mail"] == "announcement"), key=lambda row: row["id"])
    return [people[row["contact_id"]].partition("@")[0] for row in mails]


def test_the_announcement_begins_with_who_was_in_touch_last_and_leaves_out_the_silent(
    story: Story, tmp_path: Path
) -> None:
    rows = [
        "silent,2023-01-05,", "late,2024-10-01,", "recent,2026-02-01,", "autumn,2025-10-01,", "bought,2026-03-01,purchased",
    ]  # fmt: skip
    text = "email,last_open,source,opted_in,country\n" + "".join(
        f"{row.replace(',', '@reader.example,', 1)},yes,US\n" for row in rows
    )
    summary = importer_of(story, tmp_path).take(text)
    assert (summary.piles[Pile.ANNOUNCE], summary.piles[Pile.NEVER]) == (3, 2)
    story.settle()
    assert queued(story) == ["recent", "autumn", "late"]
    with story.database.reading() as session:
        left_out = left_out_of_announcement(session, story.app.language, "weekly", story.now)
    assert {one.contact.email.partition("@")[0]: one.because.partition(";")[0] for one in left_out} == {
        "silent": "silent since 2023-01-05, more than two years before they came in",
        "bought": "the address was bought (source purchased), which nobody agreed to",
    }
    # They come by themselves: one yes of their own ends it.
    importer_of(story, tmp_path).take("email,opted_in,consent_on\nsilent@reader.example,yes,2026-03-09\n")
    with story.database.writing() as session:
        bought = story.contact("bought@reader.example").id
        say_yes(session, [bought], story.now.date())
        mark_changed(session, [bought], story.now)
    story.settle()
    assert "bought" in queued(story)


def test_of_whom_no_day_is_known_fifty_get_it_on_the_first_day_and_twice_as_many_on_the_next(
    story: Story, tmp_path: Path
) -> None:
    text = "email,opted_in,country,consent_on\n" + "".join(
        f"person{n}@reader.example,yes,US,{'2026-01-05' if n < 20 else '2019-01-05' if n < 40 else ''}\n"
        for n in range(200)
    )
    importer_of(story, tmp_path).take(text)
    story.settle()
    # Of twenty the day of their consent is known; of twenty more it is so old that it tells nothing.
    assert len(queued(story)) == 20 + 50
    assert {f"person{n}" for n in range(20)} == set(queued(story)[:20])
    with story.database.reading() as session:
        left_out = left_out_of_announcement(session, story.app.language, "weekly", story.now)
    assert Counter(one.because for one in left_out) == {
        "waits for a later day: no recent day is known of them": 130,
        # Whatever is known of them: never mailed from here, they are met fifty at a time.
        "held: first wave: newsletter:weekly reaches people never mailed from here a few at a time": 20,
    }
    assert len(story.post.letters) == 50
    story.live(days=1)
    assert len(queued(story)) == 20 + 50 + 100
    story.live(days=1)
    assert len(queued(story)) == 200
    assert len(set(queued(story))) == 200


class StubbedResolver:
    """Answers from a book, and counts what it was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()

    def find_mail_hosts(self, domain: str) -> Answer:
        self.asked[domain] += 1
        return self.answers[domain]


def test_no_mail_leaves_before_its_domain_was_asked_about_and_none_goes_where_nobody_takes_it(story: Story) -> None:
    """RFC 7505 3: a null MX; RFC 5321 5.1."""
    story._sender._transactions._preparing._boundary = replace(
        story.app.boundary, relay_is_loopback=False, base_url="https://news.acme.example", only_to=frozenset("*")
    )
    for domain in ("good", "null", "later"):
        story.add_contact(f"ana@{domain}.example")
        story.add_contact(f"ben@{domain}.example")
    story.settle()
    assert story.post.letters == []
    assert {one["because"] for one in story.rows("delivery")} == {"domain"}

    resolver = StubbedResolver(
        {"good.example": Answer(("mx.good.example.",)), "null.example": Answer((".",)), "later.example": Answer(failed="Timeout")}
    )  # fmt: skip
    asker = Asker(story.database, resolver, story.clock)
    assert asker.drain() == 3
    story.live(minutes=2)
    assert sorted(letter.arrived.rcpt_to for letter in story.post.letters) == ["ana@good.example", "ben@good.example"]
    refused = {one["because"] for one in story.rows("delivery") if one["status"] == "refused"}
    assert refused == {"null.example takes no mail, and says so (null MX)"}

    # Nobody could be asked about the last one: its mail waits, and a few minutes later there is an answer.
    assert [one.because for one in story.deliveries_to("ana@later.example")] == ["domain"]
    resolver.answers["later.example"] = Answer(("mx.later.example.",))
    assert asker.drain() == 0
    story.clock.step_to(story.now + timedelta(minutes=5))
    assert asker.drain() == 1
    story.live(minutes=2)
    assert len(story.post.letters) == 4
    assert resolver.asked == {"good.example": 1, "null.example": 1, "later.example": 2}


def test_a_house_whose_relay_is_on_this_machine_asks_nobody(story: Story) -> None:
    story.add_contact("ana@reader.example")
    story.settle()
    assert len(story.letters_to("ana@reader.example")) == 1
    assert story.app.asker().drain() == 0
    assert story.app.asker().next_due_at() is None


def test_an_old_list_does_not_silence_who_reads_on(story: Story, tmp_path: Path) -> None:
    """Silence ends with the day somebody came in: who is not tracked is never seen to read."""
    importer_of(story, tmp_path).take("email,last_open,opted_in,country\nana@reader.example,2024-06-01,yes,US\n")
    story.live(days=400)
    with story.database.reading() as session:
        assert left_out_of_announcement(session, story.app.language, "weekly", story.now) == []
