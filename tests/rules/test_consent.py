"""Who may be mailed: the table, the judge, and the piles."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from nurture.campaigns.starter import starter_folder
from nurture.consent.definition import table_of
from nurture.consent.rules import (
    NO_BASIS,
    Basis,
    Pile,
    Purpose,
    Standing,
    add_months,
    may_send,
    pile_of,
    rule,
)
from nurture.consent.suppressions.rules import SuppressionReason

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
TABLE = table_of(YAML(typ="safe").load((starter_folder() / "campaigns" / "consent.yaml").read_text()))


@pytest.mark.parametrize(
    ("country", "basis", "given_on", "pile"),
    [
        ("DE", "double-opt-in", None, Pile.ANNOUNCE),
        ("XX", "opt-in", None, Pile.ANNOUNCE),
        ("US", "met", None, Pile.ANNOUNCE),
        ("US", NO_BASIS, None, Pile.ASK),
        ("DE", "customer", date(2026, 1, 1), Pile.ANNOUNCE),
        ("DE", "customer", None, Pile.ASK),  # a term, and no date to count it from
        ("DE", "published", None, Pile.NEVER),
        ("CA", "inquiry", date(2026, 1, 1), Pile.ANNOUNCE),
        ("CA", "inquiry", None, Pile.NEVER),
        ("SE", "met", None, Pile.ASK),  # by the row for the rest of the EEA
        (None, "met", date(2026, 1, 1), Pile.ASK),
        (None, "legitimate-interest", date(2026, 1, 1), Pile.NEVER),
        ("ZZ", NO_BASIS, None, Pile.NEVER),
    ],
)
def test_the_starter_table_says(country: str | None, basis: str, given_on: date | None, pile: Pile) -> None:
    assert rule(TABLE, country, basis, given_on).pile is pile


@given(st.sampled_from([*Basis, NO_BASIS]), st.none() | st.dates(date(2020, 1, 1), date(2026, 3, 1)))
def test_an_unknown_country_is_never_treated_better_than_any_known_one(basis: str, given_on: date | None) -> None:
    order = list(Pile)
    unknown = order.index(rule(TABLE, None, basis, given_on).pile)
    assert all(order.index(rule(TABLE, known, basis, given_on).pile) <= unknown for known in TABLE.countries)


def test_a_basis_ends_on_the_day_the_law_says() -> None:
    ruling = rule(TABLE, "CA", "inquiry", date(2025, 8, 31))
    assert ruling.until == date(2026, 2, 28)
    assert ruling.afterwards is Pile.NEVER


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(0, 60))
def test_months_later_is_the_same_day_or_the_last_of_its_month(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def standing(**known: object) -> Standing:
    given = {"suppressions": {}, "state": "given", "basis": "opt-in", "pile": Pile.ANNOUNCE, **known}
    return Standing(**given)  # type: ignore[arg-type]  # each test names fields of Standing


def test_somebody_who_agreed_may_be_mailed() -> None:
    assert may_send(Purpose.CAMPAIGN, standing(), NOW).is_allowed


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"state": None}, "no_consent"),
        ({"state": "refused", "pile": Pile.NEVER}, "refused"),
        ({"state": "withdrawn"}, "withdrawn"),
        ({"state": "none", "basis": None}, "must_ask"),
        ({"pile": Pile.ASK}, "must_ask"),
        ({"pile": Pile.NEVER}, "never"),
        ({"expires_at": NOW, "afterwards": Pile.ASK}, "expired"),
        ({"suppressions": {"opt_out": TODAY}}, "opt_out"),
        ({"suppressions": {"complaint": TODAY, "opt_out": TODAY}}, "opt_out"),
    ],
)
def test_everybody_else_may_not_and_the_judge_says_why(known: dict[str, object], reason: str) -> None:
    permission = may_send(Purpose.CAMPAIGN, standing(**known), NOW)
    assert not permission.is_allowed
    assert permission.reason == reason
    assert permission.because


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_what_a_person_just_asked_for_is_stopped_by_bounce_complaint_and_erasure_only(
    reason: SuppressionReason,
) -> None:
    stops = {SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.ERASED}
    permission = may_send(Purpose.SERVICE, standing(state=None, suppressions={reason: TODAY}), NOW)
    assert permission.is_allowed == (reason not in stops)


def test_nothing_stops_a_note_to_a_colleague() -> None:
    assert may_send(Purpose.INTERNAL, standing(suppressions={"opt_out": TODAY}), NOW).is_allowed


standings = st.builds(
    Standing,
    suppressions=st.dictionaries(
        st.sampled_from([str(reason) for reason in SuppressionReason]), st.just(TODAY), max_size=2
    ),
    state=st.sampled_from([None, "given", "refused", "withdrawn", "none"]),
    basis=st.sampled_from([None, *Basis]),
    pile=st.sampled_from(list(Pile)),
    expires_at=st.none() | st.sampled_from([NOW - timedelta(seconds=1), NOW, NOW + timedelta(days=1)]),
    afterwards=st.sampled_from(list(Pile)),
)


@given(standings)
def test_whoever_may_be_mailed_lies_on_the_pile_that_says_so(known: Standing) -> None:
    assert may_send(Purpose.CAMPAIGN, known, NOW).is_allowed == (pile_of(known, NOW) is Pile.ANNOUNCE)


@given(standings)
def test_nobody_without_a_basis_is_ever_mailed(known: Standing) -> None:
    if known.state != "given":
        assert not may_send(Purpose.CAMPAIGN, known, NOW).is_allowed
