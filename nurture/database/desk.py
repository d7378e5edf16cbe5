"""A place in the database for whoever commits hundreds of times a second: one connection that stays open.

What a transaction costs beside its statements (a session, a connection out of the pool, settings of the database) is
paid once. Like `Database.writing(durable=True)` otherwise: everything or nothing, notes for the journal before the
commit, marks of changed contacts last. Used by one thread at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from nurture.database.engine import Database, Session
from nurture.database.journal import notes_after, notes_before
from nurture.database.prepared import Driver, keep_driver


class Desk:
    """Durable transactions over a connection of its own; the transaction after one that failed gets a new one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._driver: Driver | None = None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Everything or nothing; on the disk when the block has ended."""
        database = self._database
        with database.turn:
            try:
                session, driver = self._open()
                keep_driver(session, driver)
                if database.is_sqlite:
                    _begin(database, driver)
                yield session
                session.flush()  # what the database refuses was never to happen
                if before := notes_before(session):
                    database.write_down(before)
                session.dispatch.before_commit(session)  # what is written last of all: marks of changed contacts
                driver.execute("COMMIT")
            except BaseException:
                self.close()
                raise
            after = notes_after(session)
            session.expunge_all()
            session.info.clear()
        database.write_down(*after)

    def close(self) -> None:
        """Let go of the connection; a transaction that had not ended is undone."""
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
            self._driver = Driver(self._session.connection())
            if self._database.is_sqlite:
                self._driver.execute("PRAGMA synchronous = FULL")
                self._driver.execute("PRAGMA busy_timeout = 0")
        return self._session, self._driver


def _begin(database: Database, driver: Driver) -> None:
    """Take the write lock. Two senders have it in turns of a millisecond, so they look before they wait in line."""
    if not database.door.begin(driver.execute, is_hurried=True):
        driver.execute("BEGIN IMMEDIATE")
