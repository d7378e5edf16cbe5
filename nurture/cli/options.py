"""Options that several commands about contacts share, and what `--where` means."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.database.conditions import Clause

#: More than there will ever be of anything, and still a number for every database and every loop.
MOST = 1_000_000_000

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Email = Annotated[str, typer.Argument(help="The contact's address.")]
TopicName = Annotated[str, typer.Option("--topic", help="The topic; needed if settings.toml declares several.")]
ConsentBasis = Annotated[
    str,
    typer.Option(
        "--consent",
        metavar="BASIS",
        help="On which basis people who state none may be written to: "
        "opt-in, double-opt-in, customer, inquiry, met, published or legitimate-interest.",
    ),
]
ConsentOn = Annotated[str, typer.Option(metavar="DATE", help="Since when that basis holds, such as 2026-01-31.")]
ListName = Annotated[str, typer.Option("--list", help="Put them on this list.")]
Source = Annotated[str, typer.Option(help="Where they come from, if nobody knows yet: trade show, referral, crm …")]
Where = Annotated[str, typer.Option(help="Only those for whom this condition holds, such as 'country == \"DE\"'.")]


def clause_of(house: "App", where: str) -> "Clause | None":
    """The condition in SQL, None if there is none."""
    from nurture.conditions import ConditionError, parse
    from nurture.errors import BadInput

    if not where:
        return None
    words = house.workspace().words
    try:
        condition = parse(where, words)
    except ConditionError as error:
        raise BadInput(f"--where: column {error.column}: {error}{f'; {error.hint}' if error.hint else ''}") from None
    with house.database.reading() as session:
        return house.language.clause_of(session, condition, words, house.clock.now())
