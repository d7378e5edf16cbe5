"""From claimed rows to mails that only wait to be written: who gets each, what it takes from them, which relay has it.

Called by the sender between the two transactions of a claim, so that nobody waits for it. What cannot be written, or may
not leave the house, comes back with what is to be done about it; it holds up nothing behind it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from nurture.campaigns.declared import Declared
from nurture.campaigns.store import get_content
from nurture.consent.domains.store import has_verdict
from nurture.consent.recording.rules import Mode, Recording, Word, last_word, mode_of_state
from nurture.consent.recording.store import get_recording
from nurture.consent.rules import Purpose
from nurture.consent.store import EVERY_TOPIC
from nurture.contacts.store import Operator, list_operators
from nurture.database.engine import Session
from nurture.database.json_text import as_json
from nurture.delivery import actions, composing, owners
from nurture.delivery.boundary import Boundary
from nurture.delivery.claimed import Claimed, Person
from nurture.delivery.claiming.store import Line, words_about_recording
from nurture.delivery.composing import Recipient
from nurture.delivery.facts import Answered, Plan, Reader, Writing, choose_sender
from nurture.delivery.house import House
from nurture.delivery.pacing.granting import PaceGrant
from nurture.delivery.urls import message_id
from nurture.errors import NurtureError
from nurture.rendering.compiling import CompiledMail
from nurture.rendering.wire import compile_wire

log = logging.getLogger(__name__)

_MOST_PLANS = 256
_MOST_DOMAINS = 50_000

#: The relay for a mail of this sender to this domain, by a number of its own; None: no relay carries it.
Choose = Callable[[str, str, int], str | None]
#: The relays that have plenty in hand, and how much later more for them is to come.
ListFull = Callable[[], Mapping[str, timedelta]]


_NOTHING: frozenset[str] = frozenset()
#: Of a mail that was not asked about.
_FREE = PaceGrant()


@dataclass(slots=True)
class Ready:
    """A mail that only waits to be written; `issue_at`: a newsletter's mail to the same person that goes first."""

    delivery: Claimed
    recipient: Recipient
    mail: CompiledMail
    email: str
    domain: str
    relay: str
    basis: str | None = None  # of their consent to the topic
    fresh_facts: str = ""  # as they are to be kept, for a first try
    issue_at: datetime | None = None
    pace: PaceGrant = _FREE  # of its claim


class _Manner(NamedTuple):
    """What mails of one version, purpose and topic have in common."""

    mail: CompiledMail
    plan: Plan


class _Signed(NamedTuple):
    """What mails of one claim have in common that one sender writes in one manner."""

    mail: CompiledMail
    writing: Writing
    email: str
    domain: str


class Unready(NamedTuple):
    """A mail that cannot be sent now."""

    id: int  # of the delivery
    becomes: str  # held, failed or passed_by, as it is counted
    settle: Callable[[Session], object]  # in the transaction that ends the claim


@dataclass(frozen=True)
class _Around:
    """What is the same for all mails of one claim."""

    declared: Declared
    operators: Mapping[int, Operator]
    recording: Recording
    said: Mapping[tuple[int, str], tuple[str, datetime]]
    answered: Mapping[int, frozenset[str]]
    now: datetime
    modes: dict[tuple[str | None, str, Mode | None], Mode] = field(default_factory=dict)
    #: By what lines share and by their plan, each with the sender's name and the owner.
    signed: dict[tuple[int | Plan, str, int], _Signed] = field(default_factory=dict)


class Preparing:
    """Prepares claim after claim, and remembers what they have in common."""

    def __init__(
        self, house: House, boundary: Boundary, choose: Choose, answered: Answered, list_full: ListFull
    ) -> None:
        self._house = house
        self._boundary = boundary
        self._choose = choose
        self._answered = answered
        self._list_full = list_full
        self._manners: dict[tuple[int, str, str, str, str], _Manner] = {}
        self._planned_for: Declared | None = None
        self._asked: set[str] = set()  # domains the name servers were heard about

    def prepare(
        self, session: Session, lines: Sequence[Line], declared: Declared, now: datetime
    ) -> tuple[list[Ready], list[Unready]]:
        """The mails that can be sent, and what is to be done about the others; writes nothing.

        A mail of a version that this process has not sent yet is compiled first, which takes a second.
        """
        if declared is not self._planned_for:
            self._manners.clear()
            self._planned_for = declared
        around = self._look_around(session, lines, declared, now)
        full = self._list_full()
        ready: list[Ready] = []
        unready: list[Unready] = []
        for line in lines:
            try:
                one = self._ready(session, line, around)
            except SQLAlchemyError:
                raise  # the database has something, and not this mail
            except Exception as error:
                log.exception("the mail cannot be prepared", extra={"delivery": line.claimed.id})
                one = _failed(line.claimed, f"it could not be prepared: {error}", now)
            if isinstance(one, Ready):
                one = self._objection(session, one, now) or one
            if full and isinstance(one, Ready) and one.relay in full:
                # Before the limits grant it a place.
                let_pass = partial(actions.let_pass, delivery=one.delivery, due_at=now + full[one.relay], now=now)
                one = Unready(one.delivery.id, "passed_by", let_pass)
            if isinstance(one, Ready):
                ready.append(one)
            else:
                unready.append(one)
        return ready, unready

    def _look_around(self, session: Session, lines: Sequence[Line], declared: Declared, now: datetime) -> _Around:
        people, asking = [], []
        needs_house = False  # whether anybody who works here is named in these mails
        plan, shared = None, None
        for line in lines:
            if line.shared is not shared:
                shared, plan = line.shared, self._plan(session, line.claimed, declared)
                needs_house = needs_house or (plan is not None and plan.differs_by_more)
            if line.person is not None:
                people.append(line.person.id)
                needs_house = needs_house or line.person.owner_id is not None
                if plan is not None and plan.asks:
                    asking.append(line.person.id)
        return _Around(
            declared,
            list_operators(session) if needs_house else {},
            get_recording(session),
            words_about_recording(session, people) if people else {},
            self._answered(session, asking) if asking else {},
            now,
        )

    def _plan(self, session: Session, delivery: Claimed, declared: Declared) -> Plan | None:
        """The plan of its mail; None if it has none, which is said when it is written."""
        with suppress(NurtureError, KeyError, ValueError):
            return self._manner(session, delivery, declared).plan
        return None

    def _manner(self, session: Session, delivery: Claimed, declared: Declared) -> _Manner:
        key = (delivery.version_id, delivery.mail, delivery.purpose, delivery.campaign, delivery.topic)
        manner = self._manners.get(key)
        if manner is None:
            if len(self._manners) >= _MOST_PLANS:
                self._manners.clear()
            content = get_content(session, delivery.version_id)
            mail = composing.get_mail(session, delivery)
            with suppress(NurtureError, KeyError, ValueError):
                compile_wire(mail)  # here, where nobody waits; what is wrong is said when it is written
            manner = self._manners[key] = _Manner(mail, Plan(content, declared, delivery, mail.uses))
        return manner

    def _ready(self, session: Session, line: Line, around: _Around) -> Ready | Unready:
        """One of them, or why not: it cannot be written, or its owner has not agreed to it."""
        delivery, person = line.claimed, line.person
        recipient = _recipient(session, delivery, person)
        if recipient is None:
            return _failed(delivery, "nobody knows this person any more", around.now)
        email = person.email if person is not None else ""
        domain = recipient.email.rpartition("@")[2].lower()
        kept = delivery.facts
        if kept is not None and "rendered_at" in kept:
            mail, sender = composing.get_mail(session, delivery), kept["sender"]["email"]
            relay = self._choose(sender, domain, delivery.id) or ""
            text = ""
            if (
                delivery.message_id is None
            ):  # a first try that was claimed before, and was granted no place this time yet
                text = as_json(kept)
                own_id = message_id(self._house.keys, delivery.id, sender.rpartition("@")[2].lower())
                delivery = delivery.with_facts(kept, own_id)
            return Ready(delivery, recipient, mail, email, domain, relay, line.basis, text)
        owner = around.operators.get(person.owner_id) if person is not None and person.owner_id else None
        wanted = delivery.sender
        if wanted == owners.OWNER:
            wanted = owners.name_for(session, delivery, get_content(session, delivery.version_id), owner)
            if wanted == owners.WAIT:
                return Unready(delivery.id, "held", partial(owners.hold_for_yes, delivery=delivery, now=around.now))
        signed = self._signed(session, line, wanted, owner, around)
        answered = around.answered.get(person.id, _NOTHING) if person is not None and around.answered else _NOTHING
        reader = Reader(person, owner, _mode(around, delivery, person), line.basis, line.given_on, answered)
        facts, text = signed.writing.write(reader, kept.get("mail") if kept else None, recipient.name)
        delivery = delivery.with_facts(facts, message_id(self._house.keys, delivery.id, signed.domain))
        relay = self._choose(signed.email, domain, delivery.id) or ""
        return Ready(delivery, recipient, signed.mail, email, domain, relay, line.basis, text)

    def _signed(self, session: Session, line: Line, wanted: str, owner: Operator | None, around: _Around) -> _Signed:
        """The mail of this line and of all that share its beginning, as its sender writes it."""
        by = owner.id if owner is not None and wanted == owners.OWNER else 0
        # The lines are kept while their claim is prepared, and with them what they share.
        signed = around.signed.get((id(line.shared), wanted, by))
        if signed is None:
            manner = self._manner(session, line.claimed, around.declared)
            signed = around.signed.get((manner.plan, wanted, by))  # rows that differ in no more than an instant
            if signed is None:
                sender = choose_sender(wanted, owner, around.declared)
                writing = Writing(manner.plan, sender, around.operators, around.now)
                signed = _Signed(manner.mail, writing, sender.email, sender.domain)
                around.signed[manner.plan, wanted, by] = signed
            around.signed[id(line.shared), wanted, by] = signed
        return signed

    def _objection(self, session: Session, one: Ready, now: datetime) -> Unready | None:
        """What holds a mail that may not leave the house for now."""
        domain = one.domain
        objection = self._boundary.find_objection(domain)
        if objection is None and not one.relay:
            objection = (
                f"no relay of settings.toml carries mail of this sender to {domain}; let one of [[relays]] do it"
            )
        is_campaign = one.delivery.purpose == Purpose.CAMPAIGN
        if objection is None and is_campaign:
            objection = self._boundary.find_terms(one.relay, one.basis)
        if objection is not None:
            hold = partial(actions.hold_at_boundary, delivery=one.delivery, because=objection, now=now)
            return Unready(one.delivery.id, "held", hold)
        if self._boundary.relay_is_loopback or not is_campaign or domain in self._asked:
            return None
        if not has_verdict(session, domain):
            hold = partial(actions.hold_until_asked, delivery=one.delivery, domain=domain, now=now)
            return Unready(one.delivery.id, "held", hold)
        if len(self._asked) >= _MOST_DOMAINS:
            self._asked.clear()
        self._asked.add(domain)
        return None


def _failed(delivery: Claimed, because: str, now: datetime) -> Unready:
    fail = partial(actions.fail_unsendable, delivery=delivery, because=because, now=now)
    return Unready(delivery.id, "failed", fail)


def _recipient(session: Session, delivery: Claimed, person: Person | None) -> Recipient | None:
    is_theirs = delivery.operator_id is None and delivery.test_address is None and delivery.newcomer_id is None
    if person is not None and is_theirs:
        return composing.recipient_of(person)
    return composing.find_recipient(session, delivery)


def _mode(around: _Around, delivery: Claimed, person: Person | None) -> Mode:
    """How much may be recorded of what the reader of this mail does with it."""
    if person is None or delivery.purpose not in {Purpose.CAMPAIGN, Purpose.TEST}:
        return Mode.NONE
    word = None
    if around.said:
        kept = [around.said.get((person.id, topic)) for topic in dict.fromkeys((delivery.topic, EVERY_TOPIC))]
        word = last_word(Word(mode_of_state(one[0]), one[1]) for one in kept if one is not None)
    key = (person.country, delivery.topic, word.mode if word else None)
    mode = around.modes.get(key)
    if mode is None:
        mode = around.modes[key] = around.recording.mode_of(*key)
    return mode
