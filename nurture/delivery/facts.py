"""What a mail takes from the people it is about, kept on its delivery when it is first claimed.

From then on the same bytes are written every time, for a retry, for `/view` and for "as sent". A `Plan` is what a
version settles for all readers of one of its mails: which fields its template uses, who signs it, what is the same for
everybody. `gather_facts` makes one for a single mail, `preparing` one for thousands, each claim of which is a `Writing`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from nurture.campaigns.declared import Declared, Sender
from nurture.consent import store as consents
from nurture.consent.recording.rules import Mode, Recording
from nurture.consent.recording.store import get_recording
from nurture.consent.rules import REASONS, Basis, ConsentPurpose, Purpose
from nurture.consent.store import Consent
from nurture.contacts import store as contacts
from nurture.contacts.store import Contact, Operator
from nurture.contacts.zones import zone_at
from nurture.database.engine import Session
from nurture.database.json_text import as_json
from nurture.delivery.asking import choose_for
from nurture.delivery.claimed import Person, Row
from nurture.delivery.offering import make_offer

#: Columns of a contact that a template may use, beside the declared fields.
COLUMNS = (*contacts.COLUMN_FIELDS, "interest", "stage", "fit", "score")
_MOST_SHARED = 1000


@dataclass(frozen=True)
class People:
    """Those whom some mails are about, and what they agreed to: read once for all of these mails."""

    contacts: Mapping[int, Contact]
    owners: Mapping[int, Operator]
    agreed: Mapping[tuple[int, str], Consent]
    tracking: Mapping[tuple[int, str], Consent]
    recording: Recording
    answered: Mapping[int, frozenset[str]]


#: Which questions these contacts answered, by name: a higher room knows.
Answered: TypeAlias = Callable[[Session, Collection[int]], Mapping[int, frozenset[str]]]


def gather_people(session: Session, ids: Iterable[int | None], answered: Answered) -> People:
    """The contacts of these identifiers; no identifier and one that is gone are nobody."""
    found = contacts.list_contacts(session, {i for i in ids if i is not None})
    return People(
        found,
        contacts.list_operators(session),
        consents.consents_of(session, list(found)),
        consents.consents_of(session, list(found), ConsentPurpose.TRACKING),
        get_recording(session),
        answered(session, list(found)),
    )


def gather_facts(
    people: People,
    delivery: Row,
    content: Mapping[str, Any],
    declared: Declared,
    now: datetime,
    uses: frozenset[str],
    *,
    contact: Contact | None = None,
    in_name_of: str = "",
) -> dict[str, Any]:
    """What this mail takes from the people it is about, as JSON; only what its template `uses`.

    `contact` is given for a preview or a test, whose delivery is nobody's; `in_name_of` if another sender stands in.
    """
    contact = people.contacts.get(delivery.contact_id) if delivery.contact_id else contact
    owner = people.owners.get(contact.owner_id) if contact and contact.owner_id else None
    agreed = people.agreed.get((contact.id, delivery.topic)) if contact else None
    mode = Mode.NONE
    if contact is not None and delivery.purpose in {Purpose.CAMPAIGN, Purpose.TEST}:
        mode = consents.recording_mode(people.recording, people.tracking, contact, delivery.topic)
    return Plan(content, declared, delivery, uses).facts(
        Reader(
            contact,
            owner,
            mode,
            agreed.basis if agreed else None,
            agreed.given_on if agreed else None,
            people.answered.get(contact.id, frozenset()) if contact else frozenset(),
        ),
        choose_sender(in_name_of or delivery.sender, owner, declared),
        people.owners,
        now,
        (delivery.facts or {}).get("mail"),
    )


class Reader(NamedTuple):
    """One person as a mail is written for them."""

    contact: Contact | Person | None
    owner: Operator | None
    mode: Mode = Mode.NONE  # how much may be recorded of what they do with it
    basis: str | None = None  # of their consent to the topic
    given_on: date | None = None
    answered: frozenset[str] = frozenset()


class _Shared(NamedTuple):
    """What many readers of a mail have in common, and the same as the inside of a JSON object; nobody changes it."""

    facts: dict[str, Any]
    text: str


class Plan:
    """What is the same in the facts of one mail of a version, whoever gets it."""

    def __init__(self, content: Mapping[str, Any], declared: Declared, delivery: Row, uses: frozenset[str]) -> None:
        """Settle it for all that are like this `delivery` in version, mail, purpose, campaign and topic."""
        takes_all = "contact" in uses
        self._columns = tuple(name for name in COLUMNS if takes_all or f"contact.{name}" in uses)
        self._values_of = _getter(self._columns)
        self._fields = frozenset(name.removeprefix("contact.") for name in uses if name.startswith("contact."))
        self._takes_all = takes_all
        self._takes_fields = takes_all or len(self._fields) > len(self._columns)
        self._owner = tuple(
            name for name in ("name", "email", "signature") if "owner" in uses or f"owner.{name}" in uses
        )
        topic = declared.topics.get(delivery.topic)
        self._about = {**content.get("about", {}), "topic_label": topic.label if topic else ""}
        self._has_topic = bool(delivery.topic)
        is_marketing = delivery.purpose in {Purpose.CAMPAIGN, Purpose.TEST} and not delivery.campaign.startswith(
            "service:"
        )
        self._utm = declared.utm.to_json() if declared.utm and is_marketing else None
        self._slots = content.get("meetings", {}).get(delivery.mail)
        self._questions = content.get("questions", {}).get(delivery.mail)
        self._language = content["mails"][delivery.mail]["language"] if self._questions else ""
        self._shared: dict[tuple[Sender, Mode, str], _Shared] = {}

    @property
    def asks(self) -> bool:
        """Whether it asks its readers something, and so has to know what they answered."""
        return bool(self._questions)

    def facts(
        self,
        reader: Reader,
        sender: Sender,
        operators: Mapping[int, Operator],
        now: datetime,
        given: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The facts of one mail; `given` is what was said about it when it was queued."""
        contact, owner = reader.contact, reader.owner
        facts = {
            "contact": self.contact_facts(contact),
            "owner": self.owner_facts(owner),
            **self.same(sender, reader).facts,
            "rendered_at": now.isoformat(),
        }
        if given:
            facts["mail"] = {**facts["mail"], **given}
        if self._slots:
            host = _host(operators, owner, sender)
            zone = zone_at(contact.timezone, contact.country) if contact else ZoneInfo("UTC")
            facts["meeting"] = make_offer(host, zone, self._slots, now).to_json() if host else None
        if self._questions:
            asked = choose_for(self._questions, contact, reader.answered, self._language)
            facts["question"] = asked.to_json() if asked else None
        return facts

    @property
    def differs_by_more(self) -> bool:
        """Whether mails differ by more than what is known of their readers: by slots or a question."""
        return bool(self._slots or self._questions)

    def owner_facts(self, owner: Operator | None) -> dict[str, Any]:
        return {name: getattr(owner, name) if owner else "" for name in self._owner} if self._owner else {}

    def contact_facts(self, contact: Contact | Person | None) -> dict[str, Any]:
        if contact is None:
            return {}
        found = dict(zip(self._columns, self._values_of(contact), strict=True))
        if self._takes_fields:
            found |= {name: value for name, value in contact.fields.items() if self._takes_all or name in self._fields}
        return found

    def same(self, sender: Sender, reader: Reader) -> "_Shared":
        """What all have in common to whom this sender writes for the same reason."""
        reason = _reason(reader.basis, reader.given_on) if self._has_topic else ""
        key = (sender, reader.mode, reason)
        same = self._shared.get(key)
        if same is None:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            facts = {
                "sender": asdict(sender),
                "mail": {**self._about, "reason": reason},
                "is_tracked": reader.mode is Mode.FULL,
                "has_pixel": reader.mode is not Mode.NONE,
                "utm": self._utm,
            }
            same = self._shared[key] = _Shared(facts, as_json(facts)[1:-1])
        return same


class Writing:
    """A plan in use: all that is the same for the readers to whom one sender writes at one instant is told once."""

    def __init__(self, plan: Plan, sender: Sender, operators: Mapping[int, Operator], now: datetime) -> None:
        self._plan = plan
        self._sender = sender
        self._operators = operators
        self._now = now
        self._rendered_at = now.isoformat()
        self._same: dict[tuple[Mode, str | None, date | None], _Shared] = {}

    def write(self, reader: Reader, given: Mapping[str, Any] | None, to_name: str) -> tuple[dict[str, Any], str]:
        """The facts of one mail to somebody of this name, and their JSON, most of which was written before."""
        plan = self._plan
        if given or plan.differs_by_more:
            facts = plan.facts(reader, self._sender, self._operators, self._now, given)
            facts["to_name"] = to_name
            return facts, as_json(facts)
        of = (reader.mode, reader.basis, reader.given_on)
        same = self._same.get(of)
        if same is None:
            shared = plan.same(self._sender, reader)
            at = {"rendered_at": self._rendered_at}
            same = self._same[of] = _Shared(shared.facts | at, f"{shared.text},{as_json(at)[1:]}")
        own = {
            "contact": plan.contact_facts(reader.contact),
            "owner": plan.owner_facts(reader.owner),
            "to_name": to_name,
        }
        return {**own, **same.facts}, f"{as_json(own)[:-1]},{same.text}"


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of these attributes, as many as there are."""
    match names:
        case ():
            return lambda _: ()
        case (name,):
            return lambda found: (getattr(found, name),)
    return attrgetter(*names)


def choose_sender(wanted: str, owner: Operator | None, declared: Declared) -> Sender:
    """Who the mail comes from: the owner only if declared and writing from one of our domains, else the default."""
    default = declared.default_sender
    if wanted == "owner":
        domain = owner.email.rpartition("@")[2].lower() if owner else ""
        if owner is not None and owner.is_declared and domain in declared.sender_domains:
            return Sender(owner.name, owner.email, default.postal_address, owner.signature)
        return declared.signed(default)
    named = declared.senders.get(wanted, default)
    return declared.signed(Sender(named.name, named.email, named.postal_address or default.postal_address))


def _host(operators: Mapping[int, Operator], owner: Operator | None, sender: Sender) -> Operator | None:
    """Whom one would meet: the owner, else who writes, else the first who works here."""
    here = [operators[number] for number in sorted(operators) if operators[number].is_declared]
    if owner is not None and owner.is_declared:
        return owner
    return next((one for one in here if one.email.lower() == sender.email.lower()), here[0] if here else None)


@lru_cache(maxsize=4096)
def _reason(basis: str | None, given_on: date | None) -> str:
    """One line on why this mail came, for its reader."""
    if basis is None:
        return ""
    since = f" ({given_on:%-d %B %Y})" if given_on else ""
    return f"You get this because {REASONS[Basis(basis)]}{since}."
