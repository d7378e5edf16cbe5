"""New contacts of a chunk, in one insert per table.

Most rows of a long file are people nobody knew before. All that is written about them follows from the row, so it is
worked out before the lock is taken and goes in as tuples; whoever turns out to be known, suppressed, or on their way
out, is taken in by `consent.arrivals` instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.consent.actions import Said, consent_row, event_row
from nurture.consent.domains.rules import Mailbox
from nurture.consent.echoes import is_no, keep_beside
from nurture.consent.law.rules import who_at
from nurture.consent.rules import Pile, Standing, pile_of
from nurture.consent.silence.arriving import past_of_new
from nurture.consent.silence.store import ContactPast
from nurture.consent.store import Consent, ConsentEvent
from nurture.consent.terms import Arrival, Terms, Where, decide
from nurture.contacts import store as contacts
from nurture.contacts.actions import ensure_list
from nurture.contacts.history import actions as history
from nurture.contacts.history.store import ContactChange
from nurture.contacts.imports import Note
from nurture.contacts.intake import new_row, owner_notes
from nurture.contacts.store import ChangedContact, Contact, ContactTag, ListMember
from nurture.database.bulk import insert_tuples
from nurture.database.engine import Session


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything there will be about somebody new, each as the row of its table."""

    arrival: Arrival
    contact: dict[str, Any]
    consent: dict[str, Any]
    event: dict[str, Any] | None
    past: dict[str, Any] | None
    created: dict[str, Any]
    notes: tuple[Note, ...]

    def pile(self, mailbox: Mailbox | None, now: datetime) -> Pile:
        """What may happen next with them."""
        judged = self.consent
        return pile_of(
            Standing(
                {}, judged["state"], judged["basis"], judged["pile"], judged["expires_at"], judged["afterwards"],
                mailbox=mailbox, kept_back=self.past["kept_back"] if self.past else None,
            ),
            now,
        )  # fmt: skip


def draft(arrival: Arrival, terms: Terms, now: datetime) -> Draft:
    """What there will be about somebody nobody knows."""
    row, statement = arrival.row, arrival.statement
    contact = new_row(row, terms.desk, now)
    country, domain = contact["country"], row.address.domain
    news = decide(None, statement, terms, Where(country, who_at(domain)), now)
    assert news is not None  # of somebody who is not known everything is news
    said = Said(
        contact["id"], arrival.address_hash, country, terms.topic, *news, how=terms.proof(row.line, statement), domain=domain
    )  # fmt: skip
    return Draft(
        arrival,
        contact,
        consent_row(terms.table, said, now),
        event_row(terms.table, said, now) if said.state != "none" else None,
        past_of_new(row.past, said.given_on, contact["source"], now.date()),
        history.created(contact["id"], terms.author(row.line), now)[0],
        (*row.notes, *owner_notes(row, terms.desk), *statement.notes),
    )


def insert_drafts(session: Session, drafts: Sequence[Draft], terms: Terms, now: datetime) -> None:
    """Write them all, in one order everywhere, so that two imports of one file wait for each other and never deadlock."""
    drafts = sorted(drafts, key=lambda one: str(one.contact["address_key"]))
    _insert(session, Contact, [one.contact for one in drafts])
    _insert(session, Consent, [one.consent for one in drafts])
    events = [one.event for one in drafts if one.event]
    _insert(session, ConsentEvent, events)
    keep_beside(session, [event for event in events if is_no(event["what"])])
    _insert(session, ContactChange, [one.created for one in drafts])
    _insert(session, ContactPast, [{"contact_id": one.contact["id"], **one.past} for one in drafts if one.past])
    ids = [one.contact["id"] for one in drafts]
    tags = [(one.contact["id"], tag, now) for one in drafts for tag in one.arrival.row.tags]
    insert_tuples(session, ContactTag, ("contact_id", "tag", "tagged_at"), tags)
    if terms.list_name and ids:
        list_id = ensure_list(session, terms.list_name, now).id
        members = [(list_id, i, now) for i in ids]
        insert_tuples(session, ListMember, ("list_id", "contact_id", "joined_at"), members)
    # Nobody has marked them before, so nothing has to be counted up.
    marks = [(reader, i, 1, now) for reader in sorted(contacts.READERS) for i in ids]
    insert_tuples(session, ChangedContact, ("reader", "contact_id", "counter", "changed_at"), marks)


def _insert(session: Session, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        insert_tuples(session, table, tuple(rows[0]), [tuple(row.values()) for row in rows])
