"""`campaigns/consent.yaml`: on which basis people in which country may be written to.

The rows are read from top to bottom and the first that fits decides. Each names its law and the day somebody checked
it. This is a starting point written by engineers, not legal advice.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator

from nurture.campaigns import store as campaigns
from nurture.campaigns.definitions import Definition, FileDefinition
from nurture.consent.law.rules import EEA, ConsentTable, Row, Who
from nurture.consent.rules import NO_BASIS, Basis, Pile
from nurture.database.engine import Session
from nurture.errors import did_you_mean

KIND = "consent"
NAME = "consent"
FILE = "consent.yaml"

PileName = Literal["announce", "ask", "never"]
WhoName = Literal["person", "company"]


class RowDefinition(Definition):
    """One row: who it is about, what may happen, and which law says so."""

    country: list[str] = Field(description='ISO codes, "EEA" for the whole area, or "*" for every country listed.')
    basis: list[str] = Field(description='Bases, "none" for people without one, or "*".')
    who: WhoName | None = Field(
        None, description="person or company: an address at a free provider is a person's. Left out: both."
    )
    then: PileName = Field(description="May get the announcement, must be asked first (not by us), or never.")
    within: int | None = Field(None, ge=1, description="Months since the basis began in which `then` holds.")
    otherwise: PileName = Field("never", description="What holds after that, or when the basis has no date.")
    law: str = Field(min_length=3, description="The law that says so.")
    checked_on: date = Field(description="The day somebody looked it up.")
    because: str = Field(
        "", description="Why this row decides otherwise than the one nurture ships; kept with every change."
    )

    @field_validator("country")
    @classmethod
    def _known_countries(cls, countries: list[str]) -> list[str]:
        for country in countries:
            if country not in {"EEA", "*"} and not (len(country) == 2 and country.isalpha() and country.isupper()):
                raise ValueError(f'"{country}" is not a country; write its ISO code, such as DE, or EEA, or "*".')
        return countries

    @field_validator("basis")
    @classmethod
    def _known_bases(cls, bases: list[str]) -> list[str]:
        known = [*Basis, NO_BASIS, "*"]
        for basis in bases:
            if basis not in known:
                raise ValueError(f'"{basis}" is not a basis.{did_you_mean(basis, known)} Known: {", ".join(known)}.')
        return bases


class TrackingDefinition(Definition):
    """Where opens and clicks are recorded only of people who said yes to it."""

    ask_first: list[str] = Field(
        ["*"], description='ISO codes, "EEA", or "*" for everywhere; an unknown country counts.'
    )
    last_open_date: list[str] = Field(
        [], description="ISO codes where, of people who said nothing, the date of the last open is kept and no more."
    )


class ConsentDefinition(FileDefinition):
    """The whole file."""

    rows: list[RowDefinition] = Field(min_length=1, description="The first row that fits decides.")
    tracking: TrackingDefinition = Field(TrackingDefinition(), description="Opens and clicks.")


def table_of(content: Mapping[str, Any]) -> ConsentTable:
    """The table as the rules read it."""
    definition = ConsentDefinition.model_validate(content)
    named = {country for row in definition.rows for country in row.country}
    return ConsentTable(
        rows=tuple(
            Row(
                countries=_expand(row.country, named),
                bases=frozenset(row.basis),
                then=Pile(row.then),
                who=Who(row.who) if row.who else None,
                because=row.because,
                law=row.law,
                checked_on=row.checked_on,
                within_months=row.within,
                otherwise=Pile(row.otherwise),
            )
            for row in definition.rows
        ),
        ask_before_tracking=_expand(definition.tracking.ask_first, set()),
        date_of_last_open=_expand(definition.tracking.last_open_date, set()),
    )


#: Before anything is published nobody may be mailed and nobody is tracked.
CLOSED_TABLE = ConsentTable(())


def get_table(session: Session) -> ConsentTable:
    """The published table; the closed one before the first `publish`."""
    version = campaigns.find_current_version(session, KIND, NAME)
    return campaigns.derive(session, version, table_of) if version else CLOSED_TABLE


def _expand(countries: list[str], named: set[str]) -> frozenset[str]:
    """`EEA` means those of its countries that no row names for itself."""
    expanded = set(countries) - {"EEA"}
    return frozenset(expanded | (EEA - named if "EEA" in countries else set()))
