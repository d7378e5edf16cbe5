"""A workspace opens: its settings are read, its secrets and its database are found or made, and its place is checked."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nurture.app.carrying import Carrying
from nurture.clock import Clock, SystemClock
from nurture.database.engine import Database, sqlite_url
from nurture.database.installation import home_of, is_in_use, is_settled, settle_in
from nurture.database.journal import Journal
from nurture.database.migrating import ensure_schema
from nurture.delivery.left_behind import store as left_behind
from nurture.delivery.rules import is_loopback
from nurture.errors import BadSettings
from nurture.settings import STATE_FOLDER, Settings, ensure_secrets, read_settings
from nurture.timing import parse_length
from nurture.tokens import AddressHasher, TokenKeys

if TYPE_CHECKING:
    from nurture.app.house import App

Half = TypeVar("Half", bound=Carrying)


def open_app(folder: Path, *, clock: Clock | None = None, settings: Settings | None = None) -> "App":
    """Open a workspace: read its settings, create or check its database, and see whether it is where it was."""
    from nurture.app.house import App  # late: who only sends opens without it

    return _open(App, folder, clock, settings)


def open_to_send(folder: Path, *, settings: Settings) -> Carrying:
    """Open of a workspace what a sender process needs."""
    return _open(Carrying, folder, None, settings)


def _open(kind: type[Half], folder: Path, clock: Clock | None, settings: Settings | None) -> Half:
    folder = folder.resolve()
    settings = settings or read_settings(folder)
    clock = clock or SystemClock(_offset(settings))
    database = _database(folder, settings)
    try:
        return _move_in(kind, folder, settings, clock, database)
    except BaseException:
        database.close()
        raise


def _move_in(kind: type[Half], folder: Path, settings: Settings, clock: Clock, database: Database) -> Half:
    """Make sure of what everything else relies on.

    1. Find or make the secrets. 2. Create or check the schema. 3. See whether the database is where it was made, and
    whether the power went while somebody was in a hurry: before anybody does anything with those mails.
    """
    settings = ensure_secrets(folder, settings, lambda: is_in_use(database))
    give_up_after = parse_length(settings.sending.give_up_after)
    keys, hasher = TokenKeys(list(settings.secret)), AddressHasher(settings.suppression_key)
    home, *earlier_homes = [home_of(database.url, settings.database.machine, one) for one in keys.fingerprints]
    who: dict[str, Any] = {
        "home": home,
        "earlier_homes": earlier_homes,
        "suppression_fingerprint": hasher.fingerprint,
    }
    ensure_schema(database)
    with database.reading() as session:
        is_known, is_any_cut_off = is_settled(session, **who), left_behind.is_any_cut_off(session)
    if not is_known or is_any_cut_off:
        with database.writing(durable=True) as session:
            settle_in(session, **who, now=clock.now())
            left_behind.assume_sending(session, clock.now())
    return kind(folder, settings, database, clock, keys, hasher, home, give_up_after)


def database_of(folder: Path) -> Database:
    """The database of a workspace as it is, whatever its schema."""
    return _database(folder.resolve(), read_settings(folder))


def make_secrets(folder: Path) -> None:
    """Give a new workspace its secrets; one that has lived keeps its own or says that they are missing."""
    settings = read_settings(folder)

    def is_database_in_use() -> bool:
        database = _database(folder, settings)
        try:
            return is_in_use(database)
        finally:
            database.close()

    ensure_secrets(folder, settings, is_database_in_use)


def _database(folder: Path, settings: Settings) -> Database:
    state = folder / STATE_FOLDER
    return Database(settings.database.url or sqlite_url(state / "nurture.db"), Journal(state / "journal"))


def _offset(settings: Settings) -> timedelta:
    """How far a rehearsal moves the present; never with real mail."""
    text = settings.clock.offset
    if not text:
        return timedelta(0)
    hosts = {f"relays.{one.name}.host": one.host for one in settings.relays} or {"smtp.host": settings.smtp.host}
    for key, host in hosts.items():
        if not is_loopback(host):
            raise BadSettings(
                f"clock.offset is set and {key} is {host}; a rehearsal needs a relay on this machine. "
                f"Take the offset away, or set {key} to 127.0.0.1."
            )
    return parse_length(text)
