"""What publishing would do to each unit, told before anybody does it.

A plan is made of what is in the files, what is published, and what was said beside: a note, what is retired, what
becomes of people in flight. Its fingerprint names exactly that, so that a pipeline can publish what a person has seen
and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from nurture.campaigns import store
from nurture.campaigns.in_flight import Closing, Followed, InFlight, Policies, Standing
from nurture.campaigns.reading import Kind, Unit
from nurture.campaigns.store import Published
from nurture.database.engine import Session
from nurture.errors import BadInput, NotAllowed, NotFound, did_you_mean


@dataclass(frozen=True)
class Order:
    """What whoever publishes says beside the files."""

    in_flight: Policies = field(default_factory=Policies)
    retire: frozenset[str] = frozenset()
    expect: str = ""
    note: str = ""
    revision: str = ""


#: Publish the files, and nothing beside.
FILES_ONLY = Order()


@dataclass(frozen=True)
class Change:
    """What happens to one unit: `old` and `new` are version numbers.

    They are equal when nothing changes, `old` is None for what was not published or was retired, and `new` is None
    for what is retired now.
    """

    kind: str
    name: str
    old: int | None
    new: int | None
    changes: tuple[str, ...] = ()
    people: int = 0
    file: str = ""
    in_flight: InFlight = InFlight.KEEP
    restores: int | None = None
    needs_version: bool = False
    hashes: tuple[str, str] = ("", "")
    standings: tuple[Standing, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_real(self) -> bool:
        """Whether anything happens: a new version, none any more, or people who follow to the one there is."""
        return self.old != self.new or self.in_flight is not InFlight.KEEP


@dataclass(frozen=True)
class Plan:
    """All changes, unit by unit."""

    changes: tuple[Change, ...]

    @cached_property
    def fingerprint(self) -> str:
        """Names what would happen; people come and go without changing it."""
        real = [(one.kind, one.name, *one.hashes, one.in_flight) for one in self.changes if one.is_real]
        return store.hash_of(json.dumps(sorted(real)))[:12]


def plan(session: Session, kinds: Sequence[Kind], units: Sequence[Unit], order: Order = FILES_ONLY) -> Plan:
    """What `publish` would change; nobody is counted yet."""
    published = {(one.kind, one.name): one for one in store.list_published(session)}
    by_name = {kind.name: kind for kind in kinds}
    order.in_flight.check_names(_followed_names(by_name, published.values(), units))
    retired = [published[key] for key in _to_retire(session, kinds, units, order)]
    if order.in_flight.otherwise is InFlight.END and not retired:
        raise BadInput("--in-flight end: this is for people on what `--retire` takes out; say keep, move or restart.")
    planned = [
        _plan_unit(session, by_name[unit.kind], unit, published.get((unit.kind, unit.name)), order) for unit in units
    ]
    return Plan((*planned, *(_plan_retirement(one, order, by_name[one.kind]) for one in retired)))


def with_people(session: Session, kinds: Sequence[Kind], planned: Plan, units: Sequence[Unit] = ()) -> Plan:
    """The same plan with how many people are on their way, and what happens to them."""
    by_name = {kind.name: kind for kind in kinds}
    contents = {(unit.kind, unit.name): unit.content for unit in units}
    return Plan(
        tuple(
            _with_people(session, by_name[change.kind], change, contents.get((change.kind, change.name)))
            for change in planned.changes
        )
    )


def _with_people(session: Session, kind: Kind, change: Change, after: Mapping[str, Any] | None) -> Change:
    counted = replace(change, people=kind.count_people(session, change.name) if change.old else 0)
    if not (counted.people and change.is_real and after is not None and isinstance(kind, Followed)):
        return counted
    warnings = (*change.warnings, *kind.remarks(session, change.name, after))
    return replace(counted, standings=tuple(kind.standings(session, change.name, after)), warnings=warnings)


def list_missing(session: Session, kinds: Sequence[Kind], units: Sequence[Unit]) -> list[Published]:
    """What is published and has no file any more; what has done all it is for may go without a word."""
    here = {(unit.kind, unit.name) for unit in units}
    closing = {kind.name: kind for kind in kinds if isinstance(kind, Closing)}
    known = {kind.name for kind in kinds}
    gone = [
        one
        for one in store.list_published(session)
        if one.kind in known and not one.is_retired and (one.kind, one.name) not in here
    ]
    return [one for one in gone if one.kind not in closing or not closing[one.kind].is_closed(session, one.name)]


def only_one(every: Sequence[Published], name: str, kind: str, what: str) -> Published:
    """The one of that name; its kind only matters where several share it."""
    found = [one for one in every if one.name == name and kind in {"", one.kind}]
    if not found:
        known = [one.name for one in every if kind in {"", one.kind}]
        raise NotFound(
            f'nothing{f" of kind {kind}" if kind else ""} called "{name}" {what}.{did_you_mean(name, known)}'
        )
    if len(found) > 1:
        raise BadInput(f'"{name}" may be {" or ".join(f"`{one.kind} {name}`" for one in found)}; say which.')
    return found[0]


def refuse_missing(session: Session, kinds: Sequence[Kind], units: Sequence[Unit], order: Order) -> None:
    """A file that is gone stops a publish: by accident or on purpose, only its author knows."""
    retired = _to_retire(session, kinds, units, order)
    gone = [one for one in list_missing(session, kinds, units) if (one.kind, one.name) not in retired]
    if gone:
        raise NotAllowed("\n".join(map(missing_sentence, gone)) + " Nothing was published.")


def missing_sentence(one: Published) -> str:
    """What to do about a file that is gone."""
    return (
        f"{one.file}: {one.kind} {one.name} is published and has no file any more; "
        f"put it back, or say `--retire {one.name}`."
    )


def _to_retire(
    session: Session, kinds: Sequence[Kind], units: Sequence[Unit], order: Order
) -> dict[tuple[str, str], None]:
    """What is to be retired; refuses names that are not published or still have their file."""
    if not order.retire:
        return {}
    gone = list_missing(session, kinds, units)
    found: dict[tuple[str, str], None] = {}
    for wanted in sorted(order.retire):
        matching = [one for one in gone if wanted in {one.name, f"{one.kind}:{one.name}"}]
        if not matching:
            raise _cannot_retire(wanted, units, gone)
        if len(matching) > 1:
            spelled = " or ".join(f"--retire {one.kind}:{one.name}" for one in matching)
            raise BadInput(f"--retire {wanted}: there are {len(matching)} of that name; say {spelled}.")
        found[matching[0].kind, matching[0].name] = None
    return found


def _cannot_retire(wanted: str, units: Sequence[Unit], gone: Sequence[Published]) -> NotFound | NotAllowed:
    file = next((unit.file for unit in units if wanted in {unit.name, f"{unit.kind}:{unit.name}"}), None)
    if file is not None:
        return NotAllowed(f"--retire {wanted}: its file {file} is still there; take that away first.")
    names = [one.name for one in gone]
    return NotFound(
        f"--retire {wanted}: nothing of that name is published without a file.{did_you_mean(wanted, names)}"
    )


def _followed_names(by_name: Mapping[str, Kind], published: Any, units: Sequence[Unit]) -> set[str]:
    every = [*published, *units]
    return {one.name for one in every if isinstance(by_name.get(one.kind), Followed)}


def _plan_unit(session: Session, kind: Kind, unit: Unit, latest: Published | None, order: Order) -> Change:
    if latest is None:
        parts = tuple(f"+ {part}" for part in kind.parts(unit.content))
        return Change(unit.kind, unit.name, None, 1, parts, 0, unit.file, needs_version=True, hashes=("", unit.hash))
    is_same = latest.hash == unit.hash
    policy = _policy(kind, unit.name, order, is_same=is_same)
    old = None if latest.is_retired else latest.number
    hashes = ("" if latest.is_retired else latest.hash, unit.hash)
    if is_same:
        changes = ("comes back",) if latest.is_retired else ()
        return Change(unit.kind, unit.name, old, latest.number, changes, 0, unit.file, policy, hashes=hashes)
    before = kind.parts(store.get_content(session, latest.version_id))
    return Change(
        unit.kind, unit.name, old, latest.number + 1, tuple(differences(before, kind.parts(unit.content))), 0,
        unit.file, policy, needs_version=True, hashes=hashes, warnings=tuple(_brings_back(session, unit, latest)),
    )  # fmt: skip


def _policy(kind: Kind, name: str, order: Order, *, is_same: bool) -> InFlight:
    """What becomes of people in flight; without a new version they follow only if that is said by name."""
    if not isinstance(kind, Followed):
        return InFlight.KEEP
    policy = order.in_flight.named.get(name, InFlight.KEEP) if is_same else order.in_flight.of(name)
    if policy is InFlight.END:
        if name in order.in_flight.named:
            raise BadInput(f"--in-flight {name}=end: it is not retired; say keep, move or restart.")
        return InFlight.KEEP
    return policy


def _plan_retirement(latest: Published, order: Order, kind: Kind) -> Change:
    policy = order.in_flight.of(latest.name) if isinstance(kind, Followed) else InFlight.KEEP
    if policy is not InFlight.END:
        if order.in_flight.named.get(latest.name, InFlight.KEEP) is not InFlight.KEEP:
            raise BadInput(f"--in-flight {latest.name}={policy}: what is retired has no next version; say keep or end.")
        policy = InFlight.KEEP
    return Change(
        latest.kind, latest.name, latest.number, None, ("retired",), 0, latest.file, policy, hashes=(latest.hash, "")
    )


def _brings_back(session: Session, unit: Unit, latest: Published) -> list[str]:
    """Files know nothing of a rollback: until they are edited they hold what was taken back."""
    if latest.restores is None:
        return []
    taken_back = [
        number
        for number in store.numbers_of_hash(session, latest.campaign_id, unit.hash)
        if latest.restores < number < latest.number
    ]
    if not taken_back:
        return []
    was = f"v{taken_back[0]}, which was rolled back to v{latest.restores}"
    return [f"{unit.file} still holds {was}; publishing brings it back."]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What was added, edited (with its keys) and removed, part by part."""
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
