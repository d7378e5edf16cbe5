"""What a database that fails us is to be told as: where, what, what to do. Anything else it complains of is a bug.

Only what somebody can mend from outside stands here: rights, room, damage, another process, a server that is away.
"""

import sqlite3

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from nurture.errors import DatabaseFailed

_RIGHTS = (
    "the database cannot be written; give this user the right to write the file and its folder, which SQLite needs even "
    "to read, and see that the disk is not mounted read-only"
)
_DAMAGED = (
    "the database is damaged or cut short; stop everything that uses it, keep the file, and restore the last backup with "
    "its .nurture/secrets"
)
_FULL = "the disk is full; make room, then go on: what was not written yet is tried again or can be typed again"
_DISK = "the disk cannot be read or written; look at the disk, then at the database with `sqlite3 FILE 'PRAGMA integrity_check'`"
_BUSY = "another process has held the database for too long; see what else uses it, then type this again"

#: By SQLite's primary result code.
_OF_SQLITE = {
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_AUTH: _RIGHTS,
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened; see that it is a file, and that this user may read and write it and its folder",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "this is no database, or a damaged one; restore the last backup with its .nurture/secrets",
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
}
_AWAY = "the database server cannot be reached, or refuses us; see that it runs, and that database.url is right"
#: By SQLSTATE or its class, the first that fits.
_OF_POSTGRES = {
    "25006": "the database takes no changes; connect to the primary server, or end its read-only mode",
    "42501": "this user may not do that; give them the rights of the database's owner",
    "53100": _FULL,
    "53": "the database server has run out of something; look at its log, then type this again",
    "55P03": _BUSY,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "08": _AWAY,
    "28": _AWAY,
    "3D": _AWAY,
    "57P": _AWAY,
}


def place_of(url: str) -> str:
    """Where a database is, without its password."""
    given = make_url(url)
    path = given.database or ""
    return path if given.get_backend_name() == "sqlite" else given.render_as_string(hide_password=True)


def failure_of(error: BaseException) -> DatabaseFailed | None:
    """The sentence for an error of the database, None if it is somebody's bug."""
    if not isinstance(error, DBAPIError):
        return None
    what = _of_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _of_postgres(error)
    where = error.detail[-1] if error.detail else "the database"
    return DatabaseFailed(f"{where}: {what}.") if what else None


def _of_sqlite(error: sqlite3.Error) -> str | None:
    # Errors of the driver itself have no code.
    return _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def _of_postgres(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # Without an answer of the server there was no connection.
        return _AWAY if type(error).__name__ in {"OperationalError", "InterfaceError"} else None
    return next((what for begins, what in _OF_POSTGRES.items() if state.startswith(begins)), None)
