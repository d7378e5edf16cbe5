"""A desk commits like everybody else, over a connection of its own."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from nurture.contacts import actions, store
from nurture.contacts.store import ContactTag
from nurture.database.claiming import register_worker
from nurture.database.columns import Instant
from nurture.database.desk import Desk, Taken
from nurture.database.engine import Database
from nurture.database.journal import Journal, Place, note, note_later
from nurture.database.prepared import Filled, Prepared, is_among, run_together
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.databases import Databases
from tests.support.people import add_contact


@pytest.fixture
def postgres(databases: Databases) -> Iterator[Database]:
    with databases.postgres() as made:
        yield made


_TAGS: Any = ContactTag.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
_NAMED = sa.bindparam("tag", type_=sa.Text)
_COUNT = Prepared(lambda **_: sa.select(sa.func.count()).select_from(ContactTag))
_TAG = Prepared(
    lambda **_: sa.insert(_TAGS).values(
        contact_id=sa.bindparam("contact", type_=sa.BigInteger), tag=_NAMED, tagged_at=NOW
    )
)
_UNTAG = Prepared(lambda **_: sa.delete(_TAGS).where(_TAGS.c.tag == _NAMED))
_UNTAG_AMONG = Prepared(
    lambda *, is_sqlite: sa.delete(_TAGS).where(
        is_among(_TAGS.c.tag, "tags", is_sqlite=is_sqlite, of=sa.Text),
        is_among(_TAGS.c.contact_id, "contacts", is_sqlite=is_sqlite),
        _TAGS.c.tagged_at <= sa.bindparam("until", type_=Instant),
        sa.or_(~_TAGS.c.tag.like("%wrong%"), sa.bindparam("is_any", type_=sa.Boolean)),
        sa.bindparam("besides", type_=sa.Text).is_(None),
    )
)
_WRONG = Prepared(lambda **_: sa.text("SELECT * FROM nobody_made_this"))


def test_what_a_desk_wrote_is_there_for_others_with_its_marks(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
    with database.writing() as session:
        session.execute(sa.text("DELETE FROM changed_contact"))
    desk = Desk(database)
    for tag in ("one", "two"):
        with desk.writing() as session:
            actions.tag_contact(session, ana, tag, NOW)
    desk.close()
    with database.reading() as session:
        assert store.tags_of(session, [ana]) == {ana: frozenset({"one", "two"})}
        assert store.list_changed(session, "scoring", 10) == {ana: 2}


_AT = sa.bindparam("at", type_=Instant)
_TAG_AT = Prepared(
    lambda **_: sa.insert(_TAGS).values(
        contact_id=sa.bindparam("contact", type_=sa.BigInteger), tag=_NAMED, tagged_at=_AT
    )
)
_ANY_TIME = st.datetimes(
    min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.timezones() | st.just(UTC)
)


@given(_ANY_TIME)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_instant_is_written_as_sqlalchemy_writes_it(database: Database, hasher: AddressHasher, at: datetime) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
        _TAG_AT.change(session, contact=ana, tag="ours", at=at)
        session.execute(sa.insert(_TAGS).values(contact_id=ana, tag="theirs", tagged_at=at))
        texts = session.execute(sa.text("SELECT tag, CAST(tagged_at AS TEXT) FROM contact_tag")).all()
        assert {tag for tag, _ in texts} == {"ours", "theirs"}
        assert len({text for _, text in texts}) == 1
        with pytest.raises(ValueError, match="no time zone"):
            _TAG_AT.change(session, contact=ana, tag="naive", at=at.replace(tzinfo=None))
        session.rollback()


def _tagging(contact: int, tag: str) -> Filled:
    return _TAG.filled(contact=contact, tag=tag)


def test_statements_that_are_run_together_are_done_in_their_order_and_counted(
    database: Database, hasher: AddressHasher
) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
    desk = Desk(database)
    with desk.writing() as session:
        many = [_tagging(ana, "one"), _UNTAG.filled(tag="two"), _tagging(ana, "two"), _UNTAG.filled(tag="two")]
        assert run_together(session, many) == [1, 0, 1, 1]
        assert run_together(session, []) == []
        assert _COUNT.rows(session) == [(1,)]
    desk.close()
    with database.reading() as session:
        assert store.tags_of(session, [ana]) == {ana: frozenset({"one"})}


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_given_arrives_as_it_is(database: Database, hasher: AddressHasher, count: int) -> None:
    """Over a desk and elsewhere, alone and with others: quotes, braces and what means something in SQL are letters."""
    tags = ['"', "\\", "{a,b}", "$1 %s %(tag)s %%", "it's", "NULL", "", "Grüße, 王", "\n"]
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
    desk = Desk(database)
    for writing in (desk.writing, database.writing):
        with writing() as session:
            for tag in [*tags, "wrong"]:
                assert run_together(session, [_tagging(ana, tag), *[_UNTAG.filled(tag="?")] * (count - 1)])[0] == 1
            given = {"tags": [*tags, "wrong", "besides"], "contacts": [ana, -1], "until": NOW, "besides": None}
            assert _UNTAG_AMONG.change(session, **given, is_any=False) == len(tags)
            assert _UNTAG_AMONG.change(session, **given, is_any=True) == 1
    desk.close()


@pytest.mark.parametrize("first", [True, False])
def test_a_connection_that_breaks_in_the_middle_is_an_error_and_nothing_of_it_is_left(
    postgres: Database, hasher: AddressHasher, *, first: bool
) -> None:
    with postgres.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
    desk, leave = Desk(postgres), Prepared(lambda **_: sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def write() -> None:
        with desk.writing() as session:
            if not first:
                run_together(session, [_tagging(ana, "before")])
            run_together(session, [_tagging(ana, "lost"), leave.filled(), _tagging(ana, "lost, too")])

    with pytest.raises(DBAPIError):
        write()
    with desk.writing() as session:
        assert _COUNT.rows(session) == [(0,)]
    desk.close()


def test_nothing_of_what_is_run_together_is_left_when_one_of_it_fails(
    database: Database, hasher: AddressHasher
) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
    desk = Desk(database)

    def fail() -> None:
        with desk.writing() as session:
            run_together(session, [_tagging(ana, "lost"), _WRONG.filled(), _tagging(ana, "lost, too")])

    with pytest.raises(DBAPIError, match="nobody_made_this") as raised:
        fail()
    assert raised.value.detail, "it says which database"
    with desk.writing() as session:
        assert run_together(session, [_tagging(ana, "kept"), _UNTAG.filled(tag="lost")]) == [1, 0]
    desk.close()
    with database.reading() as session:
        assert store.tags_of(session, [ana]) == {ana: frozenset({"kept"})}


def test_nothing_of_a_transaction_that_failed_is_left_and_the_next_one_works(
    database: Database, hasher: AddressHasher
) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW).id
    desk = Desk(database)

    def fail() -> None:
        with desk.writing() as session:
            actions.tag_contact(session, ana, "lost", NOW)
            _WRONG.rows(session)

    with pytest.raises(DBAPIError, match="nobody_made_this") as raised:
        fail()
    assert raised.value.detail, "it says which database"
    with desk.writing() as session:
        assert _COUNT.rows(session) == [(0,)]
        actions.tag_contact(session, ana, "kept", NOW)
    desk.close()
    with database.reading() as session:
        assert store.tags_of(session, [ana]) == {ana: frozenset({"kept"})}


def test_a_connection_that_the_database_cut_is_replaced(postgres: Database) -> None:
    desk = Desk(postgres)
    with desk.writing() as session:
        mine = session.scalar(sa.text("SELECT pg_backend_pid()"))
    with postgres.writing() as session:
        session.execute(sa.text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})

    def write() -> None:
        with desk.writing() as session:
            register_worker(session)

    with pytest.raises(DBAPIError):
        write()
    write()
    desk.close()


def test_notes_are_written_around_the_commit_and_not_at_all_without_one(sqlite: Database, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    database = Database(sqlite.url, journal)
    desk = Desk(database)

    def write(name: str) -> None:
        with desk.writing() as session:
            note(session, f"{name} before", NOW)
            note_later(session, f"{name} after", NOW)
            if name == "second":
                raise ZeroDivisionError

    write("first")
    with pytest.raises(ZeroDivisionError):
        write("second")
    write("third")
    desk.close()
    said = [entry["what"] for entry, _ in journal.entries(Place())]
    assert said == ["first before", "first after", "third before", "third after"]
    database.close()


def test_two_desks_of_one_file_have_the_lock_in_turns(sqlite: Database) -> None:
    """As two sender processes do: each `Database` queues only its own threads."""
    other = Database(sqlite.url)
    desks = (Desk(sqlite), Desk(other))
    for _ in range(20):
        for desk in desks:
            with desk.writing() as session:
                register_worker(session)
    with sqlite.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM worker")) == 40
    for desk in desks:
        desk.close()
    other.close()


def test_who_cannot_wait_is_told_that_somebody_else_writes_and_has_done_nothing(sqlite: Database) -> None:
    """In this process or in another one."""
    other = Database(sqlite.url)
    desk, theirs = Desk(sqlite), Desk(other)

    def write_at_once() -> None:
        with desk.writing(at_once=True) as session:
            register_worker(session)

    write_at_once()
    with theirs.writing() as session:
        register_worker(session)
        with pytest.raises(Taken):
            write_at_once()
    with sqlite.turn, pytest.raises(Taken):
        write_at_once()
    write_at_once()
    with sqlite.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM worker")) == 3
    desk.close()
    theirs.close()
    other.close()


def test_a_desk_writes_its_log_back_although_bulk_work_had_its_connection_before(sqlite: Database) -> None:
    with sqlite.writing_in_bulk() as session:
        session.execute(sa.text("SELECT 1"))
    desk = Desk(sqlite)
    with desk.writing() as session:
        found = [session.execute(sa.text(f"PRAGMA {name}")).scalar() for name in ("wal_autocheckpoint", "synchronous")]
    desk.settle()
    desk.close()
    assert found == [4000, 1]


def test_what_stands_in_the_log_is_brought_over_while_another_desk_writes_on(sqlite: Database, tmp_path: Path) -> None:
    def in_the_file_alone() -> int:
        alone = tmp_path / "alone.db"
        shutil.copy(str(sa.engine.make_url(sqlite.url).database), alone)
        with closing(sqlite3.connect(alone)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM worker").fetchone()
        return int(count)

    writing, tidying = Desk(sqlite), Desk(sqlite)
    tidying.bring_over()  # has nothing to do before it is used
    for desk in (tidying, writing):
        with desk.writing() as session:
            register_worker(session)
    before = in_the_file_alone()
    with writing.writing() as session:
        register_worker(session)
        tidying.bring_over()
    assert (before, in_the_file_alone()) == (0, 2)
    for desk in (tidying, writing):
        desk.close()
