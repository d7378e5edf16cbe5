"""Settle mails in doubt: by what can only have happened if they arrived, by the relay's log, or by what a person says."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from nurture.contacts.actions import mark_changed
from nurture.database.engine import Database, Session
from nurture.delivery import actions
from nurture.delivery.doubts import store
from nurture.delivery.doubts.rules import find_taken
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery, move

_CHUNK = 200


#: What a piece of evidence proves: somebody had it before them, or it is on its way or came back.
ARRIVED, TAKEN = "it arrived", "the relay took it"


def take_evidence(session: Session, ids: Collection[int], what: str, now: datetime, proves: str = ARRIVED) -> int:
    """`what` came of these mails, which is only possible if they were taken: those in doubt are sent. How many that were.

    Called by whoever sees an open, a click, a reply, a bounce or somebody leave. A mail that was in no doubt stays as it is.
    """
    if not ids:
        return 0
    contacts = store.settle_as_sent(session, ids, f"{proves}: {what}, {now:%Y-%m-%d %H:%M} UTC", now)
    mark_changed(session, [one for one in contacts if one is not None], now)
    return len(contacts)


@dataclass(frozen=True)
class Resolved:
    """How many mails in doubt were settled, and how many are left."""

    settled: int
    left: int


def resolve_all(database: Database, campaign: str, verdict: str, now: datetime) -> Resolved:
    """Settle every mail in doubt, or those of one campaign, by what a person says of them all."""
    settled, after = 0, 0
    while True:
        with database.writing(durable=True) as session:
            found = store.list_uncertain(session, campaign, after, _CHUNK, is_locked=True)
            for one in found:
                after = one.id
                actions.resolve(session, one.id, verdict, now)
            settled += len(found)
            if len(found) < _CHUNK:
                return Resolved(settled, store.count_uncertain(session, campaign))


def resolve_by_log(database: Database, lines: Iterable[str], now: datetime) -> Resolved:
    """Settle as sent what the log of the relay proves to have been taken, and as bounced what it sent back after that."""
    with database.reading() as session:
        doubted = {one.message_id: one.id for one in _walk(session) if one.message_id}
    taken = find_taken(lines, doubted.keys())
    settled = 0
    with database.writing(durable=True) as session:
        for message_id, proof in sorted(taken.items()):
            said, one = f'the relay\'s log says "{_short(proof.line)}"', doubted[message_id]
            if take_evidence(session, [one], said, now, TAKEN):
                settled += 1
                if proof.returned:
                    move(session, [one], Status.BOUNCED, now=now, because=f"bounced: {proof.returned}; {said}")
        return Resolved(settled, store.count_uncertain(session))


def _walk(session: Session) -> Iterable[Delivery]:
    after = 0
    while found := store.list_uncertain(session, "", after):
        yield from found
        after = found[-1].id


def _short(line: str) -> str:
    """The end of a line, without the addresses a log names."""
    words = ["…" if "@" in word else word for word in line.split()]
    text = " ".join(words)
    return text if len(text) <= 160 else f"…{text[-160:]}"
