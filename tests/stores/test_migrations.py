"""The migrations make exactly the tables the code declares, on both databases, up and down."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from nurture.database import migrating
from nurture.database.engine import Database, sqlite_url
from nurture.errors import SchemaMismatch
from tests.support.schema import METADATA


def test_the_migrations_and_the_tables_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_every_migration_can_be_taken_back_and_run_again(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with database.engine.execution_options(is_writing=True).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    migrating.upgrade(database)
    with database.engine.connect() as connection:
        assert migrating.current_revision(connection) == migrating.newest_revision()


def test_the_first_command_creates_the_database(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "new" / "nurture.db"))
    assert migrating.ensure_schema(database) is True
    assert migrating.ensure_schema(database) is False
    database.close()


def test_new_code_on_an_old_schema_says_what_to_type(sqlite: Database) -> None:
    with sqlite.writing() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(SchemaMismatch, match="type `nurture database upgrade`"):
        migrating.ensure_schema(sqlite)
