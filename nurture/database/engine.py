"""Opens the database and holds the only commits.

`reading()` and `writing()` are the two forms of a transaction. On SQLite a writing one takes the lock at once (BEGIN
IMMEDIATE), so that it never fails half way for having read first; keep it under 50 ms, because everybody else waits.
`writing(durable=True)` is for what must survive a power cut the moment it is promised: consent. (`sending` has a `desk`.) Errors never show the values of a statement, which may be addresses.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import StatementError
from sqlmodel import Session, SQLModel

from nurture.database.columns import NAMING
from nurture.database.door import Door
from nurture.database.failing import place_of
from nurture.database.journal import PASSING, Journal, drop_notes, notes_after, notes_before
from nurture.errors import BadSettings

__all__ = ["Database", "Session", "is_sqlite"]

SQLModel.metadata.naming_convention = NAMING

_LOCK_WAIT_SECONDS = 30
#: A server that vanished without a word, its machine gone or a firewall forgetful, is noticed within half a minute; the
#: kernel alone gives up after a quarter of an hour, or two hours. As libpq names them; a Unix socket has no use for them.
_NOTICED = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
#: How long SQLite's log grows before somebody's commit moves it into the file: its own default, and more than an import
#: lets it grow for who is waited for. An opt-out would do 100 ms of the import's work.
_LOG_PAGES, _LOG_PAGES_WAITED_FOR = 1_000, 50_000
#: Hashes of addresses come in no order, so that each new one belongs on another page of its index.
_BULK_CACHE_KIB = 65_536


class Database:
    """One SQLite file or one PostgreSQL database."""

    def __init__(self, url: str, journal: Journal | None = None) -> None:
        self.url = url
        self.journal = journal
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        path = make_url(url).database if self.is_sqlite else None
        #: Processes pass it one after the other; threads of one process queue for `turn`.
        self.door = Door(Path(path) if path and path != ":memory:" else None)
        self.engine = _open_sqlite(url, self.door) if self.is_sqlite else _open_postgres(url)
        _say_where(self.engine, place_of(url))
        self._writers = self.engine.execution_options(is_writing=True)
        self._durable_writers = self.engine.execution_options(is_writing=True, is_durable=True)
        self._bulk_writers = self.engine.execution_options(is_writing=True, is_bulk=True)
        self.turn = threading.Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent look; anything written in it is thrown away."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Session]:
        """Everything or nothing, committed at the end of the block."""
        engine = self._durable_writers if durable else self._writers
        with self.turn, Session(engine, expire_on_commit=False) as session, self._beside(session):
            yield session

    @contextmanager
    def _beside(self, session: Session, *, is_bulk: bool = False) -> Iterator[None]:
        """A transaction, with what was noted for the journal in it before and after its commit."""
        with session.begin() as transaction:
            yield
            if not transaction.is_active:  # a rehearsal: it was rolled back
                drop_notes(session)
            elif before := notes_before(session):
                session.flush()  # what the database refuses was never to happen
                self.write_down(before, is_bulk=is_bulk)
        self.write_down(*notes_after(session), is_bulk=is_bulk)

    def write_down(
        self, entries: Sequence[Mapping[str, Any]], lines: Sequence[str] = (), *, is_bulk: bool = False
    ) -> None:
        """Into the journal. What says no must outlast a power cut; of mails, the database itself knows the last ones."""
        if self.journal is not None and (entries or lines):
            must_last = not is_bulk and any(one["what"] not in PASSING for one in entries)
            self.journal.append(entries, lines=lines, must_last=must_last)

    @contextmanager
    def writing_in_bulk(self) -> Iterator[Session]:
        """One of many transactions that are one piece of work: `settle` makes those so far survive a power cut.

        SQLite neither waits for the disk at each commit nor tidies up its log in between, which others would wait for.
        """
        session = Session(self._bulk_writers, expire_on_commit=False)
        with self.turn, session, self._beside(session, is_bulk=True):
            yield session

    def settle(self) -> int:
        """What was written in bulk is on the disk when this returns; nobody has to wait for it.

        How many pages SQLite's log has by now.
        """
        if self.journal is not None:
            self.journal.settle()
        if not self.is_sqlite:
            return 0
        with self.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")  # a checkpoint is none within a transaction
            _, pages, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
            connection.exec_driver_sql("BEGIN")
        return int(pages)

    def settle_to_the_end(self) -> None:
        """The same, and SQLite's log begins anew: others wait only for what they wrote while most of it was done."""
        self.settle()
        with self.writing_in_bulk() as session:
            session.connection()
            self.settle()

    def close(self) -> None:
        self.engine.dispose()
        self.door.close()
        if self.journal is not None:
            self.journal.close()


def is_sqlite(session: Session) -> bool:
    """Whether this session talks to SQLite."""
    return session.get_bind().dialect.name == "sqlite"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path.resolve()}"


def _say_where(engine: Engine, place: str) -> None:
    """Every error of the database names it; `database.failing` makes a sentence of it."""

    @event.listens_for(engine, "handle_error")
    def add_place(context: ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, StatementError):
            context.sqlalchemy_exception.add_detail(place)


def _open_sqlite(url: str, door: Door) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {"timeout": _LOCK_WAIT_SECONDS, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=options, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        # The driver would begin transactions by itself, and too late; `begin` below does it.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options: dict[str, Any] = dict(connection.get_execution_options())
        if options.get("is_desk"):
            return  # `database.desk` begins and ends its transactions itself
        if options.get("is_writing"):
            level, pages = ("FULL", _LOG_PAGES_WAITED_FOR) if options.get("is_durable") else ("NORMAL", _LOG_PAGES)
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
            connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {0 if options.get('is_bulk') else pages}")
            if options.get("is_bulk"):
                connection.exec_driver_sql(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
            _begin(connection, door)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin(connection: Connection, door: Door) -> None:
    """Take the write lock."""
    driver: Any = connection.connection.driver_connection
    ((patience,),) = driver.execute("PRAGMA busy_timeout").fetchall()
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        if not _is_begun(door, driver, patience / 1000):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is wrong comes as everybody expects it
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")


def _is_begun(door: Door, driver: sqlite3.Connection, patience: float) -> bool:
    try:
        return door.begin(driver.execute, patience=patience)
    except sqlite3.Error:
        return False


def _open_postgres(url: str) -> Engine:
    given = make_url(url).query
    options = {name: value for name, value in _NOTICED.items() if name not in given}
    try:
        engine = sa.create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError:
        raise BadSettings(
            "database.url: PostgreSQL needs its driver; type `pip install 'nurture[postgres]'`."
        ) from None

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        # A server told not to wait for its disk forgets, in a crash, which mails it let leave: they would leave twice.
        connection.autocommit = True
        connection.execute(
            "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'"
        )
        connection.autocommit = False

    return engine
