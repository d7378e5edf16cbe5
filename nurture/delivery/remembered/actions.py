"""Writes down what is about to be sent, and sets a restored database right about what was.

`note_intents` puts a line into the journal for every mail in the transaction that commits the intent to send it, and one
for each that the relay did not take. After a restore `settle` finds the lines that the database does not know: a mail it
believes unsent becomes uncertain, which is never sent again by itself; one it has never heard of is remembered by address
and mail, and `recall` settles it the moment it is decided on again. Called by the sender, `delivery.actions` and
`engines.catching_up`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from nurture.contacts.actions import mark_changed
from nurture.database.engine import Session
from nurture.database.journal import at_of, note_later, note_lines_later
from nurture.delivery.claimed import Row
from nurture.delivery.remembered import store
from nurture.delivery.rules import STOPPABLE, Heard, Outcome, Status
from nurture.delivery.store import Delivery

#: What the journal calls them.
SENDING, UNSENT = "sending", "unsent"
MAILS = frozenset({SENDING, UNSENT})

_NOT_TAKEN = frozenset({Heard.DEFERRED, Heard.LOST, Heard.REJECTED})


def note_intents(session: Session, begun: Iterable[Row], hashes: Mapping[int, str], now: datetime) -> None:
    """These mails are written to the relay once this transaction has committed and they stand in the journal.

    Not before the commit: whoever is killed between the two would leave mails in doubt that never left.
    """
    note_lines_later(
        session,
        SENDING,
        now,
        [
            f'"delivery":{one.id},{_which(one.campaign, one.mail)},"hash":"{hashes[one.id]}"'
            if one.contact_id and one.id in hashes
            else f'"delivery":{one.id},{_which(one.campaign, one.mail)}'
            for one in begun
        ],
    )


@lru_cache(maxsize=256)
def _which(campaign: str, mail: str) -> str:
    return f'"campaign":{json.dumps(campaign)},"mail":{json.dumps(mail)}'


def note_outcomes(session: Session, ended: Iterable[tuple[Row, Outcome]], now: datetime) -> None:
    """Those the relay did not take may be sent again, also by a database that has forgotten this try."""
    for delivery, outcome in ended:
        if outcome.heard in _NOT_TAKEN:
            note_later(session, UNSENT, now, delivery=delivery.id)


def list_news(session: Session, entries: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
    """The entries that the database does not know, and how many of `entries` can be judged by now.

    What a living worker is about to commit cannot be yet; whoever asks comes back for it and for what follows.
    """
    about = {one["delivery"] for one in entries if one["what"] in MAILS}
    rows, memories = store.deliveries_as_known(session, about), store.known_memories(session, about)
    in_hand = store.in_living_hands(session, about)
    reopenable = store.reopenable(session, about)
    news: list[Mapping[str, Any]] = []
    doubted: set[int] = set()
    for place, entry in enumerate(entries):
        mail = entry.get("delivery", 0)
        if entry["what"] == SENDING and not _is_known(entry, rows.get(mail), memories):
            if mail in in_hand:
                return news, place
            news.append(entry)
            doubted.add(mail)
        elif entry["what"] == UNSENT and mail in doubted | reopenable:
            news.append(entry)
    return news, len(entries)


def _is_known(entry: Mapping[str, Any], row: Delivery | None, memories: set[int]) -> bool:
    if row is None:
        return entry["delivery"] in memories or "hash" not in entry
    return row.status not in STOPPABLE or (row.attempted_at is not None and row.attempted_at >= at_of(entry))


def settle(session: Session, news: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Set the database right about these; how many mails it will not send again."""
    last = {one["delivery"]: one for one in news}
    unsent = [delivery for delivery, one in last.items() if one["what"] == UNSENT]
    store.reopen(session, unsent, now)
    there = store.deliveries_as_known(session, last)
    changed = []
    for delivery, entry in last.items():
        if entry["what"] == SENDING and delivery in there:
            changed.append(store.settle_as_uncertain(session, delivery, at_of(entry), now))
    gone = [one for delivery, one in last.items() if one["what"] == SENDING and delivery not in there]
    store.remember(
        session,
        [
            {
                "delivery_id": one["delivery"], "address_hash": one["hash"], "campaign": one["campaign"],
                "mail": one["mail"], "sent_at": at_of(one),
            }
            for one in gone
        ],
    )  # fmt: skip
    mark_changed(session, [one for one in changed if one is not None], now)
    return len(changed) + len(gone)


@dataclass(frozen=True)
class Recalled:
    """Of mails that are being decided on, those that were sent before: by key, with what the journal knows of each."""

    by_key: Mapping[str, store.RememberedMail]

    def __contains__(self, key: str) -> bool:
        return key in self.by_key

    def values(self, key: str, now: datetime) -> dict[str, Any]:
        """What its row says instead."""
        return {
            "status": Status.UNCERTAIN, "because": store.BECAUSE, "attempts": 1,
            "attempted_at": self.by_key[key].sent_at, "settled_at": now,
        }  # fmt: skip


def recall(session: Session, wanted: Sequence[tuple[str, int | None, str, str]]) -> Recalled:
    """Which of these (key, contact, campaign, mail) the person has had already; each memory counts once."""
    memories = store.remembered_of(session, {contact for _, contact, _, _ in wanted if contact is not None})
    found = {}
    for key, contact, campaign, mail in wanted:
        if contact is not None and (left := memories.get((contact, campaign, mail))):
            found[key] = left.pop(0)
    return Recalled(found)


def forget(session: Session, recalled: Recalled, keys: Iterable[str]) -> None:
    """These have a row now."""
    if ids := [recalled.by_key[key].delivery_id for key in keys if key in recalled]:
        store.forget(session, ids)
