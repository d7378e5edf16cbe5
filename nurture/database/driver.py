"""The driver's own connection below a session, for statements that are spelled already.

Several that follow each other are sent to PostgreSQL in one go. A desk's go by `database.flight`, everybody else's by the
pipeline of the driver itself. Used by `database.prepared` and, for what begins and ends a transaction, by `database.desk`.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from nurture.database.engine import Session
from nurture.database.failing import place_of
from nurture.database.flight import Flights
from nurture.database.spelled import Spelled


class Leaving(NamedTuple):
    """A statement as one kind of database takes it, and what is given to it."""

    spelled: Spelled
    given: Mapping[str, Any]


class Driver:
    """Runs them; its errors come as SQLAlchemy's."""

    def __init__(self, connection: Connection, *, is_desks: bool = False) -> None:
        self.dialect = connection.dialect
        self._is_desks = is_desks
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._error = connection.dialect.loaded_dbapi.Error

    @property
    def is_overheard(self) -> bool:
        """Whether somebody listens to all statements, which ours would not be among."""
        return bool(self._connection.engine.dispatch.before_cursor_execute)

    def execute(self, text: str, parameters: Any = ()) -> Any:
        """A cursor of the driver that has run this."""
        cursor = self._driver.cursor()
        try:
            cursor.execute(text, parameters)
        except self._error as error:
            cursor.close()
            raise self._as_ours(error, text) from error
        return cursor

    def execute_all(self, many: Sequence[Leaving]) -> list[int]:
        """Run all of them; how many rows each touched."""
        if not many:
            return []
        try:
            if self._flights is not None:
                return self._flights.fly([one.spelled.leg(one.given) for one in many])
            return self._execute_all(many)
        except self._error as error:
            raise self._as_ours(error, "; ".join(one.spelled.text for one in many)) from error

    def _execute_all(self, many: Sequence[Leaving]) -> list[int]:
        if not self._has_pipeline or len(many) == 1:
            return self._execute_in_turn(many)
        with ExitStack() as ends:
            cursors = [ends.enter_context(closing(self._driver.cursor())) for _ in many]
            with self._driver.pipeline():
                for cursor, one in zip(cursors, many, strict=True):
                    cursor.execute(one.spelled.text, one.spelled.fill(one.given))
            return [cursor.rowcount for cursor in cursors]

    def _execute_in_turn(self, many: Sequence[Leaving]) -> list[int]:
        counts = []
        with closing(self._driver.cursor()) as cursor:
            for one in many:
                cursor.execute(one.spelled.text, one.spelled.fill(one.given))
                counts.append(cursor.rowcount)
        return counts

    def commit(self) -> None:
        """End the transaction."""
        if self._flights is None:
            self.execute("COMMIT").close()
            return
        try:
            self._flights.fly([("COMMIT", ())])
        except self._error as error:
            raise self._as_ours(error, "COMMIT") from error

    @cached_property
    def _has_pipeline(self) -> bool:
        """Only PostgreSQL's driver can send several statements at once, and only with a library of its version 14."""
        pipeline = getattr(self._connection.dialect.loaded_dbapi, "Pipeline", None)
        return pipeline is not None and bool(pipeline.is_supported())

    @cached_property
    def _flights(self) -> Flights | None:
        """Over a connection that ends with a transaction that fails: the driver forgets what was prepared when it is undone."""
        is_there = self._is_desks and self._has_pipeline
        return Flights(self._connection.dialect.loaded_dbapi, self._driver) if is_there else None

    def _as_ours(self, error: Exception, text: str) -> BaseException:
        raised = DBAPIError.instance(text, None, error, self._error, hide_parameters=True)
        if isinstance(raised, DBAPIError):
            raised.add_detail(place_of(self._connection.engine.url.render_as_string(hide_password=False)))
        return raised


_DRIVER = "driver"


def keep_driver(session: Session, driver: Driver) -> None:
    """Spare the session of a desk to be asked for its connection by each statement of a transaction."""
    if not driver.is_overheard:
        session.info[_DRIVER] = driver


def driver_of(session: Session) -> Driver | None:
    """What to run statements on; None where they have to go through SQLAlchemy."""
    kept: Driver | None = session.info.get(_DRIVER)
    if kept is not None:
        return kept
    driver = Driver(session.connection())
    return None if driver.is_overheard else driver
