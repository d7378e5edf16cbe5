"""Imports for tests: a small file, taken in by the whole way, and what a database knows afterwards."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nurture.clock import SystemClock
from nurture.conditions import FieldType
from nurture.consent.imports import import_rows
from nurture.consent.law.rules import ConsentTable
from nurture.consent.summaries import Summary
from nurture.consent.terms import Terms
from nurture.contacts.fields import DeclaredField
from nurture.contacts.imports import ImportRow, RefusedRow, read_rows, survey
from nurture.contacts.intake import Desk
from nurture.database import append_only
from nurture.database.engine import Database
from nurture.tokens import AddressHasher
from tests.support.people import TABLE
from tests.support.schema import METADATA

DECLARED = {
    "company_size": DeclaredField("company_size", FieldType.NUMBER, "Company size"),
    "industry": DeclaredField("industry", FieldType.TEXT, "Industry"),
}


@dataclass
class Importer:
    """Takes files into one database."""

    database: Database
    hasher: AddressHasher
    folder: Path
    now: datetime
    table: ConsentTable = TABLE
    operators: dict[str, int | None] = field(default_factory=dict)

    def rows(self, text: str, name: str = "people.csv") -> list[ImportRow | RefusedRow]:
        path = self.folder / name
        path.write_text(text, encoding="utf-8", newline="")
        return list(read_rows(survey(path, DECLARED), DECLARED))

    def terms(self, *, source: str | None = None, topic: str = "insights", **more: Any) -> Terms:
        desk = Desk(self.hasher, self.operators, source)
        return Terms(topic, "import of people.csv", self.table, desk, **more)

    def take(self, text: str, *, is_rehearsal: bool = False, **terms: Any) -> Summary:
        """Import a file; what the command line would report."""
        *_, summary = import_rows(
            self.database, self.rows(text), self.terms(**terms), SystemClock(), self.now, is_rehearsal=is_rehearsal
        )
        return summary


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, identifiers included."""
    with database.engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in METADATA.sorted_tables
        }


def what_is_known(database: Database) -> dict[str, Any]:
    """What a database knows about people, by address, whoever imported it in however many pieces."""
    queries = {
        "people": "SELECT address_key, email, first_name, last_name, company, job_title, country, language, timezone, "
        "source, owner_id, owner_text, fields FROM contact",
        "tags": "SELECT address_key, tag FROM contact_tag JOIN contact ON contact.id = contact_id",
        "lists": "SELECT address_key, name FROM list_member JOIN contact ON contact.id = contact_id "
        "JOIN contact_list ON contact_list.id = list_id",
        "consents": "SELECT address_key, topic, state, basis, given_on, pile, law FROM consent "
        "JOIN contact ON contact.id = contact_id",
        "ledger": "SELECT address_hash, topic, what, basis, given_on, how FROM consent_event",
        "pasts": "SELECT address_key, last_open_on, bounce_count, last_sign_on, told_on, kept_back FROM contact_past "
        "JOIN contact ON contact.id = contact_id",
        "suppressions": "SELECT address_hash, reason, how FROM suppression WHERE lifted_at IS NULL",
    }
    with database.engine.connect() as connection:
        return {
            name: sorted((tuple(map(str, row)) for row in connection.exec_driver_sql(query)), key=repr)
            for name, query in queries.items()
        }


def forget(database: Database) -> None:
    """Empty every table, also those that only grow."""
    with database.writing() as session:
        connection = session.connection()
        for table in append_only.MAY_CHANGE:
            if database.is_sqlite:
                named = f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
                for (name,) in connection.exec_driver_sql(named).all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            else:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_only_grows ON {table}")
        for table in reversed(METADATA.sorted_tables):
            connection.execute(sa.delete(table))
        append_only.guard(connection)
