"""Who gets a contact that belongs to nobody: the first rule that holds, its operators in turn."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nurture.contacts.assignment.rules import Rule, assign

DANA, LUIS, MEI = "dana@acme.example", "luis@acme.example", "mei@acme.example"
GERMAN = Rule("german-speaking", 'country in ["DE", "AT"]', (DANA,))
LARGE = Rule("large", "company_size >= 500", (LUIS, MEI))
REST = Rule("everybody else", "", (LUIS, MEI, DANA))


def given_to(rules: list[Rule], holds: dict[str, set[int]], ids: list[int], working: set[str]) -> dict[int, str]:
    found, _ = assign(rules, holds, ids, working, {})
    return {one.contact_id: one.operator for one in found}


def test_the_first_rule_that_holds_decides() -> None:
    holds = {"german-speaking": {1, 2}, "large": {2, 3}, "everybody else": {1, 2, 3, 4}}
    assert given_to([GERMAN, LARGE, REST], holds, [1, 2, 3, 4], {DANA, LUIS, MEI}) == {
        1: DANA,
        2: DANA,
        3: LUIS,
        4: LUIS,
    }


def test_who_works_here_no_more_is_passed_over_and_a_rule_of_nobody_decides_nothing() -> None:
    holds = {"german-speaking": {1}, "large": {1, 2, 3}}
    assert given_to([GERMAN, LARGE], holds, [1, 2, 3], {MEI}) == {1: MEI, 2: MEI, 3: MEI}
    assert given_to([GERMAN, LARGE], holds, [1], set()) == {}


def test_nobody_of_whom_no_rule_holds_is_given_to_anybody() -> None:
    assert given_to([GERMAN], {"german-speaking": set()}, [1, 2], {DANA}) == {}


@given(sizes=st.lists(st.integers(0, 12), max_size=6))
def test_turns_are_fair_however_contacts_come_in(sizes: list[int]) -> None:
    turns: dict[str, int] = {}
    got: Counter[str] = Counter()
    for number, size in enumerate(sizes):
        ids = [100 * number + one for one in range(size)]
        found, turns = assign([REST], {"everybody else": set(ids)}, ids, {DANA, LUIS, MEI}, turns)
        got.update(one.operator for one in found)
    shares = [got[one] for one in (DANA, LUIS, MEI)]
    assert sum(shares) == sum(sizes)
    assert max(shares) - min(shares) <= 1


def test_the_history_names_the_rule_and_who_else_takes_turns() -> None:
    [one], _ = assign([LARGE], {"large": {7}}, [7], {LUIS, MEI}, {})
    assert one.because == 'rule "large": company_size >= 500, in turn with 1 other'
    [one], _ = assign([REST], {"everybody else": {7}}, [7], {LUIS}, {})
    assert one.because == 'rule "everybody else": everybody else, in turn with 2 others'
