"""Where something about a person is kept, and what becomes of it when they are erased. The one list of such tables.

Whoever adds a table with a column that names a contact (or a delivery, an enrollment, a hand-off of one) adds it here;
a test finds those that are missing. `erase` deletes or empties what stands here, from the first line to the last, so a
table comes before those it points at; `everything_about` hands the same rows to the person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Erasing(StrEnum):
    """What becomes of a row when the person it is about is erased."""

    DELETE = "delete"
    EMPTY = "empty"  # it stays, for what was counted or must be provable; whom it was about goes, and what they said


@dataclass(frozen=True)
class Trace:
    """One table that holds something about people.

    `column` names the contact, their address hash, or (with `via`) the row of another table of this list that is about
    them. `emptied` is what an emptied row holds afterwards; `meaning` is what a person is told that they are reading.
    """

    table: str
    meaning: str
    erasing: Erasing = Erasing.DELETE
    column: str = "contact_id"
    via: str = ""
    emptied: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    hidden: frozenset[str] = frozenset()  # columns of ours that say nothing about the person

    @property
    def is_by_hash(self) -> bool:
        """Whether the table knows the address only by its hash."""
        return self.column == "address_hash"


_MAIL = {"contact_id": None, "newcomer_id": None, "facts": None, "reply": "", "domain": "", "test_address": None}
_SIGN_UP: dict[str, Any] = {
    "contact_id": None, "newcomer_id": None, "address_hash": "", "said": {}, "page": "", "ip": "", "delivery_id": None,
}  # fmt: skip
_OURS = frozenset({"worker_id", "revision", "closes_at", "window", "priority", "version_id", "key"})

#: Before the tables they point at.
PERSONAL: tuple[Trace, ...] = (
    Trace("activity", "what you did with our mails, and what you told us", hidden=_OURS),
    Trace(
        "inbound_mail", "what you wrote to us", Erasing.EMPTY, emptied={"contact_id": None, "text": ""}, hidden=_OURS
    ),
    Trace(
        "attempt", "each try to hand a mail to your mail server", Erasing.EMPTY,
        column="delivery_id", via="delivery", emptied={"reply": ""}, hidden=_OURS,
    ),
    Trace("step_visit", "which steps of a sequence you have passed", column="enrollment_id", via="enrollment"),
    Trace("outgoing", "calls to our other systems about you", hidden=_OURS | {"headers"}),
    Trace(
        "relayed_mail", "under which name the service that carries our mail knows each", column="delivery_id",
        via="delivery",
    ),
    Trace("delivery", "the mails we wrote to you", Erasing.EMPTY, emptied=_MAIL, hidden=_OURS),
    Trace("sign_up", "forms you sent us and confirmed", Erasing.EMPTY, emptied=_SIGN_UP, hidden=_OURS),
    Trace(
        "sign_up", "forms that address was typed into and that nobody confirmed", Erasing.EMPTY,
        column="newcomer_id", via="newcomer", emptied=_SIGN_UP, hidden=_OURS,
    ),
    Trace(
        "delivery", "mails about what that address asked for", Erasing.EMPTY,
        column="newcomer_id", via="newcomer", emptied=_MAIL, hidden=_OURS,
    ),
    Trace("enrollment", "the sequences you are or were on", hidden=_OURS),
    Trace("pending_entry", "the sequences you wait for"),
    Trace("task", "what one of us was asked to do about you", hidden=_OURS),
    Trace("touch", "when a colleague called you, met you or wrote to you, and a line about it", hidden=_OURS),
    Trace(
        "touch", "when you introduced a colleague of ours to somebody", Erasing.EMPTY,
        column="through_id", emptied={"through_id": None}, hidden=_OURS | {"contact_id", "note"},
    ),
    Trace("hand_off", "when you were handed to a colleague, and why"),
    Trace("given_points", "points that count into your score", hidden=frozenset({"key"})),
    Trace("stage_move", "how far we believed you had come, and when that changed"),
    Trace("reader", "the newsletters you get"),
    Trace("rhythm", "how often you want mail at most"),
    Trace("last_open", "the day you last opened a mail of ours, where nothing else about that is kept"),
    Trace("hold", "when a colleague asked that nobody else writes to you"),
    Trace("contact_past", "what your earlier mail system knew about you"),
    Trace("announcement_turn", "whether it is your turn to get an announcement"),
    Trace("contact_tag", "words we filed you under"),
    Trace("list_member", "lists you are on"),
    Trace("consent", "what holds now: which mail we may send you, on which basis"),
    Trace(
        "consent_event", "everything you agreed to or refused, when, how, and the exact words you were shown",
        Erasing.EMPTY, emptied={"contact_id": None, "ip": ""}, hidden=frozenset({"address_hash"}),
    ),
    Trace("contact_change", "every change of what we know about you"),
    Trace("changed_contact", "that something about you changed which nobody has looked at yet"),
    Trace("former_address", "addresses you had before, as hashes"),
    Trace("personal_request", "what you asked for on our pages, and whether you confirmed it"),
    Trace("remembered_mail", "mails that we wrote to you before we had to restore a backup", column="address_hash"),
    Trace("newcomer", "an address that asked for something and was not confirmed", column="address_hash"),
    Trace("contact", "what we know about you", column="id", hidden=frozenset({"address_hash", "address_key"})),
)  # fmt: skip

#: What outlives erasure, by hash only, and why.
KEPT: Mapping[str, str] = {
    "suppression": "so that an address that was erased, or said no, is not mailed when it comes back in a file",
}
