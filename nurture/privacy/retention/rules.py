"""What is kept for how long, and what becomes of it then. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Retention:
    """How long things are kept, as settings.toml says under [privacy]; a length of zero keeps them for ever."""

    activities: timedelta
    ip_addresses: timedelta
    proof_ip_addresses: timedelta
    inbound_mail: timedelta
    mail_facts: timedelta
    history: timedelta
    journal: timedelta


@dataclass(frozen=True)
class Term:
    """Rows of a table that are older than `keep` are deleted, or (with `emptied`) lose these columns.

    `key` is what the table is walked by: its rows come in the order of time by it, or (`is_by_contact`) person by person.
    """

    name: str
    table: str
    at: str
    keep: timedelta
    emptied: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    key: str = "id"

    @property
    def is_by_contact(self) -> bool:
        """Whether the table is walked person by person, because nothing orders it by time."""
        return self.key == "contact_id"


def terms_of(retention: Retention) -> tuple[Term, ...]:
    """Everything that has an end, in the order in which it is seen to."""
    every = (
        Term("activities", "activity", "occurred_at", retention.activities),
        Term("ip addresses", "activity", "occurred_at", retention.ip_addresses, {"ip": "", "user_agent": ""}),
        Term("ip addresses of proofs", "consent_event", "recorded_at", retention.proof_ip_addresses, {"ip": ""}),
        Term("inbound mail", "inbound_mail", "received_at", retention.inbound_mail, {"text": ""}),
        Term("mail facts", "delivery", "queued_at", retention.mail_facts, {"facts": None, "reply": ""}),
        Term("history", "contact_change", "changed_at", retention.history, key="contact_id"),
    )
    return tuple(term for term in every if term.keep)
