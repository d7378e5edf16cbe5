"""From a claimed delivery to the bytes on the wire.

Once, when a delivery is first claimed, `gather_facts` takes what the mail needs from the contact, the owner and the
sender and keeps it on the delivery; from then on `compose` makes the same bytes every time, for a retry, for `/view` and
for "as sent". The address itself is never kept there: it is read from the contact each time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from nurture.campaigns import store as campaigns
from nurture.campaigns.declared import Declared, Sender
from nurture.consent import store as consents
from nurture.consent.recording.rules import Mode, Recording
from nurture.consent.recording.store import get_recording
from nurture.consent.rules import REASONS, Basis, ConsentPurpose, Purpose
from nurture.consent.store import Consent
from nurture.contacts import store as contacts
from nurture.contacts.newcomers.store import find_newcomer
from nurture.contacts.store import Contact, Operator
from nurture.contacts.zones import zone_of
from nurture.database.engine import Session
from nurture.delivery import headers
from nurture.delivery.asking import choose_for, read_asked, words_of
from nurture.delivery.claimed import Row
from nurture.delivery.house import House
from nurture.delivery.offering import addresses_of, mails_of, make_offer, read_offer
from nurture.delivery.urls import (
    Via,
    leave_url,
    make_mail_urls,
    make_urls,
    meet_mailto,
    meet_url,
    message_id,
)
from nurture.rendering.compiling import CompiledMail, RenderedMail, Urls, compile_mail
from nurture.rendering.dkim import sign
from nurture.rendering.links import Tag, as_authored
from nurture.rendering.message import Headers, build_message
from nurture.rendering.source import MailSource
from nurture.rendering.utm import Tagging, Utm


@dataclass(frozen=True)
class Recipient:
    """Who a delivery goes to, read anew each time."""

    email: str
    name: str
    address_hash: str


@dataclass(frozen=True)
class Composed:
    """A message ready for the wire."""

    mail_from: str
    rcpt_to: str
    content: bytes


def get_mail(session: Session, delivery: Row) -> CompiledMail:
    """The compiled mail of a delivery; compiled once per process."""
    return campaigns.derive(session, delivery.version_id, mail_of, delivery.mail)


def mail_of(content: Mapping[str, Any], name: str) -> CompiledMail:
    """One compiled mail of what a version contains, or would contain."""
    return compile_mail(MailSource.from_json(content["mails"][name]))


@dataclass(frozen=True)
class People:
    """Those whom some mails are about, and what they agreed to: read once for all of these mails."""

    contacts: Mapping[int, Contact]
    owners: Mapping[int, Operator]
    agreed: Mapping[tuple[int, str], Consent]
    tracking: Mapping[tuple[int, str], Consent]
    recording: Recording
    answered: Mapping[int, frozenset[str]]

    def owner_of(self, delivery: Row) -> Operator | None:
        """Who owns the contact of a delivery."""
        contact = self.contacts.get(delivery.contact_id) if delivery.contact_id else None
        return self.owners.get(contact.owner_id) if contact and contact.owner_id else None


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
    given = dict(delivery.facts or {})
    contact = people.contacts.get(delivery.contact_id) if delivery.contact_id else contact
    owner = people.owners.get(contact.owner_id) if contact and contact.owner_id else None
    mode = _mode(people, delivery, contact)
    sender = choose_sender(in_name_of or delivery.sender, owner, declared)
    facts = {
        "contact": _used(_contact_facts(contact), uses, "contact"),
        "owner": _used(_operator_facts(owner), uses, "owner"),
        "sender": asdict(sender),
        "mail": {
            **content.get("about", {}),
            "topic_label": declared.topics[delivery.topic].label if delivery.topic in declared.topics else "",
            "reason": _reason(people, delivery, contact),
            **given.get("mail", {}),
        },
        "is_tracked": mode is Mode.FULL,
        "has_pixel": mode is not Mode.NONE,
        "utm": declared.utm.to_json() if declared.utm and _is_marketing(delivery) else None,
        "rendered_at": now.isoformat(),
    }
    if slots := content.get("meetings", {}).get(delivery.mail):
        host = _host(people, owner, sender)
        zone = zone_of(contact) if contact else ZoneInfo("UTC")
        facts["meeting"] = make_offer(host, zone, slots, now).to_json() if host else None
    if questions := content.get("questions", {}).get(delivery.mail):
        answered = people.answered.get(contact.id, frozenset()) if contact else frozenset()
        asked = choose_for(questions, contact, answered, content["mails"][delivery.mail]["language"])
        facts["question"] = asked.to_json() if asked else None
    return facts


def find_recipient(session: Session, delivery: Row) -> Recipient | None:
    """Whom a delivery goes to; None when they were erased."""
    if delivery.operator_id is not None:
        operator = session.get_one(Operator, delivery.operator_id)
        return Recipient(operator.email, operator.name, "0" * 32)
    if delivery.test_address is not None:
        return Recipient(delivery.test_address, "", "0" * 32)
    if delivery.newcomer_id is not None:
        newcomer = find_newcomer(session, delivery.newcomer_id)
        return Recipient(newcomer.email, "", newcomer.address_hash) if newcomer else None
    contact = session.get(Contact, delivery.contact_id) if delivery.contact_id else None
    return recipient_of(contact) if contact else None


def recipient_of(contact: Contact) -> Recipient:
    """The contact themselves."""
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return Recipient(contact.email, name, contact.address_hash)


def email_of_contact(session: Session, delivery: Row) -> str:
    """What `contact.email` stands for in this mail: the address as it is now, nothing once it is erased."""
    contact = session.get(Contact, delivery.contact_id) if delivery.contact_id else None
    return contact.email if contact else ""


def render(mail: CompiledMail, delivery: Row, house: House, recipient: Recipient, email: str) -> RenderedMail:
    """Subject, HTML and text as this person gets them; `email` is what `contact.email` stands for."""
    context, urls = context_of(delivery, email), urls_of(delivery, house, recipient)
    if (offer := read_offer(delivery.facts)) is not None:
        if house.is_by_mail_alone:
            meeting = mails_of(offer, meet_mailto(house.keys, house.inbound_domain, delivery.id))
        else:
            meeting = addresses_of(offer, meet_url(house.keys, house.base_url, delivery.id))
        context["mail"] = {**context["mail"], "meeting": meeting}
        # Who follows them has not clicked: they lead to a page of ours, tracked or not.
        urls = replace(urls, others=frozenset({meeting["url"], *(slot["url"] for slot in meeting["slots"])}))
    return mail.render(context, urls)


def context_of(delivery: Row, email: str) -> dict[str, Any]:
    """The variables of the template, from what was kept."""
    facts: Mapping[str, Any] = delivery.facts or {}
    offer = read_offer(facts)
    return {
        "contact": {**facts["contact"], "email": email},
        "owner": facts["owner"],
        "sender": facts["sender"],
        # Without the addresses, which depend on where the house can be reached: `render` puts them in.
        "mail": {
            **facts["mail"],
            **({"meeting": addresses_of(offer, "")} if offer else {}),
            **({"question": words_of(read_asked(facts))} if "question" in facts else {}),
        },
    }


def urls_of(delivery: Row, house: House, recipient: Recipient) -> Urls:
    facts: Mapping[str, Any] = delivery.facts or {}
    if house.is_by_mail_alone:
        sender = facts["sender"]["email"]
        return make_mail_urls(house.keys, house.inbound_domain, delivery.id, recipient.address_hash, sender=sender)
    return make_urls(
        house.keys,
        house.base_url,
        delivery.id,
        recipient.address_hash,
        is_tracked=bool(facts.get("is_tracked")),
        has_pixel=bool(facts.get("has_pixel")),
        tag=tagging_of(delivery, house.base_url),
    )


def tagging_of(delivery: Row, base_url: str) -> Tag:
    """How the links of this very mail are tagged: as it was published when the mail was first rendered."""
    kept = (delivery.facts or {}).get("utm")
    if kept is None:
        return as_authored
    return Tagging(Utm.from_json(kept), delivery.campaign.partition(":")[2], delivery.mail, base_url)


def compose(mail: CompiledMail, delivery: Row, house: House, recipient: Recipient, email: str) -> Composed:
    """The whole message, the same bytes every time."""
    facts: Mapping[str, Any] = delivery.facts or {}
    sender = Sender(**facts["sender"])
    rendered = render(mail, delivery, house, recipient, email)
    content = build_message(
        rendered,
        Headers(
            from_name=sender.name,
            from_email=sender.email,
            to_name=facts.get("to_name", recipient.name),
            to_email=recipient.email,
            subject=f"[Test] {rendered.subject}" if delivery.purpose == Purpose.TEST else None,
            date=datetime.fromisoformat(facts["rendered_at"]),
            message_id=delivery.message_id or message_id(house.keys, delivery.id, sender.domain),
            reply_to=house.reply_to(delivery.purpose, delivery.id),
            extra=headers.by_kind(
                delivery.purpose,
                delivery.campaign,
                list_domain=sender.domain,
                list_title=facts["mail"].get("title", ""),
                leave_url=None
                if house.is_by_mail_alone
                else leave_url(house.keys, house.base_url, Via.HEADER, delivery.id, recipient.address_hash),
                leave_mail=house.leave_mail(delivery.id, recipient.address_hash),
                complain_to=house.complain_to(delivery.purpose, delivery.id),
                mail=delivery.mail,
            ),
        ),
    )
    # Last of all: whatever is changed after this breaks the signature.
    head, _, body = content.partition(b"\r\n\r\n")
    return Composed(
        mail_from=house.mail_from(delivery.purpose, delivery.id, sender.email),
        rcpt_to=recipient.email,
        content=sign(house.signers_for(sender.domain), head, body) + content,
    )


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


def _host(people: People, owner: Operator | None, sender: Sender) -> Operator | None:
    """Whom one would meet: the owner, else who writes, else the first who works here."""
    here = [people.owners[number] for number in sorted(people.owners) if people.owners[number].is_declared]
    if owner is not None and owner.is_declared:
        return owner
    return next((one for one in here if one.email.lower() == sender.email.lower()), here[0] if here else None)


def _used(facts: Mapping[str, Any], uses: frozenset[str], prefix: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if f"{prefix}.{name}" in uses or prefix in uses}


def _contact_facts(contact: Contact | None) -> dict[str, Any]:
    if contact is None:
        return {}
    columns = {name: getattr(contact, name) for name in (*contacts.COLUMN_FIELDS, "interest", "stage", "fit", "score")}
    return {**columns, **contact.fields}


def _operator_facts(owner: Operator | None) -> dict[str, Any]:
    if owner is None:
        return {"name": "", "email": "", "signature": ""}
    return {"name": owner.name, "email": owner.email, "signature": owner.signature}


def _reason(people: People, delivery: Row, contact: Contact | None) -> str:
    """One line on why this mail came, for its reader."""
    consent = people.agreed.get((contact.id, delivery.topic)) if contact and delivery.topic else None
    if consent is None or consent.basis is None:
        return ""
    since = f" ({consent.given_on:%-d %B %Y})" if consent.given_on else ""
    return f"You get this because {REASONS[Basis(consent.basis)]}{since}."


def _is_marketing(delivery: Row) -> bool:
    """Whether it is a mail of a campaign, or a test of one."""
    is_ours = delivery.campaign.startswith("service:")
    return delivery.purpose in {Purpose.CAMPAIGN, Purpose.TEST} and not is_ours


def _mode(people: People, delivery: Row, contact: Contact | None) -> Mode:
    """How much may be recorded of what the reader of this mail does with it."""
    if contact is None or delivery.purpose not in {Purpose.CAMPAIGN, Purpose.TEST}:
        return Mode.NONE
    return consents.recording_mode(people.recording, people.tracking, contact, delivery.topic)
