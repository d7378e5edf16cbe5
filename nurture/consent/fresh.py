"""New contacts, worked out to the last column before anybody looks whether they are new.

Most rows of a long file are people nobody knew before, and all that is written about them follows from the row. So
whoever reads the file makes a batch of every few rows: the rows themselves, to be taken in one by one by
`consent.arrivals` where somebody turns out to be known, suppressed or on their way out, and for everybody else one
insert per table. A batch is made of plain tuples, for a second process may have made it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple

from nurture.consent.actions import Said, consent_row, event_row
from nurture.consent.echoes import is_no, keep_beside
from nurture.consent.law.rules import who_at
from nurture.consent.rules import Pile, Standing, pile_of
from nurture.consent.silence.arriving import past_of_new
from nurture.consent.silence.store import ContactPast
from nurture.consent.statements import Statement, known_on
from nurture.consent.store import Consent, ConsentEvent
from nurture.consent.terms import Arrival, Terms, Where, decide, prepare
from nurture.contacts.actions import ensure_list
from nurture.contacts.addresses import Address
from nurture.contacts.history import actions as history
from nurture.contacts.history.store import ContactChange
from nurture.contacts.imports import NO_PAST, ImportRow, Note, Past, RefusedRow, merge
from nurture.contacts.intake import new_row, owner_notes
from nurture.contacts.store import READERS, ChangedContact, Contact, ContactTag, insert_members
from nurture.database.bulk import Row, as_kept, insert_rows
from nurture.database.engine import Session

#: Rows of a batch: so many are written in any case, whatever time they take.
BATCH = 40

_PAST = tuple(one.name for one in fields(Past))
_TABLES = {
    table.__name__: table
    for table in (Contact, Consent, ConsentEvent, ContactChange, ContactPast, ContactTag, ChangedContact)
}


class Entry(NamedTuple):
    """One contact of the file: what is looked up about them, and what becomes of them if nobody knows them.

    `arrival` is packed, because of most people nobody wants it.
    """

    key: str
    address_hash: str
    domain: str
    line: int
    email: str
    further_rows: int
    contact_id: int
    pile: str
    notes: tuple[tuple[str, str, str], ...]
    no: dict[str, Any] | None  # the entry of the ledger, if they said no
    is_leaving: bool
    packed: tuple[Any, ...]

    @property
    def arrival(self) -> Arrival:
        line, address, values, owner, tags, permission, is_shifted, further, notes, past, statement = self.packed
        row = ImportRow(
            line, Address(*address), values, owner, tags, permission, is_shifted, further,
            tuple(Note(*note) for note in notes), Past(*past) if past else NO_PAST,
        )  # fmt: skip
        return Arrival(row, statement, self.address_hash)

    @property
    def known_on(self) -> date | None:
        """The latest day that the file tells of them."""
        past, statement = self.packed[-2:]
        given_on: date | None = statement.given_on
        return known_on(Past(*past), statement) if past else given_on


def _packed(row: ImportRow, statement: Statement) -> tuple[Any, ...]:
    """What `Entry.arrival` is made of. A process that is handed a dataclass takes ten times as long to read it."""
    address, past = row.address, row.past
    return (
        row.line, (address.email, address.key, address.domain), row.values, row.owner, row.tags, row.permission,
        row.is_shifted, row.further_lines, _plain(row.notes), None if past is NO_PAST else tuple(getattr(past, name) for name in _PAST),
        # Most rows say what another one said: within a batch that travels once.
        statement,
    )  # fmt: skip


def _plain(notes: Iterable[Note]) -> tuple[tuple[str, str, str], ...]:
    return tuple((note.column, note.what, note.value) for note in notes)


@dataclass
class Batch:
    """Some rows of a file, in its order: those refused, the contacts, and by table what is written about who is new.

    Each row of `tables` comes with the contact it is about; they are in one order everywhere.
    """

    refused: list[tuple[Any, ...]] = field(default_factory=list)
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    tables: dict[str, tuple[tuple[str, ...], list[int], list[Row]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.refused) + len(self.entries)

    def list_refused(self) -> Iterator[RefusedRow]:
        return (RefusedRow(*one) for one in self.refused)

    def list_entries(self) -> list[Entry]:
        return [Entry._make(one) for one in self.entries]


def batches_of(
    rows: Iterable[ImportRow | RefusedRow], terms: Terms, now: datetime, *, is_sqlite: bool
) -> Iterator[Batch]:
    """The rows in batches, each address once in each."""
    source = iter(rows)
    while some := list(islice(source, BATCH)):
        people = merge([row for row in some if isinstance(row, ImportRow)])
        refused = [row for row in some if isinstance(row, RefusedRow)]
        yield make_batch([prepare(row, terms, now) for row in people], refused, terms, now, is_sqlite=is_sqlite)


def make_batch(
    arrivals: Iterable[Arrival], refused: Iterable[RefusedRow], terms: Terms, now: datetime, *, is_sqlite: bool
) -> Batch:
    """Work out what becomes of these rows if nobody knows anything about them."""
    made = Batch([(row.line, row.reason, row.cells) for row in refused])
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {name: [] for name in _TABLES}
    for arrival in sorted(arrivals, key=lambda one: one.row.address.key):
        entry, written = _draft(arrival, terms, now)
        made.entries.append(entry)
        for name, row in written:
            rows[name].append((entry[6], row))
    for name, owned in rows.items():
        if owned:
            columns = tuple(owned[0][1])
            kept = [tuple(row.values()) for _, row in owned]
            table = _TABLES[name]
            made.tables[name] = (
                columns, [owner for owner, _ in owned], as_kept(table, columns, kept) if is_sqlite else kept
            )  # fmt: skip
    return made


def _draft(arrival: Arrival, terms: Terms, now: datetime) -> tuple[tuple[Any, ...], list[tuple[str, dict[str, Any]]]]:
    """The entry of somebody, and the rows of each table if they are new."""
    row, statement, address = arrival.row, arrival.statement, arrival.row.address
    contact = new_row(row, terms.desk, now)
    contact_id, country = contact["id"], contact["country"]
    news = decide(None, statement, terms, Where(country, who_at(address.domain)), now)
    assert news is not None  # of somebody who is not known everything is news
    how = terms.proof(row.line, statement)
    said = Said(contact_id, arrival.address_hash, country, terms.topic, *news, how=how, domain=address.domain)
    consent = consent_row(terms.table, said, now)
    event = event_row(terms.table, said, now) if said.state != "none" else None
    past = past_of_new(row.past, said.given_on, contact["source"], now.date())
    written = [("Contact", contact), ("Consent", consent)]
    if event:
        written.append(("ConsentEvent", event))
    written.append(("ContactChange", history.created(contact_id, terms.author(row.line), now)[0]))
    if past:
        written.append(("ContactPast", {"contact_id": contact_id, **past}))
    written.extend(("ContactTag", {"contact_id": contact_id, "tag": tag, "tagged_at": now}) for tag in row.tags)
    written.extend(
        # Nobody has marked them before, so nothing has to be counted up.
        ("ChangedContact", {"reader": reader, "contact_id": contact_id, "counter": 1, "changed_at": now})
        for reader in READERS
    )
    notes = (*row.notes, *owner_notes(row, terms.desk), *statement.notes)
    entry = (
        address.key, arrival.address_hash, address.domain, row.line, address.email, len(row.further_lines), contact_id,
        str(_pile(consent, past["kept_back"] if past else None, now)),
        _plain(notes) if notes else (),
        event if event and is_no(event["what"]) else None, bool(statement.suppressions),
        _packed(row, statement),
    )  # fmt: skip
    return entry, written


def _pile(consent: dict[str, Any], kept_back: str | None, now: datetime) -> Pile:
    judged = (consent["pile"], consent["expires_at"], consent["afterwards"])
    return pile_of(Standing({}, consent["state"], consent["basis"], *judged, kept_back=kept_back), now)


def notes_of(entry: Entry) -> tuple[Note, ...]:
    """What was noted about somebody who is new."""
    return tuple(Note(*one) for one in entry.notes)


def insert_new(session: Session, batches: Sequence[Batch], new: Sequence[Entry], terms: Terms, now: datetime) -> None:
    """Write everything about those of these batches who are new indeed."""
    if not new:
        return
    ids = {one.contact_id for one in new}
    for name, table in _TABLES.items():
        parts = [batch.tables[name] for batch in batches if name in batch.tables]
        if parts:
            columns = parts[0][0]
            kept = [row for _, owners, rows in parts for owner, row in zip(owners, rows, strict=True) if owner in ids]
            if table is Contact and len(parts) > 1:
                # In one order everywhere, so that two imports wait for each other and never deadlock.
                kept.sort(key=itemgetter(columns.index("address_key")))
            insert_rows(session, table, columns, kept)
    keep_beside(session, [one.no for one in new if one.no])
    if terms.list_name:
        insert_members(session, ensure_list(session, terms.list_name, now).id, sorted(ids), now)


def together(batches: Iterable[Batch]) -> list[Entry]:
    """The entries of several batches."""
    return list(chain.from_iterable(batch.list_entries() for batch in batches))
