"""What happens to the contacts of one chunk of an imported file: who comes in, on which basis, who is left alone.

An import never turns a stored no into a yes and never lifts a suppression. A suppressed address is left as it is, and
becomes no contact if it is none. A row that says no comes in without consent; one that says unsubscribed, complained or
bounced becomes a suppression. Which basis holds afterwards is decided in `consent.terms`.

A file that still has an address somebody had before speaks of that person: a no in it is theirs, and all else is left,
so that no old list outdoes what they said since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from nurture.consent import store
from nurture.consent.actions import Said, choose_topic, judge_again, record
from nurture.consent.domains.actions import meet_domains
from nurture.consent.fresh import Batch, Entry, count_new, count_one_by_one, insert_new
from nurture.consent.law.rules import who_at
from nurture.consent.leavers import Leaver, let_leave
from nurture.consent.ledger import store as ledger
from nurture.consent.rules import Basis, ConsentPurpose, Pile, pile_of
from nurture.consent.silence import store as pasts
from nurture.consent.silence.actions import say_yes
from nurture.consent.silence.arriving import NOTHING_KEPT, past_of_known, past_of_new
from nurture.consent.statements import Statement, known_on
from nurture.consent.summaries import Listener, Summary, Told
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.terms import Arrival, Terms, Where, decide
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.history.rules import Change
from nurture.contacts.imports import ImportRow, Note, RefusedRow
from nurture.contacts.intake import Outcome, Taken, take_in
from nurture.contacts.store import Contact
from nurture.database.engine import Session

#: What somebody says themselves, and nobody about them.
_OWN_WORD = frozenset({Basis.OPT_IN, Basis.DOUBLE_OPT_IN})
_DOMAINS_IN_MIND = 100_000
_EARLIER = Note("", "an earlier address of somebody known here, so nothing but a no is taken from the row")


@dataclass
class _Person:
    """Somebody the file names, with what is stored and what becomes of them."""

    row: ImportRow
    statement: Statement
    address_hash: str
    contact: Contact | None
    suppressed: frozenset[str]
    contact_id: int | None
    is_earlier: bool = False  # it is an address that `contact` had before
    taken: Taken | None = None
    has_news: bool = False  # of consent, suppression or their past
    basis: tuple[Basis, date | None] | None = None  # if the row brings one
    consent: tuple[Change, ...] = ()

    @property
    def ends(self) -> frozenset[SuppressionReason]:
        """The suppressions the file brings."""
        return self.statement.suppressions - self.suppressed

    @property
    def is_left_alone(self) -> bool:
        """Nothing about such a contact changes but that they are suppressed."""
        return bool(self.suppressed or self.is_earlier or (self.contact and self.statement.suppressions))

    @property
    def outcome(self) -> Outcome:
        made = self.taken.outcome if self.taken else Outcome.UNCHANGED
        return Outcome.UPDATED if made is Outcome.UNCHANGED and self.has_news else made


@dataclass
class Round:
    """What one import keeps in mind from chunk to chunk: domains of which nothing is known that keeps mail from them."""

    terms: Terms
    now: datetime
    listener: Listener = field(default_factory=Listener)
    plain_domains: set[str] = field(default_factory=set)
    _noes: dict[str, list[dict[str, Any]]] | None = None

    def look_at_domains(self, session: Session, domains: set[str]) -> set[str]:
        """Those of these domains where nobody is mailed; all of them are asked about before the first mail."""
        fresh = domains - self.plain_domains
        if not fresh:
            return set()
        closed = {*meet_domains(session, fresh, self.now), *suppressions.suppressed_domains_of(session, fresh)}
        if len(self.plain_domains) > _DOMAINS_IN_MIND:
            self.plain_domains.clear()
        self.plain_domains |= fresh - closed
        return closed

    def noes(self, session: Session) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What people who are no contacts said no to, by address: what is to hold for each, but for whom."""
        if self._noes is None:
            self._noes = {
                address_hash: [_no_row(one) for one in about.values()]
                for address_hash, about in ledger.noes_of_nobody(session).items()
            }
        return self._noes


def _no_row(said: store.ConsentEvent) -> dict[str, Any]:
    return {
        "topic": said.topic, "purpose": said.purpose, "state": said.what, "basis": None, "given_on": None,
        "pile": Pile.NEVER, "expires_at": None, "afterwards": Pile.NEVER, "law": "", "changed_at": said.recorded_at,
    }  # fmt: skip


def take_in_chunk(session: Session, batches: Sequence[Batch], around: Round) -> tuple[Summary, list[int | None]]:
    """Take in some contacts of a file, each address once; with the identifiers of those who are still to be sorted.

    1. Look everybody up, and lock them, so that nobody says no between the look and the write.
    2. Write down at once whoever is new, as it was worked out before.
    3. Refuse who was erased, leave alone who is or becomes suppressed, make or change everybody else.
    4. Write down what they agreed to or refused, and who is suppressed now.
    """
    summary = Summary()
    there = contacts.keys_among(session, [key for batch in batches for key in batch.keys])
    suppressed = suppressions.suppressions_of(session, [one for batch in batches for one in batch.hashes])
    closed = around.look_at_domains(session, {domain for batch in batches for domain in batch.domains})
    # Whoever types one contact in means somebody who has the address now.
    earlier = contacts.owners_of_former(
        session,
        [hash_ for batch in batches for (line, _, _), hash_ in zip(batch.told(), batch.hashes, strict=True) if line],
    )
    told_before = suppressed.keys() | around.noes(session).keys() | earlier.keys()
    noes: list[Mapping[str, Any]] = []
    known: list[Entry] = []
    for batch in batches:
        if (
            batch.is_any_leaving
            or not there.isdisjoint(batch.keys)
            or not told_before.isdisjoint(batch.hashes)
            or not closed.isdisjoint(batch.domains)
        ):
            known += count_one_by_one(summary, batch, there, told_before, closed, noes, around.listener)
        else:
            count_new(summary, batch, noes, around.listener)
    insert_new(session, batches, {one.contact_id for one in known}, noes, around.terms, around.now)
    if not known:
        return summary, []
    return summary, _take_in_known(session, [one.arrival for one in known], suppressed, earlier, around, summary)


def _take_in_known(
    session: Session,
    arrivals: Sequence[Arrival],
    suppressed: Mapping[str, Mapping[str, datetime]],
    earlier: Mapping[str, int],
    around: Round,
    summary: Summary,
) -> list[int | None]:
    """Everybody about whom something is stored, or who is on their way out."""
    terms, now, listener = around.terms, around.now, around.listener
    people = []
    for person in _look_up(session, arrivals, suppressed, earlier):
        summary.merged += len(person.row.further_lines)
        if SuppressionReason.ERASED in person.suppressed:
            # Their cells are not written down once more, not even beside the reason.
            row = RefusedRow(person.row.line, "asked to be erased, so nothing is kept about them")
            summary.refuse(row, Listener())
        else:
            people.append(person)
    _take_in(session, people, terms, now)
    _hear_again(session, people, around)
    agreed = _agree(session, people, terms, now)
    _suppress(session, people, terms, now)
    _withdraw(session, people, terms, now)
    _remember(session, people, terms, now)
    changed = {one.contact_id for one in people if one.contact_id and one.outcome is not Outcome.UNCHANGED}
    mark_changed(session, changed - agreed, now)
    for one in people:
        setattr(summary, one.outcome, getattr(summary, one.outcome) + 1)
        summary.opted_out += bool(one.suppressed or one.ends)
        made = one.taken.notes if one.taken else ()
        about = (_EARLIER,) if one.is_earlier else ()
        summary.note(one.row.line, (*one.row.notes, *made, *one.statement.notes, *about))
        if listener.told:
            changes = (*(one.taken.changes if one.taken else ()), *one.consent)
            is_out, day = bool(one.suppressed or one.ends), known_on(one.row.past, one.statement)
            listener.told(Told(one.row.line, one.row.address.email, one.outcome, changes, is_out, day))
    return [one.contact_id for one in people]


def sort_into_piles(session: Session, summary: Summary, ids: Sequence[int | None], terms: Terms, now: datetime) -> None:
    """Count what may happen next with the contacts of a chunk that was taken in."""
    session.flush()
    session.expire_all()  # a session that just wrote past its objects must not answer from memory
    standings = store.standings(session, [one for one in ids if one is not None], terms.topic)
    for one in ids:
        standing = standings.get(one or 0)
        summary.piles[pile_of(standing, now) if standing else Pile.NEVER] += 1


def _look_up(
    session: Session,
    arrivals: Sequence[Arrival],
    suppressed: Mapping[str, Mapping[str, datetime]],
    earlier: Mapping[str, int],
) -> list[_Person]:
    known = contacts.lock_by_keys(session, [one.row.address.key for one in arrivals])
    people = []
    for one in arrivals:
        contact = known.get(one.row.address.key)
        owner_id = None if contact else earlier.get(one.address_hash)
        if owner_id is not None:
            contact = session.get(Contact, owner_id)
        reasons = frozenset(suppressed.get(one.address_hash, ()))
        contact_id = contact.id if contact else None
        is_earlier = owner_id is not None
        people.append(_Person(one.row, one.statement, one.address_hash, contact, reasons, contact_id, is_earlier))
    return people


def _take_in(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> None:
    known = {one.row.address.key: one.contact for one in people if one.contact and not one.is_earlier}
    coming = [one for one in people if not one.is_left_alone and not one.ends]
    leaving = [one for one in people if not one.is_left_alone and one.ends]
    made = [
        *take_in(
            session, [one.row for one in coming], known, terms.desk, now, author=terms.author, list_name=terms.list_name
        ),
        # Who left is known from now on as somebody who left, and joins no list.
        *take_in(session, [one.row for one in leaving], known, terms.desk, now, author=terms.author),
    ]
    for one, taken in zip((*coming, *leaving), made, strict=True):
        one.taken, one.contact_id = taken, taken.contact_id
    moved = [taken.contact_id for taken in made if taken.has_moved]
    if moved:
        # Another country, another law: also about topics that this file does not speak of.
        judge_again(session, terms.table, store.list_to_judge(session, moved), now)
        session.flush()


def _hear_again(session: Session, people: Sequence[_Person], around: Round) -> None:
    """Who comes in now, or about a topic for the first time, may have said no while they were no contact."""
    noes = around.noes(session)
    heard = [(one.taken.contact_id, noes[one.address_hash]) for one in people if one.taken and one.address_hash in noes]
    if not heard:
        return
    ids = [contact_id for contact_id, _ in heard]
    kept = {(*key, purpose) for purpose in ConsentPurpose for key in store.consents_of(session, ids, purpose)}
    rows = [{**row, "contact_id": contact_id} for contact_id, rows in heard for row in rows]
    store.save_consents(session, [one for one in rows if (one["contact_id"], one["topic"], one["purpose"]) not in kept])


def _agree(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> set[int]:
    """Write down what people said about the topic; who said something new."""
    taken = [(one, one.taken) for one in people if one.taken]
    stored = store.consents_of(session, [made.contact_id for _, made in taken])
    said = []
    for one, made in taken:
        consent = stored.get((made.contact_id, terms.topic))
        news = decide(consent, one.statement, terms, Where(made.country, who_at(one.row.address.domain)), now)
        if news is not None:
            one.has_news = True
            one.basis = (news[1], news[2]) if news[1] else None
            before = _spelled(consent.state, consent.basis, consent.given_on) if consent else None
            if before or news[0] != "none":
                one.consent = (Change(f"consent to {terms.topic}", before, _spelled(*news)),)
            said.append(
                Said(
                    made.contact_id,
                    made.address_hash,
                    made.country,
                    terms.topic,
                    *news,
                    how=terms.proof(one.row.line, one.statement),
                    domain=one.row.address.domain,
                )
            )
    record(session, terms.table, said, now)
    return {one.contact_id for one in said}


def _spelled(state: str, basis: str | None, given_on: date | None) -> str:
    """`given, customer since 2026-01-31`."""
    return f"{state}{f', {basis}' if basis else ''}{f' since {given_on}' if given_on else ''}"


def _suppress(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> None:
    """Put those on the suppression list who left, complained or bounced elsewhere."""
    leaving = [one for one in people if one.ends]
    for one in leaving:
        one.has_news = True
    let_leave(
        session,
        [Leaver(one.row.line, one.statement, one.address_hash, one.contact_id, one.ends) for one in leaving],
        terms,
        now,
    )


def _withdraw(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> None:
    """Take a no about the topic from whoever is left alone otherwise: suppressed, or under an address they had before.

    A suppression may be lifted one day, and the no is still one then.
    """
    for one in people:
        if one.is_left_alone and one.contact and one.statement.is_no:
            proof = terms.proof(one.row.line, one.statement)
            one.has_news |= choose_topic(session, one.contact, terms.topic, wanted=False, how=proof, now=now)


def _remember(session: Session, people: Sequence[_Person], terms: Terms, now: datetime) -> None:
    """Keep what the file tells of people's past; a yes of their own ends what kept them back."""
    today, rows, yes = now.date(), [], []
    taken = [(one, one.taken) for one in people if one.taken]
    stored = pasts.pasts_of(session, [made.contact_id for _, made in taken])
    for one, made in taken:
        kept = stored.get(made.contact_id)
        basis, basis_on = one.basis or (None, None)
        if kept is None and made.outcome is Outcome.CREATED:
            row = past_of_new(
                one.row.past, basis_on, str(one.row.values.get("source") or terms.desk.source or ""), today
            )
        else:
            row = past_of_known(kept.model_dump() if kept else NOTHING_KEPT, one.row.past, basis_on, today)
        if row is not None:
            one.has_news = True
            rows.append({"contact_id": made.contact_id, **row})
        # Whoever types one contact in was told so; a file may only repeat what its seller said.
        is_new = not one.row.line or (kept is not None and basis_on and kept.told_on and basis_on > kept.told_on)
        if basis in _OWN_WORD and kept is not None and is_new:
            yes.append((made.contact_id, basis_on or today))
    pasts.save_pasts(session, rows)
    for contact_id, on in yes:
        say_yes(session, [contact_id], on)
