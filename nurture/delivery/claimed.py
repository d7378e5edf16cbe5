"""A delivery in a worker's hands: what the hot path of sending knows of its row.

It has the attribute names of `delivery.store.Delivery` and never changes, so that it can travel between the database
thread and the event loop, and costs a tuple instead of an object that the session watches.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from nurture.delivery.store import Delivery


class Claimed(NamedTuple):
    """One claimed row, as it was when it was claimed; what most rows of a claim have in common comes first."""

    purpose: str
    campaign: str
    version_id: int
    mail: str
    kind: str
    priority: int
    issue_id: int | None
    topic: str
    sender: str
    queued_at: datetime
    window: Mapping[str, Any] | None
    closes_at: datetime | None
    expires_at: datetime | None
    id: int
    key: str
    contact_id: int | None
    operator_id: int | None
    newcomer_id: int | None
    test_address: str | None
    domain: str
    enrollment_id: int | None
    attempts: int
    message_id: str | None
    facts: Mapping[str, Any] | None

    def with_facts(self, facts: Mapping[str, Any], message_id: str) -> "Claimed":
        """The same row with what was found out when it was prepared: its last two values."""
        return Claimed._make((*self[:-2], message_id, facts))


class Person(NamedTuple):
    """The contact of a claimed row: what its mail may take from them, under the names of `contacts.store.Contact`."""

    id: int
    email: str
    address_hash: str
    owner_id: int | None
    fields: Mapping[str, Any]
    first_name: str | None
    last_name: str | None
    company: str | None
    job_title: str | None
    country: str | None
    language: str | None
    timezone: str | None
    source: str | None
    interest: str | None
    stage: str
    fit: str | None
    score: float
    authority: str
    budget: str
    timing: str


#: A row of the outbox, as it was claimed or as it is kept: for whoever only reads.
Row: TypeAlias = Claimed | Delivery
