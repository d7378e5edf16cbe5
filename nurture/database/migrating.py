"""Brings the schema up to date. The first command creates it; after that `nurture database upgrade` is the only way up.

New code stops on an old schema with the sentence that says what to type; old code runs on the next schema, because
every change first adds and only later takes away.
"""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nurture.database.append_only import guard
from nurture.database.engine import Database
from nurture.database.failing import place_of
from nurture.errors import SchemaMismatch

_FOLDER = Path(__file__).parent / "migrations"


def newest_revision() -> str:
    """The revision this code was written for: revisions are numbered, so it is the last file name."""
    return max(_revisions())


def _revisions() -> set[str]:
    return {path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py")}


def current_revision(connection: Connection) -> str | None:
    """The revision of the database, None when it is empty."""
    # Asked first: whoever is creating the database right now commits the tables with their revision.
    has_tables = sa.inspect(connection).has_table("installation")
    found: list[str] = []
    if sa.inspect(connection).has_table("alembic_version"):
        found = list(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars())
    if len(found) > 1 or (has_tables and not found):
        raise SchemaMismatch(
            f"{place_of(str(connection.engine.url))}: the table alembic_version has {len(found)} rows instead of one, so "
            "nobody knows which revision this database is at; restore the last backup with its .nurture/secrets."
        )
    return found[0] if found else None


def ensure_schema(database: Database) -> bool:
    """Create an empty database, accept a current one, refuse any other; True when it was created."""
    with database.engine.connect() as connection:
        found = current_revision(connection)
    if found is None:
        upgrade(database)
        return True
    if found < newest_revision():
        raise SchemaMismatch(
            f"The database is at revision {found} and this nurture needs {newest_revision()}; "
            "type `nurture database upgrade`."
        )
    return False


def upgrade(database: Database, to: str = "head") -> None:
    """Run the migrations that are missing, in one transaction, one process at a time."""
    with database.engine.connect() as connection:
        found = current_revision(connection)
    if found is not None and found not in _revisions():
        raise SchemaMismatch(
            f"The database is at revision {found}, which this nurture does not know: its own newest is "
            f"{newest_revision()}. Install the version of nurture that made the database, or a newer one."
        )
    # Alembic takes 0.7 s to import, and only this command needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    writers = database.engine.execution_options(is_writing=True, is_durable=True)
    with writers.begin() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7305)")
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        guard(connection)
