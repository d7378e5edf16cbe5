"""Freezes the files of a workspace into versions.

Publishing is one transaction, and one publisher at a time: either every file is good and everything that changed gets a
new version, or nothing does. Publishing twice changes nothing the second time. `planning` says beforehand what that
would change, `publications.undoing` takes it back; each leaves a
`Publication`, from which `publications.history` tells who did what and when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.campaigns import silencing, store
from nurture.campaigns.in_flight import Followed, InFlight
from nurture.campaigns.planning import FILES_ONLY, Change, Order, plan, refuse_missing
from nurture.campaigns.publications.store import Publication, PublicationChange
from nurture.campaigns.reading import Kind, Problem, Problems, Unit, Workspace
from nurture.campaigns.silencing import Silenced
from nurture.campaigns.store import Campaign, CampaignVersion
from nurture.database.claiming import wait_for_lock
from nurture.database.engine import Session
from nurture.errors import BadInput, NotAllowed

#: Held by whoever publishes, rolls back or retires, for the whole transaction.
LOCK = "publish"


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

    def write_down(self) -> None:
        """Turn every unit into text now: in the transaction everybody would wait for it."""
        for unit in self.units:
            _ = unit.hash


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


def publish(
    session: Session,
    kinds: Sequence[Kind],
    reading: Reading,
    *,
    published_by: str,
    now: datetime,
    order: Order = FILES_ONLY,
) -> list[Change]:
    """Give every unit that changed its next version; nothing at all when a file has errors or is missing."""
    if reading.errors:
        raise NotPublishable
    wait_for_lock(session, LOCK)
    refuse_missing(session, kinds, reading.units, order)
    planned = plan(session, kinds, reading.units, order)
    if order.expect and order.expect != planned.fingerprint:
        raise NotAllowed(
            f"--expect {order.expect}: the plan is {planned.fingerprint} by now, because the files, what is published "
            "or what you ask for differ; look at `nurture publish --plan` again. Nothing was published."
        )
    _note_files(session, reading.units)
    texts = {(unit.kind, unit.name): unit.text for unit in reading.units}
    record(session, kinds, planned.changes, texts, order, published_by=published_by, now=now)
    return list(planned.changes)


def record(
    session: Session,
    kinds: Sequence[Kind],
    changes: Sequence[Change],
    texts: Mapping[tuple[str, str], str],
    order: Order,
    *,
    published_by: str,
    now: datetime,
    is_rollback: bool = False,
    undoes: int | None = None,
) -> None:
    """Write what changes as one publication; `texts` are the contents by kind and name."""
    real = [change for change in changes if change.is_real]
    if not real:
        return
    publication = Publication(
        published_at=now, published_by=published_by, note=order.note, revision=order.revision,
        is_rollback=is_rollback, undoes=undoes,
    )  # fmt: skip
    session.add(publication)
    session.flush()
    followed = {kind.name: kind for kind in kinds if isinstance(kind, Followed)}
    for change in real:
        campaign = store.find_campaign(session, change.kind, change.name)
        if campaign is None:
            campaign = Campaign(kind=change.kind, name=change.name, file=change.file)
            session.add(campaign)
            session.flush()
        before = None if campaign.retired_at is not None else campaign.version_id
        campaign.retired_at = now if change.new is None else None
        text = texts.get((change.kind, change.name), "")
        if change.needs_version:
            assert change.new is not None
            version = _add_version(
                session, campaign.id, change.new, text,
                published_by=published_by, now=now, restores=change.restores,
            )  # fmt: skip
            campaign.version_id = version.id
        after = None if change.new is None else campaign.version_id
        session.add(campaign)
        session.add(
            PublicationChange(
                publication_id=publication.id, campaign_id=campaign.id, old_version_id=before, new_version_id=after,
                in_flight=change.in_flight,
            )
        )  # fmt: skip
        if change.in_flight is not InFlight.KEEP and campaign.version_id is not None:
            followed[change.kind].follow(session, change.name, campaign.version_id, change.in_flight, now)
    session.flush()


def freeze_draft(session: Session, unit: Unit, *, published_by: str, now: datetime) -> int:
    """Keep a unit as it is in the files now, for a test mail; nobody else ever gets it."""
    name = f"{unit.kind}:{unit.name}"
    campaign = store.find_campaign(session, store.DRAFT, name)
    if campaign is None:
        campaign = Campaign(kind=store.DRAFT, name=name, file=unit.file)
        session.add(campaign)
        session.flush()
    latest = store.latest_version(session, campaign.id)
    if latest is not None and latest.hash == unit.hash:
        return latest.id
    number = latest.number + 1 if latest else 1
    return _add_version(session, campaign.id, number, unit.text, published_by=published_by, now=now).id


def _add_version(session: Session, campaign_id: int, number: int, text: str, **values: Any) -> CampaignVersion:
    """Write one immutable version."""
    version = CampaignVersion(
        campaign_id=campaign_id,
        number=number,
        content=text,
        hash=store.hash_of(text),
        published_at=values.pop("now"),
        **values,
    )
    session.add(version)
    session.flush()
    return version


def _note_files(session: Session, units: Sequence[Unit]) -> None:
    """A file may be called anything: what it defines has a name of its own."""
    files = {(one.kind, one.name): one.file for one in store.list_published(session)}
    for unit in units:
        if files.get((unit.kind, unit.name), unit.file) != unit.file:
            store.move_file(session, unit.kind, unit.name, unit.file)
