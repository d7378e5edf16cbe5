"""One contact from the command line, taken in by the same rules as a row of a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.consent.terms import Terms
    from nurture.contacts.imports import ImportRow


def row_of(
    house: "App", email: str, cells: Mapping[str, str], fields: Sequence[str], tags: Sequence[str]
) -> "ImportRow":
    """The row that these options make; here a value that cannot be read is an error."""
    from nurture.contacts.cells import read_text
    from nurture.contacts.columns import Noted, read_tag, reader_of
    from nurture.contacts.fields import get_field
    from nurture.contacts.imports import ImportRow, read_cell_address
    from nurture.errors import BadInput

    given = {name: text for name, cell in cells.items() if (text := read_text(cell))}
    for pair in fields:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BadInput(f'--field "{pair}": write it as NAME=VALUE, such as --field company_size=120.')
        given[get_field(house.fields, name.strip()).name] = read_text(text)
    values = {}
    for name, text in given.items():
        match reader_of(name, house.fields)(text):
            case Noted(what):
                raise BadInput(f'{name}: "{text}" is {what.partition(";")[0]}.')
            case str() | int() | float() as value:
                values[name] = value
    owner = str(values.pop("owner", ""))
    try:
        address = read_cell_address(email)
    except BadInput as error:
        raise BadInput(f"{email}: {error}.") from None
    return ImportRow(0, address, values, owner, tuple(read_tag(tag) for tag in tags))


def add_contact(house: "App", row: "ImportRow", terms: "Terms", now: datetime) -> str:
    """Take the row in; whether the contact is new, changed or as before. Someone suppressed is left alone."""
    from nurture.consent.imports import import_rows
    from nurture.errors import NotAllowed

    *_, summary = import_rows(house.database, [row], terms, house.clock, now)
    if summary.refused:
        raise NotAllowed(f"{row.address.email}: {summary.refused[0].reason}. Nothing was changed.")
    if summary.opted_out:
        raise NotAllowed(
            f"{row.address.email} is on the suppression list (opted out, complained or bounced), so nothing was changed. "
            "They can come back by signing up themselves."
        )
    return next(word for word in ("created", "updated", "unchanged") if getattr(summary, word))
