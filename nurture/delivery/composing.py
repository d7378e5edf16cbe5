"""From a claimed delivery to the bytes on the wire: the same ones every time, for a retry, for `/view`, "as sent".

What a mail takes from its people was kept on the delivery (`facts`). The address itself is never kept there: it is read
from the contact each time.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from nurture.campaigns import store as campaigns
from nurture.consent.rules import Purpose
from nurture.contacts.newcomers.store import find_newcomer
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Session
from nurture.delivery.asking import read_asked, words_of
from nurture.delivery.claimed import Person, Row
from nurture.delivery.headers import headers_of_a_mail, headers_of_a_reader
from nurture.delivery.house import House
from nurture.delivery.offering import addresses_of, mails_of, read_offer
from nurture.delivery.printed_urls import make_urls
from nurture.delivery.urls import make_mail_urls, meet_mailto, meet_url, message_id
from nurture.rendering.compiling import CompiledMail, RenderedMail, Urls, compile_mail
from nurture.rendering.dkim import sign
from nurture.rendering.links import Tag, as_authored
from nurture.rendering.message import Headers, Letterhead, Wire
from nurture.rendering.source import MailSource
from nurture.rendering.utm import Tagging, Utm
from nurture.rendering.wire import compile_wire


class Recipient(NamedTuple):
    """Who a delivery goes to, read anew each time."""

    email: str
    name: str
    address_hash: str


class Composed(NamedTuple):
    """A message ready for the wire; every line of it ends with CRLF and none of its body begins with a dot."""

    mail_from: str
    rcpt_to: str
    signatures: bytes  # header lines, in front of all others
    wire: Wire
    report_as: str = ""  # what a report calls it, if reports come back to us and to nobody's own mailbox
    is_utf8: bool = False  # whether its headers are, whoever it goes to, for the sake of its sender

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The message in the pieces it is made of."""
        return (self.signatures, self.wire.head, b"\r\n", *self.wire.pieces)

    @property
    def size(self) -> int:
        return len(self.signatures) + len(self.wire.head) + 2 + self.wire.size

    @property
    def content(self) -> bytes:
        """The whole message."""
        return b"".join(self.parts)


def get_mail(session: Session, delivery: Row) -> CompiledMail:
    """The compiled mail of a delivery; compiled once per process."""
    return campaigns.derive(session, delivery.version_id, mail_of, delivery.mail)


def mail_of(content: Mapping[str, Any], name: str) -> CompiledMail:
    """One compiled mail of what a version contains, or would contain."""
    return compile_mail(MailSource.from_json(content["mails"][name]))


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


def recipient_of(contact: Contact | Person) -> Recipient:
    """The contact themselves."""
    first, last = contact.first_name, contact.last_name
    name = f"{first} {last}" if first and last else first or last or ""
    return Recipient(contact.email, name, contact.address_hash)


def email_of_contact(session: Session, delivery: Row) -> str:
    """What `contact.email` stands for in this mail: the address as it is now, nothing once it is erased."""
    contact = session.get(Contact, delivery.contact_id) if delivery.contact_id else None
    return contact.email if contact else ""


def render(mail: CompiledMail, delivery: Row, house: House, recipient: Recipient, email: str) -> RenderedMail:
    """Subject, HTML and text as this person gets them; `email` is what `contact.email` stands for."""
    return mail.render(*_given(delivery, house, recipient, email))


def _given(delivery: Row, house: House, recipient: Recipient, email: str) -> tuple[dict[str, Any], Urls]:
    """What a template is given: its variables, and the addresses of this very mail."""
    context = context_of(delivery, email)
    offer = read_offer(delivery.facts) if "meeting" in context["mail"] else None
    if offer is None:
        return context, urls_of(delivery, house, recipient)
    if house.is_by_mail_alone:
        meeting = mails_of(offer, meet_mailto(house.keys, house.inbound_domain, delivery.id))
    else:
        meeting = addresses_of(offer, meet_url(house.keys, house.base_url, delivery.id))
    context["mail"] = {**context["mail"], "meeting": meeting}
    # Who follows them has not clicked: they lead to a page of ours, tracked or not.
    others = frozenset({meeting["url"], *(slot["url"] for slot in meeting["slots"])})
    return context, urls_of(delivery, house, recipient, others)


def context_of(delivery: Row, email: str) -> dict[str, Any]:
    """The variables of the template, from what was kept."""
    facts: Mapping[str, Any] = delivery.facts or {}
    told: Mapping[str, Any] = facts["mail"]
    if "question" in facts:
        told = {**told, "question": words_of(read_asked(facts))}
    if "meeting" in facts and (offer := read_offer(facts)) is not None:
        # Without the addresses, which depend on where the house can be reached: `render` puts them in.
        told = {**told, "meeting": addresses_of(offer, "")}
    contact = {**facts["contact"], "email": email}
    return {"contact": contact, "owner": facts["owner"], "sender": facts["sender"], "mail": told}


def urls_of(delivery: Row, house: House, recipient: Recipient, others: frozenset[str] = frozenset()) -> Urls:
    """The addresses in one mail; `others` are pages of ours beside those, which count as no click either."""
    facts: Mapping[str, Any] = delivery.facts or {}
    if house.is_by_mail_alone:
        sender = facts["sender"]["email"]
        return make_mail_urls(
            house.keys, house.inbound_domain, delivery.id, recipient.address_hash, sender=sender, others=others
        )
    return make_urls(
        house.keys,
        house.base_url,
        delivery.id,
        recipient.address_hash,
        is_tracked=bool(facts.get("is_tracked")),
        has_pixel=bool(facts.get("has_pixel")),
        tag=tagging_of(delivery, house.base_url),
        others=others,
    )


def tagging_of(delivery: Row, base_url: str) -> Tag:
    """How the links of this very mail are tagged: as it was published when the mail was first rendered."""
    kept = (delivery.facts or {}).get("utm")
    if kept is None:
        return as_authored
    domains = tuple(kept["domains"])
    return _tagging(kept["source"], kept["medium"], domains, delivery.campaign, delivery.mail, base_url)


@lru_cache(maxsize=256)
def _tagging(source: str, medium: str, domains: tuple[str, ...], campaign: str, mail: str, base_url: str) -> Tagging:
    return Tagging(Utm(source, medium, frozenset(domains)), campaign.partition(":")[2], mail, base_url)


def compose(
    mail: CompiledMail, delivery: Row, house: House, recipient: Recipient, email: str, relay: str = ""
) -> Composed:
    """The whole message, the same bytes every time; only where it comes back to depends on the `relay`."""
    facts: Mapping[str, Any] = delivery.facts or {}
    sender: Mapping[str, str] = facts["sender"]
    delivery_id, purpose, from_email = delivery.id, delivery.purpose, sender["email"]
    to_email, to_name, address_hash = recipient
    context, urls = _given(delivery, house, recipient, email)
    domain, letterhead = _letterhead(
        sender["name"],
        from_email,
        facts["rendered_at"],
        purpose,
        delivery.campaign,
        delivery.mail,
        facts["mail"].get("title", ""),
        bool(urls.one_click),
    )
    leave_mail = house.leave_mail(delivery_id, address_hash)
    complain_to = house.complain_to(purpose, delivery_id)
    given = Headers(
        letterhead,
        facts.get("to_name", to_name),
        to_email,
        delivery.message_id or message_id(house.keys, delivery_id, domain),
        house.reply_to(purpose, delivery_id),
        headers_of_a_reader(purpose, domain, leave_url=urls.one_click, leave_mail=leave_mail, complain_to=complain_to),
    )
    wire = compile_wire(mail).write(context, urls, given)
    mail_from = house.mail_from(purpose, delivery_id, from_email, relay)
    return Composed(
        mail_from,
        to_email,
        # Last of all: whatever is changed after this breaks the signature.
        sign(signers, wire.head, wire.body) if (signers := house.signers_for(domain)) else b"",
        wire,
        mail_from.partition("@")[0] if mail_from != from_email else "",
        not letterhead.is_ascii,
    )


@lru_cache(maxsize=256)
def _letterhead(
    from_name: str,
    from_email: str,
    rendered_at: str,
    purpose: str,
    campaign: str,
    mail: str,
    title: str,
    takes_one_click: bool,  # noqa: FBT001  # cheaper so, and this is asked for every message
) -> tuple[str, Letterhead]:
    """What the mails of one claim have in common, and the domain they are from."""
    domain = from_email.rpartition("@")[2].lower()
    shared = headers_of_a_mail(
        purpose, campaign, list_domain=domain, list_title=title, mail=mail, takes_one_click=takes_one_click
    )
    mark = "[Test] " if purpose == Purpose.TEST else ""
    return domain, Letterhead(from_name, from_email, datetime.fromisoformat(rendered_at), shared, mark)
