"""Freezes the files of a workspace into versions, and says beforehand what that would change.

Publishing is one transaction: either every file is good and everything that changed gets a new version, or nothing
does. Publishing twice changes nothing the second time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.campaigns import silencing, store
from nurture.campaigns.reading import Kind, Problem, Problems, Unit, Workspace
from nurture.campaigns.silencing import Silenced
from nurture.campaigns.store import Campaign, CampaignVersion
from nurture.database.engine import Session
from nurture.errors import BadInput


@dataclass(frozen=True)
class Change:
    """What publishing does to one unit: `old` and `new` are version numbers, equal when nothing changes."""

    kind: str
    name: str
    old: int | None
    new: int
    changes: tuple[str, ...] = ()
    people: int = 0


@dataclass(frozen=True)
class Reading:
    """Everything found in a workspace."""

    units: tuple[Unit, ...]
    problems: tuple[Problem, ...]
    files: int = field(default=0)
    silenced: tuple[Silenced, ...] = ()

    @property
    def errors(self) -> int:
        return sum(problem.severity == "error" for problem in self.problems)


class NotPublishable(BadInput):
    """The files have errors, so nothing was published; `nurture check` tells them all."""


def read_workspace(workspace: Workspace, kinds: Sequence[Kind]) -> Reading:
    """Read and check every file, each kind its own."""
    problems = Problems()
    units: list[Unit] = []
    for kind in kinds:
        units.extend(kind.read(workspace, problems))
    said, silenced = silencing.apply(problems)
    files = {unit.file for unit in units} | {problem.file for problem in said}
    return Reading(tuple(units), tuple(said), len(files), tuple(silenced))


def plan(session: Session, kinds: Sequence[Kind], units: Sequence[Unit]) -> list[Change]:
    """What `publish` would change, unit by unit."""
    by_name = {kind.name: kind for kind in kinds}
    return [_plan_unit(session, by_name[unit.kind], unit) for unit in units]


def publish(
    session: Session, kinds: Sequence[Kind], reading: Reading, *, published_by: str, now: datetime
) -> list[Change]:
    """Give every unit that changed its next version; nothing at all when a file has errors."""
    if reading.errors:
        raise NotPublishable
    changes = plan(session, kinds, reading.units)
    for unit, change in zip(reading.units, changes, strict=True):
        campaign = store.find_campaign(session, unit.kind, unit.name)
        if campaign is None:
            campaign = Campaign(kind=unit.kind, name=unit.name, file=unit.file)
            session.add(campaign)
            session.flush()
        campaign.file = unit.file
        campaign.retired_at = None
        if change.old != change.new:
            campaign.version_id = freeze(
                session, campaign.id, change.new, unit.content, published_by=published_by, now=now
            )
        session.add(campaign)
    session.flush()
    return changes


def freeze(
    session: Session, campaign_id: int, number: int, content: Mapping[str, Any], *, published_by: str, now: datetime
) -> int:
    """Write one immutable version and return its identifier."""
    text = store.write_content(content)
    version = CampaignVersion(
        campaign_id=campaign_id,
        number=number,
        content=text,
        hash=_hash(text),
        published_at=now,
        published_by=published_by,
    )
    session.add(version)
    session.flush()
    return version.id


def freeze_draft(session: Session, unit: Unit, *, published_by: str, now: datetime) -> int:
    """Keep a unit as it is in the files now, for a test mail; nobody else ever gets it."""
    name = f"{unit.kind}:{unit.name}"
    campaign = store.find_campaign(session, store.DRAFT, name)
    if campaign is None:
        campaign = Campaign(kind=store.DRAFT, name=name, file=unit.file)
        session.add(campaign)
        session.flush()
    latest = store.latest_version(session, campaign.id)
    if latest is not None and latest.hash == _hash(store.write_content(unit.content)):
        return latest.id
    number = latest.number + 1 if latest else 1
    return freeze(session, campaign.id, number, unit.content, published_by=published_by, now=now)


def _plan_unit(session: Session, kind: Kind, unit: Unit) -> Change:
    campaign = store.find_campaign(session, unit.kind, unit.name)
    latest = store.latest_version(session, campaign.id) if campaign else None
    if campaign is None or latest is None:
        return Change(unit.kind, unit.name, None, 1, tuple(f"+ {part}" for part in kind.parts(unit.content)))
    people = kind.count_people(session, unit.name)
    if latest.hash == _hash(store.write_content(unit.content)):
        return Change(unit.kind, unit.name, latest.number, latest.number, (), people)
    before, after = kind.parts(store.read_content(latest.content)), kind.parts(unit.content)
    return Change(unit.kind, unit.name, latest.number, latest.number + 1, tuple(_differences(before, after)), people)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    added = [f"+ {name}" for name in after if name not in before]
    edited = [
        f"~ {name}{_keys(before[name], after[name])}" for name in after if before.get(name, after[name]) != after[name]
    ]
    removed = [f"− {name}" for name in before if name not in after]
    return [*added, *edited, *removed]


def _keys(before: Any, after: Any) -> str:
    """Which keys of a part changed, in brackets."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return f" ({', '.join(keys)})"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def missing(session: Session, units: Sequence[Unit]) -> list[str]:
    """What is published and has no file any more; it goes on as it is."""
    here = {(unit.kind, unit.name) for unit in units}
    kinds = {unit.kind for unit in units} | {"sequence", "newsletter", "issue"}
    published = [one for one in store.list_campaigns(session) if one.kind in kinds]
    return [f"{one.kind} {one.name}" for one in published if (one.kind, one.name) not in here]
