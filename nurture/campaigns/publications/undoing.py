"""Takes back what was published: the earlier content becomes the next version, and nothing is ever deleted.

One thing goes back to an earlier version of it, or the last publish is undone as a whole. Files know nothing of it: as
long as they hold the newer text, the next publish brings it back, and its plan says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.campaigns import store
from nurture.campaigns.in_flight import Followed, InFlight
from nurture.campaigns.planning import Change, Order, Plan, differences, only_one
from nurture.campaigns.publications import store as publications
from nurture.campaigns.publishing import LOCK, record
from nurture.campaigns.reading import Kind, Unit
from nurture.campaigns.store import CampaignVersion, Published
from nurture.database.claiming import wait_for_lock
from nurture.database.engine import Session
from nurture.errors import NotAllowed, NotFound


@dataclass(frozen=True)
class Undoing:
    """What a rollback would do, with the contents it brings back and the publication it takes back, if it is one."""

    plan: Plan
    texts: Mapping[tuple[str, str], str]
    undoes: int | None = None


def roll_back(
    session: Session, kinds: Sequence[Kind], undoing: Undoing, order: Order, *, published_by: str, now: datetime
) -> None:
    """Do what was planned in this same transaction, which holds the publishers' lock."""
    record(
        session, kinds, undoing.plan.changes, undoing.texts, order,
        published_by=published_by, now=now, is_rollback=True, undoes=undoing.undoes,
    )  # fmt: skip


def units_of(undoing: Undoing) -> list[Unit]:
    """What is brought back, as if it stood in the files."""
    files = {(one.kind, one.name): one.file for one in undoing.plan.changes}
    return [Unit(*key, files[key], store.read_content(text)) for key, text in undoing.texts.items()]


def take_turn(session: Session) -> None:
    """Wait for whoever publishes; call it before planning what is to be rolled back."""
    wait_for_lock(session, LOCK)


def find_one(session: Session, name: str, kind: str = "") -> Published:
    """The published thing of that name; its kind only matters where several share the name."""
    every = [one for one in store.list_published(session) if not one.is_retired]
    return only_one(every, name, kind, "is published")


def plan_one(session: Session, kinds: Sequence[Kind], now: Published, to: int | None, order: Order) -> Undoing:
    """Bring back an earlier version of one thing: the one before what it is now, unless `to` says which."""
    order.in_flight.check_names([now.name])
    base = now.number if now.restores is None else now.restores
    number = base - 1 if to is None else to
    target = store.version_of_number(session, now.campaign_id, number) if number else None
    if target is None:
        raise NotFound(f"{now.kind} {now.name}: there is no version {number}; `nurture history` lists them all.")
    if target.hash == now.hash:
        raise NotAllowed(f"{now.kind} {now.name} is v{number} already, as v{now.number}; nothing was changed.")
    change = _bring_back(session, kinds, now, target, order)
    return Undoing(Plan((change,)), {(now.kind, now.name): target.content})


def plan_last(session: Session, kinds: Sequence[Kind], order: Order) -> Undoing:
    """Undo the last publish that still stands, as a whole; what has changed again since is left as it is."""
    published = {one.campaign_id: one for one in store.list_published(session)}
    known = {kind.name for kind in kinds}
    for publication in publications.list_standing(session):
        changes: list[Change] = []
        texts: dict[tuple[str, str], str] = {}
        for one in publications.changes_of(session, publication.id):
            now = published[one.campaign_id]
            current = None if now.is_retired else now.version_id
            if one.old_version_id == one.new_version_id or current != one.new_version_id or now.kind not in known:
                continue
            if one.old_version_id is None:
                changes.append(_retire(now, kinds, order))
                continue
            target = store.get_version(session, one.old_version_id)
            changes.append(_bring_back(session, kinds, now, target, order))
            texts[now.kind, now.name] = target.content
        if changes:
            order.in_flight.check_names(change.name for change in changes if _is_followed(kinds, change.kind))
            return Undoing(Plan(tuple(changes)), texts, publication.id)
    raise NotFound("No publish is left to be undone; `nurture history` tells what was published.")


def _bring_back(
    session: Session, kinds: Sequence[Kind], now: Published, target: CampaignVersion, order: Order
) -> Change:
    kind = next(kind for kind in kinds if kind.name == now.kind)
    before, after = store.get_content(session, now.version_id), store.read_content(target.content)
    is_new = target.hash != now.hash
    return Change(
        now.kind, now.name, None if now.is_retired else now.number, now.number + 1 if is_new else now.number,
        tuple(differences(kind.parts(before), kind.parts(after))) or ("comes back",),
        file=now.file,
        in_flight=_policy(kinds, now, order),
        restores=(target.number if target.restores is None else target.restores) if is_new else None,
        needs_version=is_new,
        hashes=("" if now.is_retired else now.hash, target.hash),
        warnings=(_file_warning(now),),
    )  # fmt: skip


def _file_warning(now: Published) -> str:
    """What to do about the file, so that the next publish does not undo this."""
    if now.is_retired:
        return f"{now.file} is gone; put it back as it was, or the next publish stops. Who left meanwhile stays out."
    return f"{now.file} still holds what is rolled back; edit it too, or the next publish brings it back."


def _retire(now: Published, kinds: Sequence[Kind], order: Order) -> Change:
    """It was new in what is undone: nobody new comes in any more."""
    policy = order.in_flight.of(now.name) if _is_followed(kinds, now.kind) else InFlight.KEEP
    if policy is not InFlight.END:
        policy = InFlight.KEEP
    warning = f"{now.file} is still there; take it away too, or the next publish brings it back."
    return Change(
        now.kind, now.name, now.number, None, ("retired",), 0, now.file, policy,
        hashes=(now.hash, ""), warnings=(warning,),
    )  # fmt: skip


def _policy(kinds: Sequence[Kind], now: Published, order: Order) -> InFlight:
    policy = order.in_flight.of(now.name)
    return policy if _is_followed(kinds, now.kind) and policy is not InFlight.END else InFlight.KEEP


def _is_followed(kinds: Sequence[Kind], name: str) -> bool:
    return any(kind.name == name and isinstance(kind, Followed) for kind in kinds)
