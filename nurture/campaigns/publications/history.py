"""Who published what and when, and what changed each time; the latest first.

What was published before publications were kept is told from its versions alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from nurture.campaigns import store
from nurture.campaigns.planning import differences, only_one
from nurture.campaigns.publications.store import Happened, list_happened
from nurture.campaigns.reading import Kind
from nurture.database.engine import Session


@dataclass(frozen=True)
class Event:
    """What a publication did to one unit, and how that differs from what was there before; no `now.new`: retired."""

    now: Happened
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One time somebody published, rolled back or retired."""

    at: datetime
    by: str
    note: str
    revision: str
    is_rollback: bool
    events: tuple[Event, ...]


def tell(session: Session, kinds: Sequence[Kind], kind: str = "", name: str = "") -> list[Entry]:
    """The history of everything, or of one thing."""
    by_name = {one.name: one for one in kinds}
    happened = list_happened(session, kind, name)
    return [
        Entry(at, by, *_beside(group := list(rows)), tuple(_events(session, by_name, group)))
        for (at, by, _), rows in groupby(happened, key=lambda one: (one.at, one.by, one.publication))
    ]


def find_kind(session: Session, name: str, kind: str = "") -> tuple[str, str]:
    """Of which kind something is that was ever published, by its name alone where that is enough."""
    return only_one(store.list_published(session), name, kind, "was ever published").kind, name


def _beside(rows: Sequence[Happened]) -> tuple[str, str, bool]:
    return rows[0].note, rows[0].revision, rows[0].is_rollback


def _events(session: Session, by_name: Mapping[str, Kind], rows: Sequence[Happened]) -> Iterator[Event]:
    for one in sorted(rows, key=lambda row: (row.kind, row.name)):
        kind = by_name.get(one.kind)
        if kind is None:
            continue
        before, after = (
            kind.parts(store.get_content(session, version)) if version else {}
            for version in (one.old_version_id, one.new_version_id)
        )
        is_change = one.old_version_id and one.new_version_id
        yield Event(one, tuple(differences(before, after)) if is_change else ())
