"""Why is this person in, or not? Told clause by clause."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from nurture.app.language import language
from nurture.conditions import Asks, Value, holds, parse
from nurture.contacts.reasons import explain

WORDS = language().words(
    {
        "fields": {"company_size": "number", "is_partner": "flag"},
        "segments": {"big": 'company_size >= 50 and country == "DE"', "either": 'has_tag("vip") or in_segment("big")'},
    }
)


@dataclass(frozen=True)
class Ana:
    """Twelve people in Germany, and a tag."""

    def value(self, name: str) -> Value | None:
        known: dict[str, Value] = {"company_size": 12, "country": "DE"}
        return known.get(name)

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        return predicate == "has_tag" and arguments["tag"] == "vip"


def told(text: str) -> list[str]:
    def evidence(asked: Asks) -> str:
        return "tagged vip" if asked.predicate == "has_tag" else "never"

    return list(explain(parse(text, WORDS), Ana(), WORDS.predicates, evidence).lines())


def test_a_clause_is_told_with_what_is_known_of_the_person() -> None:
    assert told("company_size >= 50") == ["company_size >= 50: no, it is 12"]
    assert told("not is_partner") == ["not is_partner == True: yes, nothing is known"]
    assert told("country is None") == ['country is None: no, it is "DE"']
    assert told('country in ["DE", "AT"]') == ['country in ["DE", "AT"]: yes, it is "DE"']


def test_what_holds_clauses_is_a_tree_and_a_segment_keeps_its_name() -> None:
    assert told('in_segment("either") and not (clicked(link="/pricing", within="30 days") or True)') == [
        "all of these: no",
        '  in_segment("either"): yes',
        "    at least one of these: yes",
        '      has_tag("vip"): yes, tagged vip',
        '      in_segment("big"): no',
        "        company_size >= 50: no, it is 12",
        '        country == "DE": yes, it is "DE"',
        "  not: no",
        "    at least one of these: yes",
        '      clicked(link="/pricing", within="30 days"): no, never',
        "      everybody: yes",
    ]


@pytest.mark.parametrize(
    "text", ['in_segment("big")', 'not in_segment("either")', "True", 'company_size < 20 or opened("weekly/first")']
)
def test_the_first_line_says_what_the_condition_says(text: str) -> None:
    condition = parse(text, WORDS)
    assert explain(condition, Ana(), WORDS.predicates, lambda _: "").holds is holds(condition, Ana())
