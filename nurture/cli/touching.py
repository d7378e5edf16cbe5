"""`nurture touch`: what we did with a contact outside the mails of campaigns."""

from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.output import emit, say
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.contacts.store import Contact, Operator
    from nurture.database.engine import Session

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("touch")(touch)


def touch(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The contact.")] = "",
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="call, visit, linkedin, introduction, event or mail.")
    ] = "",
    note: Annotated[str, typer.Argument(metavar="NOTE", help="A line about it; colleagues will read it.")] = "",
    at: Annotated[str, typer.Option(help="When, such as 2026-03-09T15:00 (UTC) or 2026-03-09; default: now.")] = "",
    by: Annotated[str, typer.Option(metavar="OPERATOR", help="Who did it, by address; else their owner.")] = "",
    through: Annotated[str, typer.Option(metavar="EMAIL", help="The contact who introduced you.")] = "",
    wait: Annotated[
        bool | None,
        typer.Option("--wait/--go-on", help="Whether their sequences stand still for a week; else as usual."),
    ] = None,
    bcc: Annotated[
        str, typer.Option("--bcc-of", metavar="OPERATOR", help="Only show an operator's own address for BCC.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write down a call, a visit, a message on LinkedIn, an introduction, an event, or a mail of your own.

    After a call, a visit, a message or a mail their sequences stand still for a week, so that no automatic mail speaks
    into the conversation; newsletters go on. Nothing is sent anywhere. Mails note themselves: put the address that
    --bcc-of shows into BCC.

    Example: nurture touch ana@reader.example linkedin "congratulated her on the new line"
    """
    from nurture.cli.leads import instant
    from nurture.contacts.actions import get_contact
    from nurture.errors import BadInput
    from nurture.handoff.accounts.actions import get_rep
    from nurture.tracking.touches import rules
    from nurture.tracking.touches.actions import record_touch

    if bcc:
        _show_bcc(bcc, as_json)
        return
    if not (email and kind):
        raise BadInput('say with whom and what, such as nurture touch ana@reader.example call "spoke about prices".')
    what, words = rules.read_kind(kind), rules.read_note(note)
    with opened() as house:
        now = house.clock.now()
        with house.database.writing(durable=True) as session:
            contact = get_contact(session, email)
            rep = get_rep(session, by) if by else _owner(session, contact)
            until = record_touch(
                session, contact, what, words, rep, occurred_at=instant(at) if at else now, now=now,
                through=get_contact(session, through) if through else None, is_quiet=wait,
            )  # fmt: skip
    if as_json:
        emit({"email": contact.email, "kind": what, "by": rep.email, "quiet_until": until})
        return
    waits = f" Their sequences stand still until {until:%Y-%m-%d}." if until else ""
    say(f"{rep.name} {rules.WORDS[what]}: {contact.email}.{waits}")


def _owner(session: "Session", contact: "Contact") -> "Operator":
    """Whose touch it is if nobody says."""
    from nurture.contacts.store import Operator
    from nurture.errors import BadInput

    owner = session.get(Operator, contact.owner_id) if contact.owner_id else None
    if owner is None or not owner.is_declared:
        raise BadInput(
            f"{contact.email} has no owner who works here; say who did it with --by and an operator's address."
        )
    return owner


def _show_bcc(who: str, as_json: bool) -> None:
    from nurture.delivery.urls import own_local_part
    from nurture.errors import BadInput
    from nurture.handoff.accounts.actions import get_rep

    with opened() as house:
        domain = house.settings.inbound.domain
        if not domain:
            raise BadInput("mail does not reach us yet; set inbound.domain in settings.toml, and there is an address.")
        with house.database.reading() as session:
            rep = get_rep(session, who)
        address = f"{own_local_part(house.keys, rep.id)}@{domain}"
    if as_json:
        emit({"operator": rep.email, "bcc": address})
        return
    say(address)
    say(
        f"For {rep.name} alone, in BCC of mails to contacts: each is noted as a touch, and their sequences wait a week. "
        "Only the subject is kept."
    )
