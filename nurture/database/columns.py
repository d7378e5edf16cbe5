"""Column types and identifiers that mean the same on SQLite and PostgreSQL.

Instants are aware and in UTC on both sides; a naive one is refused, since nobody could say when it is. Contacts,
enrollments and deliveries carry random, time-ordered identifiers, so that a restored database never gives one out a
second time.
"""

import secrets
import threading
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

from nurture import clock

# A constraint with a name can be changed by a later migration on both databases.
NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime: `timestamptz` on PostgreSQL, ISO text that sorts by time on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return instant_in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def instant_in_utc(value: datetime | None) -> datetime | None:
    """An instant as `Instant` hands it to PostgreSQL's driver."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return value.astimezone(UTC)


def instant_text(value: datetime | None) -> str | None:
    """An instant as `Instant` writes it on SQLite, for statements that SQLAlchemy does not fill."""
    there = instant_in_utc(value)
    return _spelled(there) if there is not None else None


@lru_cache(maxsize=64)  # most that is written at once is written at one instant
def _spelled(utc: datetime) -> str:
    # Only in UTC are two that are equal one instant: elsewhere an hour of the autumn comes twice.
    return utc.replace(tzinfo=None).isoformat(" ", "microseconds")


#: On SQLite only INTEGER PRIMARY KEY is the row's own number; a BIGINT one would be a second index beside it.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: For tables whose key is most of the row: SQLite then keeps the key alone, not a row number and an index besides.
KEY_IS_THE_ROW = {"sqlite_with_rowid": False}

#: JSON that PostgreSQL can index.
Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class _Identifiers:
    """63 bits: seconds since 2024 (32), this process (15), a counter that starts anywhere (16).

    Two processes share an identifier only if they drew the same 15 bits and count alike within one second; a counter
    that runs over borrows from the next second.
    """

    _EPOCH = 1_704_067_200  # 2024-01-01: 32 bits of seconds last until 2160

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = secrets.randbits(15)
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._move_on(1)
            return self._identifier()

    def take(self, count: int) -> range:
        if not 1 <= count <= 1 << 16:
            raise ValueError(f"{count} identifiers at once: one second holds 65,536")
        with self._lock:
            self._move_on(count)
            first = self._identifier()
            self._last += count - 1
            return range(first, first + count)

    def _move_on(self, count: int) -> None:
        """To an identifier behind which so many follow within the same second."""
        second = clock.wall_milliseconds() // 1000 - self._EPOCH
        last_second, last_count = self._last >> 16, self._last & 0xFFFF
        if second > last_second:
            last_second, last_count = second, secrets.randbits(14) - 1
        if last_count + count > 0xFFFF:
            last_second, last_count = last_second + 1, -1
        self._last = (last_second << 16) + last_count + 1

    def _identifier(self) -> int:
        return (self._last >> 16 << 31) | (self._process << 16) | (self._last & 0xFFFF)


_identifiers = _Identifiers()


def new_id() -> int:
    """A random, time-ordered 63-bit identifier."""
    return _identifiers.next()


def new_ids(count: int) -> range:
    """So many in a row, the first being the lowest; a second holds 65,536."""
    return _identifiers.take(count)


def id_column() -> Any:
    """The primary key of a table whose rows are made with `new_id`."""
    return Field(default_factory=new_id, sa_column=sa.Column(BigId, primary_key=True, autoincrement=False))


def reference(target: str, *, nullable: bool = False, index: bool = False, on_delete: str | None = None) -> Any:
    """A foreign key to an identifier."""
    key = sa.ForeignKey(target, ondelete=on_delete)
    return Field(
        default=None if nullable else ...,
        sa_column=sa.Column(sa.BigInteger, key, nullable=nullable, index=index),
    )


def instant_column(*, nullable: bool = False, index: bool = False) -> Any:
    """An aware UTC instant."""
    return Field(default=None if nullable else ..., sa_column=sa.Column(Instant, nullable=nullable, index=index))


class json_kind(FunctionElement[str]):  # noqa: N801 — reads like an SQL function, because it is one
    """What a value within a JSON column is: number, boolean, string, or something else."""

    type = sa.String()
    inherit_cache = True


@compiles(json_kind, "sqlite")
def _sqlite_kind(element: FunctionElement[str], compiler: SQLCompiler, **options: Any) -> str:
    (place,) = element.clauses
    where = f"{compiler.process(place.left, **options)}, {compiler.process(place.right, **options)}"
    return (
        f"CASE json_type({where}) WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'true' THEN 'boolean'"
        " WHEN 'false' THEN 'boolean' WHEN 'text' THEN 'string' END"
    )


@compiles(json_kind, "postgresql")
def _postgres_kind(element: FunctionElement[str], compiler: SQLCompiler, **options: Any) -> str:
    return f"jsonb_typeof({compiler.process(element.clauses, **options)})"


def json_column() -> Any:
    """A JSON object, empty unless given."""
    return Field(default_factory=dict, sa_column=sa.Column(Json, nullable=False))
