"""`nurture segments`: the saved conditions, how many they are, who is in one, and why somebody is or is not."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import Json
from nurture.cli.output import emit, say, table
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.conditions import Condition, Words
    from nurture.database.engine import Session

_SAMPLE = 10


def register(app: typer.Typer) -> None:
    segments = typer.Typer()
    segments.callback(invoke_without_command=True)(list_segments)
    segments.command("show")(show)
    app.add_typer(segments, name="segments")


def list_segments(context: typer.Context, as_json: Json = False) -> None:
    """List the segments of campaigns/segments.yaml with how many contacts each holds now.

    Example: nurture segments
    """
    if context.invoked_subcommand is not None:
        return
    with opened() as house:
        words = house.workspace().words
        with house.database.reading() as session:
            found = [
                {"name": name, "count": _count(session, house, _saved(name, words), words), "condition": _flat(text)}
                for name, text in words.segments.items()
            ]
    if as_json:
        emit(found)
        return
    rows = [(one["name"], one["count"], one["condition"]) for one in found]
    table(
        ("segment", "contacts", "condition"), rows, empty="No segment is saved; write one in campaigns/segments.yaml."
    )


def show(
    name: Annotated[str, typer.Argument(help="The segment, as segments.yaml calls it.")] = "",
    where: Annotated[str, typer.Option(help="A condition that is not saved, such as 'country == \"DE\"'.")] = "",
    count: Annotated[bool, typer.Option("--count", help="Only say how many there are.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Only show some of them.")] = False,
    email: Annotated[
        str, typer.Option("--explain", metavar="EMAIL", help="Why is this person in, or not? Clause by clause.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show a segment, or a condition that is not saved: how many people it holds, some of them, why somebody is in or out.

    The sample is drawn from all of them and stays the same from call to call.

    Example: nurture segments show gone-quiet --explain ana@reader.example
    """
    from nurture.errors import BadInput, NotFound, did_you_mean

    if sum(map(bool, (count, sample, email))) > 1:
        raise BadInput("choose one of --count, --sample and --explain.")
    with opened() as house:
        words = house.workspace().words
        if bool(name) == bool(where):
            raise BadInput("name a segment, or give a condition with --where.")
        if name and name not in words.segments:
            raise NotFound(f'there is no segment "{name}".{did_you_mean(name, words.segments)}')
        condition = _saved(name, words) if name else _unsaved(where, words)
        with house.database.reading() as session:
            if email:
                _explain(session, house, condition, words, email, as_json)
                return
            known: dict[str, Any] = {
                "segment": name or None,
                "condition": _flat(words.segments[name] if name else where),
            }
            if not sample:
                known["count"] = _count(session, house, condition, words)
            if not count:
                known["sample"] = _some(session, house, condition, words)
    if as_json:
        emit(known)
        return
    say(known["condition"])
    if "count" in known:
        say(f"{counted(known['count'], 'contact')}")
    if "sample" in known:
        rows = [tuple(one.values()) for one in known["sample"]]
        table(("address", "company", "country", "stage", "score"), rows, empty="Nobody is in it.")


def _saved(name: str, words: "Words") -> "Condition":
    return _parsed(f'in_segment("{name}")', words, name)


def _unsaved(text: str, words: "Words") -> "Condition":
    return _parsed(text, words, "--where")


def _parsed(text: str, words: "Words", where: str) -> "Condition":
    from nurture.conditions import ConditionError, parse
    from nurture.errors import BadInput

    try:
        return parse(text, words)
    except ConditionError as error:
        raise BadInput(f"{where}: column {error.column}: {error}{f'; {error.hint}' if error.hint else ''}") from None


def _count(session: "Session", house: "App", condition: "Condition", words: "Words") -> int:
    from nurture.contacts.store import count_contacts

    now = house.clock.now()
    return count_contacts(session, house.language.clause_of(session, condition, words, now, of_everybody=True))


def _some(session: "Session", house: "App", condition: "Condition", words: "Words") -> list[dict[str, Any]]:
    from nurture.contacts.store import sample_contacts

    clause = house.language.clause_of(session, condition, words, house.clock.now(), of_everybody=True)
    return [
        {
            "email": one.email, "company": one.company, "country": one.country, "stage": one.stage, "score": one.score,
        }
        for one in sample_contacts(session, clause, _SAMPLE)
    ]  # fmt: skip


def _explain(
    session: "Session", house: "App", condition: "Condition", words: "Words", email: str, as_json: bool
) -> None:
    from nurture.contacts.actions import get_contact
    from nurture.contacts.reasons import explain
    from nurture.sequences.known import evidence, gather_known

    contact = get_contact(session, email)
    facts = gather_known(session, [contact.id], house.clock.now())[contact.id]
    reason = explain(condition, facts, words.predicates, lambda asked: evidence(facts, asked))
    if as_json:
        emit({"email": contact.email, "is_in": reason.holds, "reason": reason.to_json()})
        return
    say(f"{contact.email} is {'in' if reason.holds else 'not in'}:")
    for line in reason.lines():
        say(f"  {line}")


def _flat(text: str) -> str:
    """A condition on one line; its line breaks are only layout."""
    return " ".join(text.split())
