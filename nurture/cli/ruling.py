"""`nurture consent table` and `nurture consent changes`: what a basis is worth where, and what was changed about that."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.consent.law.rules import ConsentTable

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
NO_ADVICE = "This table was written by engineers and is not legal advice; have a lawyer look over the rows you rely on."


def show_table(
    country: Annotated[str, typer.Option("--country", metavar="CODE", help="What holds in one country.")] = "",
    as_json: Json = False,
) -> None:
    """Show on which basis people may be written to, by which law, and when somebody looked it up.

    With a country: what decides there for each basis, for a company's address and for a private person's. A country
    without a row of its own counts as the strictest.

    Example: nurture consent table --country DE
    """
    from nurture.cli.importing import consent_table
    from nurture.contacts.countries import find_country
    from nurture.errors import BadInput

    code = find_country(country) if country else None
    if country and code is None:
        raise BadInput(f'--country: "{country}" is no country; write its code, such as DE.')
    with opened() as house:
        rows = consent_table(house)
        day = house.clock.now().date()
    found = _in_country(rows, code, day) if code else _rows(rows)
    if as_json:
        emit({"country": code, "is_listed": code in rows.countries if code else None, "rows": found, "note": NO_ADVICE})
        return
    if code and code not in rows.countries:
        say(f"{code} has no row of its own, so the strictest decides.")
    columns = tuple(found[0]) if found else ()
    table(
        [one.replace("_", " ") for one in columns],
        [tuple(", ".join(one) if isinstance(one, list) else one or None for one in row.values()) for row in found],
        empty="Nothing is in force yet: nobody may be written to. Type `nurture publish`.",
    )
    say(NO_ADVICE)


def _rows(rows: "ConsentTable") -> list[dict[str, Any]]:
    return [
        {
            "country": _names(row.countries), "who": row.who, "basis": sorted(row.bases), "says": row.says,
            "law": row.law, "checked_on": row.checked_on, "because": row.because or None,
        }
        for row in rows.rows
    ]  # fmt: skip


def _names(countries: frozenset[str]) -> list[str]:
    """Its countries; of the rest of the EEA, which is long, only that."""
    from nurture.consent.law.rules import EEA

    rest = "the rest of the EEA"
    return [rest, *sorted(countries - EEA)] if len(countries & EEA) > len(EEA) // 2 else sorted(countries)


def _in_country(rows: "ConsentTable", country: str, day: Any) -> list[dict[str, Any]]:
    """What decides there, one line for each basis and kind of address; both kinds on one where it is the same."""
    from nurture.consent.law.rules import Who, find_row, rule
    from nurture.consent.rules import NO_BASIS, Basis

    found: list[dict[str, Any]] = []
    for basis in (*Basis, NO_BASIS):
        lines = []
        for who in Who:
            row = find_row(rows, country, basis, who) if country in rows.countries else None
            ruling = rule(rows, country, basis, day, who)
            until = f" until {ruling.until}, if they said so today" if ruling.until and row is None else ""
            lines.append(
                {
                    "basis": basis, "who": who, "says": row.says if row else f"{ruling.pile}{until}",
                    "law": row.law if row else ruling.law, "checked_on": row.checked_on if row else None,
                    "because": (row.because if row else "") or None,
                }
            )  # fmt: skip
        same = {**lines[0], "who": None} == {**lines[1], "who": None}
        found += [{**lines[0], "who": None}] if same else lines
    return found


def changes(as_json: Json = False) -> None:
    """Show what this installation decides otherwise than the table it began with: since when, by whom, and why.

    Example: nurture consent changes
    """
    from nurture.consent.law.changes import says
    from nurture.consent.law.history import list_changes

    with opened() as house, house.database.reading() as session:
        found = [
            {
                "published_at": one.published_at, "published_by": one.published_by, "version": one.version,
                "country": one.difference.country, "who": one.difference.who, "basis": one.difference.basis,
                "before": says(one.difference.before), "after": says(one.difference.after),
                "law": one.difference.after.law if one.difference.after else None,
                "because": (one.difference.after.because if one.difference.after else "") or None,
            }
            for one in list_changes(session)
        ]  # fmt: skip
    if as_json:
        emit(found)
    else:
        table(
            ("published at", "by", "version", "country", "who", "basis", "before", "after", "law", "because"),
            [tuple(one.values()) for one in found],
            empty="The consent table decides what the one that nurture ships does.",
        )
