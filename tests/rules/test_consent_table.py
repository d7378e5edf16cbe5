"""The consent table as nurture ships it, row by row, and what an installation may make of it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.consent.kind import starter_table
from nurture.consent.law.changes import differences, says
from nurture.consent.law.rules import EEA, ConsentTable, Row, Who, add_months, end_of, rule, who_at
from nurture.consent.rules import NO_BASIS, Basis, Pile

TABLE = starter_table()
A, Q, N = Pile.ANNOUNCE, Pile.ASK, Pile.NEVER
LATELY, LONG_AGO = date(2026, 1, 1), date(2020, 1, 1)

#: Of each country: what may be done for a company and for a private person, with a basis of two months ago.
#:          customer   inquiry    met        published  legit.     none
SHIPPED = {
    "US":  ["A A",     "A A",     "A A",     "A A",     "A A",     "Q Q"],
    "CA":  ["A A",     "A A",     "A Q",     "A N",     "N N",     "N N"],
    "GB":  ["A A",     "A A",     "A Q",     "A N",     "A N",     "N N"],
    "AU":  ["A A",     "Q Q",     "Q Q",     "A N",     "Q N",     "N N"],
    "FR":  ["A A",     "A Q",     "A Q",     "Q N",     "Q N",     "N N"],
    "DE":  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
    "AT":  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
    "NL":  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
    "SE":  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
    "CH":  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
    None:  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
    "BR":  ["A A",     "Q Q",     "Q Q",     "N N",     "N N",     "N N"],
}  # fmt: skip
BASES = (Basis.CUSTOMER, Basis.INQUIRY, Basis.MET, Basis.PUBLISHED, Basis.LEGITIMATE_INTEREST, NO_BASIS)
PILES = {"A": A, "Q": Q, "N": N}


@pytest.mark.parametrize("country", SHIPPED)
def test_the_table_says_for_each_country_company_and_person(country: str | None) -> None:
    for basis, cell in zip(BASES, SHIPPED[country], strict=True):
        expected = [PILES[one] for one in cell.split()]
        assert [rule(TABLE, country, basis, LATELY, who).pile for who in (Who.COMPANY, Who.PERSON)] == expected, basis


@pytest.mark.parametrize("country", SHIPPED)
@pytest.mark.parametrize("basis", [Basis.OPT_IN, Basis.DOUBLE_OPT_IN])
@pytest.mark.parametrize("who", Who)
def test_whoever_asked_for_it_may_have_it_anywhere_and_for_good(country: str | None, basis: Basis, who: Who) -> None:
    ruling = rule(TABLE, country, basis, LONG_AGO, who)
    assert (ruling.pile, ruling.until) == (A, None)


@pytest.mark.parametrize(
    ("country", "who", "basis", "months", "afterwards"),
    [
        ("CA", Who.COMPANY, "customer", 24, Q),
        ("CA", Who.PERSON, "inquiry", 6, N),
        ("DE", Who.PERSON, "customer", 24, Q),
        ("FR", Who.COMPANY, "met", 36, Q),
        ("FR", Who.PERSON, "customer", 36, Q),
        ("SE", Who.COMPANY, "customer", 24, Q),
        ("US", Who.PERSON, "customer", None, N),
    ],
)
def test_a_basis_ends_when_the_law_says_and_one_without_a_date_has_ended(
    country: str, who: Who, basis: str, months: int | None, afterwards: Pile
) -> None:
    """CASL 10(10) [84]: two years from a purchase, six months from an inquiry."""
    ruling = rule(TABLE, country, basis, LATELY, who)
    assert (ruling.until, ruling.afterwards) == (add_months(LATELY, months) if months else None, afterwards)
    assert rule(TABLE, country, basis, None, who).pile is (afterwards if months else A)


def test_the_day_that_a_basis_ends_on_is_its_last() -> None:
    assert end_of(date(2026, 2, 28)).isoformat() == "2026-02-28T23:59:59.999999+00:00"  # type: ignore[union-attr]  # given
    assert end_of(None) is None


@pytest.mark.parametrize(
    ("domain", "who"),
    [("gmail.com", Who.PERSON), ("Web.de", Who.PERSON), ("hotmail.co.uk", Who.PERSON), ("", Who.PERSON),
     ("reader.example", Who.COMPANY)],
)  # fmt: skip
def test_an_address_at_a_free_provider_is_a_private_persons(domain: str, who: Who) -> None:
    assert who_at(domain) is who


bases = st.sampled_from([*Basis, NO_BASIS])
days = st.none() | st.dates(date(2020, 1, 1), date(2026, 3, 1))
countries = st.sampled_from([None, *sorted(TABLE.countries)])
ORDER = list(Pile)


@given(bases, days, st.sampled_from(list(Who)))
def test_an_unknown_country_is_never_treated_better_than_any_known_one(
    basis: str, given_on: date | None, who: Who
) -> None:
    unknown = ORDER.index(rule(TABLE, None, basis, given_on, who).pile)
    assert all(ORDER.index(rule(TABLE, known, basis, given_on, who).pile) <= unknown for known in TABLE.countries)


@given(countries, bases, days)
def test_a_private_person_is_never_treated_better_than_a_company(
    country: str | None, basis: str, given_on: date | None
) -> None:
    company, person = (rule(TABLE, country, basis, given_on, who).pile for who in (Who.COMPANY, Who.PERSON))
    assert ORDER.index(person) >= ORDER.index(company)


@given(countries, days, st.sampled_from(list(Who)))
def test_nobody_is_announced_to_without_a_basis(country: str | None, given_on: date | None, who: Who) -> None:
    assert rule(TABLE, country, NO_BASIS, given_on, who).pile is not A


def test_every_row_names_its_law_and_the_day_somebody_looked_it_up() -> None:
    assert all(row.law and row.checked_on >= date(2026, 11, 1) for row in TABLE.rows)
    assert TABLE.countries >= EEA | {"US", "CA", "GB", "AU", "CH"}


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(0, 60))
def test_months_later_is_the_same_day_or_the_last_of_its_month(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def row(*countries: str, then: Pile, basis: str = "customer", **more: object) -> Row:
    values = {"law": "rule", "checked_on": date(2026, 1, 1), **more}
    return Row(frozenset(countries), frozenset([basis]), then, **values)  # type: ignore[arg-type]  # each test names fields


def test_two_tables_are_compared_by_what_they_decide_and_not_by_how_they_are_written() -> None:
    before = ConsentTable((row("DE", "FR", then=A, within_months=24, otherwise=Q),))
    split = ConsentTable(tuple(row(one, then=A, within_months=24, otherwise=Q, law="another") for one in ("DE", "FR")))
    assert list(differences(before, split)) == []
    stricter = ConsentTable((row("FR", then=Q, who=Who.PERSON), *split.rows))
    [found] = differences(before, stricter)
    assert (found.about, says(found.before), says(found.after)) == (
        "FR, person, customer", "announce for 24 months, then ask", "ask",
    )  # fmt: skip


def test_a_row_that_was_taken_away_is_a_difference_where_another_decides_now() -> None:
    wide, narrow = row("DE", "FR", then=Q), row("FR", then=A)
    found = list(differences(ConsentTable((narrow, wide)), ConsentTable((wide,))))
    assert {one.about for one in found} == {"FR, company, customer", "FR, person, customer"}
    assert not list(differences(ConsentTable((wide,)), ConsentTable((replace(wide, countries=frozenset({"FR"})),))))
