"""This database's own identity: whose it is, where it lives, whether sending is paused.

A database that finds itself in another place (other machine, other URL, other secret) was restored, copied or moved.
It starts paused: two copies that both send would mail everybody twice. The fingerprint of the suppression key is kept
for good, because with another key no opt-out would be recognized.
"""

import hashlib
import platform
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import instant_column
from nurture.database.engine import Database, Session
from nurture.errors import Paused, WrongKey

_ONLY = 1
_MOVED = (
    "this database was made elsewhere (another machine, URL or secret). If no other copy of it sends, "
    "type `nurture resume --here`"
)


class Installation(SQLModel, table=True):
    """The only row of its table."""

    id: int = Field(default=_ONLY, primary_key=True)
    suppression_fingerprint: str
    home: str
    created_at: datetime = instant_column()
    paused_at: datetime | None = instant_column(nullable=True)
    paused_because: str = ""


def home_of(url: str, machine: str, secret_fingerprint: str) -> str:
    """Names the place a database lives in: machine, URL without its password, and secret."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        spot = str(Path(place.database or "").resolve())
    else:
        spot = f"{place.host or place.query.get('host', '')}:{place.port or 5432}/{place.database}"
    return hashlib.sha256("\n".join([machine or _machine(), spot, secret_fingerprint]).encode()).hexdigest()[:16]


def is_in_use(database: Database) -> bool:
    """Whether somebody has settled in here; a SQLite file that is not there is not made for the question."""
    if database.is_sqlite and not Path(make_url(database.url).database or "").exists():
        return False
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table("installation"):
            return False
        return connection.execute(sa.select(col(Installation.id))).first() is not None


def settle_in(
    session: Session, *, home: str, suppression_fingerprint: str, now: datetime, earlier_homes: Collection[str] = ()
) -> None:
    """Write down who we are the first time; afterwards pause if this is not the same place.

    `earlier_homes` are the names of this very place under keys that were replaced: one of them is no move, and gives way
    to the name of now.
    """
    installation = session.get(Installation, _ONLY)
    if installation is None:
        session.add(Installation(suppression_fingerprint=suppression_fingerprint, home=home, created_at=now))
        return
    if installation.suppression_fingerprint != suppression_fingerprint:
        raise WrongKey
    if installation.home in earlier_homes:
        installation.home = home
    if installation.home != home and installation.paused_at is None:
        installation.paused_at = now
        installation.paused_because = _MOVED


def is_settled(
    session: Session, *, home: str, suppression_fingerprint: str, earlier_homes: Collection[str] = ()
) -> bool:
    """Whether `settle_in` would change nothing, so that a command that only reads need not write."""
    installation = session.get(Installation, _ONLY)
    if installation is None:
        return False
    if installation.suppression_fingerprint != suppression_fingerprint:
        raise WrongKey
    if installation.home in earlier_homes:
        return False
    return installation.home == home or installation.paused_at is not None


def is_at_home(session: Session, home: str) -> bool:
    """Whether the database is where it was made, so that `resume` needs nobody to say so."""
    return session.get_one(Installation, _ONLY).home == home


def pause(session: Session, *, because: str, now: datetime) -> bool:
    """Stop all sending; holds until `resume`, over restarts. False if it was paused already: the first reason stands."""
    installation = session.get_one(Installation, _ONLY, with_for_update=True)
    if installation.paused_at is not None:
        return False
    installation.paused_at, installation.paused_because = now, because
    return True


def resume(session: Session, *, home: str, here: bool = False) -> None:
    """Go on sending; a database that moved needs `here`, said by someone who knows that no other copy sends."""
    installation = session.get_one(Installation, _ONLY)
    if installation.home != home:
        if not here:
            because = installation.paused_because
            raise Paused(f"Sending stays paused: {because}{'' if because == _MOVED else f'; and {_MOVED}'}.")
        installation.home = home
    installation.paused_at = None
    installation.paused_because = ""


def get_pause(session: Session) -> tuple[datetime, str] | None:
    """Since when and why sending is paused, or None."""
    installation = session.get_one(Installation, _ONLY)
    return (installation.paused_at, installation.paused_because) if installation.paused_at else None


def is_running() -> ColumnElement[bool]:
    """Clause: sending is not paused."""
    return ~sa.exists().where(col(Installation.paused_at).is_not(None))


def _machine() -> str:
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            if name := path.read_text(encoding="ascii").strip():
                return name
        except OSError:
            continue
    return platform.node()
