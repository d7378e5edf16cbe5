"""What happens to the contacts of one chunk of an imported file: who comes in, on which basis, who is left alone.

An import never turns a stored no into a yes and never lifts a suppression. A suppressed address is left as it is, and
becomes no contact if it is none. A row that says no comes in without consent; one that says unsubscribed, complained or
bounced becomes a suppression. A basis gives way only to one the law makes more of, a better proof, or a newer date.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from nurture.consent import store
from nurture.consent.actions import Said, judge_again, record
from nurture.consent.law.rules import ConsentTable, Who, end_of, rule, who_at
from nurture.consent.rules import (
    STRENGTH,
    Basis,
    Pile,
    pile_of,
)
from nurture.consent.statements import Statement, read_statement
from nurture.consent.store import Consent
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.imports import ImportRow, Note, RefusedRow
from nurture.contacts.intake import Desk, Outcome, Taken, take_in
from nurture.contacts.store import Contact
from nurture.database.columns import new_id
from nurture.database.engine import Session

# Where the date is ahead of UTC the most: a consent dated so is not in the future for everybody.
_EARLIEST_ZONE = timedelta(hours=14)
_EXAMPLES = 3


@dataclass(frozen=True)
class Terms:
    """What holds for all rows: `origin` says how we know what they say, `basis` is for those that state none."""

    topic: str
    origin: str
    table: ConsentTable
    desk: Desk
    basis: Basis | None = None
    given_on: date | None = None
    list_name: str = ""


@dataclass
class Noticed:
    """How often something was noted, with the first line and a few of the cells."""

    count: int = 0
    first_line: int = 0
    examples: tuple[str, ...] = ()


@dataclass
class Summary:
    """What an import did. `opted_out` counts addresses on the suppression list; every accepted contact is in a pile."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    opted_out: int = 0
    piles: dict[Pile, int] = field(default_factory=lambda: dict.fromkeys(Pile, 0))
    notes: dict[tuple[str, str], Noticed] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Rows of the file so far."""
        return self.created + self.updated + self.unchanged + self.merged + len(self.refused)

    def add(self, other: "Summary") -> None:
        """Count what a further chunk did."""
        for name in ("created", "updated", "unchanged", "merged", "opted_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused.extend(other.refused)
        for pile, count in other.piles.items():
            self.piles[pile] += count
        for (column, what), noticed in other.notes.items():
            self._notice(column, what, noticed)

    def note(self, line: int, notes: Iterable[Note]) -> None:
        """Count what was noted about the contact that starts on this line."""
        for one in notes:
            self._notice(one.column, one.what, Noticed(1, line, (one.value,) if one.value else ()))

    def _notice(self, column: str, what: str, noticed: Noticed) -> None:
        kept = self.notes.setdefault((column, what), Noticed(first_line=noticed.first_line))
        kept.count += noticed.count
        kept.examples = tuple(dict.fromkeys(kept.examples + noticed.examples))[:_EXAMPLES]


@dataclass(frozen=True)
class Arrival:
    """A row with what it says about permission, worked out before any lock is taken."""

    row: ImportRow
    statement: Statement
    address_hash: str


def prepare(row: ImportRow, terms: Terms, now: datetime) -> Arrival:
    """Everything about a row that needs no database."""
    today = (now + _EARLIEST_ZONE).date()
    return Arrival(row, read_statement(row, today), terms.desk.hasher.hash(row.address.key))


@dataclass
class _Person:
    """Somebody the file names, with what is stored and what becomes of them."""

    row: ImportRow
    statement: Statement
    address_hash: str
    contact: Contact | None
    suppressed: frozenset[str]
    contact_id: int | None
    taken: Taken | None = None
    has_news: bool = False  # of consent or suppression

    @property
    def ends(self) -> frozenset[SuppressionReason]:
        """The suppressions the file brings."""
        return self.statement.suppressions - self.suppressed

    @property
    def is_left_alone(self) -> bool:
        """Nothing about such a contact changes but that they are suppressed."""
        return bool(self.suppressed or (self.contact and self.statement.suppressions))

    @property
    def outcome(self) -> Outcome:
        made = self.taken.outcome if self.taken else Outcome.UNCHANGED
        return Outcome.UPDATED if made is Outcome.UNCHANGED and self.has_news else made


def take_in_chunk(
    session: Session, chunk: Sequence[Arrival], terms: Terms, now: datetime
) -> tuple[Summary, list[int | None]]:
    """Take in some contacts of a file, each address once; their identifiers, None for one that is suppressed only.

    1. Look everybody up, and lock them, so that nobody says no between the look and the write.
    2. Refuse who was erased, leave alone who is or becomes suppressed, make or change everybody else.
    3. Write down what they agreed to or refused, and who is suppressed now.
    """
    summary = Summary()
    people = []
    for person in _look_up(session, chunk):
        summary.merged += len(person.row.further_lines)
        if SuppressionReason.ERASED in person.suppressed:
            # Their cells are not written down once more, not even beside the reason.
            summary.refused.append(RefusedRow(person.row.line, "asked to be erased, so nothing is kept about them"))
        else:
            people.append(person)
    _take_in(session, people, terms, now)
    agreed = _agree(session, people, terms, now)
    _suppress(session, people, terms, now)
    changed = {one.contact_id for one in people if one.contact_id and one.outcome is not Outcome.UNCHANGED}
    mark_changed(session, changed - agreed, now)
    for one in people:
        setattr(summary, one.outcome, getattr(summary, one.outcome) + 1)
        summary.opted_out += bool(one.suppressed or one.ends)
        made = one.taken.notes if one.taken else ()
        summary.note(one.row.line, (*one.row.notes, *made, *one.statement.notes))
    return summary, [one.contact_id for one in people]


def sort_into_piles(session: Session, summary: Summary, ids: Sequence[int | None], terms: Terms, now: datetime) -> None:
    """Count what may happen next with the contacts of a chunk that was taken in."""
    session.flush()
    session.expire_all()  # a session that just wrote past its objects must not answer from memory
    standings = store.standings(session, [one for one in ids if one is not None], terms.topic)
    for one in ids:
        standing = standings.get(one or 0)
        summary.piles[pile_of(standing, now) if standing else Pile.NEVER] += 1


def _look_up(session: Session, chunk: Sequence[Arrival]) -> list[_Person]:
    known = contacts.lock_by_keys(session, [one.row.address.key for one in chunk])
    suppressed = suppressions.suppressions_of(session, [one.address_hash for one in chunk])
    people = []
    for one in chunk:
        contact = known.get(one.row.address.key)
        reasons = frozenset(suppressed.get(one.address_hash, ()))
        contact_id = contact.id if contact else None
        people.append(_Person(one.row, one.statement, one.address_hash, contact, reasons, contact_id))
    return people


def _take_in(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> None:
    known = {one.row.address.key: one.contact for one in people if one.contact}
    coming = [one for one in people if not one.is_left_alone and not one.ends]
    leaving = [one for one in people if not one.is_left_alone and one.ends]
    made = [
        *take_in(session, [one.row for one in coming], known, terms.desk, now, list_name=terms.list_name),
        # Who left is known from now on as somebody who left, and joins no list.
        *take_in(session, [one.row for one in leaving], known, terms.desk, now),
    ]
    for one, taken in zip((*coming, *leaving), made, strict=True):
        one.taken, one.contact_id = taken, taken.contact_id
    moved = [taken.contact_id for taken in made if taken.has_moved]
    if moved:
        # Another country, another law: also about topics that this file does not speak of.
        judge_again(session, terms.table, store.list_to_judge(session, moved), now)
        session.flush()


def _agree(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> set[int]:
    """Write down what people said about the topic; who said something new."""
    taken = [(one, one.taken) for one in people if one.taken]
    stored = store.consents_of(session, [made.contact_id for _, made in taken if made.outcome is not Outcome.CREATED])
    said = []
    for one, made in taken:
        consent = stored.get((made.contact_id, terms.topic))
        news = _decide(consent, one.statement, terms, _Where(made.country, who_at(one.row.address.domain)), now)
        if news is not None:
            one.has_news = True
            said.append(
                Said(
                    made.contact_id,
                    made.address_hash,
                    made.country,
                    terms.topic,
                    *news,
                    how=_how(terms, one.row),
                    domain=one.row.address.domain,
                )
            )
    record(session, terms.table, said, now)
    return {one.contact_id for one in said}


@dataclass(frozen=True)
class _Where:
    """Which law is theirs: the country, and whether the address is a private person's."""

    country: str | None
    who: Who


def _decide(
    stored: Consent | None, statement: Statement, terms: Terms, where: _Where, now: datetime
) -> tuple[str, Basis | None, date | None] | None:
    """State, basis and date as they are from now on; None when what is stored stays."""
    if stored is not None and stored.state not in {"given", "none"}:
        return None
    if statement.is_no:
        return "refused", None, None
    offered = list(statement.bases)
    if statement.is_silent and terms.basis is not None:
        offered.append((terms.basis, statement.given_on))
    kept = (Basis(stored.basis), stored.given_on) if stored is not None and stored.basis else None
    best = kept
    for basis, given_on in offered:
        offer = (basis, given_on or terms.given_on)
        if best is None or _worth(offer, terms.table, where, now) > _worth(best, terms.table, where, now):
            best = offer
    if best == kept:
        return None if stored is not None else ("none", None, None)
    return ("given", *best) if best else None


def _worth(
    basis: tuple[Basis, date | None], table: ConsentTable, where: _Where, now: datetime
) -> tuple[int, int, date]:
    """Orders bases: by what may be sent on them today, then by how good a proof they are, then by date."""
    ruling = rule(table, where.country, basis[0], basis[1], where.who)
    until = end_of(ruling.until)
    pile = ruling.afterwards if until is not None and until <= now else ruling.pile
    return -tuple(Pile).index(pile), -STRENGTH.index(basis[0]), basis[1] or date.min


def _suppress(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> None:
    """Put those on the suppression list who left, complained or bounced elsewhere."""
    ended = [(one, reason) for one in people for reason in sorted(one.ends)]
    suppressions.suppress(
        session,
        [
            {
                "address_hash": one.address_hash,
                "reason": reason,
                "created_at": now,
                "how": _how(terms, one.row),
            }
            for one, reason in ended
        ],
    )
    store.insert_events(
        session,
        [
            {
                "id": new_id(),
                "contact_id": one.contact_id,
                "address_hash": one.address_hash,
                "what": "opted_out" if reason is SuppressionReason.OPT_OUT else "suppressed",
                "basis": None if reason is SuppressionReason.OPT_OUT else reason,
                "how": _how(terms, one.row),
                "recorded_at": now,
            }
            for one, reason in ended
        ],
    )
    for one, _ in ended:
        one.has_news = True


def _how(terms: Terms, row: ImportRow) -> str:
    return f"{terms.origin}, line {row.line}" if row.line else terms.origin
