"""`nurture contacts did`: what a form, a script or a colleague saw somebody do."""

from typing import Annotated

import typer

from nurture.cli.output import emit, say, shown
from nurture.cli.workspace import opened


def did(
    email: Annotated[str, typer.Argument(help="The contact's address.")],
    deed: Annotated[str, typer.Argument(metavar="DEED", help="What they did: submitted or booked.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="Which form they sent, or which meeting they booked.")],
    at: Annotated[str, typer.Option(help="When, such as 2026-03-01T09:00 (UTC without a zone); default: now.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take down that a contact sent a form or booked a meeting somewhere else: conditions ask for it.

    The contact must be known; `nurture contacts add` makes them known, with the basis on which they may be written to. The
    same thing told twice with the same --at counts once.

    Example: nurture contacts did ana@reader.example submitted demo-form
    """
    from nurture.cli.leads import instant
    from nurture.contacts.actions import get_contact
    from nurture.tracking.actions import record_told

    with opened() as house:
        now = house.clock.now()
        when = instant(at) if at else now
        with house.database.writing() as session:
            contact = get_contact(session, email)
            is_new = record_told(session, contact.id, deed, what, when, now)
    if as_json:
        emit({"email": contact.email, "did": deed, "what": what, "at": when, "new": is_new})
    elif is_new:
        say(f"{contact.email} {deed} {what} on {shown(when)} UTC.")
    else:
        say(f"That was known: {contact.email} {deed} {what} on {shown(when)} UTC.")
