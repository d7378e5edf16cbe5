"""Relay, disk, database and clock misbehave, one after the other; nothing is lost, nothing is sent twice, and it is told.

What rivals lose or repeat then stands in their trackers: listmonk#3022, mautic#8450.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from nurture.app.house import App
from nurture.clock import SystemClock
from nurture.contacts.actions import get_contact
from nurture.database.claiming import Worker, end_worker, register_worker
from nurture.database.engine import Database
from nurture.delivery import store
from nurture.delivery.claiming.store import keep_in_hand, take
from nurture.delivery.rules import Status
from nurture.delivery.sender import Sender
from nurture.delivery.store import Delivery
from nurture.engines.local import run_once
from nurture.engines.rounds import TakenBack, run_due, take_back
from nurture.engines.sending import Heart
from nurture.sequences import entries
from tests.support.counting import DROP, SILENCE, CountingSink, running_counter
from tests.support.people import add_contact
from tests.support.workspaces import open_house, small_workspace

PEOPLE = 40
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class SetClock:
    """Business time that is set, forward and back."""

    def __init__(self) -> None:
        self.at = START
        self._real = SystemClock()

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return self._real.elapsed()


class Town:
    """A house with a mail for everybody, and the relay it hands them to."""

    def __init__(self, app: App, clock: SetClock, sink: CountingSink) -> None:
        self.app = app
        self.clock = clock
        self.sink = sink

    def send(self) -> str:
        """One run at the present; why the relay could not be reached, if it could not."""
        return run_once(self.app.workshop(), self.clock.at).relay_down

    def send_until_all_is_settled(self) -> None:
        """Run, and step to when something is due again, until nothing is."""
        for _ in range(60):
            self.send()
            with self.app.database.reading() as session:
                due_at = store.next_due_at(session)
            if due_at is None:
                return
            self.clock.at = max(self.clock.at + timedelta(minutes=1), due_at)
        raise AssertionError(f"this never ends: {self.statuses()}")

    def rows(self) -> list[tuple[str, str, int, str]]:
        """Of each person's mail: the address, its state, how often it was tried, what the relay said last."""
        question = "SELECT email, status, attempts, reply FROM delivery JOIN contact ON contact_id = contact.id"
        with self.app.database.reading() as session:
            return [(email, status, tries, reply) for email, status, tries, reply in session.execute(sa.text(question))]

    def statuses(self) -> dict[str, int]:
        found = [status for _, status, _, _ in self.rows()]
        return {one: found.count(one) for one in sorted(set(found))}

    def judge(self, *, most_uncertain: int = 0) -> None:
        """Nobody is left out, nobody got it twice, and only what nobody can know is uncertain."""
        rows, read = self.rows(), self.sink.counts
        assert len(rows) == PEOPLE
        assert max(read.values()) == 1
        assert {status for _, status, _, _ in rows} <= {"sent", "uncertain"}
        assert {email for email, status, _, _ in rows if status == "sent"} <= read.keys()
        uncertain = {email for email, status, _, _ in rows if status == "uncertain"}
        assert read.keys() | uncertain == {address(number) for number in range(PEOPLE)}
        assert len(uncertain) <= most_uncertain


def address(number: int) -> str:
    return f"reader{number:03d}@reader.example"


@pytest.fixture
def sink() -> Iterator[CountingSink]:
    with running_counter() as running:
        yield running


@pytest.fixture
def open_again(database: Database, sink: CountingSink, tmp_path: Path) -> Iterator[Callable[[SetClock], Town]]:
    """Opens the house of the story, as often as a process would start in it."""
    opened: list[App] = []

    def open_town(clock: SetClock, **settings: str) -> Town:
        folder = tmp_path / "workspace"
        app = open_house(
            folder if folder.exists() else small_workspace(folder),
            database.url,
            relay_port=sink.port,
            clock=clock,
            NURTURE_SMTP__TIMEOUT_SECONDS="0.3",
            NURTURE_SENDING__CAP_PER_DAY="5",
            # Places that a broken commit took with it are counted as used.
            **{"NURTURE_SENDING__FIRST_WAVE": "0", **settings},
        )
        opened.append(app)
        return Town(app, clock, sink)

    yield open_town
    for app in opened:
        app.close()


@pytest.fixture
def town(open_again: Callable[[SetClock], Town]) -> Town:
    return settled(open_again(SetClock()))


def settled(made: Town) -> Town:
    """With its people, each about to get a mail."""
    made.app.publish(made.app.read_files(), published_by="a test")
    with made.app.database.writing() as session:
        for number in range(PEOPLE):
            add_contact(session, made.app.hasher, address(number), START, first_name=f"Ana {number}")
            contact = get_contact(session, address(number))
            assert entries.enroll(session, made.app.language, "evaluators", contact, because="a test", now=START)
    return made


on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)


# The relay.


@on_sqlite
def test_a_relay_that_hangs_up_at_every_stage_costs_time_and_makes_doubt_only_after_the_final_dot(town: Town) -> None:
    """STANDARDS 14."""
    turns = count()
    stages = ("mail", "connect", "rcpt", "data", "body", "dot")
    dropped: list[str] = []

    def act(stage: str, _: str) -> str:
        # Now and then a conversation ends badly, each time at the next stage.
        if stage == stages[len(dropped) % 6] and next(turns) % 3 and len(dropped) < 24:
            dropped.append(stage)
            return DROP
        return ""

    town.sink.act = act
    town.send_until_all_is_settled()
    doubtful = dropped.count("dot") + dropped.count("body")  # whoever wrote it all cannot know what was read
    town.judge(most_uncertain=doubtful)
    assert set(dropped) == set(stages)
    assert town.statuses()["uncertain"] == doubtful
    assert {reply for _, status, _, reply in town.rows() if status == "uncertain"} == {
        "the relay closed the connection"
    }


@on_sqlite
def test_a_relay_that_puts_everybody_off_for_an_hour_gets_everything_afterwards(town: Town) -> None:
    """STANDARDS 12."""
    town.sink.act = lambda stage, _: "451 4.3.0 not now" if stage == "rcpt" and town.clock.at < START + HOUR else ""
    town.send()
    assert {(status, tries, reply) for _, status, tries, reply in town.rows()} == {("queued", 1, "451 4.3.0 not now")}
    town.send_until_all_is_settled()
    town.judge()
    assert town.clock.at >= START + HOUR
    assert {tries for _, _, tries, _ in town.rows()} == {5}  # at once, after 5, 15, 30 and 60 minutes


@on_sqlite
@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data", "dot"])
def test_a_relay_that_closes_its_service_is_asked_again_and_nobody_fails(town: Town, stage: str) -> None:
    """STANDARDS 13: 421 at any stage."""
    turns = count()
    town.sink.act = lambda now, _: "421 4.3.2 closing" if now == stage and next(turns) % 3 == 1 else ""
    if stage == "dot":
        # It read these and says that it did not keep them: whoever reads that may send them again.
        town.sink.on_read = lambda taken: None
    town.send_until_all_is_settled()
    assert town.statuses() == {"sent": PEOPLE}
    answered = [one.rcpt_to for one in town.sink.taken if one.is_answered]
    assert sorted(answered) == [address(number) for number in range(PEOPLE)]


@on_sqlite
def test_a_relay_that_falls_silent_before_the_body_is_given_up_and_asked_again(town: Town) -> None:
    silent = {address(number) for number in (3, 11, 30)}
    town.sink.act = lambda stage, rcpt_to: (
        SILENCE if stage == "data" and rcpt_to in silent and town.clock.at == START else ""
    )
    town.send()
    put_off = {email: reply for email, status, _, reply in town.rows() if status == "queued"}
    assert put_off == dict.fromkeys(silent, "the relay did not answer in time")
    town.send_until_all_is_settled()
    town.judge()


# The disk.


@on_sqlite
def test_a_disk_that_is_full_stops_everything_and_nothing_is_forgotten(
    town: Town, open_again: Callable[[SetClock], Town], caplog: pytest.LogCaptureFixture
) -> None:
    room = PageLimit(town.app.database)
    town.sink.on_read = lambda _: room.fill_up() if len(town.sink.taken) == 12 else None
    with pytest.raises(DBAPIError, match="full"):
        town.send()
    assert "the database did not take" in caplog.text
    begun = len(town.sink.taken)
    assert 12 <= begun < PEOPLE
    room.make()
    again = open_again(town.clock)
    again.send_until_all_is_settled()
    again.judge(most_uncertain=again.app.settings.smtp.connections)


def at_each_beginning(database: Database, statement: Callable[[], str]) -> None:
    """Say something to SQLite before each transaction, on whichever connection."""

    @event.listens_for(database.engine, "before_cursor_execute")
    def say(_connection: object, cursor: sqlite3.Cursor, given: str, *_: object) -> None:
        if given.startswith("BEGIN"):
            cursor.execute(statement())


class PageLimit:
    """The pages a SQLite file may have, as if the disk ended there, for every connection from now on."""

    def __init__(self, database: Database) -> None:
        self._most = 1_000_000
        self._connections: list[sqlite3.Connection] = []
        database.engine.dispose()

        @event.listens_for(database.engine, "connect")
        def remember(connection: sqlite3.Connection, _record: object) -> None:
            self._connections.append(connection)
            self._limit(connection)

    def _limit(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {self._most}").close()

    def _limit_all(self) -> None:
        for connection in self._connections:
            with suppress(sqlite3.ProgrammingError):  # it was closed
                self._limit(connection)

    def fill_up(self) -> None:
        self._most = 1  # SQLite takes it for as many as there are
        self._limit_all()

    def make(self) -> None:
        self._most = 1_000_000
        self._limit_all()


@on_sqlite
def test_a_journal_without_room_stops_sending_before_the_body(
    town: Town, open_again: Callable[[SetClock], Town], caplog: pytest.LogCaptureFixture
) -> None:
    folder = town.app.folder / ".nurture" / "journal"
    town.app.close()
    folder.mkdir(parents=True, exist_ok=True)
    for one in folder.glob("*.jsonl"):
        one.unlink()
    (folder / "000001.jsonl").symlink_to("/dev/full")  # a file on a disk without any room
    without_room = open_again(town.clock)
    with pytest.raises(OSError, match="No space left"):
        without_room.send()
    assert "the journal cannot be written, so nothing leaves: [Errno 28] No space left on device" in caplog.text
    assert town.sink.taken == []
    assert {tries for _, _, tries, _ in without_room.rows()} <= {0, 1}
    without_room.app.close()
    (folder / "000001.jsonl").unlink()
    again = open_again(town.clock)
    again.send_until_all_is_settled()
    again.judge(most_uncertain=again.app.settings.smtp.connections)


# The database.


@on_postgres
def test_a_database_server_that_breaks_all_connections_is_asked_again(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    def break_all(_: object) -> None:
        if len(town.sink.taken) in {5, 14, 27}:
            admin = sa.create_engine(town.app.database.url)
            with admin.connect() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            admin.dispose()

    town.sink.on_read = break_all
    town.send_until_all_is_settled()
    town.judge()
    assert "the database did not take" in caplog.text


@on_sqlite
def test_a_database_that_somebody_else_holds_for_long_is_asked_again_until_it_is_free(town: Town) -> None:
    path = town.app.database.engine.url.database
    assert path is not None
    at_each_beginning(town.app.database, lambda: "PRAGMA busy_timeout = 50")
    holder = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    freed = Freeing(lambda: holder.execute("ROLLBACK"))
    logging.getLogger("nurture.delivery.commits").addHandler(freed)

    def hold(_: object) -> None:
        if len(town.sink.taken) == 10:
            holder.execute("BEGIN IMMEDIATE")

    town.sink.on_read = hold
    try:
        town.send_until_all_is_settled()
    finally:
        logging.getLogger("nurture.delivery.commits").removeHandler(freed)
        holder.close()
    assert freed.is_done
    town.judge()


class Freeing(logging.Handler):
    """Lets go of the database once the sender has said that it could not write."""

    def __init__(self, free: Callable[[], object], words: str = "the database did not take") -> None:
        super().__init__()
        self._free = free
        self._words = words
        self.is_done = False

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage() and not self.is_done:
            self.is_done = True
            self._free()


@contextmanager
def commits_that_break(town: Town, column: str, value: str, said: str) -> Iterator[Freeing]:
    """SQLite says no to the very commit of a transaction that sets this column of a mail so, until we have said so."""
    with town.app.database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE nobody (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE orphan (of_nobody REFERENCES nobody DEFERRABLE INITIALLY DEFERRED)")
        connection.exec_driver_sql(
            f"CREATE TRIGGER breaks AFTER UPDATE OF {column} ON delivery WHEN NEW.{column} {value} "
            "BEGIN INSERT INTO orphan VALUES (1); END"
        )

    def mend() -> None:
        with town.app.database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER breaks")

    mended, logger = Freeing(mend, said), logging.getLogger("nurture.delivery")
    logger.addHandler(mended)
    try:
        yield mended
    finally:
        logger.removeHandler(mended)


@on_sqlite
def test_a_permission_whose_commit_breaks_is_asked_for_again_and_counts_once(town: Town) -> None:
    """Places of the blast guard that a broken commit took would stop the campaign before its last mails."""
    with commits_that_break(town, "status", "= 'sending'", "the database did not take") as mended:
        town.send()
    assert mended.is_done
    assert town.statuses() == {"sent": PEOPLE}


def with_a_sender(town: Town, story: Callable[[Sender], Coroutine[None, None, None]]) -> None:
    """Queue what is due, and have one sender whose runs the story begins."""
    with Heart(town.app.database) as heart:
        run_due(town.app.workshop().bench(heart.worker), town.clock.at)
        asyncio.run(story(town.app.sender(heart.worker)))


@on_sqlite
def test_what_a_claim_took_that_breaks_is_claimed_again_in_the_same_run(town: Town) -> None:
    async def send(sender: Sender) -> None:
        counts, _ = await sender.drain()
        assert +counts == {"sent": PEOPLE}
        await sender.close()

    with commits_that_break(town, "facts", "IS NOT NULL", "the database did not let us claim") as mended:
        with_a_sender(town, send)
    assert mended.is_done


@on_sqlite
def test_what_relays_said_while_the_disk_was_full_is_stored_at_the_end_at_the_latest(town: Town) -> None:
    room = PageLimit(town.app.database)
    town.sink.on_read = lambda _: room.fill_up() if len(town.sink.taken) == 12 else None

    async def send(sender: Sender) -> None:
        with pytest.raises(DBAPIError, match="full"):
            await sender.drain()
        assert sender.owes
        room.make()
        await sender.close()

    with_a_sender(town, send)
    assert "sending" not in town.statuses()
    assert town.statuses()["sent"] == len(town.sink.taken)
    town.send_until_all_is_settled()
    town.judge()


@on_sqlite
def test_workers_whom_an_outage_kept_from_beating_are_not_taken_for_dead_by_the_first_that_is_back(town: Town) -> None:
    with town.app.database.writing() as session:
        watching, other = register_worker(session), register_worker(session)
    bench = town.app.bench(watching)
    run_due(bench, town.clock.at)
    with town.app.database.writing() as session:
        [mail] = take(session, other, 1, town.clock.at)
        session.execute(sa.update(Worker).values(beat_at=col(Worker.beat_at) - 60))
    assert take_back(bench, town.clock.at) == TakenBack()
    with town.app.database.reading() as session:
        assert keep_in_hand(session, other, [mail])
    assert take_back(bench, town.clock.at) == TakenBack(queued=1), "and still not a word of it"


@on_sqlite
def test_what_a_dead_worker_left_is_told_by_what_became_of_it(town: Town) -> None:
    with town.app.database.writing() as session:
        watching, dead = register_worker(session), register_worker(session)
    bench = town.app.bench(watching)
    run_due(bench, town.clock.at)
    with town.app.database.writing() as session:
        first, *_ = take(session, dead, 3, town.clock.at)
        session.execute(sa.update(Delivery).where(col(Delivery.id) == first).values(status=Status.SENDING))
        end_worker(session, dead)
    taken = take_back(bench, town.clock.at)
    assert taken == TakenBack(queued=2, in_doubt=1)
    assert str(taken) == (
        "taken back from a worker that died: 2 mails queued again, 1 mail in doubt (`nurture deliveries uncertain`)"
    )
    assert str(TakenBack(calls=1)) == "taken back from a worker that died: 1 call to be made again"


# The clock.


@on_sqlite
def test_a_clock_that_jumps_back_by_an_hour_repeats_nothing_and_forgets_nothing(town: Town) -> None:
    later = {address(number) for number in range(0, PEOPLE, 2)}
    town.sink.act = lambda stage, rcpt_to: (
        "451 4.3.0 not now" if stage == "rcpt" and rcpt_to in later and town.clock.at == START else ""
    )
    town.send()
    assert town.statuses() == {"queued": len(later), "sent": PEOPLE - len(later)}
    town.clock.at = START - HOUR
    town.send()
    assert town.statuses() == {"queued": len(later), "sent": PEOPLE - len(later)}
    town.send_until_all_is_settled()
    town.judge()
