"""`nurture contacts`: bring people in, look at them, tag them, take them out again as a file."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import knowing, person
from nurture.cli.files import export, import_file
from nurture.cli.options import (
    MOST,
    ConsentBasis,
    ConsentOn,
    Email,
    Json,
    ListName,
    Source,
    TopicName,
    Where,
    clause_of,
)
from nurture.cli.output import emit, say, table, warn
from nurture.cli.privacy import erase
from nurture.cli.told import did
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App


def register(app: typer.Typer) -> None:
    contacts = typer.Typer(help="The people: import, add, show, list, tag, export.", no_args_is_help=True)
    contacts.command("import")(import_file)
    contacts.command("add")(add)
    contacts.command("show")(show)
    contacts.command("list")(list_people)
    contacts.command("tag")(tag)
    contacts.command("did")(did)
    contacts.command("export")(export)
    contacts.command("erase")(erase)
    person.register(contacts)
    knowing.register(contacts)
    app.add_typer(contacts, name="contacts")


def add(
    email: Email,
    first_name: Annotated[str, typer.Option(help="Their first name.")] = "",
    last_name: Annotated[str, typer.Option(help="Their last name.")] = "",
    company: Annotated[str, typer.Option(help="Where they work.")] = "",
    job_title: Annotated[str, typer.Option(help="What they do there.")] = "",
    country: Annotated[str, typer.Option(help="Code or name; it decides which law protects them.")] = "",
    language: Annotated[str, typer.Option(help="Code or name.")] = "",
    timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "",
    owner: Annotated[str, typer.Option(help="The operator they belong to, by address.")] = "",
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=VALUE", help="A field that settings.toml declares."),
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be given several times.")] = None,
    topic: TopicName = "",
    consent: ConsentBasis = "",
    consent_on: ConsentOn = "",
    list_name: ListName = "",
    source: Source = "",
    as_json: Json = False,
) -> None:
    """Add one contact, or add to what is known about one.

    Someone who opted out stays as they are; the command says so and exits 1.

    Example: nurture contacts add ana@reader.example --first-name Ana --country DE --consent opt-in
    """
    from nurture.cli.adding import add_contact, row_of
    from nurture.cli.importing import Given, terms_of

    with opened() as house:
        now = house.clock.now()
        cells = {
            "first_name": first_name, "last_name": last_name, "company": company, "job_title": job_title,
            "country": country, "language": language, "timezone": timezone, "owner": owner,
        }  # fmt: skip
        row = row_of(house, email, cells, field or [], tags or [])
        given = Given(topic, consent, consent_on, list_name, source)
        outcome = add_contact(house, row, terms_of(house, given, origin="the command line", now=now), now)
        known = _known(house, email)
    if as_json:
        emit({**known, "outcome": outcome})
    else:
        say(f"{known['email']}: {outcome}. {_permission_sentence(known)}")


def show(email: Email, as_json: Json = False) -> None:
    """Show everything about one contact: whether they may be mailed and why, their sequences and mails, what they did.

    Example: nurture contacts show ana@reader.example
    """
    with opened() as house:
        known = _known(house, email)
    if as_json:
        emit(known)
    else:
        from nurture.cli.portrait import show_portrait

        show_portrait(known)


def list_people(
    announce: Annotated[bool, typer.Option("--announce", help="Only those who may be announced to.")] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Only those who must be asked first.")] = False,
    never: Annotated[bool, typer.Option("--never", help="Only those who may never be written to.")] = False,
    where: Where = "",
    topic: TopicName = "",
    limit: Annotated[int, typer.Option(min=0, max=MOST, help="At most so many; 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """List contacts with the pile they lie on for a topic, and the law or the no that put them there.

    Example: nurture contacts list --ask --where 'country == "DE"'
    """
    from itertools import islice

    from nurture.cli.importing import topic_of
    from nurture.cli.piles import walk
    from nurture.consent.rules import Pile
    from nurture.errors import BadInput

    chosen = [pile for pile, is_wanted in zip(Pile, (announce, ask, never), strict=True) if is_wanted]
    if len(chosen) > 1:
        raise BadInput("--announce, --ask and --never are three piles; choose one, or none for all of them.")
    with opened() as house:
        about = topic_of(house, topic)
        people = walk(house, about, clause_of(house, where), chosen[0] if chosen else None)
        found = list(islice(people, limit + 1 if limit else None))
    has_more, found = bool(limit) and len(found) > limit, found[: limit or None]
    if as_json:
        emit(found)
        return
    columns = ("email", "name", "company", "country", "owner", "stage", "pile", "because")
    table(
        columns,
        [tuple(person[column] for column in columns) for person in found],
        empty="Nobody. `nurture contacts import FILE` brings people in."
        if not (chosen or where)
        else "Nobody here fits that.",
    )
    if has_more:
        warn(f"These are the first {limit:,}; --limit 0 shows everybody.")


def tag(
    email: Email,
    name: Annotated[str, typer.Argument(metavar="TAG", help="The tag.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag off.")] = False,
    as_json: Json = False,
) -> None:
    """Put a tag on a contact, or take it off.

    Example: nurture contacts tag ana@reader.example pilot-customer
    """
    from nurture.contacts import actions, store
    from nurture.contacts.columns import read_tag
    from nurture.contacts.history.rules import Author

    wanted = read_tag(name)
    with opened() as house, house.database.writing() as session:
        contact = actions.get_contact(session, email)
        change = actions.untag_contact if remove else actions.tag_contact
        change(session, contact.id, wanted, house.clock.now(), Author("command line"))
        tags = store.tags_of(session, [contact.id]).get(contact.id, frozenset())
    if as_json:
        emit({"email": contact.email, "tags": tags})
    else:
        say(f"{contact.email} has {'the tags ' + ', '.join(sorted(tags)) if tags else 'no tags'}.")


def _known(house: "App", email: str) -> dict[str, Any]:
    from nurture.cli.past import past_of
    from nurture.cli.portrait import portrait_of
    from nurture.contacts.actions import get_contact

    with house.database.reading() as session:
        contact = get_contact(session, email)
        known = portrait_of(session, contact, list(house.declared.topics), house.clock.now())
        return {**known, **past_of(session, house, contact)}


def _permission_sentence(known: dict[str, Any]) -> str:
    if known["mailable"]:
        return f"May be mailed about {', '.join(known['topics'])}."
    return " ".join(f"Gets no mail about {one['topic']}: {one['because']}." for one in known["refused_because"])
