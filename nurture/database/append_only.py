"""Tables that only grow: the database itself refuses to change or delete what was written there.

A ledger that code could rewrite proves nothing. Triggers are no part of the tables as `migrations` knows them, and SQLite
drops them when a migration makes a table anew, so they are put in place again after every upgrade.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

#: By table, what may change all the same: whom a row is about, who may be erased or merged, and a text that is kept for
#: a while only, to the empty one.
MAY_CHANGE: Mapping[str, tuple[str, ...]] = {"consent_event": ("contact_id", "ip"), "audit_entry": ()}

# It names no column, so that a migration may change them.
_POSTGRES = """
CREATE OR REPLACE FUNCTION nurture_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV AND NOT EXISTS (
    SELECT FROM unnest(TG_ARGV) AS name WHERE to_jsonb(NEW) ->> name <> '' AND right(name, 3) <> '_id'
    AND to_jsonb(NEW) ->> name IS DISTINCT FROM to_jsonb(OLD) ->> name
  ) THEN RETURN NEW; END IF;
  RAISE EXCEPTION '% is append only', TG_TABLE_NAME;
END $$
"""


def guard(connection: Connection) -> None:
    """Let the database keep the tables that only grow as they are; those that are not there yet are left out."""
    known = set(sa.inspect(connection).get_table_names())
    for table, allowed in MAY_CHANGE.items():
        if table not in known:
            continue
        if connection.dialect.name == "sqlite":
            _guard_sqlite(connection, table, allowed)
        else:
            _guard_postgres(connection, table, allowed)


def _guard_sqlite(connection: Connection, table: str, allowed: tuple[str, ...]) -> None:
    columns = [one["name"] for one in sa.inspect(connection).get_columns(table)]
    fixed = ", ".join(f'"{one}"' for one in columns if one not in allowed)
    emptied = [one for one in allowed if not one.endswith("_id")]
    events = {"delete": "DELETE", "update": f"UPDATE OF {fixed}"}
    conditions = {f"keeps_{one}": f"WHEN NEW.{one} <> '' AND NEW.{one} <> OLD.{one} " for one in emptied}
    events |= {f"keeps_{one}": f"UPDATE OF {one}" for one in emptied}
    for name, event in events.items():
        trigger, condition = f"{table}_{name}", conditions.get(name, "")
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}")
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        connection.exec_driver_sql(f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} {condition}{refuse}")


def _guard_postgres(connection: Connection, table: str, allowed: tuple[str, ...]) -> None:
    connection.exec_driver_sql(_POSTGRES.replace("%", "%%"))
    names = ", ".join(f"'{one}'" for one in allowed)
    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_only_grows ON {table}")
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION nurture_append_only({names})"
    )
