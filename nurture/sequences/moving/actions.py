"""What publishing does to people on their way: tells it beforehand, records it, and carries it out in small chunks.

The order is recorded with the version, in the publisher's transaction; people follow afterwards, some hundred at a
time, by the job `carry_on`. It only ever asks who still stands on an older version, so it goes on after a crash where
it was, and doing it twice does nothing twice. Whoever decided about somebody meanwhile loses by the revision.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.campaigns.in_flight import InFlight, Standing
from nurture.campaigns.reading import PublishedFile
from nurture.contacts.actions import mark_changed
from nurture.database.engine import Session
from nurture.delivery import store as deliveries
from nurture.sequences.decisions import State
from nurture.sequences.moving import store
from nurture.sequences.moving.rules import Outline, Way, land
from nurture.sequences.moving.store import Move
from nurture.sequences.numbering import Numbered, read_steps
from nurture.sequences.steps import GotoStep

KIND = "sequence"
#: So many people follow in one transaction.
_CHUNK = 100
#: The way of somebody who stood on a step that the newer version does not have.
_LED_PAST = "removed"


class PeopleInFlight:
    """What a kind of things with people on their way tells publishers, and takes from them."""

    def standings(self, session: Session, name: str, after: Mapping[str, Any]) -> Sequence[Standing]:
        versions = _versions(session, name)
        new = outline_of(after)
        found = []
        for version_id, step, people in store.count_standing(session, versions):
            old = campaigns.derive(session, version_id, outline_of)
            is_gone = step is not None and step not in new.around
            standing = Standing(versions[version_id], step, people, land(old, new, step), new.first, is_gone)
            found.append((versions[version_id], _place(old, step), standing))
        return [standing for _, _, standing in sorted(found, key=lambda one: (-one[0], one[1]))]

    def remarks(self, session: Session, name: str, after: Mapping[str, Any]) -> Sequence[str]:
        return list(_mails_got(session, name, after))

    def follow(self, session: Session, name: str, version_id: int, policy: InFlight, now: datetime) -> None:
        store.add_move(session, name, version_id, policy, now)


def carry_on(session: Session, now: datetime) -> int:
    """Let the next people follow to a newer version; how many did."""
    begun: set[str] = set()
    for move in store.list_moves(session):
        if move.sequence in begun:
            continue  # one after the other, in the order in which they were published
        begun.add(move.sequence)
        groups = list(_groups(session, move))
        for version_id, step in groups:
            if moved := _follow(session, move, version_id, step, now):
                return moved
        if not groups:
            store.drop_move(session, move.id)
            return 1
    return 0


def outline_of(content: Mapping[str, Any]) -> Outline:
    """The outline of a published version."""
    definition = content["definition"]
    around: dict[str, tuple[Way, ...]] = {}
    goes_back: dict[str, str] = {}

    def add(steps: list[Numbered], ways: tuple[Way, ...]) -> None:
        for one in steps:
            around.update(dict.fromkeys(one.ids, ways))
            if isinstance(one.step, GotoStep):
                goes_back[one.id] = one.step.goto
            for way, inner in one.ways.items():
                add(inner, (*ways, (one.id, way)))

    add(read_steps(PublishedFile(definition["sequence"], definition), definition["steps"]), ())
    return Outline(around, goes_back)


def _versions(session: Session, name: str) -> dict[int, int]:
    """Every version of a sequence with its number."""
    campaign = campaigns.find_campaign(session, KIND, name)
    return campaigns.numbers_of(session, campaign.id) if campaign else {}


def _groups(session: Session, move: Move) -> Iterator[tuple[int, str | None]]:
    """Where people stand who are still to follow: version and step."""
    versions = _versions(session, move.sequence)
    for version_id, number in versions.items():
        if number < versions[move.version_id] or move.policy == InFlight.END:
            if store.is_anybody_at_the_end(session, version_id):
                yield version_id, None
            step = store.next_standing(session, version_id, "")
            while step is not None:
                yield version_id, step
                step = store.next_standing(session, version_id, step)


def _follow(session: Session, move: Move, version_id: int, step: str | None, now: datetime) -> int:
    people = store.lock_standing(session, version_id, step, _CHUNK)
    ids = [id_ for id_, _, _ in people]
    if not ids:
        return 0
    if move.policy == InFlight.END:
        deliveries.stop_enrollments(session, ids, "the sequence was retired", now)
        store.set_standing(session, ids, status=State.EXITED, exit_reason="retired", wake_at=None, ended_at=now)
        mark_changed(session, [contact for _, contact, _ in people], now)
        return len(ids)
    old, new = (campaigns.derive(session, one, outline_of) for one in (version_id, move.version_id))
    if step is not None and step not in new.around:
        # What it asked for and has not left is not sent, and it never asks again should the step come back.
        deliveries.stop_enrollments(session, ids, "its step was removed from the sequence", now)
        for visit in {visit for _, _, visit in people}:
            here = [id_ for id_, _, at in people if at == visit]
            store.add_visits(session, here, step, visit, _LED_PAST, now)
    is_restart = move.policy == InFlight.RESTART
    # In a later visit only the rest of the loop is due again, wherever the new version puts what was before it.
    due_again = frozenset[str]() if is_restart or step is None else old.still_to_come(step)
    for visit in {visit for _, _, visit in people if visit > 1}:
        store.copy_visits(session, [id_ for id_, _, at in people if at == visit], visit, due_again)
    values: dict[str, Any] = {"step": new.first, "since": now} if is_restart else {"step": land(old, new, step)}
    store.set_standing(
        session, ids, version_id=move.version_id, is_moved=True, status=State.ACTIVE, wake_at=now, **values
    )
    return len(ids)


def _place(outline: Outline, step: str | None) -> int:
    """Where a step stands in its file; the end behind them all."""
    order = list(outline.around)
    return order.index(step) if step is not None and step in outline.around else len(order)


def _mails_got(session: Session, name: str, after: Mapping[str, Any]) -> Iterator[str]:
    """A new step, or one by a new name, whose mail somebody on their way has had from another step."""
    campaign = campaigns.find_campaign(session, KIND, name)
    if campaign is None or campaign.version_id is None:
        return
    before = campaigns.get_content(session, campaign.version_id)["mails"]
    had = [
        (version_id, step, mail)
        for version_id in campaigns.numbers_of(session, campaign.id)
        for step, mail in campaigns.get_content(session, version_id)["mails"].items()
    ]
    for step, mail in after["mails"].items():
        if step in before:
            continue
        same = {
            (version_id, other)
            for version_id, other, given in had
            if other != step and (given["template"] == mail["template"] or given["body"] == mail["body"])
        }
        count = store.count_who_got(session, name, same) if same else 0
        if count:
            steps = ", ".join(sorted({other for _, other in same}))
            people = f"{count:,} {'person' if count == 1 else 'people'} on their way"
            yield f"{step} sends {mail['template']}, which {people} got from {steps}; to them it is the same mail again."
