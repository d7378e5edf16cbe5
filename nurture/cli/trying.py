"""`nurture preview` and `send-test`: see a mail before anybody gets it."""

import getpass
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.output import emit, say, write
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.campaigns.reading import Unit
    from nurture.contacts.store import Contact
    from nurture.database.engine import Session
    from nurture.delivery.composing import Recipient
    from nurture.delivery.store import Delivery
    from nurture.rendering.compiling import CompiledMail

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Mail = Annotated[
    str, typer.Argument(metavar="MAIL", help="A template, SEQUENCE:STEP, or NEWSLETTER:announcement, NEWSLETTER:ISSUE.")
]
Someone = Annotated[str, typer.Option("--contact", help="As this contact would get it; default: somebody invented.")]


def register(app: typer.Typer) -> None:
    app.command("preview")(preview)
    app.command("send-test")(send_test)


@dataclass(frozen=True)
class Wanted:
    """A mail of the files as they are now: the unit it would be published in, and its name there."""

    unit: "Unit"
    mail: str


def preview(
    mail: Mail,
    contact: Someone = "",
    out: Annotated[Path | None, typer.Option(help="Write it here: .eml, .html or .txt says which form.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="How much of it is the same for all readers; MAIL may be a folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a mail of the files as somebody would get it. Nothing is sent or published.

    Example: nurture preview evaluators:report --contact ana@reader.example --out report.html
    """
    from nurture.cli.explaining import show_shares
    from nurture.delivery import composing
    from nurture.errors import BadInput

    if explain:
        with opened() as house:
            show_shares(house, mail, as_json=as_json)
        return
    if out is not None and out.suffix not in {".eml", ".html", ".txt"}:
        raise BadInput(f"{out}: end the name with .eml, .html or .txt, which says what to write.")
    with opened() as house:
        wanted = find_mail(house, mail)
        with house.database.reading() as session:
            person = person_of(session, house, contact)
            drafted = draft_for(session, house, wanted, person)
            rendered = composing.render(drafted.mail, drafted.delivery, house.house, drafted.recipient, person.email)
            message = composing.compose(
                drafted.mail, drafted.delivery, house.house, drafted.recipient, person.email
            ).content
    if out is not None:
        forms: dict[str, str | bytes] = {".eml": message, ".html": rendered.html, ".txt": rendered.text}
        write(out, forms[out.suffix])
    if as_json:
        emit({"subject": rendered.subject, "html": rendered.html, "text": rendered.text})
    elif out is None:
        say(f"Subject: {rendered.subject}\n")
        say(rendered.text)
    else:
        say(f"{out}: {out.stat().st_size:,} bytes, as {person.email} would get it.")


def send_test(
    mail: Mail,
    to: Annotated[str, typer.Option("--to", help="An operator, or an address in senders.test_domains.")],
    contact: Someone = "",
    as_json: Json = False,
) -> None:
    """Send a mail of the files to a colleague, marked as a test in its subject; its links change nobody.

    Example: nurture send-test weekly:announcement --to you@acme.example
    """
    from nurture.campaigns.publishing import freeze_draft
    from nurture.contacts.addresses import get_address
    from nurture.errors import NotAllowed

    with opened() as house:
        address = get_address(to)
        operators = {one["email"].lower() for one in house.declared.operators}
        if address.email.lower() not in operators and address.domain not in house.boundary.test_domains:
            raise NotAllowed(
                f"{to} is neither an operator of settings.toml nor in senders.test_domains; "
                f'add "{address.domain}" there if that domain is yours.'
            )
        wanted = find_mail(house, mail)
        with house.database.writing(durable=True) as session:
            version = freeze_draft(session, wanted.unit, published_by=getpass.getuser(), now=house.clock.now())
            queued = _queue_test(session, house, wanted, address.email, contact, version)
        status, reply, pause = _send(house, queued)
    if as_json:
        emit({"id": str(queued), "to": address.email, "status": status, "reply": reply or pause})
        if status != "sent":
            raise typer.Exit(1)
    elif status == "sent":
        say(f"{mail} is on its way to {address.email}.")
    elif pause:
        raise NotAllowed(f"{mail} was not sent to {address.email} yet. {pause} Then it leaves by itself.")
    else:
        raise NotAllowed(f"{mail} was not sent to {address.email}: {', '.join(filter(None, (status, reply)))}.")


def _queue_test(session: "Session", house: "App", wanted: Wanted, to: str, contact: str, version_id: int) -> int:
    from nurture.delivery import composing
    from nurture.delivery.facts import gather_facts, gather_people
    from nurture.delivery.store import add_delivery
    from nurture.tracking.store import answers_of

    person = person_of(session, house, contact)
    delivery = _draft(house, wanted, person, version_id=version_id, to=to)
    uses = composing.mail_of(wanted.unit.content, wanted.mail).uses
    people = gather_people(session, [person.id], answers_of)
    delivery.facts = gather_facts(
        people, delivery, wanted.unit.content, house.declared, house.clock.now(), uses, contact=person
    )
    add_delivery(session, delivery)
    return delivery.id


def _send(house: "App", delivery_id: int) -> tuple[str, str, str]:
    """Send one delivery: what became of it, why, and the pause it waits for if nothing but that is in its way."""
    import asyncio

    from nurture.cli.briefing import words_of_pause
    from nurture.delivery.store import get_delivery
    from nurture.engines.sending import Heart

    async def drain(worker: int) -> str:
        sender = house.sender(worker)
        try:
            return (await sender.drain(house.clock.now(), only=[delivery_id]))[1]
        finally:
            await sender.close()

    with Heart(house.database) as heart:
        relay_down = asyncio.run(drain(heart.worker))
    with house.database.reading() as session:
        delivery = get_delivery(session, delivery_id)
        why = relay_down or delivery.reply or delivery.because or ""
        is_waiting = delivery.status == "queued" and not why
        return delivery.status, why, words_of_pause(session) if is_waiting else ""


@dataclass(frozen=True)
class Drafted:
    """A mail as one person would get it, not queued anywhere."""

    mail: "CompiledMail"
    delivery: "Delivery"
    recipient: "Recipient"


def draft_for(session: "Session", house: "App", wanted: Wanted, person: "Contact") -> Drafted:
    """Everything that `composing` needs to show a mail of the files to us."""
    from nurture.delivery import composing
    from nurture.delivery.facts import gather_facts, gather_people
    from nurture.delivery.offering import SAMPLE_MEETING
    from nurture.tracking.store import answers_of

    delivery = _draft(house, wanted, person, version_id=0)
    mail = composing.mail_of(wanted.unit.content, wanted.mail)
    delivery.facts = gather_facts(
        gather_people(session, [person.id], answers_of),
        delivery,
        wanted.unit.content,
        house.declared,
        house.clock.now(),
        mail.uses,
        contact=person,
    )
    if wanted.mail in wanted.unit.content.get("meetings", {}) and delivery.facts["meeting"] is None:
        # Before the first `publish` nobody works here whom one could meet.
        delivery.facts["mail"]["meeting"] = dict(SAMPLE_MEETING)
    return Drafted(mail, delivery, composing.recipient_of(person))


def find_mail(house: "App", name: str) -> Wanted:
    """The mail of that name in the files, or what stands in the way of it."""
    from nurture.errors import NotFound, did_you_mean

    campaign, _, part = name.partition(":")
    if not part:
        return _template(house, name)
    units = units_of(house, "sequence", "newsletter", "issue")
    for unit in units:
        if unit.name in {campaign, f"{campaign}/{part}"} and part in unit.content["mails"]:
            return Wanted(unit, part)
    known = [f"{unit.name.partition('/')[0]}:{mail}" for unit in units for mail in unit.content["mails"]]
    raise NotFound(f'there is no mail "{name}".{did_you_mean(name, known)} `nurture check` says what cannot be read.')


def _template(house: "App", name: str) -> Wanted:
    from nurture.campaigns.reading import Unit
    from nurture.delivery.kind import FOLDER
    from nurture.delivery.notices import KIND
    from nurture.rendering.loading import load_template

    path = name.removeprefix("templates/").removesuffix(".mjml").removesuffix(".md")
    # A note to operators is its own unit, in the starter's words where the workspace has none.
    for unit in units_of(house, KIND):
        if path == f"{FOLDER}/{unit.name}":
            return Wanted(unit, unit.name)
    source = load_template(house.workspace().templates, path, is_campaign=False)
    content = {"mails": {"mail": source.to_json()}, "about": {"title": path, "kind": "template"}}
    return Wanted(Unit("template", path, source.template, content), "mail")


def units_of(house: "App", *kinds: str) -> list["Unit"]:
    """What can be read of these kinds; a mistake elsewhere does not matter here."""
    from nurture.campaigns.publishing import read_workspace

    wanted = [kind for kind in house.kinds() if kind.name in kinds]
    return list(read_workspace(house.workspace(), wanted).units)


def person_of(session: "Session", house: "App", email: str) -> "Contact":
    """The contact of that address, or somebody invented who has everything a mail may ask for."""
    from nurture.contacts.actions import get_contact, new_contact
    from nurture.contacts.addresses import read_address
    from nurture.contacts.store import Contact

    if email:
        return get_contact(session, email)
    values = {
        "first_name": "Ana", "last_name": "Sample", "company": "Sample & Sons", "job_title": "Plant Manager",
        "country": "US", "timezone": "America/New_York", "language": "en",
        "fields": {name: _sample(one.type) for name, one in house.fields.items()},
    }  # fmt: skip
    address = read_address("ana@reader.example")
    return Contact(**new_contact(address, house.hasher, house.clock.now(), **values))


def _sample(kind: str) -> str | int | bool:
    samples: dict[str, str | int | bool] = {"number": 120, "date": "2026-06-30", "flag": True}
    return samples.get(kind, "manufacturing")


def _draft(house: "App", wanted: Wanted, person: "Contact", *, version_id: int, to: str | None = None) -> "Delivery":
    """A delivery of a mail that is not published: only shown, or sent to ourselves."""
    from nurture.consent.rules import Purpose
    from nurture.database.columns import new_id
    from nurture.delivery.kind import sample_of
    from nurture.delivery.notices import KIND
    from nurture.delivery.rules import Priority
    from nurture.delivery.store import Delivery

    content = wanted.unit.content
    definition = content.get("definition", {})
    newsletter = content.get("newsletter") or definition.get("newsletter")
    now = house.clock.now()
    is_note = wanted.unit.kind == KIND
    purpose = Purpose.INTERNAL if is_note else Purpose.CAMPAIGN
    return Delivery(
        id=new_id(),
        key=f"test:{secrets.token_hex(8)}",
        purpose=Purpose.TEST if to else purpose,
        campaign=f"newsletter:{newsletter}" if newsletter else f"{wanted.unit.kind}:{wanted.unit.name}",
        version_id=version_id,
        mail=wanted.mail,
        priority=Priority.SERVICE,
        test_address=to,
        domain=(to or person.email).rpartition("@")[2].lower(),
        topic=definition.get("topic", next(iter(house.declared.topics), "")),
        sender=definition.get("sender", "default"),
        queued_at=now,
        due_at=now,
        facts={"mail": dict(sample_of(wanted.mail))} if is_note else None,
    )
