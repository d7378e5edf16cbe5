"""A place in the database for whoever commits hundreds of times a second: one connection that stays open.

What a transaction costs beside its statements (a session, a connection out of the pool, settings of the database) is
paid once. Like `Database.writing` otherwise: everything or nothing, notes for the journal before the commit, marks of
changed contacts last. Used by one thread at a time; one that must not wait, such as an event loop, writes `at_once`, which
means within a moment.

SQLite's commits do not wait for the disk here, where that takes as long as the transaction. Whoever promises something
waits in `settle`, in another thread, while the next transaction runs already. It is what `synchronous = FULL` does
itself: the log is brought to the disk after the commit (https://sqlite.org/pragma.html#pragma_synchronous).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from nurture.database.driver import Driver, keep_driver
from nurture.database.engine import Database, Session
from nurture.database.journal import notes_after, notes_before


class Taken(Exception):
    """Somebody else writes just now, and takes their time: nothing was begun."""


#: So long an event loop can wait for a lock. Claims write for a millisecond at a time, and another thread costs as much.
_MOMENT_SECONDS = 0.001


#: So long SQLite's log may grow before a commit brings over what `bring_over` has left, and the log begins anew.
_LOG_PAGES = 4_000


class Desk:
    """Transactions over a connection of its own; the one after one that failed gets a new connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._driver: Driver | None = None
        self._log = _Log(database.url) if database.is_sqlite else None

    @property
    def must_settle(self) -> bool:
        """Whether a commit is not yet on the disk when its block has ended."""
        return self._log is not None

    def settle(self) -> None:
        """What was committed until now survives a power cut when this returns; one other thread may call it."""
        log = self._log  # the thread that writes takes it away where there is none
        if log is not None:
            log.settle()

    def bring_over(self) -> None:
        """Bring SQLite's log into its file, as far as nobody needs it; between transactions, where nobody waits for us.

        A commit does it by itself once the log is long, and then takes 5 ms instead of 0.1.
        """
        if self._log is not None:
            _, driver = self._open()
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    @contextmanager
    def writing(self, *, at_once: bool = False) -> Iterator[Session]:
        """Everything or nothing, committed when the block has ended; `at_once` raises `Taken` rather than wait for long."""
        database = self._database
        with in_a_moment(database.turn) if at_once else database.turn:
            try:
                session, driver = self._open()
                keep_driver(session, driver)
                if database.is_sqlite:
                    _begin(database, driver, at_once=at_once)
                yield session
                session.flush()  # what the database refuses was never to happen
                if before := notes_before(session):
                    database.write_down(before)
                session.dispatch.before_commit(session)  # what is written last of all: marks of changed contacts
                driver.commit()
            except Taken:
                raise
            except BaseException:
                self._let_go()
                raise
            after = notes_after(session)
            if session.identity_map:
                session.expunge_all()
            session.info.clear()
        database.write_down(*after)

    def close(self) -> None:
        """Leave the database; a transaction that had not ended is undone."""
        self._let_go()
        if self._log is not None:
            self._log.close()

    def _let_go(self) -> None:
        session, connection = self._session, self._connection
        self._session = self._connection = self._driver = None
        if connection is not None and session is not None:
            with suppress(SQLAlchemyError):
                # Whatever state it is in, nobody else gets it from the pool.
                connection.invalidate()
                session.close()
                connection.close()

    def _open(self) -> tuple[Session, Driver]:
        if self._session is None or self._driver is None:
            self._connection = self._database.engine.execution_options(is_desk=True).connect()
            self._session = Session(self._connection, expire_on_commit=False)
            self._driver = Driver(self._session.connection(), is_desks=True)
            if self._database.is_sqlite:
                # The pool's connection has them as whoever wrote last wanted them: bulk work has no checkpoints at all.
                self._driver.execute("PRAGMA synchronous = NORMAL")
                self._driver.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
                if self._driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    # A file system that cannot have the log: SQLite waits for the disk itself.
                    self._driver.execute("PRAGMA synchronous = FULL")
                    self._log = None
                self._driver.execute("PRAGMA busy_timeout = 0")
        return self._session, self._driver


def _begin(database: Database, driver: Driver, *, at_once: bool) -> None:
    """Take the write lock. Two senders have it in turns of a millisecond, so they look before they wait in line."""
    door = database.door
    if at_once:
        if not door.begin(driver.execute, looks_first=True, patience=_MOMENT_SECONDS):
            raise Taken
    elif not door.begin(driver.execute, looks_first=True):
        driver.execute("BEGIN IMMEDIATE")


@contextmanager
def in_a_moment(turn: "threading.Lock | nullcontext[None]") -> Iterator[None]:
    """Have this turn soon, or raise `Taken`."""
    if isinstance(turn, nullcontext):
        yield
        return
    if not turn.acquire(timeout=_MOMENT_SECONDS):
        raise Taken
    try:
        yield
    finally:
        turn.release()


class _Log:
    """The file in which SQLite's commits stand until they are brought into the database."""

    def __init__(self, url: str) -> None:
        self._path = f"{make_url(url).database}-wal"
        self._descriptor: int | None = None

    def settle(self) -> None:
        # Whoever leaves the database as the last one takes the log away, and the next one begins another.
        if self._descriptor is not None and not os.fstat(self._descriptor).st_nlink:
            self.close()
        if self._descriptor is None:
            # Not of the database itself: closing that would let go of SQLite's locks (https://sqlite.org/howtocorrupt.html, 2.2).
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
