"""New contacts, worked out to the last column before anybody looks whether they are new.

Most rows of a long file are people nobody knew before, and all that is written about them follows from the row. So
whoever reads the file makes a batch of every few rows: the rows themselves, to be taken in one by one by
`consent.arrivals` where somebody turns out to be known, suppressed or on their way out, and for everybody else one
insert per table. A batch is made of plain tuples, for a second process may have made it.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from datetime import date, datetime
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from nurture.consent.actions import Said, consent_row, event_row
from nurture.consent.echoes import facts_of, is_no, keep_noes_beside
from nurture.consent.law.rules import who_at
from nurture.consent.rules import Pile, Standing, pile_of
from nurture.consent.silence.arriving import past_of_new
from nurture.consent.silence.store import ContactPast
from nurture.consent.statements import Statement, known_on
from nurture.consent.store import Consent, ConsentEvent
from nurture.consent.summaries import Listener, Summary, Told
from nurture.consent.terms import Arrival, Terms, Where, decide, prepare
from nurture.contacts.actions import ensure_list
from nurture.contacts.addresses import Address
from nurture.contacts.history import actions as history
from nurture.contacts.history.store import ContactChange
from nurture.contacts.imports import NO_PAST, ImportRow, Note, Past, RefusedRow, merge
from nurture.contacts.intake import Outcome, new_row, owner_notes
from nurture.contacts.store import Contact, ContactTag, insert_members, mark_new
from nurture.database.bulk import Row, insert_rows, told_only
from nurture.database.engine import Session

#: Rows of a batch: so many are written in any case, whatever time they take.
BATCH = 40

_PAST = tuple(one.name for one in fields(Past))
_TABLES = {table.__name__: table for table in (Contact, Consent, ConsentEvent, ContactChange, ContactPast, ContactTag)}


class Entry(NamedTuple):
    """One contact of the file: what is looked up about them, and what becomes of them if nobody knows them.

    `arrival` is packed, because of most people nobody wants it.
    """

    key: str
    address_hash: str
    domain: str
    line: int
    email: str
    known_on: date | None  # the latest day that the file tells of them
    contact_id: int
    further_rows: int
    pile: str
    notes: tuple[tuple[str, str, str], ...]
    no: dict[str, Any] | None  # what the journal keeps, if they said no
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

    Of the contacts here stands, list by list, what is asked of all of them, and what is counted if nobody knows any of
    them; the rest of each entry is made of `read_rest` for whom it is wanted. Rows of `tables` are in one order
    everywhere.
    """

    refused: list[tuple[Any, ...]]
    asked: tuple[list[Any], ...]
    further_rows: int
    piles: dict[str, int]
    notes: list[tuple[int, tuple[tuple[str, str, str], ...]]]
    noes: list[dict[str, Any]]
    is_any_leaving: bool
    tables: dict[str, tuple[tuple[str, ...], list[Row]]]
    read_rest: Callable[[], list[tuple[Any, ...]]]

    def __len__(self) -> int:
        return len(self.refused) + len(self.keys)

    @property
    def keys(self) -> list[str]:
        return self.asked[0]

    @property
    def hashes(self) -> list[str]:
        return self.asked[1]

    @property
    def domains(self) -> list[str]:
        return self.asked[2]

    @property
    def ids(self) -> list[int]:
        return self.asked[_ASKED - 1]

    def list_refused(self) -> Iterator[RefusedRow]:
        return (RefusedRow(*one) for one in self.refused)

    def list_entries(self) -> list[Entry]:
        return [Entry(*asked, *rest) for *asked, rest in zip(*self.asked, self.read_rest(), strict=True)]

    def told(self) -> Iterator[tuple[int, str, date | None]]:
        """Line, address and latest day of each contact."""
        return zip(*self.asked[3:6], strict=True)

    def list_noted(self) -> Iterator[tuple[int, tuple[Note, ...]]]:
        """Of whom something was noted."""
        return ((line, as_notes(notes)) for line, notes in self.notes)


#: So many fields of an entry stand in the lists of a batch.
_ASKED = 7


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
    written: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
    entries: list[tuple[Any, ...]] = []
    for arrival in sorted(arrivals, key=lambda one: one.row.address.key):
        entry, rows = _draft(arrival, terms, now)
        entries.append(entry)
        for name, row in rows:
            written[name].append(row)
    fields = list(zip(*entries, strict=True)) or [()] * len(Entry._fields)
    _, pile, notes, noes, leaving, _ = fields[_ASKED:]
    rest = [entry[_ASKED:] for entry in entries]
    return Batch(
        [(row.line, row.reason, row.cells) for row in refused],
        tuple([list(field) for field in fields[:_ASKED]]),
        sum(fields[_ASKED]),
        dict(Counter(pile)),
        [(entry[3], noted) for entry, noted in zip(entries, notes, strict=True) if noted],
        [no for no in noes if no],
        any(leaving),
        {name: _as_written(_TABLES[name], rows, is_sqlite=is_sqlite) for name, rows in written.items() if rows},
        lambda: rest,
    )


def _as_written(table: Any, rows: Sequence[dict[str, Any]], *, is_sqlite: bool) -> tuple[tuple[str, ...], list[Row]]:
    columns, kept = tuple(rows[0]), [tuple(row.values()) for row in rows]
    return told_only(table, columns, kept) if is_sqlite else (columns, kept)


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
    notes = (*row.notes, *owner_notes(row, terms.desk), *statement.notes)
    entry = (
        address.key, arrival.address_hash, address.domain, row.line, address.email,
        statement.given_on if row.past is NO_PAST else known_on(row.past, statement), contact_id,
        len(row.further_lines), str(_pile(consent, past["kept_back"] if past else None, now)),
        _plain(notes) if notes else (), facts_of(event) if event and is_no(event["what"]) else None,
        bool(statement.suppressions), _packed(row, statement),
    )  # fmt: skip
    return entry, written


def _pile(consent: dict[str, Any], kept_back: str | None, now: datetime) -> Pile:
    judged = (consent["pile"], consent["expires_at"], consent["afterwards"])
    return pile_of(Standing({}, consent["state"], consent["basis"], *judged, kept_back=kept_back), now)


def as_notes(notes: Iterable[tuple[str, str, str]]) -> tuple[Note, ...]:
    """What was noted about somebody."""
    return tuple(Note(*one) for one in notes)


def count_new(summary: Summary, batch: Batch, noes: list[Mapping[str, Any]], listener: Listener) -> None:
    """Nobody knows anything about anybody of this batch."""
    summary.created += len(batch.keys)
    summary.merged += batch.further_rows
    for pile, count in batch.piles.items():
        summary.piles[Pile(pile)] += count
    for line, notes in batch.list_noted():
        summary.note(line, notes)
    noes += batch.noes
    if listener.told:
        for line, email, known_on in batch.told():
            listener.told(Told(line, email, Outcome.CREATED, known_on=known_on))


def count_one_by_one(
    summary: Summary,
    batch: Batch,
    there: Container[str],
    told_before: Container[str],
    closed: Container[str],
    noes: list[Mapping[str, Any]],
    listener: Listener,
) -> list[Entry]:
    """The same of a batch of which somebody is known, leaving, or at a closed domain; who is not simply new."""
    known = []
    for one in batch.list_entries():
        if one.is_leaving or one.key in there or one.address_hash in told_before:
            known.append(one)
            continue
        summary.created += 1
        summary.merged += one.further_rows
        summary.piles[Pile.NEVER if one.domain in closed else Pile(one.pile)] += 1
        if one.notes:
            summary.note(one.line, as_notes(one.notes))
        if one.no:
            noes.append(one.no)
        if listener.told:
            listener.told(Told(one.line, one.email, Outcome.CREATED, known_on=one.known_on))
    return known


def insert_new(
    session: Session,
    batches: Sequence[Batch],
    known: AbstractSet[int],
    noes: Sequence[Mapping[str, Any]],
    terms: Terms,
    now: datetime,
) -> None:
    """Write everything about those of these batches who are new indeed; `known` would have been the contacts who are not.

    `noes` is what those who are new said no to, as the journal keeps it.
    """
    ids = [one for batch in batches for one in batch.ids if one not in known]
    if not ids:
        return
    for name, table in _TABLES.items():
        # Each batch leaves out the columns that none of its rows has.
        parts: dict[tuple[str, ...], list[Row]] = {}
        for batch in batches:
            if name in batch.tables:
                columns, rows = batch.tables[name]
                parts.setdefault(columns, []).extend(rows)
        for columns, rows in parts.items():
            place = columns.index("id" if table is Contact else "contact_id")
            kept = [row for row in rows if row[place] not in known] if known else rows
            if table is Contact and len(batches) > 1:
                # In one order everywhere, so that two imports wait for each other and never deadlock.
                kept.sort(key=itemgetter(columns.index("address_key")))
            insert_rows(session, table, columns, kept)
    mark_new(session, ids, now)
    keep_noes_beside(session, now, noes)
    if terms.list_name:
        insert_members(session, ensure_list(session, terms.list_name, now).id, sorted(ids), now)
