"""`nurture contacts merge`, `history`, `assign`, `link`: who somebody is, whose they are, and what changed about them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import MOST
from nurture.cli.output import emit, say, shown, table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.contacts.assignment.rules import Assigned
    from nurture.merging.actions import Merged

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Email = Annotated[str, typer.Argument(help="The contact's address.")]

_CHUNK = 200


def register(contacts: typer.Typer) -> None:
    contacts.command("merge")(merge)
    contacts.command("history")(history)
    contacts.command("assign")(assign)
    contacts.command("link")(link)


def merge(
    keep: Annotated[str, typer.Argument(metavar="KEEP", help="The contact that stays, by address.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The contact that becomes part of it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    as_json: Json = False,
) -> None:
    """Make two contacts who are one person one: the strictest consent, every no, and all they did and got.

    Nobody becomes mailable by it: a no of either is a no, and a yes that only OTHER gave is no yes for KEEP. What KEEP
    says about themselves stays, gaps are filled. KEEP is mailed no step of a sequence, announcement or issue that OTHER
    had. OTHER's address is kept by its hash: the way out in old mails works on. There is no way back.

    Example: nurture contacts merge ana@reader.example ben@reader.example --dry-run
    """
    from nurture.contacts.history.rules import Author
    from nurture.merging.actions import merge as make_one

    with opened() as house:
        now = house.clock.now()
        with house.database.writing(durable=True) as session:
            done = make_one(session, house.language, keep, other, now, Author("command line", "contacts merge"))
            if dry_run:
                session.rollback()
    if as_json:
        emit({**_merged(done), "dry_run": dry_run})
    else:
        _tell(done, is_rehearsal=dry_run)


def _merged(done: "Merged") -> dict[str, Any]:
    return {
        "keep": done.keep,
        "other": done.other,
        "changes": [{"field": one.field, "before": one.before, "after": one.after} for one in done.changes],
        "consents": [
            {"topic": topic or None, "purpose": purpose, "before": before, "after": after}
            for topic, purpose, before, after in done.consents
        ],
        "yes_of_other_only": done.lost_yeses,
        "suppressions": done.suppressions,
        "moved": done.moved,
        "sequences_ended": done.ended,
        "steps_passed": done.passed,
        "score": done.score,
    }


def _tell(done: "Merged", *, is_rehearsal: bool) -> None:
    say(f"{done.other} {'would become' if is_rehearsal else 'is now'} part of {done.keep}.")
    for one in done.changes:
        say(f"  {one.field}: {one.before or '–'} → {one.after or '–'}")
    for topic, purpose, before, after in done.consents:
        say(f"  {purpose}{f' about {topic}' if topic else ''}: {before} → {after}")
    for topic in done.lost_yeses:
        say(
            f"  {done.other} agreed to {topic} and {done.keep} did not: that yes was for the other address and ends. "
            f"To keep it, merge the other way round, or ask again."
        )
    for reason in done.suppressions:
        say(f"  {done.keep} gets no more mail: {reason.replace('_', ' ')}, said for the other address")
    for sequence in done.ended:
        say(f"  {sequence}: the other contact's way ends")
    for sequence, steps in done.passed.items():
        say(f"  {sequence}: not mailed again: {', '.join(steps)}")
    moved = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(done.moved.items()))
    if moved:
        say(f"  moved: {moved}")
    say(f"  {done.score:g} points together")


def history(
    email: Email,
    limit: Annotated[int, typer.Option(min=0, max=MOST, help="At most so many; 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """Show every change of what is known about a contact: what it was and is, who changed it, when, and from where.

    Example: nurture contacts history ana@reader.example
    """
    from nurture.contacts.actions import get_contact
    from nurture.contacts.history.store import list_changes

    with opened() as house, house.database.reading() as session:
        found = list_changes(session, get_contact(session, email).id, limit or None)
    if as_json:
        emit(
            [
                {"changed_at": one.changed_at, "field": one.field, "before": one.before, "after": one.after, "by": one.by,
                 "how": one.how or None}
                for one in found
            ]
        )  # fmt: skip
        return
    table(
        ("when", "what", "before", "after", "who", "from where"),
        [(one.changed_at, one.field, one.before, one.after, one.by or None, one.how or None) for one in found],
        empty="Nothing about them has changed since they came in.",
    )


def assign(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who would get whom.")] = False,
    as_json: Json = False,
) -> None:
    """Give everybody who belongs to nobody an owner, by the published [[assignment]] rules of settings.toml.

    `nurture run` does it for whoever is new or changed. Nobody's owner is taken away.

    Example: nurture contacts assign --dry-run
    """
    from nurture.campaigns.declared import find_declared

    with opened() as house:
        with house.database.reading() as session:
            declared = find_declared(session)
            has_rules = bool(declared and declared.assignment)
        rows, left = (_foresee(house) if dry_run else _assign(house)) if has_rules else ([], 0)
    if as_json:
        emit({"assigned": rows, "without_owner": left, "dry_run": dry_run})
        return
    if not has_rules:
        say("No rule is published: write [[assignment]] in settings.toml and type `nurture publish`.")
        return
    table(("contact", "owner", "because"), [tuple(one.values()) for one in rows], empty="Nobody got an owner.")
    if left:
        say(f"{left:,} belong to nobody still: no rule holds for them, or nobody of it works here.")


def _assign(house: "App") -> tuple[list[dict[str, Any]], int]:
    """Who got whom, and how many belong to nobody still; in transactions that hold the lock for a moment each."""
    from nurture.consent.imports import Pace
    from nurture.contacts.assignment.actions import assign_owners, page_of_ownerless
    from nurture.contacts.store import list_contacts

    rows: list[dict[str, Any]] = []
    left = after = 0
    pace = Pace(house.clock)
    while True:
        with house.database.writing() as session:
            session.connection()  # waits for the lock
            pace.begin()
            ids = page_of_ownerless(session, after, pace.rows)
            done = assign_owners(session, house.language, ids, house.clock.now())
            known = list_contacts(session, [one.contact_id for one in done])
            rows += [_given(one, known[one.contact_id].email) for one in done]
        pace.end(len(ids))
        if not ids:
            return rows, left
        left, after = left + len(ids) - len(done), ids[-1]


def _foresee(house: "App") -> tuple[list[dict[str, Any]], int]:
    """The same, in thought."""
    from nurture.contacts.assignment.actions import foresee, page_of_ownerless, turns_taken
    from nurture.contacts.store import list_contacts

    rows: list[dict[str, Any]] = []
    left = after = 0
    with house.database.reading() as session:
        turns = turns_taken(session)
        while ids := page_of_ownerless(session, after, _CHUNK):
            found, turns = foresee(session, house.language, ids, turns, house.clock.now())
            known = list_contacts(session, [one.contact_id for one in found])
            rows += [_given(one, known[one.contact_id].email) for one in found]
            left, after = left + len(ids) - len(found), ids[-1]
    return rows, left


def _given(one: "Assigned", email: str) -> dict[str, Any]:
    return {"email": email, "owner": one.operator, "because": one.because}


def link(
    email: Email,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="linkedin, xing, github, website or other.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of the profile, over https.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the link away.")] = False,
    as_json: Json = False,
) -> None:
    """Keep a link to a profile of theirs; colleagues see it, and nothing of ours ever opens it.

    Example: nurture contacts link ana@reader.example linkedin https://www.linkedin.com/in/ana-ruiz
    """
    from nurture.contacts.actions import get_contact, set_link
    from nurture.contacts.history.rules import Author
    from nurture.contacts.links import read_kind, read_link
    from nurture.errors import BadInput

    name = read_kind(kind)
    if not url and not remove:
        raise BadInput(f"say where it leads, such as https://…, or --remove to take the {name} link away.")
    kept = None if remove else read_link(name, url)
    with opened() as house, house.database.writing() as session:
        contact = get_contact(session, email)
        set_link(session, contact, name, kept, house.clock.now(), Author("command line", "contacts link"))
    if as_json:
        emit({"email": contact.email, "links": contact.links})
    else:
        told = ", ".join(f"{one}: {shown(where)}" for one, where in sorted(contact.links.items()))
        say(f"{contact.email}: {told or 'no links'}.")
