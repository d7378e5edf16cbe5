"""Can a condition hold? Whoever says never must be right of everybody."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import (
    AllOf,
    AnyOf,
    Argument,
    Asks,
    Compare,
    Condition,
    Field,
    FieldType,
    Missing,
    Not,
    OneOf,
    Predicate,
    Value,
    Words,
    holds,
    parse,
)
from nurture.sequences.remarks.possible import Possible
from nurture.tracking.rules import PREDICATES

FIELDS = {
    "country": Field(FieldType.TEXT),
    "company_size": Field(FieldType.NUMBER),
    "score": Field(FieldType.NUMBER),
    "is_partner": Field(FieldType.FLAG),
    "renewal_on": Field(FieldType.DATE),
    "stage": Field(FieldType.TEXT, ("subscriber", "lead", "customer"), ("recycled",)),
}
WORDS = Words(FIELDS, {**PREDICATES, "has_tag": Predicate((Argument("tag", is_required=True),))})
ANYBODY = Possible(FIELDS)


@pytest.mark.parametrize(
    ("text", "can_hold"),
    [
        ("company_size > 50 and company_size < 51", True),
        ("company_size > 50 and company_size <= 50", False),
        ("company_size > 50 and company_size is None", False),
        ("company_size != 50 and company_size is None", False),
        ("not (company_size == 50) and company_size is None", True),
        ('country == "DE" and country != "DE"', False),
        ('country in ["DE", "AT"] and country in ["AT", "CH"]', True),
        ('country in ["DE"] and country in ["AT"]', False),
        ('country not in ["DE"] and country != "AT"', True),
        ('stage >= "customer" and stage <= "lead"', False),
        (
            'stage != "subscriber" and stage != "lead" and stage != "customer" and stage != "recycled" and stage is not None',
            False,
        ),
        ('renewal_on > "2026-01-01" and renewal_on < "2026-01-03"', True),
        ('renewal_on > "2026-01-01" and renewal_on < "2026-01-02"', False),
        ("is_partner and not is_partner", False),
        ('has_tag("a") and not has_tag("b")', True),
        ('has_tag("a") and not has_tag("a")', False),
        ('clicked("a", link="/x") and not clicked("a")', False),
        ('clicked("a") and not clicked("a", link="/x")', True),
        ('clicked("a", within="7 days") and not clicked("a", within="9 days")', False),
        ('clicked("a", within="9 days") and not clicked("a", within="7 days")', True),
        ("clicked() and not clicked(ever=True)", False),
        ("clicked(ever=True) and not clicked()", True),
        ("not (score > 5 or score <= 5) and score is not None", False),
    ],
)
def test_what_contradicts_itself_cannot_hold(text: str, *, can_hold: bool) -> None:
    assert ANYBODY.can_hold(parse(text, WORDS)) is can_hold


def test_what_is_certain_of_people_decides_about_them() -> None:
    unseen = Possible(FIELDS, lambda asked: False if asked.predicate in {"opened", "clicked"} else None, {"score": 40})
    assert not unseen.can_hold(parse("clicked() or opened()", WORDS))
    assert unseen.can_hold(parse("clicked() or replied()", WORDS))
    assert unseen.implies(AllOf(()), parse("not opened()", WORDS))
    assert not unseen.can_hold(parse("score >= 41", WORDS))
    assert unseen.can_hold(parse("score >= 40", WORDS))
    assert unseen.can_hold(parse("score < 100", WORDS))


def test_what_would_take_too_long_to_try_is_taken_for_possible() -> None:
    some = AnyOf((Compare("score", ">", 1), Compare("company_size", ">", 1)))
    assert ANYBODY.can_hold(AllOf((*[some] * 12, Compare("score", ">", 5), Compare("score", "<", 5))))


@dataclass(frozen=True)
class Somebody:
    """Facts about one person."""

    values: Mapping[str, Value]
    yes: frozenset[str]

    def value(self, name: str) -> Value | None:
        return self.values.get(name)

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        # Whoever clicked in one mail clicked in some.
        here = f"{predicate} {arguments.get('mail', '')}".strip()
        return any(one.startswith(here) for one in self.yes)


NUMBERS = st.integers(-2, 3)
DAYS = st.dates().map(lambda day: day.isoformat())
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
LITERALS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, st.sampled_from(["company_size", "score"]), OPERATORS, NUMBERS),
    st.builds(Compare, st.just("renewal_on"), OPERATORS, DAYS),
    st.builds(Compare, st.just("country"), st.sampled_from(["==", "!="]), st.sampled_from(["DE", "AT"])),
    st.builds(OneOf, st.just("stage"), st.lists(st.sampled_from(["lead", "customer", "recycled"])).map(tuple)),
    st.just(Compare("is_partner", "==", True)),
    st.just(Missing("country", FieldType.TEXT)),
    st.just(Missing("score", FieldType.NUMBER)),
    st.sampled_from([Asks("clicked"), Asks("clicked", (("mail", "a"),)), Asks("opened", (("mail", "b"),))]),
)
CONDITIONS = st.recursive(
    LITERALS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=4).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, max_size=4).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=8,
)
PEOPLE = st.builds(
    Somebody,
    st.fixed_dictionaries(
        {},
        optional={
            "country": st.sampled_from(["DE", "AT", "FR"]),
            "company_size": st.floats(-3, 4),
            "score": NUMBERS,
            "is_partner": st.booleans(),
            "renewal_on": DAYS,
            "stage": st.sampled_from(["subscriber", "lead", "customer", "recycled"]),
        },
    ),
    st.frozensets(st.sampled_from(["clicked a", "clicked b", "opened a", "opened b"])),
)


@given(CONDITIONS, PEOPLE)
def test_whatever_holds_of_somebody_can_hold(condition: Condition, somebody: Somebody) -> None:
    assert ANYBODY.can_hold(condition if holds(condition, somebody) else Not(condition))


@given(CONDITIONS, CONDITIONS, PEOPLE)
def test_what_follows_from_a_condition_holds_wherever_it_does(
    condition: Condition, other: Condition, somebody: Somebody
) -> None:
    if ANYBODY.implies(condition, other) and holds(condition, somebody):
        assert holds(other, somebody)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_of_the_calendar_are_days_like_others(day: str) -> None:
    """Other systems write them for "never"."""
    it_is = Compare("renewal_on", "==", day)
    assert ANYBODY.can_hold(it_is)
    assert ANYBODY.can_hold(Not(it_is))
