"""Who works on what: worker incarnations, their heartbeats, and one named lock per recurring job.

A worker is one process from its start to its end; a restarted one is another worker. What it has claimed is taken back
only when it is dead: its heartbeat stopped, or its process is gone from this very machine. Time passing while it lives
proves nothing. Whoever declares a worker dead writes that down, and a worker that was declared dead finds out before
its next step. Heartbeats are compared by the database's clock, so that workers' clocks may disagree.
"""

import os
import platform
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import FunctionElement
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import id_column, new_id
from nurture.database.engine import Session
from nurture.database.statements import changed_rows, insert

BEAT_EVERY_SECONDS = 2.0
DEAD_AFTER_SECONDS = 15.0


class Worker(SQLModel, table=True):
    """One process from its start to its end."""

    id: int = id_column()
    name: str
    place: str = Field(description="machine boot and process namespace, within which a pid means something")
    pid: int
    beat_at: float = Field(description="seconds since 1970 on the database's clock")
    ended_at: float | None = None
    is_hurried: bool = Field(
        default=False,
        description="its mails leave before it is on the disk that they may",
        sa_column_kwargs={"server_default": sa.false()},
    )


class JobLock(SQLModel, table=True):
    """A recurring job: whoever works on it holds its row, and it remembers how far it has got."""

    __tablename__ = "job_lock"

    name: str = Field(primary_key=True)
    mark: str = ""


class database_clock(FunctionElement[float]):  # noqa: N801 — reads like an SQL function, because it is one
    """Seconds since 1970 by the database's own clock."""

    type = sa.Float()
    inherit_cache = True


@compiles(database_clock, "sqlite")
def _sqlite_clock(element: FunctionElement[float], compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_clock, "postgresql")
def _postgres_clock(element: FunctionElement[float], compiler: SQLCompiler, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


def register_worker(session: Session) -> int:
    """A new incarnation for this process."""
    worker = new_id()
    name = f"{platform.node()}:{os.getpid()}"
    session.execute(
        sa.insert(Worker).values(id=worker, name=name, place=_place(), pid=os.getpid(), beat_at=database_clock())
    )
    return worker


def beat(session: Session, worker: int) -> bool:
    """Say that this worker lives; False when somebody has declared it dead, and it must stop."""
    alive = sa.update(Worker).where(col(Worker.id) == worker, col(Worker.ended_at).is_(None))
    return changed_rows(session, alive.values(beat_at=database_clock())) == 1


def has_missed_beats(session: Session, worker: int) -> bool:
    """Whether this living worker's own heart has not reached the database for a while: then nobody's silence proves a thing."""
    missed = sa.exists().where(
        col(Worker.id) == worker,
        col(Worker.ended_at).is_(None),
        col(Worker.beat_at) < database_clock() - DEAD_AFTER_SECONDS / 2,
    )
    return bool(session.scalar(sa.select(missed)))


def end_worker(session: Session, worker: int) -> None:
    """Say good-bye: what it still holds may be taken at once."""
    session.execute(sa.update(Worker).where(col(Worker.id) == worker).values(ended_at=database_clock()))


def bury_dead_workers(session: Session) -> int:
    """Declare dead every worker whose heartbeat stopped or whose process is gone; how many there were."""
    living = sa.select(col(Worker.id), col(Worker.pid)).where(
        col(Worker.ended_at).is_(None), col(Worker.place) == _place()
    )
    gone = [worker for worker, pid in session.execute(living).all() if not _is_running(pid)]
    silent = col(Worker.beat_at) < database_clock() - DEAD_AFTER_SECONDS
    dead = sa.update(Worker).where(col(Worker.ended_at).is_(None), sa.or_(silent, col(Worker.id).in_(gone)))
    return changed_rows(session, dead.values(ended_at=database_clock()))


def is_alive(worker: Any) -> ColumnElement[bool]:
    """Clause: nobody has declared this worker dead."""
    return sa.exists().where(col(Worker.id) == worker, col(Worker.ended_at).is_(None))


def dead_workers() -> Any:
    """Subquery: the identifiers of all workers that ended, cleanly or not."""
    return sa.select(col(Worker.id)).where(col(Worker.ended_at).is_not(None))


def set_hurried(session: Session, worker: int, *, is_hurried: bool) -> None:
    """Say whether a power cut would leave all in doubt that this worker has claimed."""
    changed = sa.update(Worker).where(col(Worker.id) == worker, col(Worker.is_hurried) != is_hurried)
    session.execute(changed.values(is_hurried=is_hurried))


def workers_cut_off() -> Any:
    """Subquery: workers that were in a hurry before this machine started: their last commits may be lost."""
    is_of_now = col(Worker.place).startswith(f"{_boot()}:", autoescape=True)
    return sa.select(col(Worker.id)).where(col(Worker.is_hurried), ~is_of_now)


def knows_boots() -> bool:
    """Whether it can be told from a worker's row that the machine has started anew since."""
    return bool(_boot()) and _place().startswith(_boot())


_LOCK = sa.select(col(JobLock.name)).where(col(JobLock.name) == sa.bindparam("job"))
_FREE_LOCK = _LOCK.with_for_update(skip_locked=True)


def hold_lock(session: Session, name: str) -> bool:
    """Hold a job's lock until this transaction ends; False while another process holds it.

    On SQLite a writing transaction is alone anyway.
    """
    if session.scalar(_FREE_LOCK, {"job": name}) is not None:
        return True
    if session.scalar(_LOCK, {"job": name}) is not None:
        return False
    # Two first ones may both come here: the second one's insert changes nothing.
    session.execute(insert(session, JobLock).values(name=name, mark="").on_conflict_do_nothing())
    return session.scalar(_FREE_LOCK, {"job": name}) is not None


def wait_for_lock(session: Session, name: str) -> None:
    """Hold a lock until this transaction ends, however long its holder takes; what comes then sees what they did."""
    session.execute(insert(session, JobLock).values(name=name, mark="").on_conflict_do_nothing())
    session.execute(_LOCK.with_for_update(), {"job": name})


def get_mark(session: Session, name: str) -> str:
    """How far a job that remembers has got; empty before its first run."""
    return session.scalar(sa.select(col(JobLock.mark)).where(col(JobLock.name) == name)) or ""


def set_mark(session: Session, name: str, mark: str) -> None:
    """Remember how far a job has got, in the transaction that got there."""
    session.execute(sa.update(JobLock).where(col(JobLock.name) == name).values(mark=mark))


def _place() -> str:
    """Where a pid of this process means something: this boot of this machine, in this namespace; empty if unknown."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        namespace = None
    boot = _boot()
    # Elsewhere than on Linux only the heartbeat counts; no other worker has this place.
    return f"{boot}:{namespace}" if boot and namespace else f"{platform.node()}:{os.getpid()}"


def _boot() -> str:
    """Which start of this machine this is; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # Killed, and whoever started it has not looked yet: a name without a process behind it.
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return True
