"""All tables of the product in one place, for the tests and for writing migrations.

`python -m tests.support.schema "what changes"` writes the next migration from the difference between the tables and the
migrations there are; read it before you keep it.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlmodel import SQLModel

import nurture.campaigns.publications.store
import nurture.campaigns.store
import nurture.consent.domains.store
import nurture.consent.recording.store
import nurture.consent.rhythms.store
import nurture.consent.silence.store
import nurture.consent.store
import nurture.consent.suppressions.store
import nurture.contacts.history.store
import nurture.contacts.newcomers.store
import nurture.contacts.store
import nurture.database.audit
import nurture.database.claiming
import nurture.database.installation
import nurture.delivery.complaints.store
import nurture.delivery.daily.store
import nurture.delivery.guard.store
import nurture.delivery.outcomes.store
import nurture.delivery.pacing.store
import nurture.delivery.pausing.store
import nurture.delivery.relayed.store
import nurture.delivery.remembered.store
import nurture.delivery.resting.store
import nurture.delivery.store
import nurture.delivery.waves.store
import nurture.forms.store
import nurture.handoff.accounts.store
import nurture.handoff.store
import nurture.inbound.store
import nurture.newsletters.store
import nurture.outgoing.store
import nurture.privacy.requests.store
import nurture.scoring.store
import nurture.sequences.moving.store
import nurture.sequences.store
import nurture.tracking.store
import nurture.tracking.touches.store  # noqa: F401 — importing a store declares its tables
from nurture.database import migrating
from nurture.database.engine import Database, sqlite_url

METADATA = SQLModel.metadata


def write_migration(message: str) -> None:
    """Write the next numbered migration."""
    folder = Path(migrating.__file__).parent / "migrations"
    existing = sorted((folder / "versions").glob("[0-9]*.py"))
    number = f"{len(existing) + 1:04d}"
    with tempfile.TemporaryDirectory() as temporary:
        database = Database(sqlite_url(Path(temporary) / "empty.db"))
        if existing:
            migrating.upgrade(database)
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        with database.engine.connect() as connection:
            config.attributes.update(connection=connection, metadata=METADATA)
            command.revision(config, message, autogenerate=True, rev_id=number)


if __name__ == "__main__":
    write_migration(sys.argv[1])
