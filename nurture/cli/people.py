"""`nurture enroll` and `nurture opt-out`: one person, by hand."""

from typing import Annotated

import typer

from nurture.cli.output import emit, say
from nurture.cli.workspace import opened

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("enroll")(enroll)
    app.command("opt-out")(opt_out)


def enroll(
    sequence: Annotated[str, typer.Argument(help="The sequence, as its file calls it.")],
    email: Annotated[str, typer.Argument(help="The contact.")],
    as_json: Json = False,
) -> None:
    """Put a contact at the start of a sequence.

    Someone who may not be mailed about its topic is not enrolled; the command says why and exits 1. Someone who is on
    another sequence that does not go together with this one comes in when that one ends.

    Example: nurture enroll evaluators ana@reader.example
    """
    from nurture.contacts.actions import get_contact
    from nurture.sequences.entries import Entry
    from nurture.sequences.entries import enroll as put_in

    with opened() as house:
        now = house.clock.now()
        with house.database.writing() as session:
            contact = get_contact(session, email)
            entry = put_in(session, house.language, sequence, contact, because="by hand", now=now)
        if as_json:
            emit({"sequence": sequence, "email": contact.email, "enrolled": entry is Entry.ENROLLED, "entry": entry})
            return
        match entry:
            case Entry.ENROLLED:
                say(f"{contact.email} starts in {sequence}. `nurture run` sends what is due.")
            case Entry.WAITS:
                say(f"{contact.email} is on another sequence, and starts in {sequence} when it ends.")
            case Entry.ALREADY:
                say(f"{contact.email} is on the way through {sequence} already, or waits for it; nothing changed.")


def opt_out(
    email: Annotated[str, typer.Argument(help="The address, of a contact or not.")],
    topic: Annotated[str, typer.Option("--topic", help="Leave only this topic.")] = "",
    as_json: Json = False,
) -> None:
    """End all marketing for an address, at once and for good; with --topic only that topic.

    Example: nurture opt-out ana@reader.example
    """
    from nurture.consent.actions import choose_topic
    from nurture.consent.suppressions import actions
    from nurture.contacts.actions import get_contact
    from nurture.contacts.addresses import get_address
    from nurture.errors import BadInput, did_you_mean

    with opened() as house:
        now = house.clock.now()
        address = get_address(email)
        with house.database.writing(durable=True) as session:
            if topic:
                if topic not in house.declared.topics:
                    known = did_you_mean(topic, house.declared.topics)
                    raise BadInput(f'settings.toml declares no topic "{topic}".{known}')
                contact = get_contact(session, email)
                changed = choose_topic(session, contact, topic, wanted=False, how="command line", now=now)
            else:
                address_hash = house.hasher.hash(address.key)
                changed = actions.opt_out(session, address_hash, how="command line", now=now)
        what = f" about {topic}" if topic else ""
        if as_json:
            emit({"email": address.email, "topic": topic or None, "changed": changed})
        else:
            say(
                f"{address.email} gets no more mail{what}."
                if changed
                else f"{address.email} got no mail{what} before; nothing changed."
            )
