"""A database is restored from a backup: nobody is mailed twice, and whoever left since is still out."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from nurture.consent.actions import Said, choose_pause, choose_topic, choose_tracking, give, judge_again, record
from nurture.consent.definition import get_table
from nurture.consent.identity.actions import change_address
from nurture.consent.ledger.store import list_events
from nurture.consent.rules import Basis, Pile
from nurture.consent.store import list_to_judge
from nurture.consent.suppressions.actions import lift, lift_domain, opt_out, suppress, suppress_domain
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.addresses import read_address
from nurture.contacts.history.rules import Author
from nurture.database.engine import Database
from nurture.database.journal import notes_before
from nurture.engines.catching_up import CaughtUp, catch_up
from nurture.engines.stopping import Stopping
from nurture.errors import NotAllowed
from tests.flows.test_newsletter import FILES, FOLDER, issue
from tests.support.imports import Importer
from tests.support.people import add_contact
from tests.support.schema import METADATA
from tests.support.stories import Story, running_story

MONDAY = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
ISSUE_AT = datetime(2026, 3, 17, 8, 0, tzinfo=UTC)
READERS = [f"reader{n}@firm{n}.example" for n in range(6)]

Backup = dict[str, list[dict[str, Any]]] | Path


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    files = {**FILES, f"{FOLDER}/one.md": issue(1, "One"), f"{FOLDER}/two.md": issue(2, "Two")}
    with running_story(tmp_path / "house", database.url, MONDAY, files) as told:
        for email in READERS:
            told.add_contact(email)
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", sqlite.url, MONDAY, FILES) as told:
        for email in READERS:
            told.add_contact(email)
        yield told


def back_up(story: Story) -> Backup:
    if not story.database.is_sqlite:
        return {name: story.rows(name) for name in METADATA.tables}
    kept = Path(_file(story)).with_name("kept.db")
    copy(_file(story), kept)
    return kept


def copy(source: str | Path, target: str | Path) -> None:
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as here:
        there.backup(here)


def _file(story: Story) -> str:
    return str(make_url(story.database.url).database)


def restore(story: Story, backup: Backup, stopping: Stopping | None = None) -> CaughtUp:
    """The database as it was then, and what a start of sending does first."""
    if isinstance(backup, Path):
        copy(backup, _file(story))
        return catch_up(story.database, story.now, stopping)
    with story.database.engine.begin() as connection:
        # As pg_restore does: no trigger and no reference is asked while the rows come back.
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in reversed(METADATA.sorted_tables):
            connection.execute(sa.delete(table))
        for table in METADATA.sorted_tables:
            if backup[table.name]:
                connection.execute(sa.insert(table), backup[table.name])
    return catch_up(story.database, story.now, stopping)


def is_out(story: Story, email: str) -> bool:
    address_hash = story.contact(email).address_hash
    with story.database.reading() as session:
        return SuppressionReason.OPT_OUT in suppressions_of(session, [address_hash]).get(address_hash, {})


def mails(story: Story) -> Counter[tuple[str, str]]:
    return Counter((one.arrived.rcpt_to, one.subject) for one in story.post.letters if "reader" in one.arrived.rcpt_to)


@pytest.mark.parametrize("is_queued", [False, True], ids=["before the issue was queued", "while the issue was queued"])
def test_after_a_restore_nobody_is_mailed_twice_and_three_who_left_are_still_out(story: Story, is_queued: bool) -> None:
    story.live_until(ISSUE_AT - timedelta(hours=1))
    if is_queued:
        story.stop_relay()
        story.clock.step_to(ISSUE_AT)
        story.settle()
    backup = back_up(story)
    if is_queued:
        assert {row["status"] for row in story.rows("delivery") if row["issue_id"]} == {"queued"}
        story.start_relay()
    story.live_until(ISSUE_AT + timedelta(hours=2))
    for email in READERS[:3]:
        story.leave(story.letters_to(email)[-1])
    assert len(mails(story)) == 2 * len(READERS), "everybody has the announcement and the first issue"

    caught_up = restore(story, backup)

    assert (caught_up.noes, caught_up.mails) == (3, len(READERS))
    assert [is_out(story, email) for email in READERS] == [True] * 3 + [False] * 3
    story.live(days=9)
    assert max(mails(story).values()) == 1, "nobody gets a mail a second time"
    assert {email for email, subject in mails(story) if subject == "Two"} == set(READERS[3:])
    assert not catch_up(story.database, story.now), "the next start finds nothing"


def test_a_start_without_a_restore_puts_nothing_back(lite: Story) -> None:
    lite.live(days=1)
    lite.leave(lite.letters_to(READERS[0])[0])
    assert not catch_up(lite.database, lite.now)
    assert not catch_up(lite.database, lite.now)


def test_a_start_that_is_to_stop_at_once_leaves_what_has_to_be_put_back_to_the_next(story: Story) -> None:
    story.live(days=1)
    backup, stopping = back_up(story), Stopping()
    story.leave(story.letters_to(READERS[0])[0])
    stopping.ask()
    assert not restore(story, backup, stopping)
    assert not is_out(story, READERS[0])
    assert catch_up(story.database, story.now).noes == 1
    assert is_out(story, READERS[0])


def test_everything_that_says_no_comes_back(lite: Story) -> None:
    backup = back_up(lite)
    one, two, three, four = (lite.contact(email) for email in READERS[:4])
    with lite.database.writing(durable=True) as session:
        choose_topic(session, one, "insights", wanted=False, how="a page", now=lite.now)
        choose_tracking(session, two, wanted=False, how="a page", now=lite.now)
        choose_pause(session, three, lite.now + timedelta(days=30), how="a page", now=lite.now)
        suppress_domain(session, four.domain, how="a test", now=lite.now)

    assert restore(lite, backup).noes == 4

    states = {(row["contact_id"], row["purpose"]): row["state"] for row in lite.rows("consent")}
    assert states[one.id, "mail"] == "withdrawn"
    assert states[two.id, "tracking"] == "withdrawn"
    assert [row["contact_id"] for row in lite.rows("hold")] == [three.id]
    assert [row["domain"] for row in lite.rows("suppressed_domain")] == [four.domain]
    lite.live(days=2)
    assert {email for email, _ in mails(lite)} == set(READERS) - {READERS[0], READERS[2], READERS[3]}


def test_a_no_that_was_written_down_and_never_committed_holds_from_the_next_start_on(lite: Story) -> None:
    """As after a power cut, or kill -9, between the journal and the commit."""
    address_hash = lite.contact(READERS[0]).address_hash
    with pytest.raises(KeyboardInterrupt):
        _opt_out_and_die(lite, address_hash)
    assert not is_out(lite, READERS[0])
    assert catch_up(lite.database, lite.now).noes == 1
    assert is_out(lite, READERS[0])


def _opt_out_and_die(story: Story, address_hash: str) -> None:
    """What `Database.writing` does up to the commit."""
    assert story.database.journal is not None
    with story.database.writing(durable=True) as session:
        opt_out(session, address_hash, how="a page", now=story.now)
        story.database.journal.append(notes_before(session), must_last=True)
        raise KeyboardInterrupt


def test_a_no_said_under_a_later_address_finds_the_person_at_their_earlier_one(lite: Story) -> None:
    backup = back_up(lite)
    one = lite.contact(READERS[0])
    with lite.database.writing(durable=True) as session:
        here = session.get_one(contacts.Contact, one.id)
        change_address(session, here, read_address("new@elsewhere.example"), lite.app.hasher, lite.now, Author("page"))
    with lite.database.writing(durable=True) as session:
        here = session.get_one(contacts.Contact, one.id)
        choose_topic(session, here, "insights", wanted=False, how="a page", now=lite.now)

    restore(lite, backup)

    assert {row["contact_id"]: row["state"] for row in lite.rows("consent")}[one.id] == "withdrawn"
    # The ledger tells it of both addresses, and whoever answers a mail to the later one is known again.
    later = lite.app.hasher.hash("new@elsewhere.example")
    with lite.database.reading() as session:
        said = [
            [event.what for event in list_events(session, *whose)] for whose in ((later,), (one.address_hash, one.id))
        ]
        assert [words[-1] for words in said] == ["withdrawn", "withdrawn"]
        found = contacts.find_by_any_hash(session, later)
        assert found is not None
        assert found.id == one.id


@pytest.mark.parametrize("comes_back", [False, True], ids=["a table and a file", "their own press"])
def test_what_is_done_before_the_start_outdoes_no_no_but_their_own_newer_word(lite: Story, *, comes_back: bool) -> None:
    """Whoever restores may publish and import first: both look at what holds, and neither is a word of the person."""
    backup = back_up(lite)
    one = lite.contact(READERS[0])
    with lite.database.writing(durable=True) as session:
        choose_topic(session, one, "insights", wanted=False, how="a page", now=lite.now)
    noticed, lite.app.database.journal = lite.app.database.journal, None
    restore(lite, backup)
    lite.app.database.journal = noticed
    later = lite.now + timedelta(hours=1)
    with lite.database.writing() as session:
        table = get_table(session)
        ((consent, _, domain),) = list_to_judge(session, [one.id])
        judge_again(session, table, [(consent, "DE", domain)], later)
        said = Said(
            one.id, one.address_hash, "US", "insights", "given", Basis.OPT_IN, date(2026, 1, 5), "import of x.csv"
        )
        record(session, table, [said], later)
        if comes_back:
            choose_topic(session, one, "insights", wanted=False, how="a page", now=later)
            choose_topic(session, one, "insights", wanted=True, how="a page", now=later)

    catch_up(lite.database, later)

    assert {row["contact_id"]: row["state"] for row in lite.rows("consent")}[one.id] == (
        "given" if comes_back else "withdrawn"
    )


def test_a_no_of_somebody_the_backup_did_not_have_waits_for_them(lite: Story, tmp_path: Path) -> None:
    """The docs say: import again what came in after the backup."""
    importer = Importer(lite.database, lite.app.hasher, tmp_path, lite.now)
    people = "email,country,opted_in,opted_in_on\nlate@firm.example,US,yes,2026-01-05\n"
    backup = back_up(lite)
    importer.take(people)
    one = lite.contact("late@firm.example")
    with lite.database.writing(durable=True) as session:
        choose_topic(session, one, "insights", wanted=False, how="a page", now=lite.now)
        choose_tracking(session, one, wanted=False, how="a page", now=lite.now)
    assert restore(lite, backup).noes == 2

    summary = importer.take(people)

    again = lite.contact("late@firm.example")
    assert (summary.created, summary.piles[Pile.NEVER]) == (1, 1)
    assert {row["purpose"]: row["state"] for row in lite.rows("consent") if row["contact_id"] == again.id} == {
        "mail": "withdrawn",
        "tracking": "withdrawn",
    }


def test_nobody_writes_down_a_yes_of_somebody_who_left_before_they_came_in(lite: Story) -> None:
    backup = back_up(lite)
    lite.add_contact("late@firm.example")
    with lite.database.writing(durable=True) as session:
        here = lite.contact("late@firm.example")
        choose_topic(session, here, "insights", wanted=False, how="a page", now=lite.now)
    restore(lite, backup)
    with lite.database.writing() as session:
        add_contact(session, lite.app.hasher, "late@firm.example", lite.now, topic=None)
    again = lite.contact("late@firm.example")
    with pytest.raises(NotAllowed, match="left this topic"), lite.database.writing() as session:
        give(session, get_table(session), again, "insights", Basis.OPT_IN, date(2026, 1, 5), how="x", now=lite.now)


def test_what_was_lifted_since_does_not_come_back_and_what_was_said_again_does(lite: Story) -> None:
    """Also with hundreds of mails between the two, and for a domain below one that is closed."""
    with lite.database.writing(durable=True) as session:
        suppress_domain(session, "firm.example", how="a test", now=lite.now)
    backup = back_up(lite)
    hashes = [lite.contact(email).address_hash for email in READERS[:2]]
    for one in hashes:
        _suppress(lite, one)
    with lite.database.writing(durable=True) as session:
        for domain in ("opened.example", "branch.firm.example"):
            suppress_domain(session, domain, how="a test", now=lite.now)
    assert lite.database.journal is not None
    at = lite.now.isoformat()
    between = [{"at": at, "what": "unsent", "delivery": n} for n in range(1200)]
    lite.database.journal.append(between, must_last=False)
    with lite.database.writing(durable=True) as session:
        for one in hashes:
            lift(session, one, list(SuppressionReason), how="lifted: a test", now=lite.now)
        lift_domain(session, "opened.example", now=lite.now)
    _suppress(lite, hashes[1])

    restore(lite, backup)

    assert [row["address_hash"] for row in lite.rows("suppression") if row["lifted_at"] is None] == [hashes[1]]
    assert {row["domain"] for row in lite.rows("suppressed_domain")} == {"firm.example", "branch.firm.example"}


def test_a_no_that_a_file_brought_is_not_forgotten_and_a_rehearsal_brings_none(lite: Story, tmp_path: Path) -> None:
    importer = Importer(lite.database, lite.app.hasher, tmp_path, lite.now)
    file = f"email,status,opted_in\n{READERS[0]},unsubscribed,\n{READERS[1]},,no\nnobody@firm.example,unsubscribed,\n"
    backup = back_up(lite)
    importer.take(file, is_rehearsal=True)
    assert not restore(lite, backup)
    importer.take(file)
    assert is_out(lite, READERS[0])

    assert restore(lite, backup).noes >= 2

    assert is_out(lite, READERS[0])
    assert lite.app.hasher.hash("nobody@firm.example") in {row["address_hash"] for row in lite.rows("suppression")}


def _suppress(story: Story, address_hash: str) -> None:
    with story.database.writing(durable=True) as session:
        suppress(session, address_hash, SuppressionReason.MANUAL, how="a test", now=story.now)
