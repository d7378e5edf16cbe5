"""Consent as it is kept, and all SQL about it.

`consent_event` is the ledger: append only, one row for everything a person agreed to, refused or took back, with how
and when. `consent` is what follows from it now, one row per contact, topic and purpose. Suppressions and holds have
stores of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel, col

from nurture.consent.domains.store import in_the_way, takes_no_mail
from nurture.consent.echoes import is_no, keep_beside
from nurture.consent.holds.store import hands_off, is_on_hold
from nurture.consent.recording.rules import STATES, Mode, Recording, Word, last_word, mode_of_state
from nurture.consent.recording.store import get_recording
from nurture.consent.rules import (
    ConsentPurpose,
    Pile,
    Proof,
    Purpose,
    Standing,
)
from nurture.consent.silence.store import has_sign_since, is_kept_back, kept_back
from nurture.consent.suppressions.rules import STOPS_SERVICE, SuppressionReason
from nurture.consent.suppressions.store import (
    is_at_suppressed_domain,
    is_suppressed,
    suppressed_domains_of,
    suppressions_of,
)
from nurture.contacts.newcomers.store import Newcomer, find_newcomer
from nurture.contacts.store import Contact
from nurture.database.columns import KEY_IS_THE_ROW, id_column, instant_column, reference
from nurture.database.conditions import Vocabulary
from nurture.database.engine import Session
from nurture.database.prepared import Prepared, instant_of, is_among
from nurture.database.statements import changed_rows, in_list_of, insert

#: In the topic column: all topics.
EVERY_TOPIC = ""
_EMPTY = {"server_default": ""}


def _only(where: str) -> dict[str, Any]:
    """An index of only these rows: hashes of addresses in no order cost an import a page for each it writes."""
    return {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}


class ConsentEvent(SQLModel, table=True):
    """One entry of the ledger; never changed, never deleted but by erasure, which leaves the hash."""

    __tablename__ = "consent_event"
    __table_args__ = (
        sa.Index("ix_consent_event_left", "delivery_id", **_only("what = 'opted_out'")),
        sa.Index("ix_consent_event_by_address", "address_hash", **_only("contact_id IS NULL OR what = 'opted_out'")),
    )

    id: int = id_column()
    contact_id: int | None = reference("contact.id", nullable=True, index=True, on_delete="SET NULL")
    address_hash: str = Field(max_length=32)
    topic: str = EVERY_TOPIC
    purpose: str = ConsentPurpose.MAIL
    what: str = Field(description="given, refused, withdrawn, opted_out, undone, suppressed, lifted")
    basis: str | None = None
    given_on: date | None = None
    expires_at: datetime | None = instant_column(nullable=True)  # when the consent table says that this basis ends
    how: str = Field(description="how we know: file and line, page, mail, operator")
    said_by: str = Field(
        default="", sa_column_kwargs=_EMPTY, description="which of us wrote it down, if it was not them"
    )
    wording: str = Field(default="", sa_column_kwargs=_EMPTY, description="the exact text they were shown")
    wording_version: str = Field(default="", sa_column_kwargs=_EMPTY)
    page: str = Field(default="", sa_column_kwargs=_EMPTY, description="the address of the page that showed it")
    ip: str = Field(default="", sa_column_kwargs=_EMPTY)
    delivery_id: int | None = Field(default=None, sa_type=sa.BigInteger, description="the mail it came from")
    recorded_at: datetime = instant_column()


class Consent(SQLModel, table=True):
    """What holds now for one contact, topic and purpose."""

    __table_args__ = KEY_IS_THE_ROW

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, sa_type=sa.BigInteger)
    topic: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    state: str = Field(description="given, refused, withdrawn, or none: no basis is known")
    basis: str | None = None
    given_on: date | None = None
    pile: str = Field(default=Pile.NEVER, description="what the consent table says until expires_at")
    expires_at: datetime | None = instant_column(nullable=True)
    afterwards: str = Field(default=Pile.NEVER, description="what it says later")
    law: str = ""
    changed_at: datetime = instant_column()


def add_event(session: Session, proof: Proof, **values: Any) -> None:
    event = ConsentEvent(**proof_columns(proof), **values)
    session.add(event)
    keep_beside(session, [event.model_dump()])


def proof_columns(proof: Proof) -> dict[str, Any]:
    """What the ledger keeps of a proof."""
    return {
        "how": proof.how, "said_by": proof.by, "wording": proof.wording, "wording_version": proof.wording_version,
        "page": proof.page, "ip": proof.ip,
    }  # fmt: skip


def insert_events(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        changed_rows(session, sa.insert(ConsentEvent), list(rows))
        keep_beside(session, [row for row in rows if is_no(row["what"])])


def save_consents(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what holds now; a row that is there is replaced."""
    if not rows:
        return
    statement = insert(session, Consent)
    replaced = ("state", "basis", "given_on", "pile", "expires_at", "afterwards", "law", "changed_at")
    fresh = {name: statement.excluded[name] for name in replaced}
    statement = statement.on_conflict_do_update(index_elements=["contact_id", "topic", "purpose"], set_=fresh)
    changed_rows(session, statement, list(rows))


_CONSENTS = sa.select(Consent).where(
    in_list_of(Consent.contact_id, "ids"), col(Consent.purpose) == sa.bindparam("about")
)


def _addresses(*, is_sqlite: bool) -> Any:
    columns = (col(Contact.id), col(Contact.address_hash), col(Contact.domain))
    return sa.select(*columns).where(is_among(col(Contact.id), "ids", is_sqlite=is_sqlite))


def _words_on_mail(*, is_sqlite: bool) -> Any:
    names = ("contact_id", "topic", "state", "basis", "pile", "expires_at", "afterwards", "law")
    theirs = is_among(col(Consent.contact_id), "ids", is_sqlite=is_sqlite)
    return sa.select(*(getattr(Consent, name) for name in names)).where(
        theirs, col(Consent.purpose) == ConsentPurpose.MAIL
    )


#: Asked while mails leave, of everybody whose mail is stopped at the last moment.
_ADDRESSES, _WORDS_ON_MAIL = Prepared(_addresses), Prepared(_words_on_mail)


def consents_of(
    session: Session, contact_ids: Sequence[int], purpose: ConsentPurpose = ConsentPurpose.MAIL
) -> dict[tuple[int, str], Consent]:
    """What holds now, by contact and topic."""
    found = session.scalars(_CONSENTS, {"ids": list(contact_ids), "about": purpose})
    return {(consent.contact_id, consent.topic): consent for consent in found}


def standings(session: Session, contact_ids: Sequence[int], topic: str) -> dict[int, Standing]:
    """What `may_send` needs to know about these contacts and one topic; contacts that are gone are left out."""
    return {contact_id: about[topic] for contact_id, about in all_standings(session, contact_ids, [topic]).items()}


def all_standings(
    session: Session, contact_ids: Sequence[int], topics: Iterable[str] = ()
) -> dict[int, dict[str, Standing]]:
    """The same by contact and topic: for these `topics`, and whatever else each of them said something about."""
    reasons = _reasons_of(session, contact_ids)
    held, unreached, back = (
        hands_off(session, contact_ids),
        in_the_way(session, contact_ids),
        kept_back(session, contact_ids),
    )

    def stand(contact_id: int, word: Sequence[Any] = ()) -> Standing:
        reason, last_sign_on = back.get(contact_id, (None, None))
        mailbox = unreached.get(contact_id)
        state, basis, pile, expires_at, afterwards, law = word or _NOT_A_WORD
        return Standing(
            reasons[contact_id], state, basis, pile, instant_of(expires_at), afterwards, law,
            held.get(contact_id), mailbox, reason, last_sign_on,
        )  # fmt: skip

    found = {contact_id: {topic: stand(contact_id) for topic in topics} for contact_id in reasons}
    for contact_id, topic, *word in _WORDS_ON_MAIL.rows(session, ids=list(contact_ids)):
        found[contact_id][topic] = stand(contact_id, word)
    return found


#: Nobody ever asked them: what `Standing` says then of a topic.
_NOT_A_WORD = (None, None, Pile.NEVER, None, Pile.NEVER, "")


def _reasons_of(session: Session, contact_ids: Sequence[int]) -> dict[int, dict[str, date]]:
    """Why these contacts are never mailed, if they are not: for their address, or for where it is."""
    addresses = _ADDRESSES.rows(session, ids=list(contact_ids))
    suppressed = suppressions_of(session, [address_hash for _, address_hash, _ in addresses])
    closed = suppressed_domains_of(session, [domain for _, _, domain in addresses])
    return {
        contact_id: _days_of(
            {
                **suppressed.get(address_hash, {}),
                **({SuppressionReason.DOMAIN: closed[domain]} if domain in closed else {}),
            }
        )
        for contact_id, address_hash, domain in addresses
    }


def _days_of(suppressed: Mapping[str, datetime]) -> dict[str, date]:
    return {reason: created_at.date() for reason, created_at in suppressed.items()}


def list_to_judge(session: Session, contact_ids: Sequence[int]) -> list[tuple[Consent, str | None, str]]:
    """Mail consents of these contacts with their country and domain, to be held against the consent table."""
    statement = (
        sa.select(Consent, col(Contact.country), col(Contact.domain))
        .join(Contact, col(Contact.id) == col(Consent.contact_id))
        .where(col(Consent.purpose) == ConsentPurpose.MAIL, col(Consent.contact_id).in_(contact_ids))
    )
    return list(session.execute(statement))


def may_be_mailed(purpose: Purpose, topic: Any, now: Any) -> ColumnElement[bool]:
    """Clause on `contact`: `rules.may_send` in SQL. `topic` is a name or the column that holds it, `now` an
    instant or a parameter.
    """
    match purpose:
        case Purpose.INTERNAL | Purpose.TEST:
            return sa.true()
        case Purpose.SERVICE:
            return ~is_suppressed(STOPS_SERVICE)
    return sa.and_(is_subscribed(topic, now), ~is_on_hold(now))


def standing_of_newcomer(session: Session, newcomer_id: int) -> Standing | None:
    """What `may_send` needs to know about somebody who has confirmed nothing yet; None when they are gone."""
    newcomer = find_newcomer(session, newcomer_id)
    if newcomer is None:
        return None
    return Standing(_days_of(suppressions_of(session, [newcomer.address_hash]).get(newcomer.address_hash, {})))


def newcomer_may_be_served() -> ColumnElement[bool]:
    """Clause on `newcomer`: `rules.may_send` for a service mail in SQL."""
    return ~is_suppressed(STOPS_SERVICE, col(Newcomer.address_hash))


def is_subscribed(topic: Any, now: Any) -> ColumnElement[bool]:
    """Clause on `contact`: `rules.is_subscribed` in SQL; who is on hold is subscribed all the same."""
    return sa.and_(
        ~is_suppressed(), ~is_at_suppressed_domain(), has_agreed(topic, now), ~is_kept_back(), ~takes_no_mail()
    )


def has_agreed(topic: Any, now: Any) -> ColumnElement[bool]:
    """Clause on `contact`: their word and the consent table allow mail about this topic."""
    has_expired = sa.and_(col(Consent.expires_at).is_not(None), col(Consent.expires_at) <= now)
    # The comparison within the CASE: PostgreSQL takes a CASE that is compared for true of one row in two hundred, and
    # then looks up every one of a million (measured).
    may_announce = sa.case(
        (has_expired, col(Consent.afterwards) == Pile.ANNOUNCE), else_=col(Consent.pile) == Pile.ANNOUNCE
    )
    agreed = sa.exists().where(
        col(Consent.contact_id) == col(Contact.id),
        col(Consent.topic) == topic,
        col(Consent.purpose) == ConsentPurpose.MAIL,
        col(Consent.state) == "given",
        may_announce,
    )
    # The topic may be a column two questions further out. Without this it would be asked of every row of that table:
    # whether they agreed to anything that anybody was ever mailed about.
    return agreed.correlate_except(Consent)


def has_recent_day(topic: str, since: date) -> ColumnElement[bool]:
    """Clause on `contact`: a sign of life, or the day of a basis for this topic, is known from that day on."""
    agreed = sa.exists().where(
        col(Consent.contact_id) == col(Contact.id),
        col(Consent.topic) == topic,
        col(Consent.purpose) == ConsentPurpose.MAIL,
        col(Consent.given_on) >= since,
    )
    return sa.or_(agreed.correlate_except(Consent), has_sign_since(since))


def recording_modes(session: Session, people: Mapping[int, Contact], topic: str) -> dict[int, Mode]:
    """How much of what these contacts do with mails about this topic may be recorded now."""
    here, said = get_recording(session), consents_of(session, list(people), ConsentPurpose.TRACKING)
    return {i: recording_mode(here, said, one, topic) for i, one in people.items()}


def recording_mode(here: Recording, said: Mapping[tuple[int, str], Consent], contact: Contact, topic: str) -> Mode:
    """The same for one contact, from what was read before."""
    kept = [said[key] for key in dict.fromkeys(((contact.id, topic), (contact.id, EVERY_TOPIC))) if key in said]
    word = last_word(_word(one) for one in kept)
    return here.mode_of(contact.country, topic, word.mode if word else None)


def _word(said: Consent) -> Word:
    return Word(mode_of_state(said.state), said.changed_at)


def tracked_since_of(session: Session, people: Mapping[int, Contact]) -> dict[int, datetime | None]:
    """Since when opens and clicks of these contacts may be recorded; None: they may not."""
    said = consents_of(session, list(people), ConsentPurpose.TRACKING)
    words = {i: _word(one) for (i, topic), one in said.items() if topic == EVERY_TOPIC}
    here = get_recording(session)
    return {i: here.since(one.country, one.created_at, words.get(i)) for i, one in people.items()}


def is_tracked_for(length: Any, here: Recording, now: datetime) -> ColumnElement[bool]:
    """Clause on `contact`: `recording.rules.is_tracked_for` in SQL."""
    if here.house is not Mode.FULL:
        return sa.false()
    said = sa.exists().where(
        col(Consent.contact_id) == col(Contact.id),
        col(Consent.topic) == EVERY_TOPIC,
        col(Consent.purpose) == ConsentPurpose.TRACKING,
    )
    agreed = said.where(col(Consent.state) == STATES[Mode.FULL], col(Consent.changed_at) <= now - length)
    ask_first = here.table.ask_before_tracking | here.table.date_of_last_open
    if "*" in ask_first:
        return agreed
    is_default = sa.and_(col(Contact.country).is_not(None), col(Contact.country).not_in(ask_first))
    return sa.or_(agreed, sa.and_(is_default, col(Contact.created_at) <= now - length, ~said))


def share_not_recorded(session: Session, now: datetime) -> float | None:
    """The share of contacts whose opens and clicks we may not record; None while there are none."""
    may_be = is_tracked_for(timedelta(0), get_recording(session), now)
    everybody, recorded = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((may_be, 1), else_=0)), 0)).select_from(Contact)
    ).one()
    return 1 - recorded / everybody if everybody else None


def vocabulary(session: Session, now: datetime) -> Vocabulary:
    """`subscribed("topic")`: may be mailed about it now, were it not for a hold; and `tracked_for("180 days")`."""
    return Vocabulary(
        {},
        {
            "subscribed": lambda given: is_subscribed(str(given["topic"]), now),
            "tracked_for": lambda given: is_tracked_for(given["length"], get_recording(session), now),
        },
    )
