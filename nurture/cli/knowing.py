"""`nurture contacts set`: what a colleague learned about somebody in a talk."""

from typing import Annotated

import typer

from nurture.cli.options import Email, Json
from nurture.cli.output import emit, say
from nurture.cli.workspace import opened


def register(contacts: typer.Typer) -> None:
    contacts.command("set")(set_what_is_known)


def set_what_is_known(
    email: Email,
    abilities: Annotated[
        list[str] | None,
        typer.Option(
            "--ability",
            metavar="NAME=WORD",
            help="authority, budget or timing = yes, no or unknown; may be given several times.",
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="OPERATOR", help="Who learned it, by address; else the owner.")
    ] = "",
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="How they know; colleagues read it.")] = "",
    as_json: Json = False,
) -> None:
    """Write down whether somebody can buy: may they decide, is there money, is it soon. Kept with who said so and when.

    Only what somebody said belongs here; nothing is ever inferred. A mail can ask as well: see docs/questions.md.

    Example: nurture contacts set ana@reader.example --ability budget=yes --because "said so on the phone"
    """
    from nurture.contacts.actions import get_contact
    from nurture.contacts.history.rules import Author
    from nurture.contacts.questions.actions import read_ability, set_abilities
    from nurture.contacts.questions.rules import abilities_told
    from nurture.contacts.store import find_operator, list_operators
    from nurture.errors import BadInput, NotFound

    if not abilities:
        raise BadInput("say what, such as --ability budget=yes.")
    wanted = dict(map(read_ability, abilities))
    with opened() as house, house.database.writing() as session:
        contact = get_contact(session, email)
        operator = find_operator(session, by) if by else None
        if by and (operator is None or not operator.is_declared):
            raise NotFound(f"{by} is no operator of settings.toml; `nurture publish` makes new ones known.")
        operator = operator or list_operators(session).get(contact.owner_id or 0)
        if operator is None:
            raise BadInput(f"{contact.email} has no owner; say who learned it: --by OPERATOR.")
        author = Author(operator.email, because or "command line")
        changed = set_abilities(session, contact, wanted, operator.email, author, house.clock.now())
        said = {name: {"is": getattr(contact, name), **contact.ability_said[name]} for name in wanted}
        told = abilities_told(contact)
    if as_json:
        emit({"email": contact.email, "changed": changed, "ability": said})
        return
    for name, line in told.items():
        say(f"{name}: {line}")
