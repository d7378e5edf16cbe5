"""The condition language: what it says, what it refuses, and where it points."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import (
    Argument,
    ConditionError,
    Field,
    FieldType,
    Predicate,
    Value,
    Words,
    holds,
    parse,
    segments_in,
)
from nurture.timing import parse_length

WORDS = Words(
    fields={
        "country": Field(FieldType.TEXT),
        "company_size": Field(FieldType.NUMBER),
        "is_partner": Field(FieldType.FLAG),
        "renewal_on": Field(FieldType.DATE),
        "stage": Field(FieldType.TEXT, ("subscriber", "lead", "customer"), ("recycled",)),
    },
    predicates={
        "clicked": Predicate((Argument("mail"),), (Argument("link"),), ("ever",)),
        "has_tag": Predicate((Argument("tag", is_required=True),)),
    },
    segments={
        "big": "company_size > 100",
        "german": 'country == "DE" and in_segment("big")',
        "loop": 'in_segment("loop")',
    },
)


@dataclass
class Known:
    """Facts for a test."""

    values: Mapping[str, Value]
    tags: frozenset[str] = frozenset()

    def value(self, name: str) -> Value | None:
        return self.values.get(name)

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        return predicate == "has_tag" and arguments["tag"] in self.tags


ANA = Known({"country": "DE", "company_size": 120, "is_partner": True, "renewal_on": "2026-06-30", "stage": "lead"})
NOBODY = Known({})


@pytest.mark.parametrize(
    "text",
    [
        'country == "DE"',
        '"DE" == country',
        'country in ["DE", "AT"]',
        'country not in ["FR"]',
        "company_size >= 120 and company_size < 121",
        "100 < company_size <= 120",
        "is_partner",
        'renewal_on > "2026-01-31"',
        'stage >= "lead"',
        'stage < "customer"',
        "not (country is None)",
        "country is not None",
        'in_segment("german")',
        "True",
        'country == "DE"\n  and company_size > 1',
    ],
)
def test_these_hold_for_ana(text: str) -> None:
    assert holds(parse(text, WORDS), ANA)


@pytest.mark.parametrize(
    "text",
    [
        'country == "DE"',
        'country != "DE"',
        'country in ["DE"]',
        'country not in ["DE"]',
        "company_size > 0",
        "company_size <= 0",
        'stage >= "subscriber"',
        "is_partner",
    ],
)
def test_every_comparison_with_a_missing_field_is_false(text: str) -> None:
    assert not holds(parse(text, WORDS), NOBODY)


def test_a_word_outside_the_order_is_above_and_below_nothing() -> None:
    recycled = Known({"stage": "recycled"})
    assert not holds(parse('stage >= "subscriber"', WORDS), recycled)
    assert not holds(parse('stage < "customer"', WORDS), recycled)
    assert holds(parse('stage == "recycled"', WORDS), recycled)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("contry == 1", 1, 'there is no field "contry". Did you mean "country"?'),
        ('country == "DE" and foo', 21, 'there is no field "foo".'),
        ('company_size > "50"', 16, "company_size is a number, and '50' is not"),
        ('country > "A"', 1, "country has no order"),
        ('stage > "recycled"', 9, '"recycled" is outside the order of stage'),
        ('stage == "leed"', 10, 'stage is never "leed". Did you mean "lead"?'),
        ("clicket()", 1, 'there is no question "clicket". Did you mean "clicked"?'),
        ("clicked(lnik='x')", 1, 'clicked knows no "lnik". Did you mean "link"?'),
        ("clicked(3)", 9, "mail of clicked is a text in quotes"),
        ("clicked('a', 'b')", 1, "clicked takes 1 value(s) before the named ones"),
        ("has_tag()", 1, "has_tag needs to know which tag"),
        ("has_tag", 1, "has_tag is a question"),
        ('in_segment("bog")', 1, 'there is no segment "bog". Did you mean "big"?'),
        ('in_segment("loop")', 1, 'the segment "loop" contains itself'),
        ('renewal_on > "soon"', 14, '"soon" is not a date'),
        ("company_size = 3", 14, "this is not a condition"),
        ("country == None", 12, "country is a text, and None is not"),
        ("1 < 2", 1, "a comparison has a field on one side"),
        (r'country == "\x00"', 12, "there is a character in this text that nobody can write"),
        (r'has_tag("\ud800")', 9, "there is a character in this text that nobody can write"),
        ("company_size > 9223372036854775808", 16, "no field holds a number so large"),
        ("company_size > -1e999", 17, "no field holds a number so large"),
        ("", 1, "a condition has only"),
    ],
)
def test_a_mistake_is_named_with_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text, WORDS)
    assert str(caught.value).startswith(message)
    assert caught.value.column == column


@pytest.mark.parametrize(
    "text",
    [
        "().__class__",
        "__import__('os').system('x')",
        "9**9**9",
        "[x for x in (1,)]",
        "lambda: 1",
        "country.upper()",
        "has_tag(tag=open('x'))",
        "f'{country}'",
        "(company_size := 3) > 1",
        "country == 'a' if True else True",
        "company_size + 1 > 2",
        "(" * 500 + "country" + ")" * 500,
        "not " * 200 + "is_partner",
        'country == "' + "x" * 5000 + '"',
    ],
)
def test_nothing_but_the_language_is_read(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text, WORDS)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        condition = parse(text, WORDS)
    except ConditionError as error:
        assert error.column >= 1
        return
    assert holds(condition, ANA) in {True, False}


def test_the_segments_a_condition_rests_on_are_found_through_each_other() -> None:
    assert segments_in('in_segment("german") or country == "FR"', WORDS) == {"german", "big"}


def test_a_length_of_less_than_nothing_is_a_mistake() -> None:
    words = Words({}, {"clicked": Predicate((), (Argument("within", parse_length),))}, {})
    with pytest.raises(ConditionError, match='"-1 days" is less than nothing; write how long'):
        parse('clicked(within="-1 days")', words)
