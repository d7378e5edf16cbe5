"""`nurture contacts erase`, `contacts export EMAIL --all` and `nurture audit`: what people may ask for, and who did what."""

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import MOST, Email, Json
from nurture.cli.output import emit, say, shown, table, warn
from nurture.cli.workspace import folder, opened

if TYPE_CHECKING:
    from nurture.app.house import App

#: Files that may name somebody and are looked into; what is larger is no text of ours.
_LARGEST = 100 * 2**20
_NOT_OURS = {".git", ".venv", "node_modules"}


def register(app: typer.Typer) -> None:
    app.command("audit")(show_audit)


def erase(
    email: Email,
    because: Annotated[str, typer.Option(help="Why, for the audit log; never with an address.")] = "they asked for it",
    as_json: Json = False,
) -> None:
    """Delete everything about a person; only a keyed hash of the address stays, so that no file brings them back.

    Mails that were counted stay as numbers without a name. The links of mails they have still let them leave. Files of
    yours that name the address are listed, and the workspace's refused.csv loses its lines about it; backups are yours
    to let expire: a restored one is cleaned at the next start.

    Example: nurture contacts erase ana@reader.example --because "asked by phone on 3 March"
    """
    from nurture.consent.rules import Proof
    from nurture.consent.suppressions.lists import because_of
    from nurture.contacts.addresses import get_address
    from nurture.privacy import erasing
    from nurture.settings import STATE_FOLDER

    reason = because_of(because)
    with opened() as house:
        now, address = house.clock.now(), get_address(email)
        proof = Proof("erased by the command line", by=getpass.getuser())
        with house.database.writing(durable=True) as session:
            was_known = erasing.begin(session, house.hasher.hash(address.key), proof=proof, now=now, because=reason)
        count = erasing.finish(house.database, now)
        words = erasing.spellings(address.email)
        cleaned, naming = _look_into_files(folder(), words)
    is_whole = bool(count) or not was_known
    if as_json:
        emit({"known": was_known, "erased": is_whole, "cleaned": cleaned, "files": naming})
        return
    if not was_known:
        say("There was no such contact; the address is refused from now on, as erased.")
    elif is_whole:
        say("Erased. What stays is a hash, so that the address is refused when a file brings it.")
    else:
        say("A mail to them is being sent this very second; `nurture run` erases the rest as soon as it is through.")
    for name in cleaned:
        warn(f"{name}: the lines about them were taken out.")
    for name in naming:
        if name.startswith(f"{STATE_FOLDER}/"):
            warn(
                f"{name}: names them still, in an entry that nobody can change (`nurture audit`, `nurture consent show`)."
            )
        else:
            warn(f"{name}: names them still; it is a file of yours, delete it or the line.")


def _look_into_files(place: Path, words: list[str]) -> tuple[list[str], list[str]]:
    """Take lines out of refused.csv, which we wrote; name the other files that have the address in them."""
    wanted = [word.encode() for word in words]
    cleaned, naming = [], []
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        if _NOT_OURS & set(parts) or not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        content = path.read_bytes()
        if not any(word in content.lower() for word in wanted):
            continue
        name = str(path.relative_to(place))
        if path.name == "refused.csv":
            lines = content.splitlines(keepends=True)
            path.write_bytes(b"".join(one for one in lines if not any(word in one.lower() for word in wanted)))
            cleaned.append(name)
        else:
            naming.append(name)
    return cleaned, naming


def export_everything(house: "App", email: str, because: str) -> dict[str, Any]:
    """Everything about one contact, with a line in the audit log."""
    from nurture.contacts.actions import get_contact
    from nurture.database import audit
    from nurture.privacy.knowing import everything_about

    now = house.clock.now()
    with house.database.reading() as session:
        contact = get_contact(session, email)
        document = everything_about(session, contact, house.language, now)
    with house.database.writing() as session:
        who = getpass.getuser()
        audit.log(
            session, audit.EXPORTED, who=who, at=now, about=contact.address_hash, because=because, everything=True
        )
    return document


def write_everything(email: str) -> None:
    """The document on stdout."""
    with opened() as house:
        document = export_everything(house, email, "asked for everything about one person")
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def note_export(house: "App", file: Path | None, where: str) -> None:
    """Write down that people leave as a file."""
    from nurture.database import audit

    with house.database.writing() as session:
        about = f"contacts to {file.name if file else 'stdout'}".replace("@", " at ")
        because = f"where {where}" if where and "@" not in where else ""
        audit.log(session, audit.EXPORTED, who=getpass.getuser(), at=house.clock.now(), about=about, because=because)


def note_import(house: "App", file: Path, summary: Any) -> None:
    """Write down that people came in from a file."""
    from nurture.database import audit

    with house.database.writing() as session:
        audit.log(
            session, audit.IMPORTED, who=getpass.getuser(), at=house.clock.now(), about=file.name.replace("@", " at "),
            read=summary.read, created=summary.created, updated=summary.updated,
        )  # fmt: skip


def show_audit(
    what: Annotated[str, typer.Option(help="Only exported, imported, erased, lifted, suppressed, published …")] = "",
    limit: Annotated[int, typer.Option(min=0, max=MOST, help="At most so many; 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who exported, imported, erased, lifted a suppression, published or changed the consent table, and why.

    Nothing changes or deletes an entry. People stand there by the hash of their address.

    Example: nurture audit --what lifted
    """
    from nurture.database.audit import list_entries

    with opened() as house, house.database.reading() as session:
        found = list_entries(session, what=what, limit=limit)
    if as_json:
        emit(
            [
                {
                    "at": one.at,
                    "who": one.who,
                    "what": one.what,
                    "about": one.about,
                    "because": one.because,
                    **one.details,
                }
                for one in found
            ]
        )
        return
    table(
        ("at", "who", "what", "about", "because"),
        [(shown(one.at), one.who, one.what, one.about, one.because) for one in found],
        empty="Nothing yet: imports, exports, erasures, liftings and publishes are written down here.",
    )
